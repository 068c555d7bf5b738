"""ACLs of a cluster in our words, and what we add to and take from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection
from kmigrate.adapters.kafka.login import granting
from kmigrate.adapters.kafka.wire import denied_at, told_on_cluster
from kmigrate.errors import Blocked, KmigrateError, Transient
from kmigrate.model import Right

# librdkafka calls the cluster BROKER: the number is the same (org.apache.kafka.common.resource.ResourceType.CLUSTER)
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "cluster": ResourceType.BROKER,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
_NAMES = {kind: name for name, kind in _RESOURCES.items()}
# None matches everything; the type stubs of confluent-kafka leave it out
_ANY = cast("str", None)


def rights(connection: Connection) -> tuple[Right, ...]:
    """Every ACL, sorted. Raises Blocked when they may not be listed."""
    everything = AclBindingFilter(
        ResourceType.ANY, _ANY, ResourcePatternType.ANY, _ANY, _ANY, AclOperation.ANY, AclPermissionType.ANY
    )
    admin = connection.admin()
    try:
        found = admin.describe_acls(everything, request_timeout=TIMEOUT_S).result(timeout=TIMEOUT_S)
    except (KafkaException, TimeoutError) as error:
        raise _refused(connection, error, "Describe") from error
    if not found:
        # librdkafka answers a refusal with an empty list; a broker asked itself tells it
        denied_at(connection.login.bootstrap.split(",")[0], connection.login)
    return tuple(sorted(_right(acl) for acl in found if ResourceType(acl.restype) in _NAMES))


def add(connection: Connection, wanted: Iterable[Right]) -> None:
    """Create the ACLs; one that is there is fine. Raises Blocked when we may not."""
    acls = [AclBinding(*_parts(right)) for right in wanted]
    admin = connection.admin()
    for future in admin.create_acls(acls, request_timeout=TIMEOUT_S).values() if acls else ():
        try:
            future.result(timeout=TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            raise _refused(connection, error, "Alter") from error


def remove(connection: Connection, unwanted: Iterable[Right]) -> None:
    """Remove exactly these ACLs; one that is not there is fine. Raises Blocked when we may not."""
    filters = [AclBindingFilter(*_parts(right)) for right in unwanted]
    admin = connection.admin()
    for future in admin.delete_acls(filters, request_timeout=TIMEOUT_S).values() if filters else ():
        try:
            future.result(timeout=TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            raise _refused(connection, error, "Alter") from error


def may_alter(connection: Connection) -> None:
    """Raise Blocked when the broker says that we may not alter ACLs; a broker that does not say is believed to let us.

    KIP-430: DescribeCluster with authorized operations.
    """
    asked = connection.admin().describe_cluster(include_authorized_operations=True, request_timeout=TIMEOUT_S)
    told = connection.result(asked, "describing the cluster").authorized_operations
    lacks = told and AclOperation.ALTER not in told and AclOperation.ALL not in told
    if lacks or (not told and told_on_cluster(connection.login.bootstrap.split(",")[0], connection.login) == 0):
        raise _lacking(connection, "changing ACLs", "Alter")


def _lacking(connection: Connection, doing: str, operation: str) -> Blocked:
    login = connection.login
    return Blocked(
        f"{login.name}: {doing}: User:{login.username} lacks {operation} on the cluster",
        hint=f"grant it: {granting(login, f'--operation {operation} --cluster')}",
    )


def _refused(connection: Connection, error: KafkaException | TimeoutError, operation: str) -> KmigrateError:
    login = connection.login
    doing = "listing ACLs" if operation == "Describe" else "changing ACLs"
    if isinstance(error, TimeoutError):
        return Transient(f"{login.name}: {doing}: no answer in {TIMEOUT_S:.0f} s")
    if error.args[0].code() != KafkaError.CLUSTER_AUTHORIZATION_FAILED:
        return connection.failure(error, doing)
    return _lacking(connection, doing, operation)


def _right(acl: AclBinding) -> Right:
    prefixed = acl.resource_pattern_type is ResourcePatternType.PREFIXED
    return Right(
        principal=str(acl.principal),
        resource=_NAMES[ResourceType(acl.restype)],
        name=str(acl.name),
        operation=AclOperation(acl.operation).name.title().replace("_", ""),
        type=AclPermissionType(acl.permission_type).name.lower(),
        pattern="prefix" if prefixed else "literal",
        host=str(acl.host),
    )


def _parts(right: Right) -> tuple[ResourceType, str, ResourcePatternType, str, str, AclOperation, AclPermissionType]:
    pattern = ResourcePatternType.PREFIXED if right.pattern == "prefix" else ResourcePatternType.LITERAL
    letters = "".join(f"_{letter}" if letter.isupper() else letter for letter in right.operation)
    operation = AclOperation[letters.strip("_").upper()]
    permission = AclPermissionType[right.type.upper()]
    return _RESOURCES[right.resource], right.name, pattern, right.principal, right.host, operation, permission
