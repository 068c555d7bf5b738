"""The plan file of the lab, as a user of it would write it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from kmigrate.lab import shop
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.kubernetes.kubeconfig import CONTEXT
from kmigrate.lab.shop import ShopApplication
from kmigrate.model import Json, JsonObject, Topic

NAMESPACE = "kafka"
CLUSTER = "shop"
LISTENER = "scram"
_HEAD = "# The lab's migration plan: edit it as you like; what began already refuses to be changed.\n"


def plan_file(
    folder: LabFolder,
    bootstrap: str,
    ca: Path,
    *,
    applications: Sequence[ShopApplication] = shop.APPLICATIONS,
    topics: Sequence[Topic] = shop.TOPICS,
    kubeconfig: Path | None = None,
) -> str:
    """YAML text; relative paths are relative to the folder `work` it is written into.

    With a `kubeconfig` the target is on the API server that it names.
    """
    plan: Mapping[str, Json] = {
        "apiVersion": "kmigrate/v1alpha1",
        "kind": "Migration",
        "metadata": {"name": "shop"},
        "source": {
            "bootstrapServers": bootstrap,
            "auth": {"type": "plain", "username": shop.KMIGRATE, "password": _file(shop.KMIGRATE)},
            "ca": str(ca),
        },
        "target": target_of(kubeconfig),
        "topics": {"include": [topic.name for topic in topics]},
        "applications": [_application(folder, app) for app in applications],
        "mirror": {
            "forward": {
                "auth": {"type": "plain", "username": shop.MIRROR_FORWARD, "password": _file(shop.MIRROR_FORWARD)}
            },
            "reverse": {
                "auth": {"type": "plain", "username": shop.MIRROR_REVERSE, "password": _file(shop.MIRROR_REVERSE)}
            },
        },
        "policy": {"maxPause": "5m", "minimumGrade": "EXACT_MATCHED", "soak": "5s"},
        "journal": {"store": "./.kmigrate"},
    }
    return _HEAD + yaml.safe_dump(plan, sort_keys=False, default_flow_style=None, width=140)


def target_of(kubeconfig: Path | None) -> JsonObject:
    """The `target` of a plan file in the lab's folder `work`: on the API server of a kubeconfig, or in the folder."""
    return _in_a_folder() if kubeconfig is None else _in_kubernetes(kubeconfig)


def _in_a_folder() -> JsonObject:
    return {
        "platform": "lab",
        "store": "../store",
        "kubernetes": {"namespace": NAMESPACE},
        "cluster": {"name": CLUSTER, "listener": {"name": LISTENER}},
    }


def _in_kubernetes(kubeconfig: Path) -> JsonObject:
    """The cluster is there already: what is said of its size is taken for nothing."""
    return {
        "platform": "strimzi",
        "kubernetes": {
            "context": CONTEXT,
            "namespace": NAMESPACE,
            "kubeconfig": f"../{kubeconfig.parent.name}/{kubeconfig.name}",
        },
        "cluster": {"name": CLUSTER, "brokers": 1, "storage": {"size": "1Gi"}, "listener": {"name": LISTENER}},
    }


def _application(folder: LabFolder, app: ShopApplication) -> Json:
    home = folder.apps / app.name
    command = [sys.executable, "-m", "kmigrate.lab.apps.control", str(home)]
    credential: Json = {"username": app.principal, "password": _file(app.principal)}
    return {
        "name": app.name,
        "reads": [
            {"topics": list(reads.topics), "group": reads.group, "isolation": reads.isolation} for reads in app.reads
        ],
        "writes": list(app.writes),
        "transactionalIds": list(app.transactional_ids),
        "principals": [{"source": f"User:{app.principal}", "sourceAuth": credential, "target": app.name}],
        "workloads": [
            {"kind": "command", **{verb: [*command, verb] for verb in ("stop", "switch", "start", "healthy")}}
        ],
    }


def _file(principal: str) -> Json:
    return {"file": f"../credentials/{principal}"}
