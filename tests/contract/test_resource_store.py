"""What every ResourceStore promises (kmigrate.world), looked at by its effects; each store joins through `STORES`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kmigrate.adapters.folder import FolderStore
from kmigrate.adapters.memory import Death, Died, MemoryStore
from kmigrate.errors import Conflict, Invalid, PlatformError
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, ResourceStore

KUBE = "kube"
STORES: dict[str, Callable[[Path], ResourceStore]] = {
    "folder": lambda root: FolderStore(root / "store", LabClock()),
    "memory": lambda _: MemoryStore(LabClock()),
}

TOPIC = Key("KafkaTopic", "kafka", "orders")


@pytest.fixture(params=[*sorted(STORES), pytest.param(KUBE, marks=pytest.mark.kube)])
def kept_in(request: pytest.FixtureRequest) -> str:
    """What keeps the resources."""
    return str(request.param)


@pytest.fixture
def store(kept_in: str, request: pytest.FixtureRequest, tmp_path: Path) -> ResourceStore:
    """A store with nothing in it but, on Kubernetes, Strimzi's definitions: it takes no kind without one."""
    if kept_in != KUBE:
        return STORES[kept_in](tmp_path)
    cleared: ResourceStore = request.getfixturevalue("cleared_kubernetes")
    return cleared


@pytest.fixture
def strict(store: ResourceStore, kept_in: str) -> ResourceStore:
    """A store that knows the schema of topics."""
    if kept_in != KUBE:
        store.apply(CRD)
    return store


def topic(partitions: int = 1, **metadata: Json) -> JsonObject:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": "orders", "namespace": "kafka", **metadata},
        "spec": {"partitions": partitions},
    }


def user(**metadata: Json) -> JsonObject:
    named: JsonObject = {"name": "orders", "namespace": "kafka", **metadata}
    spec: JsonObject = {"quotas": {"producerByteRate": 1}}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": named, "spec": spec}


def kept(body: JsonObject, part: str) -> object:
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    return metadata.get(part)


CRD: JsonObject = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "kafkatopics.kafka.strimzi.io"},
    "spec": {
        "group": "kafka.strimzi.io",
        "names": {
            "kind": "KafkaTopic",
            "plural": "kafkatopics",
            "singular": "kafkatopic",
            "listKind": "KafkaTopicList",
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "apiVersion": {"type": "string"},
                            "kind": {"type": "string"},
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "partitions": {"type": "integer", "minimum": 1},
                                    "size": {"x-kubernetes-int-or-string": True},
                                    "config": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                },
                            },
                            "status": {"type": "object", "properties": {"topicId": {"type": "string"}}},
                        },
                    }
                },
            }
        ],
    },
}


def test_what_was_applied_is_there_with_generation_one(store: ResourceStore) -> None:
    made = store.apply(topic(3, labels={"a": "b"}))
    there = store.get(TOPIC)
    assert there == made
    assert there is not None
    assert (there.generation, there.spec, there.status) == (1, {"partitions": 3}, {})
    assert kept(there.body, "labels") == {"a": "b"}
    assert kept(there.body, "generation") == 1
    assert kept(there.body, "resourceVersion") == there.version


def test_it_says_where_it_is(store: ResourceStore) -> None:
    assert store.place


def test_nothing_is_there_before_it_was_applied(store: ResourceStore) -> None:
    assert store.get(TOPIC) is None
    assert store.list("KafkaTopic", "kafka") == ()
    assert store.delete(TOPIC) is False
    assert store.write_status(TOPIC, {}) is None


def test_applying_the_same_again_changes_neither_generation_nor_version(store: ResourceStore) -> None:
    assert store.apply(topic(3)) == store.apply(topic(3))


def test_a_changed_spec_raises_the_generation_and_changes_the_version(store: ResourceStore) -> None:
    first, second = store.apply(topic(3)), store.apply(topic(6))
    assert (first.generation, second.generation) == (1, 2)
    assert first.version != second.version


