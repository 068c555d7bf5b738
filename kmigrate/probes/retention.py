"""Whether the source forgets records before they are copied: what it has lost already, and what it will lose first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.errors import Blocked, Refused
from kmigrate.model import Partition, Side, Topic
from kmigrate.probes.unmarked import records_after
from kmigrate.world import World

# org.apache.kafka.storage.internals.log.LogConfig of Kafka 4.3: what a broker does that was told nothing else
_DEFAULTS = {"retention.ms": 604_800_000, "delete.retention.ms": 86_400_000}
_WEEK_MS = 604_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long a topic keeps a record at least, in milliseconds; None is forever. `assumed`: nobody set it there."""

    setting: str
    ms: int | None
    assumed: bool

    def __str__(self) -> str:
        value = "forever" if self.ms is None else f"{self.ms} ms"
        return f"{self.setting} {value}" + (" (broker default assumed)" if self.assumed else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncopied:
    """What of a partition is not copied: at most so many records, the oldest written so many milliseconds ago."""

    records: int
    age_ms: int


def shortest_term(topic: Topic) -> Term:
    """The shorter of retention.ms and, where the topic is compacted, delete.retention.ms.

    A topic has the settings that somebody set on it; the broker's own default is not asked for.
    """
    compacted = "compact" in topic.config.get("cleanup.policy", "delete")
    settings = ("retention.ms", "delete.retention.ms") if compacted else ("retention.ms",)
    return min((_term(topic, name) for name in settings), key=lambda t: float("inf") if t.ms is None else t.ms)


def refuse_gone(world: World, copied: Mapping[Partition, int]) -> None:
    """Raise Refused where the source's log starts past what was copied, naming each partition.

    `copied` holds, per partition, the first offset that is not known to be copied. A partition of which nothing was
    ever copied is left out: there the copy begins wherever the log does.
    """
    logs = world.cluster(Side.SOURCE).ranges(copied)
    gone = [p for p in sorted(copied) if logs[p].start > copied[p]]
    if gone:
        told = ", ".join(f"{p} (copied before {copied[p]}, the log starts at {logs[p].start})" for p in gone)
        raise Refused(
            f"retention on the source took records before they were copied: {told}",
            hint="lengthen retention.ms there, then let the copy begin anew: `kmigrate rollback --to start`, "
            "then provision and replicate again",
        )


def uncopied(world: World, copied: Mapping[Partition, int]) -> dict[Partition, Uncopied]:
    """What of each partition stands on the source from the given offset on; partitions without such a record are out.

    Offsets are counted, so markers and holes make the number an upper bound.
    """
    source = world.cluster(Side.SOURCE)
    logs = source.ranges(copied)
    starts = {p: max(at, logs[p].start) for p, at in copied.items() if logs[p].end > at}
    now = world.clock.now_ms()
    return {
        p: Uncopied(records=logs[p].end - records[0].offset, age_ms=max(0, now - records[0].timestamp))
        for p, records in records_after(source, starts).items()
        if records
    }


def refuse_expiring(
    world: World, topics: Iterable[Topic], left: Mapping[Partition, Uncopied], need_ms: int | None
) -> None:
    """Raise Blocked for every topic whose oldest uncopied record may expire before the mirror has copied all.

    `need_ms` is how long the mirror needs for all that is left. None where no rate was measured: then the age of the
    oldest record is taken for it, since a mirror so far behind has shown no better.
    """
    told, commands = [], []
    for topic in topics:
        age = max((each.age_ms for p, each in left.items() if p.topic == topic.name), default=None)
        term = shortest_term(topic)
        if age is None or term.ms is None:
            continue
        need = age if need_ms is None else need_ms
        if term.ms - age < need:
            told.append(_told(topic, term, age, need, sum(u.records for p, u in left.items() if p.topic == topic.name)))
            commands.append(_command(world, topic, term, 2 * (age + need)))
    if told:
        raise Blocked(
            f"records may expire on the source before they are copied: {'; '.join(told)}",
            hint=f"lengthen retention there, then run this again: {'; '.join(commands)}",
        )


def _term(topic: Topic, setting: str) -> Term:
    own = topic.config.get(setting)
    ms = int(own) if own is not None else _DEFAULTS[setting]
    return Term(setting=setting, ms=None if ms < 0 else ms, assumed=own is None)


def _told(topic: Topic, term: Term, age: int, need: int, records: int) -> str:
    return (
        f"{topic.name} keeps them for {term}, at most {records} are not copied, the oldest is {age} ms old, "
        f"the mirror needs {need} ms"
    )


def _command(world: World, topic: Topic, term: Term, ms: int) -> str:
    brokers = ",".join(world.cluster(Side.SOURCE).brokers())
    return (
        f"kafka-configs.sh --bootstrap-server {brokers} --command-config admin.properties --alter "
        f"--entity-type topics --entity-name {topic.name} --add-config {term.setting}={max(_WEEK_MS, ms)}"
    )
