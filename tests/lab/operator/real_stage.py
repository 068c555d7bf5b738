"""The same stage over a real Strimzi: an operator that runs in a Kubernetes cluster, asked through its resources alone.

It needs a context that may do everything in namespace `kafka`, a Strimzi that watches it, the CRDs, and an address of
the listener `scram` that can be reached from here: run it in a pod, or give `--listener nodeport`. It makes a Kafka
`prod` of one node there and takes away whatever it made. What only the stand-in can be asked (its processes, its
files, its interval) skips the test by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, cast

import pytest
from operator_stage import TARGET, Notes, Stage

from kmigrate.lab.operator import Operator
from kmigrate.lab.operator.admin import ClusterAdmin
from kmigrate.lab.operator.status import mapping, objects
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.layout import SCRAM, sasl_config
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.manifests.users import Rule, user
from kmigrate.model import Json, JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Reporter, ResourceStore

SUPER = "kmigrate-suite"
KINDS = ("KafkaConnector", "KafkaConnect", "KafkaMirrorMaker2", "KafkaTopic", "KafkaUser", "Kafka", "KafkaNodePool")
"""In the order in which they are taken away: topics and users need their Kafka for that."""
_ROUND_MS = 300_000
"""Longer than STRIMZI_FULL_RECONCILIATION_INTERVAL_MS, two minutes where nobody changed it."""
_CLUSTER_MS = 900_000
_EVERYTHING = tuple(
    Rule(resource=resource, name=name, operations=("All",))
    for resource, name in (("topic", "*"), ("group", "*"), ("transactionalId", "*"), ("cluster", ""))
)


class OfTheStandIn:
    """Stands where the stand-in's own parts are; whatever is asked of it but the time skips the test by name."""

    failure = None
    clock = LabClock()

    def __getattr__(self, name: str) -> NoReturn:
        pytest.skip(f"--operator real: only the stand-in has {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealStage(Stage):
    """Resources in Kubernetes, and the cluster that came of them."""

    user: ClusterAdmin | None = None

    @property
    def admin(self) -> ClusterAdmin:
        """Somebody who may do everything there."""
        assert self.user is not None
        return self.user

    def only_of_the_stand_in(self) -> None:
        pytest.skip("--operator real: the stand-in lacks something, a real operator does not")

    def until(self, what: str, holds: Callable[[], object], deadline_ms: int = _ROUND_MS) -> None:
        def look() -> Ready[None] | NotYet:
            return Ready(None) if holds() else NotYet("not yet")

        clock, patience = self.bench.clock, max(deadline_ms, _ROUND_MS)
        wait_until(look, what=what, clock=clock, reporter=Reporter(), deadline_ms=patience, every_ms=200)


@contextlib.contextmanager
def running(store: ResourceStore, folder: Path, listener: str) -> Iterator[RealStage]:
    """A Kafka of one node, made for the tests and taken away again; never one that was there before."""
    there = [str(resource.key) for kind in KINDS for resource in store.list(kind, TARGET.namespace)]
    if there:
        pytest.exit(
            f"--operator real wants namespace {TARGET.namespace} for itself; there is {', '.join(there[:5])}", 2
        )
    before = {resource.key for resource in store.list("Secret", TARGET.namespace)}
    nothing = OfTheStandIn()
    bare = RealStage(store=store, operator=cast("Operator", nothing), bench=cast("Bench", nothing), notes=Notes())
    try:
        for body in kafka(TARGET, brokers=1, config=small_machine_config(), storage="2Gi"):
            store.apply(_reached_by(body, listener))
        bare.settled(bare.seen("Kafka", TARGET.cluster), _CLUSTER_MS)
        bare.apply(user(SUPER, _EVERYTHING, TARGET))
        yield replace(bare, user=ClusterAdmin(_signed_in(bare, folder)))
    finally:
        _take_away(bare, before)


def _reached_by(body: JsonObject, listener: str) -> JsonObject:
    """The same Kafka with its listener of that type."""
    if body["kind"] != "Kafka":
        return body
    spec = mapping(body["spec"])
    asked = mapping(spec["kafka"])
    listeners: list[Json] = [{**each, "type": listener} for each in objects(asked["listeners"])]
    return {**body, "spec": {**spec, "kafka": {**asked, "listeners": listeners}}}


def _signed_in(stage: Stage, folder: Path) -> dict[str, str]:
    (listener,) = objects(stage.seen("Kafka", TARGET.cluster).status["listeners"])
    ca = folder / "ca.pem"
    ca.write_text(str(stage.seen("Secret", f"{TARGET.cluster}-cluster-ca-cert").data["ca.crt"]))
    password = str(stage.seen("Secret", SUPER).data["password"])
    return {"bootstrap.servers": str(listener["bootstrapServers"]), **sasl_config(SCRAM, SUPER, password, ca)}


def _take_away(stage: Stage, before: Collection[Key]) -> None:
    """Everything of these kinds, each kind once the one before it is gone; then what is left of our Secrets."""
    for kind in KINDS:
        users = [resource.key.name for resource in stage.store.list(kind, TARGET.namespace) if kind == "KafkaUser"]
        for resource in stage.store.list(kind, TARGET.namespace):
            stage.store.delete(resource.key)
        stage.until(f"every {kind} to go", lambda kind=kind: not stage.store.list(kind, TARGET.namespace))
        secrets = [Key("Secret", TARGET.namespace, name) for name in users]
        stage.until("their Secrets to go", lambda secrets=secrets: not any(map(stage.store.get, secrets)))
    for resource in stage.store.list("Secret", TARGET.namespace):
        if resource.key not in before:
            stage.store.delete(resource.key)
