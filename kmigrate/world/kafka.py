"""What is looked at and changed over the Kafka protocol."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Protocol

from kmigrate.model import (
    Auth,
    Denial,
    FullRecord,
    Group,
    KeyedRows,
    Lane,
    OffsetRange,
    OpenTransaction,
    Partition,
    Record,
    Right,
    Run,
    Stretch,
    Topic,
    Trial,
)
from kmigrate.positions import SyncIndex


class Cluster(Protocol):
    """One Kafka cluster, read-only. Records and ends are those of a read_committed reader unless said."""

    def id(self) -> str:
        """The cluster id."""
        ...

    def brokers(self) -> tuple[str, ...]:
        """The address that every broker advertises, `host:port`, sorted."""
        ...

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        """The named topics that exist; a topic we may not describe is missing."""
        ...

    def all_topics(self) -> Mapping[str, Topic]:
        """Every topic we may describe, by name, without Kafka's own (`__consumer_offsets` and its like)."""
        ...

    def rights(self) -> tuple[Right, ...]:
        """Every ACL, sorted. Raises Blocked when we may not list them; the hint has the command that grants it."""
        ...

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        """Log start and end per partition: the last stable offset, or the high watermark with `committed=False`."""
        ...

    def ends(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, int]:
        """Only the ends of `ranges`, for half of what those cost."""
        ...

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """First offset whose timestamp is at or after the given time (ms); the log end if none (KIP-79 ListOffsets)."""
        ...

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        """Every visible record within each half-open range, in order. Raises Transient if the end is not reached.

        With `committed=False` records of aborted and of open transactions are visible too. With `timed=False` their
        digests leave the timestamp out, for sides of which one stamps its own.
        """
        ...

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        """Begin to `read` committed records beside whatever else is done; what is given back waits for them.

        Ask again only once what was asked before has been fetched, or is not wanted any more.
        """
        ...

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        """Begin to read every range as one run, which takes much less than its records; else as `reading`."""
        ...

    def stream(self, ranges: Mapping[Partition, OffsetRange]) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        """The committed records of each range in small batches, in order within a partition; memory stays flat.

        Every partition ends with an empty batch once all of its range was given. Raises as `read` does.
        """
        ...

    def stretches(
        self, ranges: Mapping[Partition, OffsetRange], records: int
    ) -> Generator[tuple[Partition, Stretch], None, None]:
        """The committed records of each range in stretches of so many, in order within a partition.

        Every partition ends with a stretch of fewer, perhaps of none. Reads ahead with all cores where that pays;
        whoever stops early closes the iterator. Raises Transient when retention takes what is still to be read.
        """
        ...

    def keyed(
        self, ranges: Mapping[Partition, OffsetRange], parts: int
    ) -> Generator[tuple[Partition, KeyedRows], None, None]:
        """The committed records of each range that have a key, as rows, in order within each part of the keys.

        `parts` is a power of two up to 256. Every partition ends with rows of no record. Raises as `stretches` does.
        """
        ...

    def records_in_full(self, places: Iterable[tuple[Partition, int]]) -> Mapping[tuple[Partition, int], FullRecord]:
        """The committed records at those offsets, with their contents; missing where there is none (any more)."""
        ...


class Groups(Protocol):
    """Consumer groups of one cluster."""

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        """State and members per group; a group that does not exist is DEAD with no members."""
        ...

    def all(self) -> Mapping[str, Group]:
        """Every group we may describe, by name, of whatever kind."""
        ...

    def held(self, groups: Iterable[str], *, stable: bool = True) -> Mapping[str, Mapping[Partition, int]]:
        """Every committed offset of each group; empty for one that committed nothing or is not there.

        `stable` as for `positions`.
        """
        ...

    def positions(
        self, wanted: Mapping[str, Iterable[Partition]], *, stable: bool = True
    ) -> Mapping[str, Mapping[Partition, int | None]]:
        """Committed, stable offsets (KIP-447 require_stable) of each group; None where nothing was ever committed.

        With `stable=False`, where a group stood that may run: a transaction under way may be about to move it. Whoever
        commits in one transaction after the other is hardly ever stable, so that is enough for a look.
        """
        ...

    def commit(self, positions: Mapping[str, Mapping[Partition, int]]) -> None:
        """Write positions to groups that are Empty; raises Blocked when one is not, and writes to none of them then.

        A group that somebody joins in between is refused by its coordinator, and is named; the others may be written.
        """
        ...

    def delete(self, group: str) -> None:
        """Remove an Empty group and its positions; a group that is not there is fine."""
        ...


