"""Stopping, arming and starting a lane, of either direction, through its resource alone (design §4.2 and §4.4).

A forward lane is an entry of the KafkaMirrorMaker2, found by its alias; a reverse lane is a KafkaConnector. No entry is
ever added or removed here: that would roll the pods, inside a pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kmigrate.errors import Blocked, StillUnderWay, VerifyFailed
from kmigrate.manifests.lane_offsets import ACTION, ALTER, LIST, asked, file_name, listed_offsets, wanted_offsets
from kmigrate.manifests.lanes import names_of
from kmigrate.manifests.mirror import RESET, RUNNING, STOPPED, steered
from kmigrate.model import JsonObject, Lane, Partition, Target, part
from kmigrate.probes.lanes import connector_spec, connector_status, lane_key, with_asked, with_setting
from kmigrate.probes.resources import conditions, unready
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Resource, World, revise


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """Where a lane stands: what is `asked` of it (`running | stopped`), what Connect `told` its operator of it.

    `told` is a state of Connect's (`RUNNING`, `STOPPED`, …), empty before the operator has looked at what is asked.
    `tasks` run by Connect's own word.
    """

    asked: str
    told: str
    tasks: int

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop, the operator has seen to it, and nothing runs."""
        return (self.asked, self.told, self.tasks) == (STOPPED, "STOPPED", 0)

    @property
    def running(self) -> bool:
        """Whether it was told to run, the operator has seen to it, and a task runs."""
        return (self.asked, self.told) == (RUNNING, "RUNNING") and self.tasks > 0

    def __str__(self) -> str:
        told = f"Connect says {self.told}" if self.told else "the operator has not looked at it yet"
        return f"asked to be {self.asked}, {told}, {self.tasks} tasks run"


def lane_state(world: World, target: Target, lane: Lane) -> LaneState:
    """Look where a lane stands; changes nothing. Raises Blocked when there is no such lane."""
    resource, spec = _found(world, target, lane)
    looked = resource.status.get("observedGeneration") == resource.generation
    told = part(connector_status(resource, lane), "connector").get("state", "") if looked else ""
    return LaneState(asked=str(spec.get("state", RUNNING)), told=str(told), tasks=world.mirror.tasks(lane))


def asked_state(world: World, target: Target, lane: Lane) -> str:
    """What is asked of the lane (`running | stopped`); stopped where there is none, since nobody knows its offsets."""
    resource = world.resources.get(lane_key(lane, target.namespace))
    spec = connector_spec(resource, lane) if resource is not None else None
    return STOPPED if spec is None else str(spec.get("state", RUNNING))


def asked_reset(world: World, target: Target, lane: Lane) -> str:
    """Where the lane is to begin without an offset, by its resource; empty where there is no such lane."""
    resource = world.resources.get(lane_key(lane, target.namespace))
    spec = connector_spec(resource, lane) if resource is not None else None
    return str(part(spec, "config").get(RESET, ""))


def set_reset(world: World, target: Target, lane: Lane, value: str, deadline_ms: int) -> None:
    """Say where the lane begins without an offset, and wait until it stands or runs again. Twice equals once.

    Connect makes a connector anew when it gets other settings: for a moment it is neither stopped nor running.
    """
    if asked_reset(world, target, lane) == value:
        return
    _change(world, target, lane, lambda resource: with_setting(resource, lane, RESET, value))

    def look() -> Ready[None] | NotYet:
        seen = lane_state(world, target, lane)
        return Ready(None) if seen.stopped or seen.running else NotYet(str(seen))

    _wait(world, f"{RESET}={value} of lane {lane.name}", look, deadline_ms)


def started_by_mistake(world: World, target: Target, lane: Lane) -> str:
    """How a lane that must stand still does not, in words; empty while it stands, and where there is no such lane.

    Whoever started it: the side it writes to owns its topics, so it has no right there, and its task fails (§4.3).
    """
    resource = world.resources.get(lane_key(lane, target.namespace))
    if resource is None or connector_spec(resource, lane) is None:
        return ""
    state = lane_state(world, target, lane)
    if state.asked == STOPPED and not state.tasks:
        return ""
    failed = [word for word in world.mirror.trouble(lane) if "FAILED" in word]
    return f"lane {lane.name} must stand still and was started: {'; '.join((str(state), *failed))}"


