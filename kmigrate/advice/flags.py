"""Red flags: what on the source nobody has decided about yet, or what will not go as one would think. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from kmigrate.advice.estate import Inventory, SeenGroup
from kmigrate.advice.flag import Flag, Severity, accept, blocks, warns
from kmigrate.advice.flags_of_listeners import listeners
from kmigrate.advice.flags_of_rights import applications, not_carried, principals, rights, unseen
from kmigrate.model import Accepted, GroupKind, Migration, Reads, Right, Topic, by_group

ABORTED_AHEAD = "KM-ABORTED-AHEAD"
"""Aborted copies ahead of a reader of uncommitted records: seen on the target, by whoever translates its positions."""
FOREIGN_WRITE = "KM-FOREIGN-WRITE"
"""A foreign record on the side that was left: seen while a move soaks, and by whoever carries positions across it."""
LANE_SHARED = "KM-LANE-SHARED"
"""Seen from the plan alone: there is nothing new in it, however late it is looked at."""
BORNE = frozenset({ABORTED_AHEAD, FOREIGN_WRITE})
"""Those that are not seen in an inventory: what is taken on of them decides about moves, and about no phase."""
_DAY_MS = 86_400_000
_FOREVER_MS = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The red flags that still fly, and those that the plan accepts by name."""

    flags: tuple[Flag, ...]
    accepted: tuple[Flag, ...]

    @property
    def blocking(self) -> tuple[Flag, ...]:
        """Those that assess ends with."""
        return tuple(flag for flag in self.flags if flag.severity is Severity.BLOCKS)

    @property
    def warning(self) -> tuple[Flag, ...]:
        """Those that are only told."""
        return tuple(flag for flag in self.flags if flag.severity is Severity.WARNS)


def judge(
    migration: Migration,
    inventory: Inventory,
    known_settings: Collection[str],
    left_out: Mapping[Right, str],
    crowded: Mapping[str, str],
) -> Judged:
    """Every red flag of the source under this plan; `known_settings` are topic settings that the target can carry.

    `left_out` are the ACLs about somebody of the plan that no user takes over on the target, each with the reason;
    `crowded` the moves that have no lane of their own, each with what shares it.
    An `accept` takes off the flag of its id and subject; one that matches no flag is a flag itself.
    """
    found = sorted({*_topics(migration, inventory, known_settings), *_groups(migration, inventory)})
    found += sorted({*principals(migration, inventory), *applications(migration)})
    found += sorted({*rights(migration, inventory), *unseen(migration, inventory), *listeners(migration)})
    found += sorted(not_carried(left_out)) + [_crowded(name, told) for name, told in sorted(crowded.items())]
    taken = {(each.id, each.subject) for each in migration.accept}
    flown = {(flag.id, flag.subject) for flag in found} | {(ABORTED_AHEAD, group) for group in _uncommitted(migration)}
    flown |= {(FOREIGN_WRITE, topic) for app in migration.applications for topic in app.writes}
    idle = [_idle(each) for each in migration.accept if (each.id, each.subject) not in flown]
    return Judged(
        flags=(*(flag for flag in found if (flag.id, flag.subject) not in taken), *idle),
        accepted=tuple(flag for flag in found if (flag.id, flag.subject) in taken),
    )


def _crowded(name: str, told: str) -> Flag:
    return blocks(
        LANE_SHARED,
        name,
        f"it cannot move: {told}",
        "raise mirror.lanes in the plan file before the topics are made; where they are, go back first: kmigrate "
        f"rollback --to assess; or leave it on the source: {accept(LANE_SHARED, name)}",
    )


def _idle(accepted: Accepted) -> Flag:
    return warns(
        "KM-ACCEPT-UNMATCHED",
        accepted.subject,
        f"the plan accepts {accepted.id} for it, and there is no such flag",
        "correct id and subject, or take the entry out of accept",
    )


def _topics(migration: Migration, inventory: Inventory, known_settings: Collection[str]) -> Iterator[Flag]:
    included = set(migration.topics)
    used = {topic for app in migration.applications for topic in (*app.topics_read, *app.writes)}
    for name in inventory.user_topics:
        if name not in included and not migration.excludes(name):
            yield blocks(
                "KM-TOPIC-UNASSIGNED",
                name,
                "the plan neither includes nor excludes this topic of the source",
                f"add it to topics.include or topics.exclude, or {accept('KM-TOPIC-UNASSIGNED', name)}",
            )
    for name in sorted(included):
        if name in inventory.topics:
            yield from _settings(inventory.topics[name], known_settings)
            yield from _accepts_more(migration, inventory.topics[name])
        else:
            yield blocks(
                "KM-TOPIC-MISSING",
                name,
                "the plan includes this topic, and the source has none of that name, or kmigrate may not describe it",
                "correct topics.include, or grant DESCRIBE on it to kmigrate's principal",
            )
        if name not in used:
            yield warns(
                "KM-TOPIC-UNUSED",
                name,
                "no application of the plan reads or writes it; it is mirrored all the same",
                "move it to topics.exclude if nobody needs it on the target",
            )


def _accepts_more(migration: Migration, topic: Topic) -> Iterator[Flag]:
    """Topics that change their owner, and of which the target would take records that the source refuses."""
    if not (migration.way_back and any(topic.name in app.writes for app in migration.applications)):
        return
    asked = {**migration.overrides.get(topic.name, {}), "message.timestamp.before.max.ms": str(_FOREVER_MS)}
    more = [
        f"{name}: {asked[name]} there, {told} here" for name, told in topic.accepts.items() if _more(asked, name, told)
    ]
    if more:
        yield blocks(
            "KM-TOPIC-ACCEPTS-MORE",
            topic.name,
            f"written on the target it could get records that the source refuses ({'; '.join(sorted(more))}), and "
            "the mirror back would stand still at the first of them",
            f"allow as much on the source, or {accept('KM-TOPIC-ACCEPTS-MORE', topic.name)}",
        )


