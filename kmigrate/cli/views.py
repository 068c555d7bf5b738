"""What status sees, looked at first and drawn afterwards; and what every command says of units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rich.markup import escape
from rich.tree import Tree

from kmigrate.cli import gate
from kmigrate.cli.draw import err, out, show
from kmigrate.engine import Preview, back, direction_of, forward, moved, phase_left, phase_unit, way_back, where
from kmigrate.errors import Blocked, Interrupted, KmigrateError, PlatformError, UsageError
from kmigrate.journal import Event, Journal, UnitRecord
from kmigrate.manifests.lanes import forward_lanes, other_way
from kmigrate.model import Application, Json, Lane, Migration, Side
from kmigrate.plan import Plan, Unit
from kmigrate.probes.foreign import known
from kmigrate.probes.ownership import in_force, origin
from kmigrate.probes.pauses import Prediction, predict
from kmigrate.steps.cutover.fences import denials
from kmigrate.steps.lanes import started_by_mistake
from kmigrate.story import START
from kmigrate.waves import moves, together
from kmigrate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """A unit as the journal has it; `pause_parts` has the milliseconds of kmigrate (`tool`) and of the application."""

    name: str
    state: str
    pause_ms: int | None
    pause_parts: Mapping[str, int]
    positions: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationView:
    """Where an application works, or last did, by the journal, and whether it runs, by looking.

    `way_back` says open or why not.
    """

    name: str
    side: str
    running: str
    way_back: str
    why_it_stays: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceView:
    """What is denied on one side and the raw commands that lift it; or, in `unknown`, why it could not be seen."""

    side: str
    denied: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LagView:
    """How far a lane is behind: at most so many records; `unknown` says why that could not be seen."""

    lane: str
    behind: int | None = None
    trouble: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """What status shows; `time` is when it was looked at (ms), `unanswered` says which side failed, and how.

    `standing_still` shouts which applications are stopped; `holder` is who claimed the migration and has not said that
    it ended; `edits` are those of the plan file that are refused; `pauses` has what is known beforehand of the pause of
    each move that is still to go; `foreign` are records that stand on one side alone.
    """

    migration: str
    time: int
    units: tuple[UnitView, ...]
    applications: tuple[ApplicationView, ...]
    pauses: Mapping[str, Prediction]
    lag: tuple[LagView, ...]
    fences: tuple[FenceView, ...]
    next: str
    standing_still: str
    holder: str
    edits: tuple[str, ...]
    foreign: tuple[str, ...]
    unanswered: tuple[str, ...]


def upcoming(plan: Plan, journal: Journal) -> list[Unit]:
    """Units that are not done yet, in the order of the story: phases, and in cutover the next attempt of every move."""
    todo: list[Unit | None] = []
    for phase in plan.phases:
        if phase.unit is None:
            todo += [_told(partial(forward, plan, journal, name)) for name in plan.moves]
        else:
            todo.append(_told(partial(phase_unit, plan, journal, phase.name)))
    return [unit for unit in todo if unit is not None]


def next_command(plan: Plan, journal: Journal) -> str:
    """The command that goes on; first with what stands still, then with what was begun."""
    still = gate.standing_still(journal)
    newest = {name: begun[-1] for name in moved(journal) if (begun := journal.standing(name))}
    half_done = {name: last for name, last in newest.items() if last.open}
    if half_done:
        name = min(half_done, key=lambda each: each not in still)
        verb = "rollback" if half_done[name].name.startswith("rollback/") else "apply --phase cutover"
        return f"kmigrate {verb} --app {name}"
    left = [name for name in plan.moves if where(journal, name) is Side.SOURCE]
    for phase in plan.phases:
        if phase.unit is None:
            if left:
                return f"kmigrate apply --phase {phase.name} --app {left[0]}"
            if plan.stays:
                return f"nothing is left to move; these stay: {', '.join(plan.stays)}"
        elif phase_left(plan, journal, phase.name):
            return f"kmigrate apply --phase {phase.name}"
    return "nothing is left to do"


def look(migration: Migration, plan: Plan, journal: Journal, world: World) -> StatusView:
    """Look at the journal and the world; what does not answer is told, not raised."""
    return StatusView(
        migration=migration.name,
        time=world.clock.now_ms(),
        units=tuple(_unit(unit, journal) for unit in journal.units.values()),
        applications=tuple(_application(app, plan, journal, world) for app in migration.applications),
        pauses=predicted(migration, plan, journal),
        lag=tuple(_lag(world, migration, lane) for lane in forward_lanes(migration)),
        fences=tuple(fence for side in Side for fence in _fence(side, migration.applications, world)),
        next=gate.with_file(next_command(plan, journal)),
        standing_still=gate.warning(journal),
        holder=_holder(world),
        edits=tuple(f"{edit.text} → {edit.refused}" for edit in gate.told_edits(plan, journal) if edit.refused),
        foreign=tuple(f"{each} on the {side}" for side, met in known(world).items() for each in met),
        unanswered=unanswered(world),
    )


def _holder(world: World) -> str:
    try:
        return world.claim.holder()
    except (PlatformError, Blocked):
        return ""


def predicted(migration: Migration, plan: Plan, journal: Journal) -> dict[str, Prediction]:
    """The pause of each move that is still to go, as far as the journal tells it."""
    here = [name for name in plan.moves if where(journal, name) is Side.SOURCE]
    apps = {move.name: together(move.applications) for move in moves(migration.applications)}
    return {name: predict(journal.past(), apps[name], Side.SOURCE, migration.policy) for name in here if name in apps}


def unanswered(world: World) -> tuple[str, ...]:
    """What each side that fails says; a target that is not made yet, or a missing right, is no failure."""
    return tuple(told for side in Side if (told := _failure(world, side)))


def _failure(world: World, side: Side) -> str:
    try:
        world.cluster(side).id()
    except PlatformError as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    except (Blocked, UsageError):
        return ""
    return ""


def unit_tree(unit: Unit, previews: Sequence[Preview], *, onto_stdout: bool = False) -> None:
    """Draw what one unit would change, step by step."""
    show(tree(unit, previews), out if onto_stdout else err)


def tree(unit: Unit, previews: Sequence[Preview]) -> Tree:
    """What one unit would change, step by step."""
    drawn = Tree(f"[bold]{unit.name}[/]  {escape(unit.title)}")
    for each in previews:
        way = f"  [dim]one way: {escape(each.one_way)}[/]" if each.one_way else ""
        branch = drawn.add(f"{each.step}  [dim]{escape(each.title)}[/]{way}")
        if each.blocked:
            branch.add(f"[yellow]not now: {escape(each.blocked)}[/]")
        for change in each.changes:
            branch.add(escape(str(change)))
    return drawn


def _told(ask: Callable[[], Unit | None]) -> Unit | None:
    """The answer, or None where it is Blocked: `plan` shows why among the edits."""
    try:
        return ask()
    except Blocked:
        return None


def _unit(unit: UnitRecord, journal: Journal) -> UnitView:
    newest = journal.standing(unit.move)[-1] if unit.moves and unit.begun and not unit.went_back else unit
    if unit.open and newest is not unit:
        state = f"left for {newest.name}"
    elif unit.sealed:
        state = "sealed"
    elif unit.went_back:
        state = "went back"
    else:
        done = [name for name, step in unit.steps.items() if step.event is Event.VERIFIED]
        begun = [name for name, step in unit.steps.items() if step.event in (Event.STARTED, Event.APPLIED)]
        state = f"in {begun[-1]}" if begun else f"after {done[-1]}" if done else "approved"
    pause, parts = unit.facts.get("pause_ms"), unit.facts.get("pause_parts")
    return UnitView(
        name=unit.name,
        state=state,
        pause_ms=pause if isinstance(pause, int) else None,
        pause_parts={k: v for k, v in parts.items() if isinstance(v, int)} if isinstance(parts, Mapping) else {},
        positions=unit.facts.get("positions"),
    )


def _application(app: Application, plan: Plan, journal: Journal, world: World) -> ApplicationView:
    name, why = app.name, plan.stays.get(app.name, "")
    running = "not known: the plan file names no workloads"
    if app.workloads:
        try:
            running = "yes" if world.workload(name).look().running else "NO"
        except Interrupted:
            raise
        except KmigrateError as error:
            running = f"unknown: {error.message}"
    side, way = str(works_on(journal, name)), _way_back(name, plan, journal)
    return ApplicationView(name=name, side=side, running=running, way_back=way, why_it_stays=why)


def works_on(journal: Journal, name: str) -> Side:
    """The side that the application was started on last, also by a move that is not sealed yet; at first the source."""
    for attempt in reversed(journal.attempts(name)):
        begun = attempt.steps.get(START)
        if begun is not None and begun.event in (Event.APPLIED, Event.VERIFIED) and not attempt.went_back:
            return direction_of(attempt).leaves.other
    return Side.SOURCE


def _way_back(name: str, plan: Plan, journal: Journal) -> str:
    """Open with the command, closed with the reason, or empty where there is nothing to go back from."""
    try:
        way = back(plan, journal, name)
        if way is None:
            return ""
        steps = way_back(way.unit, journal) if way.undo else way.unit.steps
    except Interrupted:
        raise
    except KmigrateError as error:
        return f"closed: {error.message}"
    how = f"undoes {len(steps)} steps" if way.undo else "a move of its own"
    return gate.with_file(f"open until decommission ({how}): kmigrate rollback --app {name}")


def _fence(side: Side, applications: Sequence[Application], world: World) -> tuple[FenceView, ...]:
    wanted = {denial for app in applications for denial in denials(side, app)}
    try:
        fence = world.fence(side)
        standing = sorted(fence.standing(wanted)) if wanted else []
        commands = fence.commands(standing) if standing else ()
    except Interrupted:
        raise
    except KmigrateError as error:
        return (FenceView(side=side, unknown=error.message),)
    return (FenceView(side=side, denied=tuple(map(str, standing)), commands=tuple(commands)),) if standing else ()


def _lag(world: World, migration: Migration, lane: Lane) -> LagView:
    """Last stable offsets where the topics are written less what Connect says is copied: at most so many records.

    Markers are counted as well. Of a topic that changed hands, the lane the other way is told. The one that must stand
    still is told only where it does not.
    """
    try:
        force = in_force(world, lane)
        copied, owner = world.mirror.copied(force), world.cluster(origin(force))
        topics = owner.topics(lane.topics)
        logs = owner.ranges([p for topic in topics.values() for p in topic.all()])
        behind = sum(max(0, log.end - 1 - copied.get(p, log.start - 1)) for p, log in logs.items())
        wrong = started_by_mistake(world, migration.target, other_way(force))
        return LagView(
            lane=force.name, behind=behind, trouble=(*world.mirror.trouble(force), *([wrong] if wrong else []))
        )
    except Interrupted:
        raise
    except KmigrateError as error:
        return LagView(lane=lane.name, unknown=error.message)