def stop_lane(world: World, target: Target, lane: Lane, deadline_ms: int) -> None:
    """Ask the lane to stop and wait until it has; one that stands already is left alone. Twice equals once.

    That no task runs is not enough: a connector that is only just being made, or moved between workers, has none
    either, and would have one a moment later. So Connect must have told the operator that it is STOPPED.
    """
    _steer(world, target, lane, STOPPED, deadline_ms, lambda state: state.stopped)


def start_lane(world: World, target: Target, lane: Lane, deadline_ms: int) -> None:
    """Ask the lane to run and wait until a task of it does. Twice equals once.

    Raises Blocked with what is wrong as soon as it FAILED.
    """

    def runs(state: LaneState) -> bool:
        if state.told and not state.running:
            _refuse_failed(world, lane)
        return state.running

    _steer(world, target, lane, RUNNING, deadline_ms, runs)


def remove_lists(world: World, target: Target, lanes: Iterable[Lane]) -> None:
    """Take away what asked for offsets of lanes that are gone, and what was told of them."""
    for lane in lanes:
        names = names_of(lane)
        for name in (names.offsets_wanted(lane), names.offsets_listed(lane)):
            if world.resources.get(lane_key(lane, target.namespace)) is None:
                world.resources.delete(Key("ConfigMap", target.namespace, name))


def ask_to_stop(world: World, target: Target, lane: Lane) -> None:
    """Ask the lane to stop and wait for nothing: it takes a while, and whoever needs that it has waits for it."""
    _ask_for(world, target, lane, STOPPED)


def start_again(world: World, target: Target, lane: Lane, deadline_ms: int, *, answers: bool) -> None:
    """Start a lane that a move stopped; while the target does not answer its operator is asked and not waited for."""
    if answers:
        start_lane(world, target, lane, deadline_ms)
    else:
        _ask_for(world, target, lane, RUNNING)
        world.reporter.note(f"the target does not answer: lane {lane.name} is asked to run once it does")


def arm_lane(world: World, target: Target, lane: Lane, last: Mapping[Partition, int], deadline_ms: int) -> None:
    """Set the offsets of a stopped lane, and prove it by reading them back: it goes on behind `last`, by partition.

    `last` has every partition of the lane that is to have an offset; one that begins at 0 has none. Raises Blocked
    when the lane is not asked to stop, VerifyFailed when other offsets are read back. One that is waits until it has:
    while others come and go Connect says for a moment that it is UNASSIGNED. Twice equals once.
    """
    state = lane_state(world, target, lane)
    if state.asked != STOPPED:
        raise Blocked(f"lane {lane.name} has not stopped: {state}", hint="stop it first, then run this again")
    stop_lane(world, target, lane, deadline_ms)
    if last:  # Connect refuses to set nothing
        world.resources.apply(wanted_offsets(names_of(lane), lane, target, last))
        _ask(world, target, lane, ALTER, deadline_ms)
    there = lane_offsets(world, target, lane, deadline_ms)
    if there != dict(last):
        raise VerifyFailed(
            f"the offsets of lane {lane.name} are not what was set: {'; '.join(_differences(last, there))}",
            hint=f"it stays stopped; look at ConfigMap {names_of(lane).offsets_listed(lane)}, then run this again",
        )


def lane_offsets(world: World, target: Target, lane: Lane, deadline_ms: int) -> dict[Partition, int]:
    """The last offset copied by partition, as Connect has it now; raises VerifyFailed when its list cannot be read.

    An older list is removed first, so that it is not taken for the new one.
    """
    place = Key("ConfigMap", target.namespace, names_of(lane).offsets_listed(lane))
    world.resources.delete(place)
    _ask(world, target, lane, LIST, deadline_ms)
    written = world.resources.get(place)
    try:
        return listed_offsets(lane, str(written.data[file_name(lane)]) if written is not None else "")
    except (ValueError, KeyError, TypeError) as error:
        raise VerifyFailed(
            f"{place} does not have the offsets of lane {lane.name}: {error!r}",
            hint="look at the operator's log, then run this again",
        ) from error