def _more(asked: Mapping[str, str], name: str, told: str) -> bool:
    return name in asked and asked[name].isdigit() and int(asked[name]) > int(told)


def _settings(topic: Topic, known_settings: Collection[str]) -> Iterator[Flag]:
    lost = sorted(name for name in topic.config if name not in known_settings)
    if lost:
        yield warns(
            "KM-TOPIC-SETTING-DROPPED",
            topic.name,
            f"Apache Kafka does not know {', '.join(lost)}; the target's topic goes without",
            "nothing, if nobody relies on it; else find what replaces it on the target",
        )
    if topic.config.get("message.timestamp.type") == "LogAppendTime":
        yield warns(
            "KM-TOPIC-LOGAPPENDTIME",
            topic.name,
            "the source stamps records with their time of arrival; while it is mirrored the target keeps those times, "
            "and what is copied back is stamped anew",
            "see to it that no reader counts on the time of records that came back",
        )
    compact = "compact" in topic.config.get("cleanup.policy", "delete")
    if compact and int(topic.config.get("delete.retention.ms", str(_DAY_MS))) < _DAY_MS:
        yield warns(
            "KM-TOPIC-COMPACT-SHORT-DELETE-RETENTION",
            topic.name,
            f"it forgets deletions after {int(topic.config['delete.retention.ms']) // 1000} s; a mirror that is "
            "further behind leaves deleted keys alive on the target",
            "raise delete.retention.ms on the source to a day or more until the migration is over",
        )


def _groups(migration: Migration, inventory: Inventory) -> Iterator[Flag]:
    declared = by_group(reads for app in migration.applications for reads in app.reads)
    for name, seen in sorted(inventory.groups.items()):
        if seen.in_use:
            yield from _kinds(name, seen, inventory)
            if name not in declared:
                yield from _unassigned_group(migration, name, seen, inventory)
    for name, reads in sorted(declared.items()):
        yield from _positions(reads, inventory.groups.get(name), inventory)


def _is_streams(name: str, seen: SeenGroup, inventory: Inventory) -> bool:
    own = any(
        topic.startswith(f"{name}-") and topic.endswith(("-changelog", "-repartition")) for topic in inventory.topics
    )
    return own or seen.group.kind is GroupKind.STREAMS


def _kinds(name: str, seen: SeenGroup, inventory: Inventory) -> Iterator[Flag]:
    """Groups whose positions cannot be carried like others'."""
    if _is_streams(name, seen, inventory):
        yield blocks(
            "KM-GROUP-STREAMS",
            name,
            "this is a Kafka Streams application; its state and its own topics cannot be moved yet",
            f"leave it on the source: {accept('KM-GROUP-STREAMS', name)}",
        )
    elif seen.group.kind is GroupKind.SHARE:
        yield blocks(
            "KM-GROUP-SHARE",
            name,
            "this is a share group; it has no position that could be carried",
            f"leave it on the source: {accept('KM-GROUP-SHARE', name)}",
        )


def _unassigned_group(migration: Migration, name: str, seen: SeenGroup, inventory: Inventory) -> Iterator[Flag]:
    if seen.group.kind is GroupKind.SHARE or _is_streams(name, seen, inventory):
        return
    if seen.topics and all(migration.excludes(topic) for topic in seen.topics):
        return  # it stays with its topics
    told = f"{len(seen.group.members)} members, positions in {', '.join(seen.topics) or 'no topic'}"
    if name.startswith("connect-"):
        yield blocks(
            "KM-GROUP-CONNECT",
            name,
            f"a sink connector reads with it ({told}), and no application of the plan does",
            f"declare the connector as an application with this group, or {accept('KM-GROUP-CONNECT', name)}",
        )
        return
    yield blocks(
        "KM-GROUP-UNASSIGNED",
        name,
        f"it is in use ({told}), and no application of the plan reads with it",
        f"add it to the reads of an application, or {accept('KM-GROUP-UNASSIGNED', name)}",
    )


def _positions(reads: Reads, seen: SeenGroup | None, inventory: Inventory) -> Iterator[Flag]:
    wanted = {p for name in reads.topics if name in inventory.topics for p in inventory.topics[name].all()}
    without = sorted(wanted - set(seen.held if seen else ()))
    if without:
        yield warns(
            "KM-GROUP-NO-POSITION",
            reads.group,
            f"it holds no position in {len(without)} of {len(wanted)} partitions, the first is {without[0]}; there is "
            "nothing to carry there",
            "let it read and commit before its cutover, or correct its topics",
        )
    more = sorted(set(seen.topics if seen else ()) & set(inventory.topics) - set(reads.topics))
    if more:
        yield blocks(
            "KM-GROUP-HOLDS-MORE",
            reads.group,
            f"it holds positions in {', '.join(more)} too, and the plan does not say that it reads there",
            "add these to the topics of its reads, or delete the positions that nobody needs",
        )
    if reads.isolation != "read_committed":
        yield warns(
            "KM-READ-UNCOMMITTED",
            reads.group,
            "it reads uncommitted records, so it may see copies that the mirror aborted; its move counts them first",
            "set isolation.level=read_committed in the application if it can bear it",
        )


def _uncommitted(migration: Migration) -> Iterator[str]:
    """The groups that may have aborted copies ahead; how many is seen on the target."""
    for app in migration.applications:
        yield from (reads.group for reads in app.reads if reads.isolation != "read_committed")
