"""Transactions: which are open, asked of the brokers themselves, and taking their ids over."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException

from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection
from kmigrate.adapters.kafka.login import Login, granting
from kmigrate.adapters.kafka.taking_over import take_over
from kmigrate.adapters.kafka.trials import ids_refused_at
from kmigrate.adapters.kafka.wire import Answer, ask, asking, compact, listed
from kmigrate.adapters.retry import patiently
from kmigrate.errors import Blocked, PlatformError, Transient
from kmigrate.model import OpenTransaction, Partition

_DESCRIBE_PRODUCERS, _DESCRIBE_TRANSACTIONS, _LIST_TRANSACTIONS = 61, 65, 66
_NONE = -1
# the answer of a broker that leads or coordinates it no more, or not yet
_ASK_AGAIN = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaTransactions:
    """Transactions of a cluster (world.Transactions)."""

    connection: Connection

    @patiently
    def allowed(self, ids: Iterable[str]) -> None:
        """Ask a broker to end transactions that nobody can have: it looks at rights first, and ends nothing."""
        wanted = sorted(set(ids))
        if wanted:
            refused = ids_refused_at(min(self._brokers().values()), self.connection.login, wanted)
            if refused:
                raise _lacking(self.connection.login, refused)

    def end(self, ids: Iterable[str]) -> None:
        """Initialise each as a producer of our own would, once all of them may be."""
        wanted = sorted(set(ids))
        if wanted:
            self.allowed(wanted)
            self._take_over(wanted)

    @patiently
    def _take_over(self, ids: Iterable[str]) -> None:
        refused = take_over(self.connection.login, min(self._brokers().values()), ids)
        if refused:
            raise _lacking(self.connection.login, refused)

    @patiently
    def open(self, partitions: Iterable[Partition]) -> tuple[OpenTransaction, ...]:
        """Ask each partition's leader for its producers, then every broker whose transactions those are."""
        brokers, wanted = self._brokers(), set(partitions)
        found: list[OpenTransaction] = []
        for broker, led in self._leaders(brokers, wanted).items():
            with asking(broker, self.connection.login) as line:
                found += _producers(line, led, self.connection.login)
        known = self._names(brokers.values(), {each.producer_id for each in found})
        named = (_named(each, known) for each in found)
        return tuple(sorted(named, key=lambda each: (each.partition, each.start)))

    def _brokers(self) -> dict[int, str]:
        asked = self.connection.admin().describe_cluster(request_timeout=TIMEOUT_S)
        nodes = self.connection.result(asked, "describing the cluster").nodes or []
        return {int(node.id): f"{node.host}:{node.port}" for node in nodes}

    def _leaders(self, brokers: Mapping[int, str], wanted: Collection[Partition]) -> dict[str, list[Partition]]:
        """The partitions by the address of their leader."""
        try:
            topics = self.connection.admin().list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise self.connection.failure(error, "listing topics") from error
        found: dict[str, list[Partition]] = {}
        for partition in sorted(wanted):
            topic = topics.get(partition.topic)
            seen = topic.partitions.get(partition.number) if topic else None
            if seen is None or seen.leader not in brokers:
                raise Transient(f"{self.connection.login.name}: {partition} has no leader that we may see")
            found.setdefault(brokers[seen.leader], []).append(partition)
        return found

    def _names(self, brokers: Iterable[str], producers: Collection[int]) -> dict[int, _Named]:
        """What is told of each producer's transaction; nothing of those that we may not describe."""
        found: dict[int, _Named] = {}
        for broker in sorted(brokers) if producers else ():
            with asking(broker, self.connection.login) as line:
                found |= _begun(line, _ids(line, producers))
        return found


class _Named(NamedTuple):
    """A producer's transactional id, and when its transaction began (ms) where that is told."""

    transactional_id: str
    started_ms: int | None


def _named(one: OpenTransaction, known: Mapping[int, _Named]) -> OpenTransaction:
    named = known.get(one.producer_id)
    return replace(one, **named._asdict()) if named else one


