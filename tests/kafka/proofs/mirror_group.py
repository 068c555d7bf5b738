"""A Connect group of the proofs' own, configured by kmigrate's rendering of KafkaMirrorMaker2, and its connectors."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

from traffic import UNCOMMITTED, Ends
from two_clusters import MIRROR, MIRROR_BACK, TARGET, OneCluster, TwoClusters

from kmigrate.errors import Transient
from kmigrate.lab.operator.admin import NewTopicWish
from kmigrate.lab.operator.connectors import connector_settings, mirrors, worker_properties
from kmigrate.lab.operator.status import mapping, objects, setting, whole
from kmigrate.lab.runtime.connect import ConnectRest, Worker, launch_worker, start_worker
from kmigrate.manifests.internal import MirrorNames, internal_topics
from kmigrate.manifests.mirror import Endpoint, mirror_maker, reverse_connector
from kmigrate.manifests.users import Rule, forward_mirror_rules, reverse_mirror_rules, reverse_source_rules
from kmigrate.model import Json, JsonObject, Lane, Partition

NAMES = MirrorNames(group="proofs")
_LOOKS, _BETWEEN_S = 40, 0.05  # a commit that was on its way is through by then, also on a busy machine
_SENT_BY_THEN_S = 0.3
_COPIED_FIRST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Secrets as plain text (kmigrate.lab.operator.connectors.Secrets)."""

    held: Mapping[str, Mapping[str, str]]

    def keys(self, secret: str) -> Sequence[str]:
        return tuple(self.held[secret])

    def text(self, secret: str, key: str) -> str:
        return self.held[secret][key]


def lane(topic: str, *more: str, direction: str = "forward") -> Lane:
    """A lane of its own for a test's topics: its aliases appear nowhere else."""
    here, there = (f"src-{topic}", "target") if direction == "forward" else ("target", f"back-{topic}")
    name = f"{topic}-{direction}"
    return Lane(name=name, direction=direction, source_alias=here, target_alias=there, topics=(topic, *more))


def ownership(topics: Iterable[str]) -> tuple[Rule, ...]:
    """The right by which a mirror may write topics that the other side owns (design §4.3)."""
    return tuple(Rule(resource="topic", name=topic, operations=("Write",)) for topic in topics)


def sight(topics: Iterable[str]) -> tuple[Rule, ...]:
    """What it keeps where it may not write: without it, a mirror waits for the topic to come, and does not fail."""
    return tuple(Rule(resource="topic", name=topic, operations=("Describe",)) for topic in topics)