def test_labels_and_annotations_change_the_version_but_not_the_generation(store: ResourceStore) -> None:
    first = store.apply(topic(3))
    second = store.apply(topic(3, annotations={"pause": "true"}))
    assert second.generation == 1
    assert second.version != first.version
    assert kept(second.body, "annotations") == {"pause": "true"}


def test_an_annotation_of_somebody_else_stays_and_none_removes_one(store: ResourceStore) -> None:
    store.apply(topic(3, annotations={"theirs": "1", "ours": "2"}))
    changed = store.apply(topic(3, annotations={"ours": None}))
    assert kept(changed.body, "annotations") == {"theirs": "1"}


def test_data_of_a_secret_counts_as_content(store: ResourceStore) -> None:
    metadata = {"name": "s", "namespace": "kafka"}
    secret: JsonObject = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": "p"}}
    first = store.apply(secret)
    second = store.apply({**secret, "data": {"password": "q"}})
    assert (first.data, second.data) == ({"password": "p"}, {"password": "q"})
    assert second.version != first.version


def test_status_is_written_apart_and_neither_generation_nor_spec_follow(store: ResourceStore) -> None:
    store.apply(topic(3))
    written = store.write_status(TOPIC, {"topicId": "x"})
    assert written is not None
    assert (written.generation, written.spec, written.status) == (1, {"partitions": 3}, {"topicId": "x"})
    assert store.get(TOPIC) == written


def test_apply_leaves_status_alone_even_when_the_body_carries_one(store: ResourceStore) -> None:
    store.apply(topic(3))
    store.write_status(TOPIC, {"topicId": "x"})
    again = store.apply({**topic(6), "status": {"topicId": "forged"}})
    assert (again.generation, again.status) == (2, {"topicId": "x"})
    assert store.apply({**topic(6), "status": {"topicId": "forged"}}) == again


def test_a_stale_resource_version_is_a_conflict_and_changes_nothing(store: ResourceStore) -> None:
    first = store.apply(topic(3))
    second = store.apply(topic(6, resourceVersion=first.version))
    with pytest.raises(Conflict):
        store.apply(topic(9, resourceVersion=first.version))
    assert store.get(TOPIC) == second


def test_a_resource_version_for_something_absent_is_a_conflict(store: ResourceStore) -> None:
    with pytest.raises(Conflict):
        store.apply(topic(3, resourceVersion="1"))
    assert store.get(TOPIC) is None


def test_a_list_holds_its_kind_and_namespace_only_by_name(store: ResourceStore) -> None:
    for name in ("b", "a"):
        store.apply(topic(1, name=name))
    store.apply(topic(1, name="c", namespace="other"))
    store.apply(user(name="d"))
    assert [resource.key.name for resource in store.list("KafkaTopic", "kafka")] == ["a", "b"]


def test_everywhere_holds_its_kind_in_every_namespace(store: ResourceStore) -> None:
    for body in (topic(namespace="b"), topic(namespace="a"), user(namespace="a")):
        store.apply(body)
    found = [resource.key for resource in store.everywhere("KafkaTopic")]
    assert found == [Key("KafkaTopic", "a", "orders"), Key("KafkaTopic", "b", "orders")]
    assert store.everywhere("KafkaNodePool") == ()


def test_a_deleted_resource_is_gone_and_a_new_one_starts_at_generation_one(store: ResourceStore) -> None:
    store.apply(topic(3))
    last = store.apply(topic(6))
    assert store.delete(TOPIC) is True
    assert store.get(TOPIC) is None
    again = store.apply(topic(6))
    assert again.generation == 1
    assert again.version != last.version
    assert again.status == {}


def test_a_preview_is_what_apply_would_store_and_changes_nothing(store: ResourceStore) -> None:
    assert store.preview(topic(3)).spec == {"partitions": 3}
    assert store.get(TOPIC) is None
    first = store.apply(topic(3, labels={"a": "b"}))
    seen = store.preview(topic(6))
    assert (seen.generation, seen.spec, kept(seen.body, "labels")) == (2, {"partitions": 6}, {"a": "b"})
    assert store.get(TOPIC) == first
    assert store.preview(topic(3, labels={"a": "b"})) == first


