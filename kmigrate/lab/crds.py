"""Strimzi's own CustomResourceDefinitions, generated on first use from its two published jars.

No copy of them lies in the repository: `io.strimzi:crd-generator` writes them from the annotated classes of
`io.strimzi:api` (both Apache-2.0, pinned in `crds.lock`), as Strimzi's own build does.

An API server evaluates their CEL rules, a folder does not. The complete list (1.2.0): `rack` of Kafka, KafkaConnect,
KafkaMirrorMaker2, KafkaBridge needs `topologyKey` or `envVarName` by its type; `metricsConfig` of type
jmxPrometheusExporter needs `valueFrom`; `cruiseControl.metricsConfig` takes no strimziMetricsReporter;
`KafkaUser.authentication` takes `validityDays` and `renewalDays` only with type tls, only both, renewal < validity.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime import cache, jars, java
from kmigrate.lab.runtime.locks import exclusive
from kmigrate.model import JsonObject
from kmigrate.world import Reporter, ResourceStore

STRIMZI_VERSION = "1.2.0"
CRDS_LOCK = Path(__file__).with_name("crds.lock")
_CLASSES = (
    "kafka.Kafka",
    "connect.KafkaConnect",
    "podset.StrimziPodSet",
    "topic.KafkaTopic",
    "user.KafkaUser",
    "nodepool.KafkaNodePool",
    "bridge.KafkaBridge",
    "connector.KafkaConnector",
    "mirrormaker2.KafkaMirrorMaker2",
    "rebalance.KafkaRebalance",
)
_OPTIONS = (
    *("--label", "app:strimzi", "--label", "strimzi.io/crd-install:true", "--target-kube", "1.16+"),
    *("--crd-api-version", "v1", "--api-versions", "v1", "--storage-version", "v1"),
)
_DEADLINE_S = 120


def install(store: ResourceStore, reporter: Reporter) -> tuple[str, ...]:
    """Apply all ten to a store, so that it refuses what Strimzi's schemas refuse; the kinds, in file order."""
    crds = definitions(reporter)
    for crd in crds:
        store.apply(crd)
    return tuple(_kind(crd) for crd in crds)


def definitions(reporter: Reporter) -> tuple[JsonObject, ...]:
    """The ten CustomResourceDefinitions (apiextensions.k8s.io/v1); the first call fetches 20 MB and takes seconds.

    Raises PlatformError when jars cannot be fetched, Java does not run or the generator fails.
    """
    folder = cache.folder("crds")
    made = folder / f"strimzi-{STRIMZI_VERSION}"
    with exclusive(folder / ".lock", what="Strimzi's resource definitions", reporter=reporter):
        if not made.is_dir():
            _generate(made, reporter)
    return tuple(_read(path) for path in sorted(made.glob("*.json")))


def _generate(made: Path, reporter: Reporter) -> None:
    """Into a folder beside it, renamed when complete: a death leaves nothing that looks whole."""
    classpath = jars.fetch(CRDS_LOCK, cache.folder("jars", f"strimzi-{STRIMZI_VERSION}"), reporter)
    part = made.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    reporter.progress("Strimzi's resource definitions", "generating")
    outputs = [f"io.strimzi.api.kafka.model.{name}={part / name.partition('.')[2]}.json" for name in _CLASSES]
    program = (str(java.find_java()), "-cp", os.pathsep.join(str(jar) for jar in classpath))
    _run((*program, "io.strimzi.crdgenerator.CrdGenerator", *_OPTIONS, *outputs))
    missing = [name for name in _CLASSES if not (part / f"{name.partition('.')[2]}.json").exists()]
    if missing:
        raise PlatformError(
            f"the CRD generator wrote no {', '.join(missing)}", hint=f"delete {made.parent} and try again"
        )
    part.replace(made)


def _run(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlatformError(f"the CRD generator cannot run: {error}", hint="set KMIGRATE_JAVA to a Java 21+") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip()[-500:]
        raise PlatformError(
            f"the CRD generator ended with {done.returncode}: {last}", hint="set KMIGRATE_JAVA to a Java 21+"
        )


def _read(path: Path) -> JsonObject:
    crd: object = json.loads(path.read_bytes())
    if not isinstance(crd, dict):
        raise PlatformError(f"{path} holds no resource definition", hint=f"delete {path.parent} and try again")
    return crd


def _kind(crd: JsonObject) -> str:
    spec = crd["spec"]
    names = spec["names"] if isinstance(spec, dict) else None
    return str(names["kind"]) if isinstance(names, dict) else ""
