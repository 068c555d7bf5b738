"""What of transactions only a real cluster shows; the rest is tests/contract/test_transactions.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from two_clusters import KMIGRATE, WRITER, TwoClusters

from kmigrate.adapters.kafka import Connection, KafkaCluster, KafkaGroups, KafkaTransactions, offsets
from kmigrate.adapters.kafka.trials import denied_to
from kmigrate.errors import Blocked, Transient
from kmigrate.manifests.users import Rule
from kmigrate.model import GroupState, Partition

pytestmark = pytest.mark.kafka

ZOMBIE = """
import json, sys
from confluent_kafka import KafkaException, Producer
settings, topic = json.loads(sys.argv[1])
producer = Producer(settings)
producer.init_transactions(30)
producer.begin_transaction()
for value in ("a", "b"):
    producer.produce(topic, value)
assert producer.flush(30) == 0
print("open", flush=True)
sys.stdin.readline()
try:
    producer.produce(topic, "late")
    producer.flush(30)
    producer.commit_transaction(30)
    print("committed")
except KafkaException as error:
    print(error.args[0].name())
"""


@pytest.fixture
def connection(two: TwoClusters) -> Iterator[Connection]:
    opened = two.source.connection("source")
    yield opened
    opened.close()


@pytest.fixture
def topic(two: TwoClusters, connection: Connection) -> Iterator[str]:
    """A topic, and a transactional id of that name which kmigrate may end by the very right that the plan gives it."""
    name, transactions = f"t-{uuid4().hex[:8]}", KafkaTransactions(connection=connection)
    two.source.topic(name, 1)
    rules = [Rule(resource="transactionalId", name=name, operations=("Write",))]
    two.source.allow(KMIGRATE, rules)
    two.until("kmigrate may end it", lambda: _may_end(transactions, name))
    yield name
    two.source.withdraw(KMIGRATE, rules)


def _may_end(transactions: KafkaTransactions, name: str) -> bool:
    try:
        transactions.allowed([name])
    except Blocked:
        return False
    return True


@pytest.fixture
def zombie(two: TwoClusters, topic: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is frozen in the middle of a transaction."""
    settings = {**two.source.client(WRITER), "transactional.id": topic}
    argv = [sys.executable, "-c", ZOMBIE, json.dumps([settings, topic])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, text=True, **pipes) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.kill()


def test_a_frozen_process_is_fenced_and_what_it_wrote_is_never_seen(
    two: TwoClusters, connection: Connection, topic: str, zombie: subprocess.Popen[str]
) -> None:
    transactions, cluster, one = KafkaTransactions(connection=connection), KafkaCluster(connection), Partition(topic, 0)
    assert [each.transactional_id for each in transactions.open([one])] == [topic]
    assert cluster.ranges([one])[one].end == 0
    transactions.end([topic])
    two.until("the marker is there", lambda: cluster.ranges([one])[one].end == 3)
    zombie.send_signal(signal.SIGCONT)
    told, _ = zombie.communicate("\n", timeout=60)
    assert told == "_FENCED\n"
    assert [cluster.ranges([one], committed=only)[one].end for only in (True, False)] == [3, 3]
    assert cluster.read(cluster.ranges([one]))[one] == ()


def test_asking_whether_they_may_be_ended_ends_nothing(two: TwoClusters, connection: Connection, topic: str) -> None:
    """Neither what is open, nor who holds the id."""
    transactions, cluster, one = KafkaTransactions(connection=connection), KafkaCluster(connection), Partition(topic, 0)
    producer = Producer({**two.source.client(WRITER), "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, "a")
    assert producer.flush(30) == 0
    before = transactions.open([one])
    for _ in range(3):
        transactions.allowed([topic])
    assert transactions.open([one]) == before != ()
    producer.commit_transaction(30)
    two.until("the marker is there", lambda: cluster.ranges([one])[one].end == 2)
    assert len(cluster.read(cluster.ranges([one]))[one]) == 1


def test_trying_a_credential_leaves_nothing_behind(two: TwoClusters, connection: Connection, topic: str) -> None:
    """No topic and no group comes to be by being asked for, and nothing is written."""
    login, absent = two.source.connection("source").login, f"n-{uuid4().hex[:8]}"
    cluster, groups = KafkaCluster(connection), KafkaGroups(connection)
    (broker,) = cluster.brokers()
    wanted = (("topic", absent, "Write"), ("topic", topic, "Write"), ("group", absent, "Read"))
    assert denied_to(broker, login, wanted) == {wanted[1]}
    assert cluster.topics([absent]) == {}
    assert absent not in groups.all()
    assert groups.describe([absent])[absent].state is GroupState.DEAD
    assert cluster.ranges([Partition(topic, 0)], committed=False)[Partition(topic, 0)].end == 0


def test_where_a_running_group_stood_is_told_while_a_transaction_is_about_to_move_it(
    two: TwoClusters, connection: Connection, topic: str
) -> None:
    one, group = Partition(topic, 0), f"g-{uuid4().hex[:8]}"
    groups = KafkaGroups(connection)
    groups.commit({group: {one: 3}})
    nobody = Consumer({**two.source.client(WRITER), "group.id": group})
    producer = Producer({**two.source.client(WRITER), "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(*one, 7)], nobody.consumer_group_metadata(), 30)
    assert groups.positions({group: [one]}, stable=False)[group] == {one: 3}
    assert groups.held([group], stable=False)[group] == {one: 3}
    with pytest.raises(Transient):
        offsets.committed(connection.coordinators, {group: [one]})
    producer.commit_transaction(30)
    nobody.close()
    assert groups.positions({group: [one]})[group] == groups.positions({group: [one]}, stable=False)[group] == {one: 7}