def _lacking(login: Login, ids: Iterable[str]) -> Blocked:
    names = tuple(ids)
    rights = "--operation Write --operation Describe"
    commands = "; ".join(granting(login, f"{rights} --transactional-id {name}") for name in names)
    return Blocked(
        f"{login.name}: ending transactions of {', '.join(names)}: User:{login.username} lacks Write on the id",
        hint=f"grant it: {commands}",
    )


def _producers(line: ssl.SSLSocket, led: Iterable[Partition], login: Login) -> list[OpenTransaction]:
    """The producers of those partitions that are in a transaction (KIP-664 DescribeProducers)."""
    by_topic = groupby(led, key=lambda p: p.topic)
    body = listed(
        [compact(topic) + listed([struct.pack(">i", p.number) for p in of]) + b"\0" for topic, of in by_topic]
    )
    answer = ask(line, _DESCRIBE_PRODUCERS, 0, body + b"\0", flexible=True)
    answer.number(4)
    found: list[OpenTransaction] = []
    for _ in range(answer.count() - 1):
        topic = answer.compact()
        for _ in range(answer.count() - 1):
            found += _in_one(answer, topic, login)
        answer.skip_tags()
    return found


def _in_one(answer: Answer, topic: str, login: Login) -> list[OpenTransaction]:
    partition = Partition(topic, answer.number(4))
    error = answer.number(2)
    answer.compact()
    _good(error, login, partition)
    found: list[OpenTransaction] = []
    for _ in range(answer.count() - 1):
        producer, epoch = answer.number(8), answer.number(4)
        answer.number(4), answer.number(8), answer.number(4)
        start = answer.number(8)
        answer.skip_tags()
        if start != _NONE:
            found.append(OpenTransaction(partition=partition, start=start, producer_id=producer, epoch=epoch))
    answer.skip_tags()
    return found


def _good(error: int, login: Login, partition: Partition) -> None:
    doing = f"{login.name}: looking at the producers of {partition}"
    if error == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        told = f"{doing}: User:{login.username} lacks Read on it"
        raise Blocked(told, hint=f"grant it: {granting(login, f'--operation Read --topic {partition.topic}')}")
    if error in _ASK_AGAIN:
        raise Transient(f"{doing}: {KafkaError(error).str()}")
    if error:
        raise PlatformError(f"{doing}: {KafkaError(error).str()}", hint="look at the broker's log")


def _ids(line: ssl.SSLSocket, producers: Collection[int]) -> dict[str, int]:
    """The transactional ids that this broker coordinates and we may describe, of those producers."""
    asked = listed([struct.pack(">q", each) for each in sorted(producers)])
    answer = ask(line, _LIST_TRANSACTIONS, 0, listed([]) + asked + b"\0", flexible=True)
    answer.number(4)
    if answer.number(2):
        return {}  # it still loads them: the producer is told all the same
    for _ in range(answer.count() - 1):
        answer.compact()
    found: dict[str, int] = {}
    for _ in range(answer.count() - 1):
        name, producer = answer.compact(), answer.number(8)
        answer.compact()
        answer.skip_tags()
        found[name] = producer
    return found


def _begun(line: ssl.SSLSocket, ids: Mapping[str, int]) -> dict[int, _Named]:
    """Name and begin of each producer's transaction, in ms."""
    if not ids:
        return {}
    body = listed([compact(name) for name in sorted(ids)]) + b"\0"
    answer = ask(line, _DESCRIBE_TRANSACTIONS, 0, body, flexible=True)
    answer.number(4)
    found: dict[int, _Named] = {}
    for _ in range(answer.count() - 1):
        error, name = answer.number(2), answer.compact()
        answer.compact(), answer.number(4)
        started = answer.number(8)
        answer.number(8), answer.number(2)
        _skip_topics(answer)
        known = not error and started != _NONE
        found[ids[name]] = _Named(transactional_id=name, started_ms=started if known else None)
    return found


def _skip_topics(answer: Answer) -> None:
    for _ in range(answer.count() - 1):
        answer.compact()
        for _ in range(answer.count() - 1):
            answer.number(4)
        answer.skip_tags()
    answer.skip_tags()
