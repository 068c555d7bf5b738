"""Applying topics to a real Kubernetes API server, beside a bare loop of the same client.

Needs a Go, as tests marked `kube` do. The bare loop does one server-side apply per topic and looks at no answer.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

from kmigrate.lab.crds import install
from kmigrate.lab.kubernetes import ControlPlane, binary
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.process import Machine
from kmigrate.model import JsonObject
from kmigrate.probes.resources import stored
from kmigrate.wiring import kubernetes_store
from kmigrate.world import Key, Reporter, ResourceStore

_BUDGET = 1.3
_RUNS = 3
_TURN = 20
_QUERY = [("fieldManager", "bare"), ("fieldValidation", "Strict")]
_ANSWERED = r'^apiserver_request_total\{.*?resource="(\w+)".*?verb="(\w+)".*?\} (\S+)$'
_HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


@contextmanager
def an_api_server() -> Iterator[ControlPlane]:
    """A control plane of the benchmark's own."""
    machine, ports, clock = Machine(), Ports(), LabClock()
    with tempfile.TemporaryDirectory() as folder:
        program = binary(clock, Reporter())
        plane = ControlPlane(program, Path(folder), machine=machine, ports=ports, clock=clock, reporter=Reporter())
        try:
            plane.start()
            yield plane
            plane.stop()
        finally:
            machine.close()
            ports.close()


def topic(namespace: str, number: int, partitions: int = 12) -> JsonObject:
    """One of many."""
    labels: JsonObject = {"strimzi.io/cluster": "prod"}
    metadata: JsonObject = {"name": f"topic-{number}", "namespace": namespace, "labels": labels}
    spec: JsonObject = {"partitions": partitions, "replicas": 3, "config": {"retention.ms": "604800000"}}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": metadata, "spec": spec}


def bare(client: ApiClient, namespace: str, number: int) -> None:
    """One server-side apply by the client's own call."""
    address = f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkatopics/topic-{number}"
    request = client.param_serialize(
        "PATCH",
        address,
        query_params=list(_QUERY),
        header_params=dict(_HEADERS),
        body=topic(namespace, number),
        auth_settings=["BearerToken"],
    )
    client.call_api(*request).read()


def in_turns(topics: int, **does: Callable[[int], object]) -> dict[str, float]:
    """How many seconds each takes for all of them; they take turns, so that what else runs here hits all alike."""
    took = dict.fromkeys(does, 0.0)
    for start in range(0, topics, _TURN):
        for name, does_it in does.items():
            began = time.perf_counter()
            for number in range(start, min(start + _TURN, topics)):
                does_it(number)
            took[name] += time.perf_counter() - began
    return took


def measured(store: ResourceStore, client: ApiClient, run: int, topics: int) -> dict[str, float]:
    """One run, each in a namespace of its own."""
    for name in ("bare", "new", "known", "listed"):
        store.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{name}-{run}"}})
    return in_turns(
        topics,
        bare=lambda number: bare(client, f"bare-{run}", number),
        new=lambda number: store.apply(topic(f"new-{run}", number)),
        look=lambda number: store.get(Key("KafkaTopic", f"known-{run}", f"topic-{number}")),
        known=lambda number: store.apply(topic(f"known-{run}", number)),
        listed=lambda number: _listed(store, f"listed-{run}", number),
    )


def _listed(store: ResourceStore, namespace: str, number: int) -> None:
    """As steps make many topics: all are listed once, then each is applied."""
    if number == 0:
        store.list("KafkaTopic", namespace)
    store.apply(topic(namespace, number))


def looked_at(store: ResourceStore, client: ApiClient, topics: int) -> str:
    """What one look of who waits for that many topics asks the API server, by its own count of answers."""
    wanted = [Key("KafkaTopic", "listed-0", f"topic-{number}") for number in range(topics)]
    before, began = answered(client), time.perf_counter()
    found = stored(store, wanted)
    took, after = time.perf_counter() - began, answered(client)
    assert len(found) == topics
    told = ", ".join(
        f"{count - before[verb]:.0f} {verb}" for verb, count in sorted(after.items()) if count > before[verb]
    )
    return f"one look at {topics} topics: {told} in {took:.2f} s"


def answered(client: ApiClient) -> Counter[str]:
    """How many requests for topics the API server has answered, by verb."""
    request = client.param_serialize("GET", "/metrics", auth_settings=["BearerToken"])
    told = client.call_api(*request).read().decode()
    found: Counter[str] = Counter()
    for resource, verb, count in re.findall(_ANSWERED, told, re.MULTILINE):
        found[verb] += int(float(count)) if resource == "kafkatopics" else 0
    return found


def main() -> None:
    """Print the figures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--topics", type=int, default=1_000)
    topics = asked.parse_args().topics
    with an_api_server() as plane:
        store = kubernetes_store("", kubeconfig=str(plane.admin))
        client = new_client_from_config(str(plane.admin))
        install(store, Reporter())
        runs = [measured(store, client, run, topics) for run in range(_RUNS)]
        looked = looked_at(store, client, topics)
    for number, took in enumerate(runs, 1):
        told = ", ".join(f"{name} {spent:.1f} s ({topics / spent:.0f}/s)" for name, spent in took.items())
        print(f"run {number}, {topics} topics: {told}")
    whats = ("after all were listed, as steps do", "after one look each", "of what was never looked at")
    for what, name in zip(whats, ("listed", "known", "new"), strict=True):
        ratio = statistics.median(took[name] / took["bare"] for took in runs)
        print(f"apply {what}: {ratio:.2f} of the bare loop's time (median), of a budget of {_BUDGET}")
    print(looked)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; load {load}")


if __name__ == "__main__":
    main()