def test_a_preview_of_a_stale_version_is_a_conflict(store: ResourceStore) -> None:
    first = store.apply(topic(3))
    store.apply(topic(6))
    with pytest.raises(Conflict):
        store.preview(topic(9, resourceVersion=first.version))


@pytest.mark.parametrize("name", ["Orders", "../x", "", "a/b", "-a", "a" * 254, ".hidden"])
def test_a_name_that_kubernetes_refuses_is_invalid(store: ResourceStore, name: str) -> None:
    for refused in (store.apply, store.preview):
        with pytest.raises(Invalid):
            refused(topic(1, name=name))


# ---- schemas ----


def test_a_field_that_the_schema_does_not_know_is_refused_by_its_name(strict: ResourceStore) -> None:
    with pytest.raises(Invalid) as refused:
        strict.apply({**topic(3), "spec": {"partitions": 3, "partitionz": 3}})
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["spec.partitionz"]
    assert strict.get(TOPIC) is None


def test_a_value_that_the_schema_does_not_take_is_refused_by_its_field(strict: ResourceStore) -> None:
    for wrong in (0, "many"):
        with pytest.raises(Invalid) as refused:
            strict.apply({**topic(), "spec": {"partitions": wrong}})
        assert [problem.partition(":")[0] for problem in refused.value.problems] == ["spec.partitions"]
    assert strict.get(TOPIC) is None


def test_every_problem_with_a_schema_is_told_with_its_field(strict: ResourceStore, kept_in: str) -> None:
    """An API server tells unknown fields first, and looks at values when there is none."""
    with pytest.raises(Invalid) as refused:
        strict.apply({**topic(0), "spec": {"partitions": 0, "partitionz": 3, "config": 1}, "extra": 1})
    told = [problem.partition(":")[0] for problem in refused.value.problems]
    if kept_in == KUBE:
        assert set(told) & {"extra", "spec.partitionz", "spec.config"}
    else:
        assert told == ["extra", "spec.config", "spec.partitions", "spec.partitionz"]
        assert "did you mean partitions?" in refused.value.message
    assert strict.get(TOPIC) is None


def test_free_form_fields_are_taken(strict: ResourceStore) -> None:
    made = strict.apply({**topic(), "spec": {"config": {"anything": 1, "retention.ms": "x"}}})
    assert made.spec == {"config": {"anything": 1, "retention.ms": "x"}}


def test_int_or_string_fields_take_either(tmp_path: Path) -> None:
    """No field of a topic is one in Strimzi's own definitions."""
    for made in STORES.values():
        store = made(tmp_path)
        store.apply(CRD)
        for size in (1, "1Gi"):
            assert store.apply({**topic(), "spec": {"size": size}}).spec == {"size": size}
        with pytest.raises(Invalid, match=r"spec\.size"):
            store.apply({**topic(), "spec": {"size": [1]}})


def test_a_version_that_is_not_served_is_refused(strict: ResourceStore) -> None:
    with pytest.raises(Invalid, match="v1beta2"):
        strict.apply({**topic(), "apiVersion": "kafka.strimzi.io/v1beta2"})


def test_a_preview_is_refused_as_the_change_would_be(strict: ResourceStore) -> None:
    with pytest.raises(Invalid, match=r"spec\.partitionz"):
        strict.preview({**topic(), "spec": {"partitionz": 1}})


def test_a_refused_change_leaves_the_old_content(strict: ResourceStore) -> None:
    first = strict.apply(topic(3))
    with pytest.raises(Invalid):
        strict.apply({**topic(3), "spec": {"partitions": "many"}})
    assert strict.get(TOPIC) == first


# ---- watching ----