def _steer(
    world: World, target: Target, lane: Lane, state: str, deadline_ms: int, there: Callable[[LaneState], bool]
) -> None:
    """Ask for a state and wait until `there` says that it is reached."""
    _ask_for(world, target, lane, state)

    def look() -> Ready[None] | NotYet:
        seen = lane_state(world, target, lane)
        return Ready(None) if there(seen) else NotYet(str(seen))

    _wait(world, f"lane {lane.name} {state}", look, deadline_ms)


def _ask_for(world: World, target: Target, lane: Lane, state: str) -> None:
    _change(world, target, lane, lambda resource: with_asked(resource, lane, steered(state)))


def _ask(world: World, target: Target, lane: Lane, action: str, deadline_ms: int) -> None:
    """Wish for `list` or `alter` and wait until it is fulfilled; one that nobody waits for any more is taken back."""
    _change(world, target, lane, lambda resource: _wishing(resource, lane, action))

    def look() -> Ready[None] | NotYet:
        resource, _ = _found(world, target, lane)
        return NotYet(_warning(resource)) if ACTION in part(resource.metadata, "annotations") else Ready(None)

    try:
        _wait(world, f"{action} the offsets of lane {lane.name}", look, deadline_ms)
    except StillUnderWay:
        _change(world, target, lane, lambda resource: _wishing(resource, lane, None))
        raise


def _wait(world: World, what: str, look: Callable[[], Ready[None] | NotYet], deadline_ms: int) -> None:
    wait_until(look, what=what, clock=world.clock, reporter=world.reporter, deadline_ms=deadline_ms, every_ms=20)


def _change(world: World, target: Target, lane: Lane, changed: Callable[[Resource], JsonObject]) -> None:
    revise(world.resources, lambda: _found(world, target, lane)[0], changed)


def _found(world: World, target: Target, lane: Lane) -> tuple[Resource, JsonObject]:
    """The resource that has the lane, and what it asks of its connector; raises Blocked where there is none."""
    key = lane_key(lane, target.namespace)
    resource = world.resources.get(key)
    spec = connector_spec(resource, lane) if resource is not None else None
    if resource is None or spec is None:
        missing = f"there is no {key}" if resource is None else f"{key} has no mirror of {lane.source_alias}"
        raise Blocked(f"lane {lane.name}: {missing}", hint="run `kmigrate apply --phase replicate` again")
    return resource, spec


def _wishing(resource: Resource, lane: Lane, action: str | None) -> JsonObject:
    annotations: JsonObject = {**part(resource.metadata, "annotations"), **asked(lane, action)}
    return {**resource.body, "metadata": {**resource.metadata, "annotations": annotations}}


def _warning(resource: Resource) -> str:
    """Why the operator has not fulfilled a wish, by its own words."""
    warned = [told.get("message", "") for told in conditions(resource) if told.get("type") == "Warning"]
    return "; ".join(warned) or unready(resource) or "the operator has not seen to it yet"


def _refuse_failed(world: World, lane: Lane) -> None:
    failed = [word for word in world.mirror.trouble(lane) if "FAILED" in word]
    if failed:
        raise Blocked(
            f"lane {lane.name} does not run: {'; '.join(failed)}",
            hint="mend what it names, stop the lane, then run this again",
        )


def _differences(wanted: Mapping[Partition, int], there: Mapping[Partition, int]) -> list[str]:
    return [
        f"{partition}: {wanted.get(partition, 'none')} was set, {there.get(partition, 'none')} is there"
        for partition in sorted({*wanted, *there})
        if wanted.get(partition) != there.get(partition)
    ]
