"""Proof 7: a DENY ACL on running producers: what each client sees, who writes on, and how writing comes back."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from traffic import Ends, values, whole_log
from two_clusters import OTHER, WRITER, Figures, OneCluster, TwoClusters

from kmigrate.manifests.users import fence_rules

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

DENIED = "TOPIC_AUTHORIZATION_FAILED"
WRITTEN = "written"
_PATIENCE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Caller:
    """A client that calls its producer again and again, whatever it is answered; `events` are (ms, word), in order."""

    cluster: OneCluster
    topic: str
    name: str
    user: str = WRITER
    transactional: bool = False
    events: list[tuple[int, str]] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)
    producers: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Caller:
        self._thread = threading.Thread(target=self._transactions if self.transactional else self._records)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
            assert not self._thread.is_alive()

    def words(self, since: int = 0) -> list[str]:
        return [word for _, word in self.events[since:]]

    def seen(self, word: str, since: int = 0) -> int:
        return self.words(since).count(word)

    def _tell(self, word: str) -> None:
        self.events.append((time.monotonic_ns() // 1_000_000, word))

    def _producer(self) -> Producer:
        self.producers += 1
        settings = {**self.cluster.client(self.user), "enable.idempotence": True, "linger.ms": 0}
        return Producer({**settings, "transactional.id": self.name} if self.transactional else settings)

    def _records(self) -> None:
        """One producer for the whole life."""
        producer, n = self._producer(), 0
        while not self._stopped.wait(0.005):
            n += 1
            try:
                producer.produce(self.topic, f"{self.name}-{n}", on_delivery=self._delivered)
            except KafkaException as error:
                self._tell(f"produce() raised {error.args[0].name()}")
            producer.poll(0)
        producer.flush(_PATIENCE_S)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._tell(error.name())
        else:
            self.acknowledged.append(bytes(message.value() or b""))
            self._tell(WRITTEN)

    def _transactions(self) -> None:
        """One record in each; a new producer only when the old one says that it is of no more use."""
        producer, n = self._opened(), 0
        while not self._stopped.wait(0.005):
            n += 1
            value = f"{self.name}-{n}".encode()
            try:
                producer.begin_transaction()
                producer.produce(self.topic, value)
                producer.flush(_PATIENCE_S)
                producer.commit_transaction(_PATIENCE_S)
                self.acknowledged.append(value)
                self._tell(WRITTEN)
            except KafkaException as error:
                self._tell(_told("commit", error))
                producer = self._after_refusal(producer)

    def _opened(self) -> Producer:
        producer = self._producer()
        producer.init_transactions(_PATIENCE_S)
        return producer

    def _after_refusal(self, producer: Producer) -> Producer:
        try:
            producer.abort_transaction(_PATIENCE_S)
            self._tell("abort worked")
        except KafkaException as error:
            self._tell(_told("abort", error))
            self._stopped.wait(0.1)
            return self._opened()
        return producer


def _told(what: str, failure: KafkaException) -> str:
    error = failure.args[0]
    kind = "fatal" if error.fatal() else "abort it" if error.txn_requires_abort() else "neither fatal nor to abort"
    return f"{what}: {error.name()} ({kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Three clients of one topic on the source."""

    two: TwoClusters
    topic: str
    idempotent: Caller
    transactional: Caller
    other: Caller

    @property
    def fenced(self) -> tuple[Caller, Caller]:
        return self.idempotent, self.transactional

    def await_written(self, callers: Sequence[Caller], more: int = 30) -> None:
        goals = {caller.name: len(caller.acknowledged) + more for caller in callers}
        self.two.until(
            "records to be written",
            lambda: all(len(one.acknowledged) >= goals[one.name] for one in callers),
            deadline_ms=90_000,
        )

    def in_the_log(self, caller: Caller) -> list[bytes]:
        log = values(whole_log(self.two.source, self.topic))
        return [value for records in log.values() for value in records if value.startswith(caller.name.encode())]