def test_a_watch_first_tells_what_is_there_and_ends_after_silence(store: ResourceStore) -> None:
    store.apply(topic(3))
    store.apply(user())
    events = list(store.watch(["KafkaTopic"], "kafka", 50))
    assert [(event.type, event.resource.key) for event in events] == [("ADDED", TOPIC)]


def test_a_watch_sees_create_change_status_and_delete_in_order(store: ResourceStore) -> None:
    watching = store.watch(["KafkaTopic"], "kafka", 30_000)
    seen: list[tuple[str, int, object]] = []
    changes: list[Callable[[], object]] = [
        lambda: store.apply(topic(6)),
        lambda: store.write_status(TOPIC, {"topicId": "x"}),
        lambda: store.delete(TOPIC),
    ]
    store.apply(topic(3))
    for event in watching:
        seen.append((event.type, event.resource.generation, event.resource.status.get("topicId")))
        if not changes:
            break
        changes.pop(0)()
    assert seen == [("ADDED", 1, None), ("MODIFIED", 2, None), ("MODIFIED", 2, "x"), ("DELETED", 2, "x")]


def test_a_watch_reacts_to_another_thread_while_it_waits(store: ResourceStore) -> None:
    watching = store.watch(["KafkaTopic"], "kafka", 30_000)
    later = threading.Timer(0.1, lambda: store.apply(topic(3)))
    later.start()
    try:
        assert next(watching).resource.key == TOPIC
    finally:
        later.join()


def test_a_resource_made_anew_between_two_looks_is_told_as_deleted_and_added(store: ResourceStore) -> None:
    store.apply(topic(3))
    watching = store.watch(["KafkaTopic"], "kafka", 30_000)
    next(watching)
    store.delete(TOPIC)
    store.apply(topic(4))
    assert [next(watching).type, next(watching).type] == ["DELETED", "ADDED"]


# ---- the folder: several processes, deaths, modes ----


def in_process(root: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    text = "import sys; from pathlib import Path\nfrom kmigrate.adapters.folder import FolderStore\n"
    text += "from kmigrate.lab.runtime.clock import LabClock\nfrom kmigrate.world import Key\n"
    text += f"store = FolderStore(Path({str(root)!r}), LabClock())\n" + textwrap.dedent(program)
    return subprocess.Popen([sys.executable, "-c", text, *arguments], stdout=subprocess.PIPE, text=True)


def test_two_processes_and_two_threads_lose_no_conditional_write(tmp_path: Path) -> None:
    root = tmp_path / "store"
    program = """
        from kmigrate.errors import Conflict
        import threading
        def add(who):
            store, done = FolderStore(Path(sys.argv[1]), LabClock()), 0
            while done < 20:
                there = store.get(Key("ConfigMap", "kafka", "counter"))
                try:
                    store.apply({"apiVersion": "v1", "kind": "ConfigMap", "data": {"n": str(int(there.data["n"]) + 1)},
                        "metadata": {"name": "counter", "namespace": "kafka", "resourceVersion": there.version}})
                except Conflict:
                    continue
                done += 1
        threads = [threading.Thread(target=add, args=(n,)) for n in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    """
    store = FolderStore(root, LabClock())
    metadata = {"name": "counter", "namespace": "kafka"}
    counter: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": "0"}}
    store.apply(counter)
    processes = [in_process(root, program, str(root)) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=60)
    there = store.get(Key("ConfigMap", "kafka", "counter"))
    assert there is not None
    assert there.data == {"n": "80"}
    assert there.generation == 81


def test_versions_over_all_processes_are_never_used_twice(tmp_path: Path) -> None:
    program = """
        for n in range(40):
            metadata = {"name": f"{sys.argv[1]}-{n}", "namespace": "kafka"}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}
            print(store.apply(body).version)
    """
    processes = [in_process(tmp_path / "store", program, who) for who in ("a", "b", "c")]
    versions = [line for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert len(versions) == len(set(versions)) == 120


def test_a_writer_killed_at_any_moment_leaves_whole_resources_and_a_free_lock(tmp_path: Path) -> None:
    root = tmp_path / "store"
    program = """
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "kafka"}}
        for n in range(1_000_000):
            store.apply({**body, "data": {"a": str(n), "pad": "x" * 50_000, "z": str(n)}})
            print(n, flush=True)
    """
    store = FolderStore(root, LabClock())
    for _ in range(5):
        process = in_process(root, program)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate()
        there = store.get(Key("ConfigMap", "kafka", "c"))
        assert there is not None
        assert there.data["a"] == there.data["z"]
        assert [resource.key.name for resource in store.list("ConfigMap", "kafka")] == ["c"]
    metadata = {"name": "c", "namespace": "kafka"}
    again = store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "end"}})
    assert again.data == {"a": "end"}


