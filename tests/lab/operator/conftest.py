"""One target cluster, run by the stand-in, for all tests of its rules; a bare operator for those that start nothing.

With `--operator real` the cluster is one that a real Strimzi runs (`real_stage`), for the tests that ask nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from operator_stage import FOREVER_MS, INTERVAL_MS, SOURCE_USERS, TARGET, Stage, apply_source_secret, running, stage

from kmigrate.errors import UsageError
from kmigrate.lab import crds
from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.kafka import KafkaCluster
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.source import source_layout
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.model import JsonObject
from kmigrate.wiring import kubernetes_store
from kmigrate.world import Reporter

if TYPE_CHECKING:
    from reverse_stage import Reverse


@pytest.fixture(scope="session")
def definitions() -> tuple[JsonObject, ...]:
    return crds.definitions(Reporter())


def is_real(request: pytest.FixtureRequest) -> bool:
    return str(request.config.getoption("--operator")) == "real"


@pytest.fixture
def stand_in(request: pytest.FixtureRequest) -> None:
    """Of tests that make an operator of their own."""
    if is_real(request):
        pytest.skip("--operator real: it starts a stand-in of its own")


@pytest.fixture
def bare(stand_in: None, tmp_path: Path, definitions: tuple[JsonObject, ...]) -> Iterator[Stage]:
    """An operator whose Java does not exist, ticked by hand: for rules that end before a process starts."""
    machine = Machine()
    made = stage(tmp_path, Jvm(java=Path("/nowhere/java"), classpath=()), definitions, machine, FOREVER_MS)
    try:
        yield made
    finally:
        machine.close()
        made.bench.ports.close()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A running one-broker target with the shortest interval the rules allow for; or a real one."""
    folder = tmp_path_factory.mktemp("operator")
    if is_real(request):
        import real_stage

        try:
            store = kubernetes_store(str(request.config.getoption("--context")))
        except UsageError as error:
            pytest.exit(f"--operator real: {error.message}; {error.hint}", 2)
        with real_stage.running(store, folder, str(request.config.getoption("--listener"))) as real:
            yield real
        return
    bodies = kafka(TARGET, brokers=1, config=small_machine_config())
    with running(folder, request.getfixturevalue("definitions"), bodies, INTERVAL_MS) as made:
        yield made


@pytest.fixture(scope="session")
def source(request: pytest.FixtureRequest, lab: Stage) -> KafkaCluster:
    """A running source beside the target, and the Secret by which mirrors sign in there."""
    if is_real(request):
        pytest.skip("--operator real: its pods cannot reach a source on this machine")
    layout = source_layout(lab.bench, brokers=1, users=SOURCE_USERS, folder=lab.bench.folder / "source")
    cluster = KafkaCluster(layout, lab.bench)
    cluster.start()
    apply_source_secret(lab)
    return cluster


@pytest.fixture(scope="session")
def reverse(lab: Stage, source: KafkaCluster) -> Reverse:
    """A reverse mirror with every lane stopped; whoever starts one stops it again."""
    from reverse_stage import make

    return make(lab, source)
