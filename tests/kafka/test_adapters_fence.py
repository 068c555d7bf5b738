"""The fence on a real source: written by kmigrate, answered by every broker, never for kmigrate itself."""

from uuid import uuid4

import pytest
from confluent_kafka import Producer
from two_clusters import KMIGRATE, READER, WRITER, TwoClusters

from kmigrate.adapters.fence import AclFence, listed_everywhere
from kmigrate.adapters.kafka import KafkaCluster, KafkaGroups
from kmigrate.errors import Blocked
from kmigrate.manifests.users import Rule
from kmigrate.model import Denial, OffsetRange, Partition

pytestmark = pytest.mark.kafka
ALTER = (Rule(resource="cluster", operations=("Alter",)),)


def test_a_denial_is_written_listed_by_every_broker_and_lifted(two: TwoClusters) -> None:
    connection = two.source.connection("source")
    fence = AclFence(connection=connection, spared=frozenset({f"User:{KMIGRATE}"}))
    name = f"g-{uuid4().hex[:8]}"
    denial = Denial(principal=f"User:{READER}", resource="group", name=name, operation="Read")
    with pytest.raises(Blocked) as refused:
        fence.deny([denial])
    assert f"--allow-principal User:{KMIGRATE} --operation Alter --cluster" in str(refused.value.hint)
    two.source.allow(KMIGRATE, ALTER)
    try:
        assert fence.standing([denial]) == frozenset()
        assert fence.proof([denial]) == {}
        two.until("the right to write ACLs", lambda: fence.deny([denial]) is None)
        fence.deny([denial])
        two.until("every broker answers", lambda: denial in fence.proof([denial]))
        assert fence.standing([denial]) == {denial}
        fence.lift([denial])
        fence.lift([denial])
        two.until("nobody answers", lambda: not fence.proof([denial]) and not fence.standing([denial]))
        with pytest.raises(Blocked):
            fence.deny([Denial(principal=f"User:{KMIGRATE}", resource="group", name=name, operation="Read")])
    finally:
        two.source.withdraw(KMIGRATE, ALTER)


def test_every_broker_of_a_scram_target_is_asked(two: TwoClusters) -> None:
    denial = Denial(principal=f"User:{READER}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")
    rule = (Rule(resource="group", name=denial.name, operations=("Read",), type="deny"),)
    two.target.allow(READER, rule)
    connection = two.target.connection("target")
    two.until("listed", lambda: denial in listed_everywhere(connection, [denial]))


def test_topics_groups_brokers_and_records_are_seen(two: TwoClusters) -> None:
    name = f"t-{uuid4().hex[:8]}"
    two.source.topic(name, 2)
    producer = Producer(two.source.client(WRITER))
    for number in range(3_000):
        producer.produce(name, str(number), partition=0)
    producer.flush(30)
    connection = two.source.connection("source")
    cluster, groups = KafkaCluster(connection), KafkaGroups(connection)
    assert cluster.brokers() == (two.source.bootstrap,)
    assert cluster.all_topics()[name].partitions == 2
    assert any(right.principal == f"User:{KMIGRATE}" for right in cluster.rights())
    full, empty = Partition(name, 0), Partition(name, 1)
    asked = {full: OffsetRange(start=0, end=3_000), empty: OffsetRange(start=0, end=0)}
    batches = list(cluster.stream(asked))
    assert [r.offset for p, batch in batches if p == full for r in batch] == list(range(3_000))
    assert sorted(p for p, batch in batches if not batch) == [full, empty]
    assert len(cluster.read(asked, committed=False)[full]) == 3_000
    group = f"g-{uuid4().hex[:8]}"
    assert groups.held(group) == {}
    groups.commit(group, {full: 7})
    assert groups.held(group) == {full: 7}
    assert group in groups.all()
