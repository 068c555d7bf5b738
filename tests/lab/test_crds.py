"""Strimzi's schemas refuse what is not in them, and take what kmigrate renders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kmigrate.adapters.folder import FolderStore
from kmigrate.errors import Invalid
from kmigrate.lab import crds
from kmigrate.lab.runtime import jars
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.manifests.internal import MirrorNames, internal_topics
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.manifests.lanes import reverse_of
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.topics import carried_topic
from kmigrate.manifests.users import Rule, fence_rules, forward_mirror_rules, ledger_rules, reverse_mirror_rules, user
from kmigrate.model import Json, JsonObject, Lane, Target, Topic
from kmigrate.world import Reporter

TARGET = Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram")
NAMES = MirrorNames(group="kmigrate-shop-forward")
LANES = (
    Lane(name="1", direction="forward", source_alias="cc-1", target_alias="strimzi", topics=("a.b", "C_d")),
    Lane(name="2", direction="forward", source_alias="cc-2", target_alias="strimzi", topics=("e",)),
)
ENDPOINT = Endpoint(bootstrap="b:9092", mechanism="plain", username="u", password=("s", "password"), ca=("s", "ca.crt"))


def rendered() -> tuple[JsonObject, ...]:
    rules = [
        *forward_mirror_rules(LANES, NAMES, owned=["e"]),
        *reverse_mirror_rules(LANES, NAMES),
        *ledger_rules("m"),
        *fence_rules(groups=["g"], topics=["e"]),
        Rule(resource="transactionalId", name="t", operations=("Write",)),
    ]
    return (
        *kafka(TARGET, brokers=3, config=small_machine_config()),
        carried_topic(Topic(name="C_d", partitions=3, config={"retention.ms": "1"}), TARGET, brokers=3).body,
        *internal_topics(NAMES, LANES, TARGET, brokers=3),
        user("kmigrate", rules, TARGET),
        mirror_maker(NAMES, LANES, TARGET, reads_from=ENDPOINT, writes_to=ENDPOINT),
        reverse_connect(NAMES, TARGET, reads_from=ENDPOINT, writes_to=ENDPOINT),
        reverse_lane(NAMES, reverse_of(LANES[0]), TARGET, reads_from=ENDPOINT, writes_to=ENDPOINT),
    )


@pytest.fixture(scope="module")
def strimzi(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    store = FolderStore(tmp_path_factory.mktemp("crds"), LabClock())
    assert len(crds.install(store, Reporter())) == 10
    return store


def test_everything_rendered_is_taken_by_strimzis_schemas(strimzi: FolderStore) -> None:
    for body in rendered():
        assert strimzi.apply(body).generation == 1


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field below `spec`, but what lies in `config`, which is free."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield (*path, name)
            if name != "config":
                yield from places(below, (*path, name))
    elif isinstance(value, (list, tuple)):
        for number, below in enumerate(value):
            yield from places(below, (*path, number))


def misspelt(value: Json, path: tuple[str | int, ...]) -> Json:
    if isinstance(value, Mapping):
        name = path[0]
        if len(path) == 1:
            return {(f"{name}x" if key == name else key): below for key, below in value.items()}
        return {key: misspelt(below, path[1:]) if key == name else below for key, below in value.items()}
    assert isinstance(value, (list, tuple))
    return [misspelt(below, path[1:]) if number == path[0] else below for number, below in enumerate(value)]


def test_each_misspelt_field_of_each_rendered_resource_is_refused_by_its_name(strimzi: FolderStore) -> None:
    tried = 0
    for body in rendered():
        for path in places(body["spec"]):
            if not isinstance(path[-1], str):
                continue
            tried += 1
            with pytest.raises(Invalid) as refused:
                strimzi.apply({**body, "spec": misspelt(body["spec"], path)})
            assert any(f"{path[-1]}x: unknown field" in problem for problem in refused.value.problems), path
    assert tried > 190


def test_the_versions_before_v1_are_refused(strimzi: FolderStore) -> None:
    with pytest.raises(Invalid, match=r"v1beta2.*is not served"):
        strimzi.apply({**rendered()[1], "apiVersion": "kafka.strimzi.io/v1beta2"})


def test_a_wrong_type_is_refused_with_its_field(strimzi: FolderStore) -> None:
    topic = rendered()[2]
    with pytest.raises(Invalid, match=r"spec\.partitions: 'three' is not of type 'integer'"):
        strimzi.apply({**topic, "spec": {"partitions": "three"}})


def test_both_jars_are_pinned() -> None:
    pinned = jars.read_lock(crds.CRDS_LOCK)
    assert [(jar.group, jar.artifact, jar.version) for jar in pinned] == [
        ("io.strimzi", "api", "1.2.0"),
        ("io.strimzi", "crd-generator", "1.2.0"),
    ]
    assert all(len(jar.sha256) == 64 for jar in pinned)


def test_a_second_call_needs_no_network_and_no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = crds.definitions(Reporter())
    monkeypatch.setenv("KMIGRATE_JAVA", str(tmp_path / "none"))
    monkeypatch.setenv("KMIGRATE_MAVEN_REPO", "http://127.0.0.1:1")
    assert crds.definitions(Reporter()) == first
