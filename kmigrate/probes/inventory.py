"""What is there on the source, and what has changed since it was assessed; read-only."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.advice import LANE_SHARED, Inventory, Judged, SeenGroup, judge
from kmigrate.errors import Blocked
from kmigrate.manifests.lanes import topics_by_lane
from kmigrate.manifests.taken_over import left_out
from kmigrate.manifests.topics import KNOWN_SETTINGS
from kmigrate.model import GroupKind, Json, JsonObject, Migration, Right, Side
from kmigrate.waves import crowded
from kmigrate.world import World


def take_inventory(world: World, migration: Migration) -> Inventory:
    """Every topic, group and principal of the source; ACLs that cannot be listed are told, not raised.

    Raises what the world raises when the source does not answer.
    """
    cluster = world.cluster(Side.SOURCE)
    rights, unlisted = _rights(world)
    topics = dict(cluster.all_topics())
    # a listing may leave out what we may describe only by name
    topics |= cluster.topics([name for name in migration.topics if name not in topics])
    return Inventory(cluster_id=cluster.id(), topics=topics, groups=_groups(world), rights=rights, unlisted=unlisted)


def assess(migration: Migration, inventory: Inventory) -> Judged:
    """The red flags of an inventory under the plan."""
    lanes, back = topics_by_lane(migration), migration.way_back
    shared = crowded(migration.applications, lanes, way_back=back)
    return judge(migration, inventory, KNOWN_SETTINGS, left_out(migration, inventory.rights or ()), shared)


def drift(world: World, migration: Migration, assessed: Json = None) -> tuple[str, ...]:
    """What keeps a move from starting though the source was assessed, one sentence each: what is new and undecided.

    `assessed` is the fact `inventory` of the unit `assess` where the caller has it; then other partitions, topics
    that are gone and another cluster under the same address are told as well.
    """
    now = take_inventory(world, migration)
    flags = tuple(f"{flag}; {flag.way_out}" for flag in assess(migration, now).blocking if flag.id != LANE_SHARED)
    return (*flags, *(_changes(assessed, now.facts(), migration) if isinstance(assessed, Mapping) else ()))


def _changes(then: JsonObject, now: JsonObject, migration: Migration) -> tuple[str, ...]:
    told = []
    if then.get("clusterId") != now["clusterId"]:
        told.append(f"the source is another cluster: {now['clusterId']}, not {then.get('clusterId')}")
    before, after = then.get("topics"), now["topics"]
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in migration.topics:
            if name in before and name in after and before[name] != after[name]:
                told.append(f"topic {name} has {after[name]} partitions, and had {before[name]} when it was assessed")
    return tuple(told)


def _rights(world: World) -> tuple[tuple[Right, ...] | None, str]:
    try:
        return world.cluster(Side.SOURCE).rights(), ""
    except Blocked as refusal:
        return None, f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message


def _groups(world: World) -> dict[str, SeenGroup]:
    groups = world.groups(Side.SOURCE)
    every = groups.all()
    held = groups.held((name for name, group in every.items() if group.kind is not GroupKind.SHARE), stable=False)
    return {name: SeenGroup(group=group, held=held.get(name, {})) for name, group in every.items()}
