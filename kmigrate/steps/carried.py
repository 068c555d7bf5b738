"""The topics that are carried over, as the target has them: deletion held off as long as a way back is promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmigrate.errors import Blocked
from kmigrate.manifests.topics import CarriedTopic, carried_topic
from kmigrate.model import JsonObject, Migration, Side, Topic, part
from kmigrate.probes.foreign import known
from kmigrate.probes.ownership import MADE_ANEW, hand_overs_of
from kmigrate.probes.resources import key_of, stored
from kmigrate.steps.clusters import brokers
from kmigrate.world import World

RELEASED = "retention_released"
"""The fact that the way back is closed, so that the target deletes again as the source did."""


def carried(world: World, migration: Migration) -> tuple[CarriedTopic, ...]:
    """Every topic of the plan as the source has it; raises Blocked for one that is not there."""
    copies, overrides = brokers(world, migration), migration.overrides
    return tuple(
        carried_topic(topic, migration.target, brokers=copies, overrides=overrides.get(topic.name))
        for topic in _source(world, migration)
    )


def is_released(world: World) -> bool:
    """Whether the way back is closed, by the ledger."""
    return any(world.ledger.by_unit(RELEASED).values())


def as_they_are_now(world: World, migration: Migration) -> tuple[JsonObject, ...]:
    """Their resources, by what the ledger says of the way back."""
    released = is_released(world)
    return tuple(each.released if released else each.body for each in carried(world, migration))


def forget_those_before(world: World, wanted: Iterable[JsonObject]) -> None:
    """Write down, before they are made, that topics of that name were handed over and taken away since.

    What the ledger knows of hand-overs, and of records on one side alone, is of those.
    """
    bodies = {key_of(body): body for body in wanted}
    there = stored(world.resources, bodies)
    new = [str(part(body, "spec").get("topicName")) for key, body in bodies.items() if key not in there]
    before = hand_overs_of(world, new)
    if before:
        kept = world.ledger.get(MADE_ANEW)
        world.ledger.put(MADE_ANEW, {**(kept if isinstance(kept, Mapping) else {}), **before})


def refuse_to_lose(world: World, names: Iterable[str]) -> None:
    """Raise Blocked for records that somebody wrote on the target alone: they would go with their topics."""
    alone = [each for each in known(world).get(Side.TARGET, ()) if each.partition.topic in set(names)]
    if alone:
        topics = ", ".join(sorted({each.partition.topic for each in alone}))
        raise Blocked(
            f"{topics} would be removed on the target, and these records stand there alone: "
            f"{', '.join(map(str, alone))}",
            hint=f"copy them where they are needed, then remove KafkaTopic {topics} yourself and run this again",
        )


def _source(world: World, migration: Migration) -> tuple[Topic, ...]:
    seen = world.cluster(Side.SOURCE).topics(migration.topics)
    missing = sorted(set(migration.topics) - set(seen))
    if missing:
        raise Blocked(
            f"the source has no topic {', '.join(missing)}, or kmigrate may not describe it",
            hint="correct topics.include in the plan file, or grant DESCRIBE on it",
        )
    return tuple(seen[name] for name in migration.topics)
