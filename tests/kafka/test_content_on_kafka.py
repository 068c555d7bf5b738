"""The content proof on two real clusters: each planted difference is named at the right coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import cast

import psutil
import pytest
from confluent_kafka import Producer
from two_clusters import WRITER, OneCluster, TwoClusters

from kmigrate.adapters.kafka import KafkaCluster
from kmigrate.errors import Interrupted
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.model import FullRecord, Partition, Side
from kmigrate.probes.content import Compared, Ends, Proof, estimate, prove
from kmigrate.world import Reporter, World

pytestmark = pytest.mark.kafka

_NAMES = count()
_ABORTED = b"aborted"


@dataclass(frozen=True)
class BothSides:
    """As much of a world as a content proof needs, over real clusters."""

    sides: Mapping[Side, KafkaCluster]
    clock: LabClock
    reporter: Reporter

    def cluster(self, side: Side) -> KafkaCluster:
        return self.sides[side]


@pytest.fixture(scope="module")
def world(two: TwoClusters) -> World:
    sides = {side: KafkaCluster(one.connection(str(side))) for side, one in two.sides.items()}
    return cast("World", BothSides(sides, two.bench.clock, Reporter()))


def record(number: int, **other: object) -> FullRecord:
    plain = FullRecord(
        offset=-1,
        timestamp=1_790_000_000_000 + number,
        key=b"k%d" % number,
        value=b"v%d" % number,
        headers=(("trace", b"%d" % number), ("kind", b"plain")),
    )
    return replace(plain, **other)  # type: ignore[arg-type]


def new_topic(two: TwoClusters, partitions: int = 1, **config: str) -> str:
    name = f"content-{next(_NAMES)}"
    for one in two.sides.values():
        one.topic(name, partitions, {"retention.ms": "-1", **config})
    return name


def send(producer: Producer, topic: str, records: Sequence[FullRecord], number: int = 0) -> None:
    for each in records:
        producer.produce(
            topic, each.value, each.key, number, timestamp=each.timestamp, headers=list(each.headers) or None
        )
    assert producer.flush(60) == 0


def write(one: OneCluster, topic: str, records: Sequence[FullRecord]) -> None:
    """As a producer does: plainly."""
    send(Producer({**one.client(WRITER), "linger.ms": 5}), topic, records)


def write_in_transactions(one: OneCluster, topic: str, records: Sequence[FullRecord]) -> list[int]:
    """As an exactly-once mirror does, with an aborted batch before each committed one; returns where each record is."""
    producer = Producer({**one.client(WRITER), "transactional.id": topic, "linger.ms": 5})
    producer.init_transactions(30)
    places, offset = list[int](), 0
    for at in range(0, len(records), 4):
        some = records[at : at + 4]
        for batch, commit in (([replace(some[0], value=_ABORTED)], False), (some, True)):
            producer.begin_transaction()
            send(producer, topic, batch)
            if commit:
                producer.commit_transaction(30)
                places += range(offset, offset + len(batch))
            else:
                producer.abort_transaction(30)
            offset += len(batch) + 1
    return places


def ends_of(world: World, topic: str, partitions: int = 1) -> dict[Partition, Ends]:
    wanted = [Partition(topic, number) for number in range(partitions)]
    here, there = (world.cluster(side).ranges(wanted) for side in Side)
    return {p: Ends(source=here[p].end, target=there[p].end, seen=there[p].end) for p in wanted}


def compare(world: World, topic: str) -> Proof:
    return prove(world, ends_of(world, topic))


RECORDS = [record(number) for number in range(10)]


def with_change(at: int, **other: object) -> list[FullRecord]:
    return [record(number, **(other if number == at else {})) for number in range(10)]


PLANTED = {
    "swapped": ([*RECORDS[:3], RECORDS[4], RECORDS[3], *RECORDS[5:]], 3, 3, "the record is swapped with the next one"),
    "1 ms": (with_change(5, timestamp=1_790_000_000_006), 5, 5, "the timestamp is 1 ms later on the target"),
    "one header byte": (
        with_change(6, headers=(("trace", b"6"), ("kind", b"plaim"))),
        6,
        6,
        "the value of header 2 differs: 5 bytes (sha256 a116c9ed46d6…) on the source, 5 bytes (sha256 ",
    ),
    "a header's name": (
        with_change(6, headers=(("tracE", b"6"), ("kind", b"plain"))),
        6,
        6,
        "the name of header 1 differs: 5 bytes (sha256 ",
    ),
    "a header's null made empty": (with_change(6, headers=(("trace", b""), ("kind", b"plain"))), 6, 6, "empty on the"),
    "key": (with_change(7, key=b"kX"), 7, 7, "the key differs: 2 bytes (sha256 "),
    "value": (with_change(8, value=b"vX"), 8, 8, "the value differs: 2 bytes (sha256 "),
    "missing": ([*RECORDS[:2], *RECORDS[3:]], 2, 2, "1 record of the source missing on the target"),
    "last one missing": (RECORDS[:-1], 9, None, "1 record of the source missing on the target"),
    "duplicate": ([*RECORDS[:5], *RECORDS[4:]], 5, 5, "1 record more on the target: a duplicate of its offset "),
    "foreign in the middle": (
        [*RECORDS[:5], record(77), *RECORDS[5:]],
        5,
        5,
        "1 record on the target missing on the source",
    ),
    "foreign at the end": ([*RECORDS, record(77)], None, 10, "1 record on the target missing on the source"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_each_planted_difference_is_named_at_the_right_coordinates(
    two: TwoClusters, world: World, planted: str
) -> None:
    records, here, index, what = PLANTED[planted]
    topic = new_topic(two)
    write(two.source, topic, RECORDS)
    places = write_in_transactions(two.target, topic, records)
    (found,) = compare(world, topic).differences
    assert found.what.startswith(what) or what in found.what
    assert (found.source, found.target) == (here, None if index is None else places[index])


def test_null_made_empty_is_named(two: TwoClusters, world: World) -> None:
    topic = new_topic(two)
    write(two.source, topic, with_change(4, value=None))
    places = write_in_transactions(two.target, topic, with_change(4, value=b""))
    (found,) = compare(world, topic).differences
    assert (found.source, found.target) == (4, places[4])
    assert found.what == "the value differs: null on the source, empty on the target"


def test_markers_and_aborted_records_on_either_side_do_not_matter(two: TwoClusters, world: World) -> None:
    for writes in ((write, write_in_transactions), (write_in_transactions, write)):
        topic = new_topic(two)
        for one, writing in zip((two.source, two.target), writes, strict=True):
            writing(one, topic, RECORDS)
        found = compare(world, topic)
        assert (found.differences, found.compared[Partition(topic, 0)].records) == ((), 10)


def test_an_open_transaction_ends_what_is_compared(two: TwoClusters, world: World) -> None:
    topic = new_topic(two)
    for one in two.sides.values():
        write(one, topic, RECORDS)
    producer = Producer({**two.target.client(WRITER), "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    send(producer, topic, [record(77)])
    assert compare(world, topic).differences == ()
    producer.abort_transaction(30)
    assert compare(world, topic).differences == ()


KEYED = [
    (
        [record(1), record(2), record(1, value=None)],
        [record(1), record(2)],
        2,
        0,
        "the tombstone that is the last record of its key on the source is missing on the target",
    ),
    ([record(1), record(2)], [record(2), record(1, value=b"?")], 0, 1, "the value differs: 2 bytes (sha256 "),
    ([record(1), record(2)], [record(2)], 0, None, "the last value of a key is missing on the target"),
]


@pytest.mark.parametrize(("source", "target", "here", "there", "what"), KEYED)
def test_on_a_compacted_topic_the_key_whose_last_value_differs_is_named(
    two: TwoClusters,
    world: World,
    source: list[FullRecord],
    target: list[FullRecord],
    here: int,
    there: int | None,
    what: str,
) -> None:
    topic = new_topic(two, **{"cleanup.policy": "compact"})
    write(two.source, topic, source)
    places = write_in_transactions(two.target, topic, target)
    (found,) = compare(world, topic).differences
    assert found.what.startswith(what)
    assert (found.source, found.target) == (here, None if there is None else places[there])


def test_a_compacted_topic_is_equal_when_the_last_values_are(two: TwoClusters, world: World) -> None:
    topic = new_topic(two, **{"cleanup.policy": "compact"})
    write(two.source, topic, [record(1, value=b"old"), record(2), record(1), record(3), record(3, value=None)])
    write_in_transactions(two.target, topic, [record(2), record(1)])
    found = compare(world, topic)
    assert (found.differences, found.compared[Partition(topic, 0)].records) == ((), 2)


def test_many_records_are_read_by_processes_of_our_own_that_end_also_when_interrupted(
    two: TwoClusters, world: World
) -> None:
    topic, many = new_topic(two, partitions=3), 55_000
    for side, one in two.sides.items():
        producer = Producer({**one.client(WRITER), "linger.ms": 5 if side is Side.SOURCE else 50})
        for number in range(3):
            planted = {"timestamp": 1} if (side, number) == (Side.TARGET, 1) else {}
            send(producer, topic, [record(n, **(planted if n == 12_345 else {})) for n in range(many)], number)
    ends, kept = ends_of(world, topic, 3), list[dict[Partition, Compared]]()
    before, readers = _children(), set[int]()

    def keep(compared: Mapping[Partition, Compared]) -> None:
        kept.append(dict(compared))
        readers.update(_children() - before)
        if len(kept) == 25:
            raise Interrupted

    with pytest.raises(Interrupted):
        prove(world, ends, keep=keep)
    assert len(readers) >= 2
    assert _children() == before
    found = prove(world, ends, compared=kept[-1])
    assert _children() == before
    assert [(d.partition.number, d.source, d.target) for d in found.differences] == [(1, 12_345, 12_345)]
    assert [found.compared[Partition(topic, number)].records for number in (0, 1, 2)] == [many, 12_000, many]
    assert estimate(world, [topic]).records == 3 * many


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_records_in_full_are_the_committed_ones(two: TwoClusters, world: World) -> None:
    topic = new_topic(two)
    places = write_in_transactions(two.target, topic, RECORDS)
    wanted = [(Partition(topic, 0), offset) for offset in range(places[-1] + 3)]
    found = world.cluster(Side.TARGET).records_in_full(wanted)
    assert found == {
        (Partition(topic, 0), place): replace(each, offset=place) for place, each in zip(places, RECORDS, strict=True)
    }
    assert "v3" not in repr(found)