@dataclass(slots=True, kw_only=True)
class MirrorGroup:
    """Workers on the target; `workers` are those that run. `once`: they write exactly once, as kmigrate has it."""

    two: TwoClusters
    names: MirrorNames = NAMES
    once: bool = True
    workers: list[Worker] = field(default_factory=list)
    _ports: list[int] = field(default_factory=list)

    # ---- workers ----

    def start(self) -> None:
        """Make what the workers need, then start the first one."""
        self._make_topics(internal_topics(self.names, (), TARGET, brokers=1))
        self.two.target.allow(MIRROR, forward_mirror_rules((), self.names))
        self.add_worker()

    def add_worker(self) -> Worker:
        """One more worker, with exactly the settings a KafkaMirrorMaker2 gives it."""
        (port,) = self.two.bench.ports.take(1)
        made = Worker(
            name=f"{self.names.group}-connect-{len(self.workers)}",
            folder=self.two.bench.folder / "connect",
            properties=worker_properties(self._spec(lane("any")), self._secrets(), rest_port=port),
        )
        start_worker(made, self.two.bench)
        self.workers.append(made)
        self._ports.append(port)
        return made

    def remove_worker(self) -> None:
        """End the last worker politely, so that it leaves its group."""
        self.two.bench.machine.stop(self.workers.pop().name)
        self._ports.pop()

    def kill_in_transaction(self, ends: Ends, while_open: Callable[[], object] = lambda: None) -> None:
        """Kill -9 the worker while a transaction of it is open, and start it again without waiting for it.

        First it must copy, so that no transaction left over from an earlier kill is taken for its own. Then its
        brokers are frozen until it waits for their answer; it is frozen in turn, and they, let go, write what it had
        sent. A commit that it had sent before ends the transaction: then once more. `while_open` may look around
        before the kill.
        """
        machine, (worker,) = self.two.bench.machine, self.workers
        goal = sum(ends.at(UNCOMMITTED).values()) + _COPIED_FIRST
        self.two.until("the worker to copy", lambda: sum(ends.at().values()) > goal)

        def caught() -> bool:
            with self._frozen(ends.cluster):
                time.sleep(_SENT_BY_THEN_S)
                machine.signal(worker.name, signal.SIGSTOP)
            if all(self._open_after(_BETWEEN_S, ends) for _ in range(_LOOKS)):
                return True
            machine.signal(worker.name, signal.SIGCONT)
            return False

        try:
            self.two.until("a transaction to be open with the worker frozen", caught)
            while_open()
        finally:
            machine.kill(worker.name)
            launch_worker(worker, self.two.bench)

    def _open_after(self, seconds: float, ends: Ends) -> bool:
        time.sleep(seconds)
        return ends.is_open()

    @contextmanager
    def _frozen(self, cluster: OneCluster) -> Iterator[None]:
        """With all its brokers stopped in their tracks."""
        layout, machine = cluster.running.layout, self.two.bench.machine
        brokers = [layout.process(node.id) for node in layout.nodes]
        try:
            for broker in brokers:
                machine.signal(broker, signal.SIGSTOP)
            yield
        finally:
            for broker in brokers:
                machine.signal(broker, signal.SIGCONT)

    def kill_copying(self, ends: Ends, records: int) -> None:
        """Kill -9 the worker once it has copied so many more records, and start it again without waiting for it."""
        machine, (worker,) = self.two.bench.machine, self.workers
        goal = sum(ends.at().values()) + records
        self.two.until("the worker to copy", lambda: sum(ends.at().values()) > goal)
        machine.kill(worker.name)
        launch_worker(worker, self.two.bench)

    # ---- lanes ----

    def forward(self, way: Lane, *, state: str = "RUNNING") -> str:
        """Make a forward lane with all it needs, as provisioning would; returns the connector's name."""
        self._make_topics(internal_topics(self.names, (way,), TARGET, brokers=1))
        self.two.source.allow(
            MIRROR, [Rule(resource="topic", name=topic, operations=("Describe", "Read")) for topic in way.topics]
        )
        self.two.target.allow(MIRROR, forward_mirror_rules((way,), self.names))
        spec = self._spec(way)
        self._create(connector_settings(spec, mirrors(spec)[0], self._secrets()), state)
        return way.connector

    def reverse(self, way: Lane, *, all_begin_written: bool, changes: Mapping[str, str] | None = None) -> str:
        """Make a reverse lane, created STOPPED; returns the connector's name."""
        self.two.target.topic(self.names.offset_syncs(way), 1, {"cleanup.policy": "compact"})
        self.two.source.topic(self.names.connector_offsets(way), 1, {"cleanup.policy": "compact"})
        self.two.target.allow(MIRROR_BACK, reverse_mirror_rules((way,), self.names))
        self.two.source.allow(MIRROR_BACK, reverse_source_rules((way,), self.names))
        settings = reverse_connector(
            way,
            target_client=self.two.target.java(MIRROR_BACK),
            source_client=self.two.source.java(MIRROR_BACK),
            offsets_topic=self.names.connector_offsets(way),
            all_begin_written=all_begin_written,
        )
        self._create({**settings, "name": way.connector, **(changes or {})}, "STOPPED")
        return way.connector

    # ---- stop, alter, read back, start ----

    def stop(self, connector: str) -> None:
        """Stop it and wait until it is proven stopped: STOPPED, and no task."""
        self._patiently("stop", lambda rest: rest.put(f"{_path(connector)}/stop"))
        self.two.until(f"{connector} to be stopped", lambda: self.states(connector) == ("STOPPED", ()))

    def resume(self, connector: str) -> None:
        """Ask it to run; returns at once."""
        self._patiently("resume", lambda rest: rest.put(f"{_path(connector)}/resume"))

    def restart_failed(self, connector: str) -> int:
        """Start again the tasks that FAILED, as an operator must after an outage; how many there were."""
        failed = self.states(connector)[1].count("FAILED")
        if failed:
            path = f"{_path(connector)}/restart?includeTasks=true&onlyFailed=true"
            self._patiently("restart", lambda rest: rest.post(path, None))
        return failed

    def await_running(self, connector: str) -> None:
        self.two.until(f"{connector} to run", lambda: self.states(connector) == ("RUNNING", ("RUNNING",)))

    def alter(self, way: Lane, offsets: Mapping[Partition, int]) -> None:
        """Set the last offset that a stopped lane shall think it has copied."""
        told: list[Json] = [
            {"partition": _key(way, partition), "offset": {"offset": offset}} for partition, offset in offsets.items()
        ]
        self._patiently("alter", lambda rest: rest.patch(f"{_path(way.connector)}/offsets", {"offsets": told}))

    def read_back(self, way: Lane, offsets: Mapping[Partition, int]) -> None:
        """Ask Connect for them, since it takes whatever it is told."""
        there = self.offsets(way)
        assert {partition: there.get(partition) for partition in offsets} == dict(offsets)

    def offsets(self, way: Lane) -> dict[Partition, int]:
        """What Connect says was copied last."""
        found: list[Json] = []
        self._patiently("offsets", lambda rest: found.append(rest.get(f"{_path(way.connector)}/offsets")))
        return {
            Partition(str(where["topic"]), whole(where.get("partition"), -1)): whole(
                mapping(one.get("offset")).get("offset"), -1
            )
            for one in objects(mapping(found[-1]).get("offsets"))
            if (where := mapping(one.get("partition"))).get("cluster") == way.source_alias
        }

    def states(self, connector: str) -> tuple[str, tuple[str, ...]]:
        """State of the connector and of each of its tasks; ("", ()) while Connect does not answer."""
        status = self.status(connector)
        tasks = tuple(str(task.get("state")) for task in objects(status.get("tasks")))
        return str(mapping(status.get("connector")).get("state", "")), tasks

    def status(self, connector: str) -> JsonObject:
        try:
            return mapping(self._rest().get(f"{_path(connector)}/status"))
        except Transient:
            return {}

    def delete(self, *connectors: str) -> None:
        for path in map(_path, connectors):
            self._patiently("delete", partial(ConnectRest.delete, path=path))

    # ---- inside ----

    def _create(self, settings: Mapping[str, str], state: str) -> None:
        body: JsonObject = {"name": settings["name"], "config": dict(settings), "initial_state": state}
        self._patiently("create", lambda rest: rest.post("/connectors", body))

    def _patiently(self, what: str, call: Callable[[ConnectRest], object]) -> None:
        """409 while the group rebalances, no answer while a killed worker comes back: again."""

        def done() -> bool:
            call(self._rest())
            return True

        self.two.until(what, done)

    def _rest(self) -> ConnectRest:
        return ConnectRest(f"http://127.0.0.1:{self._ports[0]}", timeout_ms=15_000)

    def _make_topics(self, resources: Iterable[JsonObject]) -> None:
        specs = [mapping(one.get("spec")) for one in resources]
        self.two.target.create(
            *(
                NewTopicWish(
                    name=str(spec["topicName"]),
                    partitions=whole(spec.get("partitions"), 1),
                    replicas=1,
                    config={name: setting(value) for name, value in mapping(spec.get("config")).items()},
                )
                for spec in specs
            )
        )

    def _spec(self, way: Lane) -> JsonObject:
        made = mirror_maker(
            self.names,
            [way],
            TARGET,
            reads_from=_endpoint(self.two.source, "plain"),
            writes_to=_endpoint(self.two.target, "scram-sha-512"),
        )
        spec = mapping(made.get("spec"))
        return spec if self.once else _at_least_once(spec)

    def _secrets(self) -> Texts:
        cluster = self.two.target
        return Texts(held={MIRROR: {"password": cluster.passwords[MIRROR]}, "ca": {"ca.crt": cluster.ca.read_text()}})


def _at_least_once(spec: JsonObject) -> JsonObject:
    """The same without transactions: what was copied since the last flush of offsets is copied again after a kill."""
    target, (mirror,) = mapping(spec.get("target")), mirrors(spec)
    source = mapping(mirror.get("sourceConnector"))
    config = {**mapping(source.get("config")), "exactly.once.support": "requested"}
    workers = {**mapping(target.get("config")), "exactly.once.source.support": "disabled"}
    changed: JsonObject = {**mirror, "sourceConnector": {**source, "config": config}}
    return {**spec, "target": {**target, "config": workers}, "mirrors": [changed]}


def _endpoint(cluster: OneCluster, mechanism: str) -> Endpoint:
    return Endpoint(
        bootstrap=cluster.bootstrap,
        mechanism=mechanism,
        username=MIRROR,
        password=(MIRROR, "password"),
        ca=("ca", "ca.crt"),
    )


def _key(way: Lane, partition: Partition) -> JsonObject:
    return {"cluster": way.source_alias, "topic": partition.topic, "partition": partition.number}


def _path(connector: str) -> str:
    return f"/connectors/{quote(connector, safe='')}"
