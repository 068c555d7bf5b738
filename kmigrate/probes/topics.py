"""Whether the target's topics are as their resources ask, looked at on the cluster itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.errors import Blocked, VerifyFailed
from kmigrate.manifests.names import OURS
from kmigrate.model import JsonObject, Side, Topic
from kmigrate.probes.resources import key_of, stored
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Resource, World


def settled(world: World, wanted: Sequence[JsonObject]) -> tuple[str, ...]:
    """What on the target is not as the KafkaTopics ask, in words: missing, with other partitions, settings, or more."""
    asked = {str(spec["topicName"]): spec for spec in map(_spec, wanted)}
    there = world.cluster(Side.TARGET).topics(asked)
    return tuple(text for name, spec in asked.items() for text in _differs(name, spec, there.get(name)))


def refuse_unsettled(world: World, wanted: Sequence[JsonObject]) -> None:
    """Raise VerifyFailed where the target's own word differs from what Ready resources ask for."""
    different = settled(world, wanted)
    if different:
        raise VerifyFailed(
            f"Ready, and yet not as asked on the target: {'; '.join(different)}",
            hint="somebody changed it past its KafkaTopic: the operator puts settings back within its interval, else "
            "kafka-configs.sh --alter does; see who it was before the next move",
        )


def await_topics(world: World, wanted: Sequence[JsonObject], *, deadline_ms: int) -> None:
    """Wait until the target shows every topic as asked; raises StillUnderWay naming what differs."""

    def look() -> Ready[None] | NotYet:
        wrong = settled(world, wanted)
        return NotYet("; ".join(wrong)) if wrong else Ready(None)

    wait_until(look, what="topics", clock=world.clock, reporter=world.reporter, deadline_ms=deadline_ms)


def adoptable(world: World, wanted: Sequence[JsonObject]) -> None:
    """Raise Blocked, all at once, for topics on the target that are not ours and cannot become so.

    Ours is one whose resource has our label: what is in it then came from the mirror. Any other must have the wanted
    partitions and hold no record.
    """
    ours = {key for key, found in stored(world.resources, map(key_of, wanted)).items() if is_ours(found)}
    foreign = {str(_spec(body)["topicName"]): _spec(body) for body in wanted if key_of(body) not in ours}
    there = world.cluster(Side.TARGET).topics(foreign)
    wrong = [text for name, topic in there.items() for text in _in_the_way(world, topic, foreign[name])]
    if wrong:
        raise Blocked(
            f"the target has topics already that cannot be filled: {'; '.join(wrong)}",
            hint="remove them on the target, or leave them out of topics.include",
        )


def _in_the_way(world: World, topic: Topic, spec: JsonObject) -> tuple[str, ...]:
    if topic.partitions != spec["partitions"]:
        return (f"{topic.name} has {topic.partitions} partitions there, and {spec['partitions']} on the source",)
    ranges = world.cluster(Side.TARGET).ranges(topic.all(), committed=False)
    held = sum(each.end - each.start for each in ranges.values())
    # ends, not records: markers count too, which is on the careful side
    return (f"{topic.name} is not empty there: its logs span {held} offsets",) if held else ()


def is_ours(found: Resource) -> bool:
    """Whether it has the label of what kmigrate made or took over."""
    labels = found.metadata.get("labels")
    return isinstance(labels, Mapping) and labels.items() >= OURS.items()


def _differs(name: str, spec: JsonObject, topic: Topic | None) -> tuple[str, ...]:
    if topic is None:
        return (f"{name} is not there",)
    if topic.partitions != spec["partitions"]:
        return (f"{name} has {topic.partitions} partitions instead of {spec['partitions']}",)
    config = spec.get("config")
    asked = config if isinstance(config, Mapping) else {}
    others = {each: value for each, value in topic.config.items() if each not in asked and not _of_a_move(each)}
    return (
        *(
            f"{name} has {setting}={topic.config.get(setting, 'unset')} instead of {value}"
            for setting, value in asked.items()
            if topic.config.get(setting) != str(value)
        ),
        *(f"{name} has {setting}={value}, which its KafkaTopic does not ask for" for setting, value in others.items()),
    )


def _of_a_move(setting: str) -> bool:
    """Whether it comes and goes while replicas are moved to other brokers; its operator leaves it alone, too."""
    return setting.endswith(".throttled.replicas")


def _spec(body: JsonObject) -> JsonObject:
    spec = body["spec"]
    assert isinstance(spec, Mapping)
    return spec