class Fence(Protocol):
    """What clients of one cluster are denied by us: DENY ACLs on the source, deny rules of KafkaUsers on the target."""

    def allowed(self) -> None:
        """Raise Blocked, with the command that grants it, when we may not deny or lift anything; changes nothing."""
        ...

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those of the denials that stand as rules, ours or anybody's, by the cluster's own ACLs."""
        ...

    def warm(self, denials: Iterable[Denial]) -> None:
        """Open what the proof of these will ask over; changes nothing, and what is wrong with them the proof tells."""
        ...

    def deny(self, denials: Iterable[Denial]) -> None:
        """Make them stand; returns when written, which is before every broker enforces them. Twice equals once."""
        ...

    def lift(self, denials: Iterable[Denial]) -> None:
        """Remove them; one that does not stand is fine."""
        ...

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """How each is known to hold on every broker, in words; missing where it does not (yet).

        `tried: …` where the principal's own credential was refused by every broker, else `listed: …`, which is weaker:
        every broker answers the rule.
        """
        ...

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """Raw commands that lift them without kmigrate."""
        ...


class SourceAdmin(Protocol):
    """All that we write on the source beside fences and positions (design §1.6), each by its full name.

    Rights of the mirror back, and the one small topic of each reverse lane. Whatever else is asked for is Refused
    before anything is written.
    """

    def allowed(self, topics: Iterable[Topic]) -> None:
        """Raise Blocked, with the command that grants it, when we may not change rights or these topics.

        Changes nothing. The right to remove a topic is told only by one that is there.
        """
        ...

    def grants(self, rights: Iterable[Right]) -> frozenset[Right]:
        """Those of the rights that stand, by the source's own ACLs."""
        ...

    def grant(self, rights: Iterable[Right]) -> None:
        """Write them; returns before every broker enforces them. Twice equals once."""
        ...

    def revoke(self, rights: Iterable[Right]) -> None:
        """Remove them; one that does not stand is fine."""
        ...

    def topic(self, name: str) -> Topic | None:
        """The topic as brokers tell it by now; None where there is none."""
        ...

    def create_topic(self, topic: Topic) -> None:
        """Ask for it; returns before every broker tells it. One of that name which is there is left as it is."""
        ...

    def remove_topic(self, name: str) -> None:
        """Remove it with all that is in it; one that is not there is fine."""
        ...


class Transactions(Protocol):
    """Transactions of one cluster: which are open, and the end of those that nobody may go on with."""

    def allowed(self, ids: Iterable[str]) -> None:
        """Raise Blocked, with the command that grants it, when we may not end what those ids hold; changes nothing."""
        ...

    def end(self, ids: Iterable[str]) -> None:
        """Take each transactional id over (KIP-98): whoever held it is fenced, and what it had open is aborted.

        It is aborted in every partition when this returns. An id that was never used is fine. Twice equals once, but
        for a producer that took its id back in between. Raises Blocked as `allowed` does.
        """
        ...

    def open(self, partitions: Iterable[Partition]) -> tuple[OpenTransaction, ...]:
        """What is open in those partitions, by partition and start: the first of each holds the last stable offset.

        One that has ended may still be among them, until its marker has come.
        """
        ...


class Access(Protocol):
    """What a credential of the plan file may do on one cluster, tried."""

    def try_out(self, application: str) -> tuple[Trial, ...]:
        """Sign in as the application at every advertised broker and look for its topics and groups; changes nothing.

        Empty when the plan does not refer to its credential on that side.
        """
        ...

    def sign_in(self, auth: Auth) -> tuple[Trial, ...]:
        """Sign in with a credential at every address of the plan file and every advertised broker, and ask nothing."""
        ...


class Mirror(Protocol):
    """The mirror that the resources ask for, looked at through its own topics and its operator's status."""

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition, from Connect's own offsets topic; missing where nothing was."""
        ...

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        """Every offset sync the lane ever told, by partition of the originals; empty where its topic is gone."""
        ...

    def once(self, lane: Lane) -> bool:
        """Whether the lane writes every copy exactly once, by the settings its resource has; else some may come twice.

        False, too, where that is not certain: no resource, or a connector that need not keep to it.
        """
        ...

    def tasks(self, lane: Lane) -> int:
        """How many tasks of the lane run, by the newest word in Connect's own status topic; 0 for a stopped one."""
        ...

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong: a connector or task that FAILED, a resource that is NotReady."""
        ...
