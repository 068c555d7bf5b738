"""Passages that a worker reads beside us: the same records as without it, one worker for all, and none left behind."""

from __future__ import annotations

import psutil
import pytest
from confluent_kafka import Producer
from two_clusters import WRITER, OneCluster, TwoClusters

from kmigrate.adapters.kafka import Connection, KafkaCluster
from kmigrate.model import OffsetRange, Partition, Record, Side
from kmigrate.positions import digest

pytestmark = pytest.mark.kafka

EACH, PARTITIONS, AT = 30_000, 3, 1_790_000_000_000
TOPIC = "passages"
Parts = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]


@pytest.fixture(scope="module")
def one(two: TwoClusters) -> OneCluster:
    """A cluster with a topic whose records are known by their numbers."""
    one = two.sides[Side.SOURCE]
    one.topic(TOPIC, PARTITIONS, {"retention.ms": "-1"})
    producer = Producer({**one.client(WRITER), "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    for partition in range(PARTITIONS):
        for number in range(EACH):
            key, value, headers = parts(number)
            producer.produce(TOPIC, value, key, partition, timestamp=AT + number, headers=headers)
        assert producer.flush(60) == 0
    return one


@pytest.fixture
def connection(one: OneCluster) -> Connection:
    return one.connection("source")


def parts(number: int) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """Key, value and headers, each of them null at times."""
    headers = [("n", b"%d" % number), ("null", None)] if number % 3 else []
    return (b"k%d" % number if number % 5 else None), (b"v%d" % number if number % 7 else None), headers


def expected(start: int, end: int) -> tuple[Record, ...]:
    return tuple(Record(number, AT + number, digest(AT + number, *parts(number))) for number in range(start, end))


def wanted(start: int, end: int) -> dict[Partition, OffsetRange]:
    return {Partition(TOPIC, number): OffsetRange(start=start, end=end) for number in range(PARTITIONS)}


def children() -> set[int]:
    return {each.pid for each in psutil.Process().children()}


def test_a_worker_reads_the_same_records_one_job_after_the_other(connection: Connection) -> None:
    cluster, before = KafkaCluster(connection), children()
    for start, end in ((1, EACH - 1), (0, EACH), (5_000, EACH)):
        assert dict(cluster.reading(wanted(start, end))()) == dict.fromkeys(wanted(0, 0), expected(start, end))
        assert len(children() - before) == 1
    connection.close()
    assert children() == before


def test_a_run_has_one_digest_whoever_reads_it_and_however_it_is_fetched(connection: Connection) -> None:
    cluster, before = KafkaCluster(connection), children()
    few = cluster.runs(wanted(17, 1_017))()
    assert children() == before
    many = cluster.runs({**wanted(0, EACH), Partition(TOPIC, 1): OffsetRange(start=17, end=1_017)})()
    assert len(children() - before) == 1
    assert many[Partition(TOPIC, 1)] == few[Partition(TOPIC, 0)] == few[Partition(TOPIC, 1)]
    assert list(few[Partition(TOPIC, 2)].offsets) == list(range(17, 1_017))
    assert many[Partition(TOPIC, 0)] == many[Partition(TOPIC, 2)]
    assert list(many[Partition(TOPIC, 0)].offsets) == list(range(EACH))
    connection.close()


def test_a_run_tells_each_part_of_a_record_and_null_from_empty(two: TwoClusters) -> None:
    one = two.sides[Side.TARGET]
    base: Parts = (1, b"k", b"v", [("h", b"1"), ("i", b"2")])
    others: list[Parts] = [
        (2, *base[1:]),
        (1, None, *base[2:]),
        (1, b"", *base[2:]),
        (1, b"k", None, base[3]),
        (1, b"k", b"", base[3]),
        (1, b"kv", b"", base[3]),
        (1, b"k", b"v", [("h", b"1"), ("i", None)]),
        (1, b"k", b"v", [("h", b"1"), ("i", b"")]),
        (1, b"k", b"v", base[3][::-1]),
        (1, b"k", b"v", []),
    ]
    one.topic("parts", len(others) + 2, {"retention.ms": "-1"})
    producer = Producer({**one.client(WRITER), "linger.ms": 5})
    for number, (at, key, value, headers) in enumerate([base, base, *others]):
        producer.produce("parts", value, key, number, timestamp=AT + at, headers=headers)
    assert producer.flush(60) == 0
    connection = one.connection("target")
    cluster, ranges = KafkaCluster(connection), {}
    for number in range(len(others) + 2):
        ranges[Partition("parts", number)] = OffsetRange(start=0, end=1)
    told = [each.digest for each in cluster.runs(ranges)().values()]
    assert told[0] == told[1]
    assert len(set(told)) == len(others) + 1
    without = [each.digest for each in cluster.runs(ranges, timed=False)().values()]
    assert without[0] == without[2]
    assert len(set(without)) == len(others)
    connection.close()


def test_few_records_are_read_without_a_worker(connection: Connection) -> None:
    before = children()
    found = KafkaCluster(connection).reading(wanted(17, 1_017))()
    assert dict(found) == dict.fromkeys(wanted(0, 0), expected(17, 1_017))
    assert children() == before
    connection.close()


def test_what_nobody_fetched_does_not_get_into_what_is_asked_next(connection: Connection) -> None:
    cluster = KafkaCluster(connection)
    cluster.reading(wanted(0, EACH - 7))
    assert dict(cluster.reading(wanted(3, EACH))()) == dict.fromkeys(wanted(0, 0), expected(3, EACH))
    connection.close()


def test_a_worker_that_died_meanwhile_is_replaced(connection: Connection) -> None:
    cluster, before = KafkaCluster(connection), children()
    cluster.reading(wanted(0, EACH))()
    (pid,) = children() - before
    psutil.Process(pid).kill()
    assert dict(cluster.reading(wanted(1, EACH))()) == dict.fromkeys(wanted(0, 0), expected(1, EACH))
    connection.close()
    assert children() == before


def test_a_cluster_that_is_forgotten_leaves_no_worker_behind(connection: Connection) -> None:
    before = children()
    cluster = KafkaCluster(connection)
    cluster.reading(wanted(0, EACH))()
    assert len(children() - before) == 1
    del cluster
    assert children() == before
    connection.close()
