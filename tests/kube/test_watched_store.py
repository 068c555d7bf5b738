"""A store that watches answers lists from what it heard, our own writes included, and says when it is deaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from api_server import ApiServer

from kmigrate.adapters.kubernetes import KubernetesStore, WatchedStore
from kmigrate.errors import Blocked
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.model import JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Reporter

pytestmark = pytest.mark.kube


@pytest.fixture
def watched(strimzi_on_kubernetes: KubernetesStore, namespace: str) -> Iterator[WatchedStore]:
    strimzi_on_kubernetes.apply(topic(namespace, "first"))
    store = WatchedStore(strimzi_on_kubernetes, LabClock(), ("KafkaTopic", "KafkaUser"), namespace)
    store.start()
    yield store
    store.stop()


def topic(namespace: str, name: str, partitions: int = 1) -> JsonObject:
    metadata: JsonObject = {"name": name, "namespace": namespace}
    spec: JsonObject = {"partitions": partitions}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": metadata, "spec": spec}


def until(what: str, there: Callable[[], bool]) -> None:
    def look() -> Ready[None] | NotYet:
        return Ready(None) if there() else NotYet("not yet")

    wait_until(look, what=what, clock=LabClock(), reporter=Reporter(), deadline_ms=30_000)


def names(store: WatchedStore, namespace: str) -> list[str]:
    return [resource.key.name for resource in store.list("KafkaTopic", namespace)]


def test_what_was_there_is_there_at_once(watched: WatchedStore, namespace: str) -> None:
    assert names(watched, namespace) == ["first"]
    assert watched.list("KafkaUser", namespace) == ()
    assert watched.list("ConfigMap", namespace) == ()


def test_our_own_writes_are_there_at_once(watched: WatchedStore, namespace: str) -> None:
    for partitions in range(2, 30):
        made = watched.apply(topic(namespace, "ours", partitions))
        assert watched.list("KafkaTopic", namespace)[1] == made
        written = watched.write_status(made.key, {"topicId": str(partitions)})
        assert watched.list("KafkaTopic", namespace)[1] == written
    watched.delete(made.key)
    until("it is gone for good", lambda: names(watched, namespace) == ["first"])


def test_what_others_do_comes(watched: WatchedStore, strimzi_on_kubernetes: KubernetesStore, namespace: str) -> None:
    strimzi_on_kubernetes.apply(topic(namespace, "theirs"))
    until("it comes", lambda: names(watched, namespace) == ["first", "theirs"])
    last = strimzi_on_kubernetes.apply(topic(namespace, "theirs", 7))
    until("it changes", lambda: watched.list("KafkaTopic", namespace)[1] == last)
    strimzi_on_kubernetes.delete(Key("KafkaTopic", namespace, "theirs"))
    until("it goes", lambda: names(watched, namespace) == ["first"])


@pytest.mark.usefixtures("strimzi_on_kubernetes")
def test_who_may_not_watch_is_told_when_it_starts(api_server: ApiServer, namespace: str) -> None:
    kubeconfig = api_server.user("deaf", namespace=namespace)
    store = KubernetesStore.open("", LabClock(), kubeconfig=str(kubeconfig))
    watched = WatchedStore(store, LabClock(), ("KafkaTopic",), namespace)
    with pytest.raises(Blocked, match="deaf may not list kafkatopics"):
        watched.start()
    watched.stop()
