"""What the operator does to a Kafka cluster, over confluent_kafka's admin client, in plain values.

Errors of Kafka come back per key as text, or raise Transient when the cluster does not answer at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar, cast

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    TopicDescription,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialsDescription,
    UserScramCredentialUpsertion,
)

from kmigrate.errors import PlatformError, Transient

T = TypeVar("T")
_TIMEOUT_S = 10.0
_ITERATIONS = 4096
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "cluster": ResourceType.BROKER,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS = {
    "All": AclOperation.ALL,
    "Alter": AclOperation.ALTER,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "ClusterAction": AclOperation.CLUSTER_ACTION,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "IdempotentWrite": AclOperation.IDEMPOTENT_WRITE,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One ACL in Strimzi's words; `pattern` is literal or prefix, `allow` False for a deny rule."""

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str
    host: str
    allow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicView:
    """A topic as it is: its id, copies per partition, and the settings that were set on it."""

    id: str
    replicas: tuple[int, ...]
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopicWish:
    """A topic to create; -1 for the broker's defaults."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


class ClusterAdmin:
    """A super user's view of one cluster; `settings` are librdkafka's."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        # librdkafka writes to stderr when a broker goes; what matters comes back as an error of the call
        self._client = AdminClient({**settings, "log_level": 0})

    def topics(self, names: Iterable[str]) -> dict[str, TopicView]:
        """Those of the named topics that exist."""
        wanted = list(names)
        if not wanted:
            return {}
        asked = self._client.describe_topics(TopicCollection(wanted), request_timeout=_TIMEOUT_S)
        found: dict[str, TopicDescription] = {}
        for name, future in asked.items():
            described, refusal = _answer(future, TopicDescription)
            if described is not None:
                found[name] = described
            elif refusal is not None and refusal.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Transient(f"topic {name}: {refusal.str()}")
        configs = self._configs(found)
        return {name: _view(found[name], configs[name]) for name in found if name in configs}

    def _configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        wanted = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not wanted:
            return {}
        found: dict[str, dict[str, str]] = {}
        for resource, future in self._client.describe_configs(wanted, request_timeout=_TIMEOUT_S).items():
            entries, _ = _answer(future, dict)
            if entries is not None:
                found[resource.name] = {
                    name: str(entry.value)
                    for name, entry in entries.items()
                    if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
                }
        return found

    def create_topics(self, wishes: Iterable[NewTopicWish]) -> dict[str, str]:
        """Create topics in one call; by name the refusal, or "" (also when it was there already)."""
        new = [
            NewTopic(
                wish.name, num_partitions=wish.partitions, replication_factor=wish.replicas, config={**wish.config}
            )
            for wish in wishes
        ]
        if not new:
            return {}
        futures = self._client.create_topics(new, request_timeout=_TIMEOUT_S)
        return {name: _refusal(future, KafkaError.TOPIC_ALREADY_EXISTS) for name, future in futures.items()}

    def add_partitions(self, name: str, partitions: int) -> str:
        """Grow a topic to that many partitions; the refusal, or ""."""
        new = [NewPartitions(name, partitions)]
        return _refusal(self._client.create_partitions(new, request_timeout=_TIMEOUT_S)[name])

    def delete_topic(self, name: str) -> str:
        """Delete a topic; the refusal, or ""."""
        return _refusal(self._client.delete_topics([name], request_timeout=_TIMEOUT_S)[name])

    def alter_config(self, name: str, put: Mapping[str, str], removed: Iterable[str]) -> str:
        """Set and remove settings of a topic; the refusal, or ""."""
        entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in put.items()]
        entries += [ConfigEntry(key, "", incremental_operation=AlterConfigOpType.DELETE) for key in removed]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        (future,) = self._client.incremental_alter_configs([resource], request_timeout=_TIMEOUT_S).values()
        return _refusal(future)

    def acls(self) -> frozenset[Acl]:
        """Every ACL of the cluster."""
        future = self._client.describe_acls(_filter(), request_timeout=_TIMEOUT_S)
        bindings, refusal = _answer(future, list)
        if bindings is None:
            raise Transient(f"listing ACLs: {refusal.str() if refusal else 'no answer'}")
        return frozenset(_acl(binding) for binding in bindings)

    def add_acls(self, acls: Iterable[Acl]) -> str:
        """Create them in one call; the first refusal, or ""."""
        bindings = [_binding(acl) for acl in acls]
        if not bindings:
            return ""
        futures = self._client.create_acls(bindings, request_timeout=_TIMEOUT_S).values()
        return next((refusal for refusal in map(_refusal, futures) if refusal), "")

    def remove_acls(self, acls: Iterable[Acl]) -> str:
        """Remove exactly them in one call; the first refusal, or ""."""
        filters = [_filter(acl) for acl in acls]
        if not filters:
            return ""
        futures = self._client.delete_acls(filters, request_timeout=_TIMEOUT_S).values()
        return next((refusal for refusal in map(_refusal, futures) if refusal), "")

    def scram_users(self) -> frozenset[str]:
        """Names that have a SCRAM-SHA-512 credential."""
        future = self._client.describe_user_scram_credentials(request_timeout=_TIMEOUT_S)
        if not isinstance(future, Future):
            raise PlatformError("the admin client answered per user", hint="this is a defect")
        described, refusal = _answer(future, dict)
        if described is None:
            raise Transient(f"listing SCRAM users: {refusal.str() if refusal else 'no answer'}")
        return frozenset(name for name, seen in described.items() if _has_512(seen))

    def set_scram(self, name: str, password: str) -> str:
        """Set the SCRAM-SHA-512 password of a user; the refusal, or ""."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        return self._alter_scram(name, UserScramCredentialUpsertion(name, info, password.encode()))

    def remove_scram(self, name: str) -> str:
        """Remove the SCRAM-SHA-512 credential of a user; the refusal, or ""."""
        return self._alter_scram(name, UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512))

    def _alter_scram(self, name: str, alteration: UserScramCredentialAlteration) -> str:
        return _refusal(self._client.alter_user_scram_credentials([alteration], request_timeout=_TIMEOUT_S)[name])


def _answer(future: Future[object], kind: type[T]) -> tuple[T | None, KafkaError | None]:
    try:
        value = future.result(_TIMEOUT_S + 5)
    except KafkaException as error:
        refusal = error.args[0]
        if not isinstance(refusal, KafkaError):
            raise
        if refusal.retriable() and refusal.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise Transient(refusal.str(), hint="is the cluster alive?") from error
        if refusal.code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            raise Transient(refusal.str(), hint="is the cluster alive?") from error
        return None, refusal
    except TimeoutError as error:
        raise Transient("Kafka did not answer", hint="is the cluster alive?") from error
    return (value if isinstance(value, kind) else None), None


def _refusal(future: Future[object], fine: int | None = None) -> str:
    _, refusal = _answer(future, object)
    return "" if refusal is None or refusal.code() == fine else refusal.str()


def _view(described: TopicDescription, config: Mapping[str, str]) -> TopicView:
    partitions = sorted(described.partitions, key=lambda partition: int(partition.id))
    return TopicView(
        id=str(described.topic_id), replicas=tuple(len(partition.replicas) for partition in partitions), config=config
    )


def _has_512(seen: object) -> bool:
    return isinstance(seen, UserScramCredentialsDescription) and any(
        info.mechanism == ScramMechanism.SCRAM_SHA_512 for info in seen.scram_credential_infos
    )


def _acl(binding: object) -> Acl:
    if not isinstance(binding, AclBinding):
        raise PlatformError(f"{binding!r} is no ACL", hint="this is a defect")
    return Acl(
        principal=str(binding.principal),
        resource=_word(_RESOURCES, binding.restype),
        name=str(binding.name),
        pattern="prefix" if binding.resource_pattern_type == ResourcePatternType.PREFIXED else "literal",
        operation=_word(_OPERATIONS, binding.operation),
        host=str(binding.host),
        allow=binding.permission_type == AclPermissionType.ALLOW,
    )


def _word(words: Mapping[str, object], value: object) -> str:
    return next((word for word, known in words.items() if known == value), str(value))


def _binding(acl: Acl) -> AclBinding:
    return AclBinding(
        _RESOURCES[acl.resource],
        acl.name,
        ResourcePatternType.PREFIXED if acl.pattern == "prefix" else ResourcePatternType.LITERAL,
        acl.principal,
        acl.host,
        _OPERATIONS[acl.operation],
        AclPermissionType.ALLOW if acl.allow else AclPermissionType.DENY,
    )


def _filter(acl: Acl | None = None) -> AclBindingFilter:
    if acl is None:
        # None is "whatever" (the class's own documentation), which its annotations forbid
        whatever = cast("str", None)
        return AclBindingFilter(
            ResourceType.ANY,
            whatever,
            ResourcePatternType.ANY,
            whatever,
            whatever,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
    same = _binding(acl)
    return AclBindingFilter(
        same.restype,
        same.name,
        same.resource_pattern_type,
        same.principal,
        same.host,
        same.operation,
        same.permission_type,
    )
