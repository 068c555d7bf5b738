"""The operator's loop: what changed is reconciled at once, everything at the interval."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence

from kmigrate.errors import Interrupted, KmigrateError, Transient
from kmigrate.lab.operator.kafka import CLUSTER_LABEL, KafkaReconciler, RunningKafka
from kmigrate.lab.operator.kafkaconnect import ConnectReconciler
from kmigrate.lab.operator.kafkaconnector import ConnectorReconciler
from kmigrate.lab.operator.mirrormaker import MirrorMakerReconciler
from kmigrate.lab.operator.restarts import Restarts
from kmigrate.lab.operator.status import is_paused, label, write_paused
from kmigrate.lab.operator.topics import TopicReconciler
from kmigrate.lab.operator.users import UserReconciler
from kmigrate.lab.runtime.bench import Bench
from kmigrate.world import Key, Resource, ResourceStore

KINDS = ("KafkaNodePool", "Kafka", "KafkaTopic", "KafkaUser", "KafkaMirrorMaker2", "KafkaConnect", "KafkaConnector")
_TICK_S = 0.02
_AGAIN_MS = 100
_SERVICE = re.compile(r"(?P<cluster>[a-z0-9.-]+?)-kafka-bootstrap(\.[a-z0-9.-]+)?:(?P<port>\d+)")

Stamp = tuple[object, ...]


class Operator:
    """Makes the Strimzi resources of one namespace real, until `stop`; knows nothing of migrations.

    `start` runs `tick` in a thread of its own, about every 20 ms. `interval_ms` is Strimzi's
    STRIMZI_FULL_RECONCILIATION_INTERVAL_MS (production 120 s): how old a status may be, and when drift is reverted.
    `takes_ms`: what passes from a change until it is made real and told, as on a busy operator; resources do not wait
    for each other.
    """

    def __init__(
        self, store: ResourceStore, bench: Bench, namespace: str, *, interval_ms: int = 10_000, takes_ms: int = 0
    ) -> None:
        folder = bench.folder / "operator" / namespace
        self._store = store
        self._bench = bench
        self._namespace = namespace
        self._interval, self._takes = interval_ms, takes_ms
        self._kafka = KafkaReconciler(store, bench, folder)
        self._topics = TopicReconciler(store, bench.clock)
        self._users = UserReconciler(store, bench.clock)
        restarts = Restarts(clock=bench.clock, minute_ms=lambda: self._interval // 2)
        self._mirrors = MirrorMakerReconciler(store, bench, folder, self.address, restarts)
        self._connects = ConnectReconciler(store, bench, folder, self.address)
        self._connectors = ConnectorReconciler(store, bench, folder, self.address, restarts, self._connects)
        self._done: dict[Key, Stamp] = {}
        self._last: dict[Key, Resource] = {}
        self._begun: dict[Key, Stamp] = {}
        self._not_before: dict[Key, int] = {}
        self._next_round = 0
        self._next_revival = 0
        self._complaint = ""
        self.failure: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="strimzi-stand-in", daemon=True)

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the loop, then Connect workers, then brokers; safe when `start` was never called."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._mirrors.stop()
        self._connects.stop()
        self._kafka.stop()

    def tick(self) -> None:
        """Look once: reconcile what changed since the last tick, and everything when the interval is over."""
        now = self._bench.clock.monotonic_ms()
        everything = now >= self._next_round
        if everything:
            self._next_round = now + self._interval
        resources = {kind: self._store.list(kind, self._namespace) for kind in KINDS}
        self._remove_gone(resources)
        self._revive(now)
        due = {kind: self._due(resources[kind], now, everything=everything) for kind in KINDS}
        self._tick_kafka(resources, due)
        for kafka in resources["Kafka"]:
            running = self._kafka.running(kafka.key.name)
            if running is not None:
                self._tick_topics(kafka, running, due["KafkaTopic"], resources["KafkaTopic"])
                self._tick_users(kafka, running, due["KafkaUser"], resources["KafkaUser"], everything=everything)
        self._tick_connect(resources, due, now)

    def set_interval(self, interval_ms: int) -> None:
        """Another interval (milliseconds) from now on; the round that is running ends at once."""
        self._interval = interval_ms
        self._next_round = self._bench.clock.monotonic_ms() + interval_ms

    def kafka(self, name: str) -> RunningKafka | None:
        """A cluster while its brokers are up: its layout (ports, process names) and a super user's view."""
        return self._kafka.running(name)

    def address(self, bootstrap: str) -> str:
        """The addresses behind `<cluster>-kafka-bootstrap[.<namespace>.svc]:<port>`; others as they are.

        Raises Transient while that cluster does not run: a Service without endpoints.
        """
        service = _SERVICE.fullmatch(bootstrap)
        if service is None:
            return bootstrap
        running = self._kafka.running(service["cluster"])
        found = running.bootstrap(int(service["port"])) if running is not None else ""
        if not found:
            raise Transient(f"nobody answers at {bootstrap}", hint="look at the Kafka's status")
        return found

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            try:
                self.tick()
            except Interrupted:
                return
            except KmigrateError as error:
                self._complain(error.message)
                self._stopping.wait(_AGAIN_MS / 1000)
            except Exception as error:  # a defect: the thread ends, whoever looks at `failure` is told
                self.failure = error
                raise

    def _complain(self, message: str) -> None:
        """Once for as long as it stays the same: the loop meets it again every moment."""
        if message != self._complaint:
            self._complaint = message
            self._bench.reporter.note(f"operator: {message}")

    def _due(self, resources: Sequence[Resource], now: int, *, everything: bool) -> list[Resource]:
        """Those to reconcile now; a paused one only gets its condition."""
        due: list[Resource] = []
        for resource in resources:
            changed = self._done.get(resource.key) != _stamp(resource)
            if changed and self._takes:
                self._begin(resource, now)
            if now < self._not_before.get(resource.key, 0) or not (changed or everything):
                continue
            if is_paused(resource):
                write_paused(self._store, self._bench.clock, resource)
                self._mark(resource)
            else:
                due.append(resource)
        return due

    def _begin(self, resource: Resource, now: int) -> None:
        """A change that was not seen before is not made real before its time."""
        if self._begun.get(resource.key) != _stamp(resource):
            self._begun[resource.key] = _stamp(resource)
            self._not_before[resource.key] = now + self._takes

    def _mark(self, resource: Resource) -> None:
        self._done[resource.key] = _stamp(resource)
        self._last.setdefault(resource.key, resource)
        self._not_before.pop(resource.key, None)

    def _tick_kafka(self, resources: dict[str, tuple[Resource, ...]], due: dict[str, list[Resource]]) -> None:
        """A changed pool is a change of its Kafka."""
        pools = {label(pool, CLUSTER_LABEL) for pool in due["KafkaNodePool"]}
        named = {kafka.key: kafka for kafka in due["Kafka"]}
        named |= {kafka.key: kafka for kafka in resources["Kafka"] if kafka.key.name in pools and not is_paused(kafka)}
        for kafka in named.values():
            self._kafka.reconcile(kafka)
            self._mark(kafka)
        for pool in due["KafkaNodePool"]:
            self._mark(pool)

    def _tick_topics(
        self, kafka: Resource, running: RunningKafka, due: Iterable[Resource], everyone: Iterable[Resource]
    ) -> None:
        mine = [topic for topic in due if label(topic, CLUSTER_LABEL) == kafka.key.name]
        if not mine:
            return
        all_of_it = [topic for topic in everyone if label(topic, CLUSTER_LABEL) == kafka.key.name]
        self._topics.reconcile(mine, all_of_it, running.admin)
        for topic in mine:
            self._mark(topic)

    def _tick_users(
        self,
        kafka: Resource,
        running: RunningKafka,
        due: Iterable[Resource],
        everyone: Iterable[Resource],
        *,
        everything: bool,
    ) -> None:
        mine = [user for user in due if label(user, CLUSTER_LABEL) == kafka.key.name]
        if mine:
            self._users.reconcile(mine, kafka.key.name, running.admin, everything=everything)
            for user in mine:
                self._mark(user)
        if everything:
            names = (user.key.name for user in everyone if label(user, CLUSTER_LABEL) == kafka.key.name)
            self._users.forget_strangers(names, running.admin)

    def _tick_connect(
        self, resources: dict[str, tuple[Resource, ...]], due: dict[str, list[Resource]], now: int
    ) -> None:
        """A changed KafkaConnect is a change of its connectors."""
        for mirror in due["KafkaMirrorMaker2"]:
            self._take(mirror, now, done=self._mirrors.reconcile(mirror))
        for connect in due["KafkaConnect"]:
            changed = self._done.get(connect.key) != _stamp(connect)
            self._take(connect, now, done=self._connects.reconcile(connect))
            if changed:
                self._forget_connectors(connect.key.name, resources["KafkaConnector"])
        for connector in due["KafkaConnector"]:
            self._take(connector, now, done=self._connectors.reconcile(connector))

    def _take(self, resource: Resource, now: int, *, done: bool) -> None:
        """Done with it until something changes, or again in a moment."""
        if done:
            self._mark(resource)
        else:
            self._last.setdefault(resource.key, resource)
            self._done.pop(resource.key, None)
            self._not_before[resource.key] = now + _AGAIN_MS

    def _forget_connectors(self, connect: str, connectors: Iterable[Resource]) -> None:
        for connector in connectors:
            if label(connector, CLUSTER_LABEL) == connect:
                self._done.pop(connector.key, None)

    def _remove_gone(self, resources: dict[str, tuple[Resource, ...]]) -> None:
        there = {resource.key: resource for kind in KINDS for resource in resources[kind]}
        self._last.update({key: there[key] for key in self._done if key in there})
        for key in [key for key in self._last if key not in there]:
            gone = self._last.pop(key)
            self._done.pop(key, None)
            self._begun.pop(key, None)
            self._remove(gone)
            if key.kind == "KafkaConnect":
                self._forget_connectors(key.name, resources["KafkaConnector"])

    def _remove(self, gone: Resource) -> None:
        name = gone.key.name
        if gone.key.kind == "Kafka":
            self._kafka.remove(name)
        elif gone.key.kind == "KafkaMirrorMaker2":
            self._mirrors.remove(name)
        elif gone.key.kind == "KafkaConnect":
            self._connects.remove(name)
        elif gone.key.kind == "KafkaConnector":
            self._connectors.remove(gone)
        running = self._kafka.running(label(gone, CLUSTER_LABEL))
        if running is not None and gone.key.kind == "KafkaTopic":
            self._topics.remove(gone, running.admin)
        elif running is not None and gone.key.kind == "KafkaUser":
            self._users.remove(gone, running.admin)

    def _revive(self, now: int) -> None:
        """What cannot be started again is left alone for an interval, so that it does not hold up the rest."""
        if now >= self._next_revival:
            self._next_revival = now + self._interval
            self._kafka.revive()
            self._mirrors.revive()
            self._connects.revive()
            self._next_revival = now + _AGAIN_MS


def _stamp(resource: Resource) -> Stamp:
    """What a reconcile depends on: not the status, which we write ourselves."""
    metadata = resource.metadata
    return (
        metadata.get("uid"),
        resource.generation,
        repr(metadata.get("labels")),
        repr(metadata.get("annotations")),
    )
