"""The commands that grant rights: on the source ACLs, on the target rules of KafkaUsers. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from itertools import groupby

from kmigrate.manifests.rights import Need
from kmigrate.model import Migration, Right, Side

CLOUD = ".confluent.cloud"
_OPTIONS = {"topic": "--topic", "group": "--group", "transactionalId": "--transactional-id"}
_CLOUD_OPTIONS = {**_OPTIONS, "group": "--consumer-group"}


def in_cloud(bootstrap: str) -> bool:
    """Whether the address is one of Confluent Cloud."""
    return all(address.rpartition(":")[0].endswith(CLOUD) for address in bootstrap.split(","))


def commands(migration: Migration, some: Iterable[Need]) -> tuple[str, ...]:
    """One command for what somebody needs of one thing, in the way that the side takes it."""
    return tuple(command for each in grouped(some) for command in _commands(migration, each))


def grouped(some: Iterable[Need]) -> tuple[tuple[Need, ...], ...]:
    """Those that one command grants: of one owner, about one thing, in the same phases."""
    told = sorted(some)
    return tuple(tuple(each) for _, each in groupby(sorted(told, key=_thing), key=_thing))


def kafka_acls(bootstrap: str, rights: Sequence[Right]) -> str:
    """Kafka's own tool, which also works on Confluent Cloud."""
    one = rights[0]
    words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties", "--add"]
    words += ["--allow-principal", one.principal, *_operations(rights)]
    words += ["--resource-pattern-type", "prefixed"] if one.pattern == "prefix" else []
    return shlex.join(words + _place(one, _OPTIONS, "--cluster"))


def confluent(rights: Sequence[Right]) -> str:
    """Confluent's tool."""
    one = rights[0]
    told = ",".join(_dashed(right.operation) for right in rights)
    words = ["confluent", "kafka", "acl", "create", "--allow", "--principal", one.principal, "--operations", told]
    words += ["--prefix"] if one.pattern == "prefix" else []
    return shlex.join(words + _place(one, _CLOUD_OPTIONS, "--cluster-scope"))


def in_user(namespace: str, rights: Sequence[Right]) -> str:
    """The KafkaUser to edit: the operator removes an ACL that only the cluster has."""
    one, told = rights[0], ", ".join(right.operation for right in rights)
    place = "the cluster" if one.resource == "cluster" else f"{one.resource} {one.name}"
    user, exactly = one.principal.removeprefix("User:"), " (prefix)" if one.pattern == "prefix" else ""
    return f"kubectl --namespace {namespace} edit kafkauser {user}  # add the rule: {told} on {place}{exactly}"


def _commands(migration: Migration, some: Sequence[Need]) -> tuple[str, ...]:
    rights, source = [need.right for need in some], migration.source.bootstrap
    if some[0].side is Side.TARGET:
        return (in_user(migration.target.namespace, rights),)
    return (*((confluent(rights),) if in_cloud(source) else ()), kafka_acls(source, rights))


def _thing(need: Need) -> tuple[Side, str, tuple[str, ...], str, str, str]:
    right = need.right
    return need.side, need.who, need.phases, right.resource, right.name, right.pattern


def _operations(rights: Iterable[Right]) -> list[str]:
    return [word for right in rights for word in ("--operation", right.operation)]


def _place(right: Right, options: dict[str, str], cluster: str) -> list[str]:
    return [cluster] if right.resource == "cluster" else [options[right.resource], right.name]


def _dashed(operation: str) -> str:
    """DescribeConfigs as describe-configs."""
    return re.sub(r"(?<=.)(?=[A-Z])", "-", operation).lower()
