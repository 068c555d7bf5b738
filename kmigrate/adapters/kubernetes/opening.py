"""Contexts of a kubeconfig, and the Kubernetes versions that we know."""

from __future__ import annotations

import os
import re

from kmigrate.adapters.kubernetes.connection import Call, Connection
from kmigrate.adapters.kubernetes.kinds import Kind
from kmigrate.adapters.kubernetes.refusals import Subject
from kmigrate.errors import Blocked, UsageError

OLDEST, NEWEST = (1, 30), (1, 36)
_WHERE = "set KUBECONFIG, or make one (for EKS: aws eks update-kubeconfig --name CLUSTER)"
_SERVER = Subject(kind=Kind(name="API server", group="", version="", plural="API server", namespaced=False))


def connect(context: str, kubeconfig: str = "") -> Connection:
    """Sign in as a context of a kubeconfig says; an empty one is its current context.

    `kubeconfig` is KUBECONFIG, else ~/.kube/config, where it is empty. Raises UsageError with the contexts there are,
    Blocked for a Kubernetes that is not known here.
    """
    # imported here because it costs a second, and a command against a folder never needs it
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import load_kube_config

    place = _place(kubeconfig)
    chosen = _context(context, place)
    configuration = Configuration()
    configuration.retries = False
    configuration.connection_pool_maxsize = 16
    try:
        load_kube_config(config_file=place, context=chosen, client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{place}: context {chosen} cannot be used: {error}", hint=_WHERE) from error
    connection = Connection(client=ApiClient(configuration), context=chosen)
    require_known_version(connection)
    return connection


def contexts(kubeconfig: str = "") -> tuple[tuple[str, ...], str]:
    """The names of all contexts, and the current one, empty when none is; raises UsageError without a kubeconfig."""
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigMerger
    from yaml import YAMLError

    place = _place(kubeconfig)
    try:
        merged = KubeConfigMerger(place).config
        names = [str(each.value["name"]) for each in merged.value["contexts"]] if merged is not None else []
    except (ConfigException, OSError, YAMLError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{place} is no kubeconfig: {error}", hint=_WHERE) from error
    if not names:
        raise UsageError(f"there is no kubeconfig with a context at {place}", hint=_WHERE)
    return tuple(sorted(names)), str(merged.value.get("current-context") or "")


def require_known_version(connection: Connection) -> tuple[int, int]:
    """The API server's version; raises Blocked for one that was never tried."""
    answer = connection.ask(Call(method="GET", subject=_SERVER, path="/version"))
    told = str(answer.get("gitVersion"))
    found = re.match(r"v(\d+)\.(\d+)", told)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if not OLDEST <= version <= NEWEST:
        known = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        way = "upgrade the cluster" if version < OLDEST else "look for a newer kmigrate"
        raise Blocked(
            f"context {connection.context} is Kubernetes {told}; Strimzi and kmigrate know {known}",
            hint=f"{way}, or choose another context",
        )
    return version


def _place(kubeconfig: str) -> str:
    return kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"


def _context(wanted: str, place: str) -> str:
    names, current = contexts(place)
    if (wanted or current) not in names:
        told = f"has no context {wanted}" if wanted else f"names no current context ({current or 'none is set'})"
        raise UsageError(f"{place} {told}", hint=f"set target.kubernetes.context to one of: {', '.join(names)}")
    return wanted or current
