"""What tests of the stand-in look through: a store with schemas, an operator over it, and how to wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmigrate.adapters.folder import FolderStore
from kmigrate.lab.operator import Operator
from kmigrate.lab.operator.admin import ClusterAdmin
from kmigrate.lab.operator.status import mapping, objects
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.model import JsonObject, Target
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Reporter, Resource, ResourceStore

TARGET = Target(platform="lab", store="", namespace="kafka", cluster="prod", listener="scram")
PASSWORD = "a $x+/="
SOURCE_USERS = {"sa-mirror": PASSWORD, "sa-writer": "w"}
INTERVAL_MS = 1_000
FOREVER_MS = 600_000


class Notes(Reporter):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A store with Strimzi's schemas and an operator over it."""

    store: ResourceStore
    operator: Operator
    bench: Bench
    notes: Notes

    @property
    def admin(self) -> ClusterAdmin:
        """A super user of the running cluster."""
        running = self.operator.kafka(TARGET.cluster)
        assert running is not None
        return running.admin

    def only_of_the_stand_in(self) -> None:
        """Said by tests of what the stand-in lacks."""

    def seen(self, kind: str, name: str) -> Resource:
        resource = self.store.get(Key(kind, TARGET.namespace, name))
        assert resource is not None
        return resource

    def until(self, what: str, holds: Callable[[], object], deadline_ms: int = 60_000) -> None:
        def look() -> Ready[None] | NotYet:
            assert self.operator.failure is None, self.operator.failure
            return Ready(None) if holds() else NotYet("not yet")

        wait_until(
            look,
            what=what,
            clock=self.bench.clock,
            reporter=Reporter(),
            deadline_ms=deadline_ms,
            every_ms=10,
            slowest_ms=50,
        )

    def settled(self, resource: Resource, deadline_ms: int = 60_000) -> Resource:
        """The resource once its generation was reconciled and it is no longer only being made."""

        def holds() -> bool:
            now = self.seen(resource.key.kind, resource.key.name)
            reasons = [condition.get("reason") for condition in conditions(now)]
            return now.status.get("observedGeneration") == resource.generation and "Creating" not in reasons

        self.until(f"{resource.key} to settle", holds, deadline_ms)
        return self.seen(resource.key.kind, resource.key.name)

    def apply(self, body: JsonObject) -> Resource:
        """Apply it and wait until it settled."""
        return self.settled(self.store.apply(body))


def conditions(resource: Resource) -> tuple[JsonObject, ...]:
    return objects(resource.status.get("conditions"))


def told(resource: Resource) -> list[tuple[object, object, object]]:
    """Type, status and reason of every condition."""
    return [(one["type"], one["status"], one.get("reason")) for one in conditions(resource)]


READY = [("Ready", "True", None)]


def annotated(resource: Resource, **annotations: str | None) -> JsonObject:
    """The same resource with annotations set, in Strimzi's name space."""
    changed = {f"strimzi.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    metadata = {"name": resource.key.name, "namespace": resource.key.namespace, "annotations": changed}
    return {**resource.body, "metadata": metadata}


def field(resource: Resource, name: str) -> JsonObject:
    return mapping(resource.status.get(name))


def stage(folder: Path, jvm: Jvm, definitions: tuple[JsonObject, ...], machine: Machine, interval_ms: int) -> Stage:
    notes, clock = Notes(), LabClock()
    store = FolderStore(folder / "store", clock)
    for definition in definitions:
        store.apply(definition)
    bench = Bench(
        folder=folder / "lab",
        machine=machine,
        ports=Ports(),
        jvm=jvm,
        certificates=make_certificates(folder / "lab" / "pki", "target"),
        clock=clock,
        reporter=notes,
    )
    return Stage(
        store=store,
        operator=Operator(store, bench, TARGET.namespace, interval_ms=interval_ms),
        bench=bench,
        notes=notes,
    )


@contextmanager
def running(
    folder: Path, definitions: tuple[JsonObject, ...], bodies: Iterable[JsonObject], interval_ms: int
) -> Iterator[Stage]:
    """An operator at work over these resources, its Kafka up, until the block ends."""
    machine = Machine()
    made = stage(folder, prepare(LabClock(), Reporter()), definitions, machine, interval_ms)
    try:
        made.operator.start()
        for body in bodies:
            made.store.apply(body)
        made.settled(made.seen("Kafka", TARGET.cluster), 120_000)
        yield made
        made.operator.stop()
    finally:
        machine.close()
        made.bench.ports.close()


def apply_source_secret(lab: Stage) -> None:
    """Secret cc: what mirrors need to sign in at the source."""
    data = {"password": PASSWORD, "ca.crt": lab.bench.certificates.ca.read_text()}
    lab.store.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cc", "namespace": "kafka"}, "data": data}
    )