@pytest.fixture
def callers(two: TwoClusters, request: pytest.FixtureRequest) -> Iterator[Callers]:
    topic = re.sub(r"[^a-z0-9]+", "-", str(request.node.name))
    two.source.topic(topic, 1)
    made = Callers(
        two=two,
        topic=topic,
        idempotent=Caller(cluster=two.source, topic=topic, name=f"{topic}-idempotent"),
        transactional=Caller(cluster=two.source, topic=topic, name=f"{topic}-transactional", transactional=True),
        other=Caller(cluster=two.source, topic=topic, name=f"{topic}-other", user=OTHER),
    )
    everybody = (*made.fenced, made.other)
    try:
        for one in everybody:
            one.start()
        made.await_written(everybody)
        yield made
    finally:
        for one in everybody:
            one.stop()


def test_denied_producers_are_refused_others_write_on_and_lifting_brings_all_back(
    callers: Callers, figures: Figures
) -> None:
    fence, source = fence_rules(topics=[callers.topic]), callers.two.source
    marks = {one.name: len(one.events) for one in callers.fenced}
    denied_at = time.monotonic_ns() // 1_000_000
    source.allow(WRITER, fence)
    callers.two.until("both to be refused", lambda: all(refused(one, marks[one.name]) for one in callers.fenced))
    held = {one.name: callers.in_the_log(one) for one in callers.fenced}
    callers.await_written([callers.other], 100)
    assert {one.name: callers.in_the_log(one) for one in callers.fenced} == held
    lifted = {one.name: len(one.events) for one in callers.fenced}
    source.withdraw(WRITER, fence)
    lifted_at = time.monotonic_ns() // 1_000_000
    callers.await_written([*callers.fenced, callers.other])
    everybody = (*callers.fenced, callers.other)
    for one in everybody:
        one.stop()
    assert {one.name: callers.in_the_log(one) for one in everybody} == {one.name: one.acknowledged for one in everybody}
    assert set(callers.other.words()) == {WRITTEN}
    assert callers.idempotent.producers == 1
    for one in callers.fenced:
        events = one.events[marks[one.name] : lifted[one.name]]
        first, why = next((at, word) for at, word in events if word != WRITTEN)
        assert DENIED in why
        again = next(at for at, word in one.events[lifted[one.name] :] if word == WRITTEN)
        figures(
            **{
                f"{kind(one)}_saw": list(dict.fromkeys(word for _, word in events if word != WRITTEN)),
                f"{kind(one)}_last_record_after_the_ACL_call_ms": last_written(events) - denied_at,
                f"{kind(one)}_first_refusal_after_the_ACL_call_ms": first - denied_at,
                f"{kind(one)}_writes_again_after_lifting_ms": again - lifted_at,
                f"{kind(one)}_producers_used": one.producers,
            }
        )


def kind(one: Caller) -> str:
    return "transactional" if one.transactional else "idempotent"


def refused(one: Caller, since: int) -> bool:
    return any(DENIED in word for word in one.words(since))


def last_written(events: Sequence[tuple[int, str]]) -> int:
    return max((at for at, word in events if word == WRITTEN), default=0)


def test_denying_somebody_else_stops_nobody(callers: Callers) -> None:
    """The change that makes it fail: the fence names another principal than the one that writes."""
    fence = fence_rules(topics=[callers.topic])
    callers.two.source.allow("somebody-else", fence)
    callers.await_written([*callers.fenced, callers.other], 100)
    for one in (*callers.fenced, callers.other):
        assert set(one.words()) == {WRITTEN}
    callers.two.source.withdraw("somebody-else", fence)


def test_a_transaction_that_was_open_at_the_fence_can_still_commit(two: TwoClusters, figures: Figures) -> None:
    """Why an end is final only when last stable offset = high watermark, and not when the fence stands."""
    topic, source = "fence-and-open-transaction", two.source
    source.topic(topic, 1)
    producer = Producer({**source.client(WRITER), "transactional.id": topic})
    producer.init_transactions(_PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, b"before the fence")
    assert producer.flush(_PATIENCE_S) == 0
    source.allow(WRITER, fence_rules(topics=[topic]))
    ends = Ends(source, topic, 1)
    assert whole_log(source, topic) == {0: ()}
    assert ends.is_open()
    producer.commit_transaction(_PATIENCE_S)
    two.until("no transaction to be open", lambda: not ends.is_open())
    assert values(whole_log(source, topic)) == {0: [b"before the fence"]}
    source.withdraw(WRITER, fence_rules(topics=[topic]))
    figures(records_committed_after_the_fence=1)
