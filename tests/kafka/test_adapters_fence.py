"""What of fences only a real cluster shows; the rest is tests/contract/test_fence.py."""

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from socket import SHUT_RDWR
from ssl import SSLSocket
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, Producer
from two_clusters import KMIGRATE, OTHER, READER, WRITER, TwoClusters

from kmigrate.adapters.fence import AclFence, no_logins
from kmigrate.adapters.kafka import KafkaCluster, Login
from kmigrate.adapters.kafka.lines import Lines
from kmigrate.adapters.kafka.wire import denied_at
from kmigrate.errors import Blocked, Transient
from kmigrate.manifests.users import Rule
from kmigrate.model import Denial, Partition

pytestmark = pytest.mark.kafka


def test_who_may_not_write_acls_is_told_the_command_that_grants_it(two: TwoClusters) -> None:
    fence = AclFence(connection=two.source.connection("source"), spared=frozenset())
    denial = Denial(principal=f"User:{READER}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")
    with pytest.raises(Blocked) as refused:
        fence.deny([denial])
    assert f"--allow-principal User:{KMIGRATE} --operation Alter --cluster" in str(refused.value.hint)
    assert fence.standing([denial]) == frozenset()


@pytest.fixture
def fence(two: TwoClusters) -> Iterator[AclFence]:
    """A fence on the source that knows the writer's credential; kmigrate may alter ACLs as long as it is there."""
    alter = (Rule(resource="cluster", operations=("Alter",)),)
    connection = two.source.connection("source")
    login = replace(connection.login, username=WRITER, password=two.source.passwords[WRITER])
    with ExitStack() as stack:
        stack.callback(connection.close)
        two.source.allow(KMIGRATE, alter)
        stack.callback(two.source.withdraw, KMIGRATE, alter)
        made = AclFence(connection=connection, spared=frozenset(), logins=lambda _: login)
        two.until("the right to write ACLs", lambda: _allowed(made))
        yield made


@pytest.mark.parametrize("transactional", [False, True], ids=["idempotent", "transactional"])
def test_a_writer_at_work_is_refused_under_the_fence_and_writes_again_once_it_is_lifted(
    two: TwoClusters, fence: AclFence, transactional: bool
) -> None:
    """The other principal writes on: the fence names whom it denies."""
    topic = f"t-{uuid4().hex[:8]}"
    two.source.topic(topic, 1)
    denial = Denial(principal=f"User:{WRITER}", resource="topic", name=topic, operation="Write")
    name = f"x-{uuid4().hex[:8]}" if transactional else ""
    writer, other = _producer(two, WRITER, name), _producer(two, OTHER, "")
    assert _written(writer, topic, transactional)
    fence.deny([denial])
    two.until("proven", lambda: denial in fence.proof([denial]))
    assert fence.proof([denial]) == {denial: f"tried: all 1 brokers refuse {WRITER}"}
    ends = _end(two, topic)
    assert not _written(writer, topic, transactional)
    assert _end(two, topic) == ends
    assert _written(other, topic, False)
    fence.lift([denial])
    two.until("lifted", lambda: not fence.proof([denial]) and not fence.standing([denial]))
    # under the fence an idempotent producer may die for good, and a transactional one always does: `lab.md`
    again = _producer(two, WRITER, name)
    assert _written(again, topic, transactional)


def test_a_denial_that_a_broker_lists_and_does_not_enforce_is_not_proven(two: TwoClusters, fence: AclFence) -> None:
    """The credential in the plan may be another principal's: then the rule holds for nobody who matters."""
    topic = f"t-{uuid4().hex[:8]}"
    two.source.topic(topic, 1)
    denial = Denial(principal="User:somebody-else", resource="topic", name=topic, operation="Write")
    fence.deny([denial])
    listed = replace(fence, logins=no_logins)
    two.until("listed", lambda: denial in listed.proof([denial]))
    assert fence.proof([denial]) == {}
    fence.lift([denial])


def test_where_the_credential_cannot_sign_in_the_rule_counts_and_the_reason_is_told(
    two: TwoClusters, fence: AclFence
) -> None:
    denial = Denial(principal=f"User:{WRITER}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")
    wrong = replace(fence.connection.login, username=WRITER, password="wrong")
    untried = replace(fence, logins=lambda _: wrong)
    fence.deny([denial])
    two.until("proven", lambda: denial in fence.proof([denial]))
    (told,) = untried.proof([denial]).values()
    assert told.startswith("listed: all 1 brokers answer the rule (not tried: source: wrong password for writer")
    fence.lift([denial])


def _allowed(fence: AclFence) -> bool:
    try:
        fence.allowed()
    except Blocked:
        return False
    return True


def _producer(two: TwoClusters, user: str, name: str) -> Producer:
    transactions = {"transactional.id": name} if name else {"enable.idempotence": True}
    producer = Producer({**two.source.client(user), **transactions, "linger.ms": 0})
    if name:
        producer.init_transactions(30)
    return producer


def _written(producer: Producer, topic: str, transactional: bool) -> bool:
    """Write one record; a commit succeeds even when every record was refused, so the delivery report counts."""
    told: list[KafkaError | None] = []
    if transactional:
        producer.begin_transaction()
    producer.produce(topic, "x", partition=0, on_delivery=lambda error, _: told.append(error))
    assert producer.flush(30) == 0
    (error,) = told
    if error is not None:
        # a transaction is refused the partition before the record has left
        assert error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._PURGE_QUEUE), error
        return False
    if transactional:
        producer.commit_transaction(30)
    return True


def _end(two: TwoClusters, topic: str) -> int:
    partition = Partition(topic, 0)
    return KafkaCluster(two.source.connection("source")).ranges([partition], committed=False)[partition].end


def test_every_broker_of_a_scram_target_is_asked(two: TwoClusters) -> None:
    denial = Denial(principal=f"User:{READER}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")
    rule = (Rule(resource="group", name=denial.name, operations=("Read",), type="deny"),)
    two.target.allow(READER, rule)
    fence = AclFence(connection=two.target.connection("target"), spared=frozenset())
    two.until("listed", lambda: denial in fence.proof([denial]))


def test_a_line_is_used_again_until_it_ends_and_one_that_failed_is_not_kept(two: TwoClusters) -> None:
    lines, login = Lines(), two.source.connection("source").login
    with lines.asking(login.bootstrap, login) as first, lines.asking(login.bootstrap, login) as beside:
        assert beside is not first
    assert {_line(lines, login), _line(lines, login)} <= {first, beside}
    for line in (first, beside):
        line.shutdown(SHUT_RDWR)
    anew = _line(lines, login)
    assert anew not in (first, beside)
    with pytest.raises(Transient, match=f"asking broker {login.bootstrap}: gone"), lines.asking(login.bootstrap, login):
        raise ConnectionError("gone")
    assert _line(lines, login) is not anew
    lines.close()


def _line(lines: Lines, login: Login) -> SSLSocket:
    with lines.asking(login.bootstrap, login) as line:
        denied_at(login.bootstrap, login, lambda *_: nullcontext(line))
        return line