def test_who_only_reads_makes_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store", LabClock())
    assert store.list("Kafka", "kafka") == ()
    assert store.everywhere("Kafka") == ()
    assert store.get(TOPIC) is None
    assert list(store.watch(["Kafka"], "kafka", 50)) == []
    assert store.preview(topic(3)).spec == {"partitions": 3}
    assert list(tmp_path.iterdir()) == []


def test_who_only_reads_needs_no_right_to_write_and_no_lock(tmp_path: Path) -> None:
    root = tmp_path / "store"
    FolderStore(root, LabClock()).apply(topic())
    (root / ".lock").unlink()
    assert [each.key for each in FolderStore(root, LabClock()).list("KafkaTopic", "kafka")] == [TOPIC]
    assert not (root / ".lock").exists()


def test_a_store_that_is_no_folder_is_a_failure_of_the_platform(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    store = FolderStore(tmp_path / "store", LabClock())
    assert store.list("Kafka", "kafka") == ()
    with pytest.raises(PlatformError, match="cannot be used"):
        store.apply(topic())


def test_a_half_written_file_is_no_resource_and_the_next_write_replaces_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store", LabClock())
    first = store.apply(topic(3))
    torn = tmp_path / "store" / "kafka" / "KafkaTopic" / ".orders.json.new"
    torn.write_text('{"apiVersion": "kafka')
    assert store.list("KafkaTopic", "kafka") == (first,)
    assert store.apply(topic(4)).spec == {"partitions": 4}
    assert not torn.exists()


def test_an_empty_counter_goes_on_from_the_highest_version_there_is(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store", LabClock())
    store.apply(topic(3))
    last = store.apply(topic(4))
    (tmp_path / "store" / ".version").write_text("")
    assert int(store.apply(topic(5)).version) == int(last.version) + 1


def test_all_files_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = FolderStore(tmp_path / "deep" / "store", LabClock())
        store.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "kafka"}, "data": {}})
        store.apply(topic())
        store.apply(CRD)
    finally:
        os.umask(before)
    root = tmp_path / "deep" / "store"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert len(modes) >= 10
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_a_resource_lies_where_a_human_looks_for_it(tmp_path: Path) -> None:
    FolderStore(tmp_path, LabClock()).apply(topic(3))
    body = json.loads((tmp_path / "kafka" / "KafkaTopic" / "orders.json").read_text())
    assert body["spec"] == {"partitions": 3}


# ---- the store in memory: deaths ----


@pytest.mark.parametrize(("at", "there"), [(1, False), (2, True)])
def test_a_death_before_a_write_leaves_nothing_and_one_after_it_leaves_all(at: int, there: bool) -> None:
    store = MemoryStore(LabClock(), Death(at))
    with pytest.raises(Died):
        store.apply(topic(3))
    assert (store.get(TOPIC) is not None) is there


def test_only_changes_are_instants_of_death_and_a_status_is_the_operators() -> None:
    store = MemoryStore(LabClock(), Death())
    store.apply(topic(3))
    store.apply(topic(3))
    store.write_status(TOPIC, {"topicId": "x"})
    assert store.death.seen == 2
    store.delete(TOPIC)
    store.delete(TOPIC)
    assert store.death.seen == 4
