"""The shop's estate on the source: topics, principals, rights, applications; `stock` makes it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from kmigrate import model
from kmigrate.errors import PlatformError
from kmigrate.lab.apps import billing, fraud_check, ml_features, notifier, order_service, search_indexer, storefront
from kmigrate.lab.apps.audit import replace
from kmigrate.lab.apps.reader import Reading
from kmigrate.manifests.rights import Need
from kmigrate.model import Reads, Side, Topic

CALL_S = 30.0

TOPICS = (
    Topic(name="orders", partitions=storefront.PARTITIONS, config={"retention.ms": "604800000"}),
    Topic(name="shipments", partitions=storefront.PARTITIONS, config={"retention.ms": "604800000"}),
)
KMIGRATE = "sa-kmigrate"
MIRROR_FORWARD = "sa-mirror-forward"
MIRROR_REVERSE = "sa-mirror-reverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopApplication:
    """One application of the shop; `module` is what `python -m` starts."""

    name: str
    module: str
    reads: tuple[Reads, ...] = ()
    writes: tuple[str, ...] = ()
    transactional_ids: tuple[str, ...] = ()

    @property
    def principal(self) -> str:
        """Its service account on the source; with PLAIN that is the user name."""
        return f"sa-{self.name}"


def _reader(module: str, reading: Reading, writes: tuple[str, ...] = ()) -> ShopApplication:
    reads = Reads(group=reading.group, topics=(reading.topic,), isolation=reading.isolation)
    ids = tuple(f"{reading.app}-0" for _ in writes)
    return ShopApplication(name=reading.app, module=module, reads=(reads,), writes=writes, transactional_ids=ids)


APPLICATIONS = (
    ShopApplication(
        name=storefront.APP,
        module="storefront",
        writes=(storefront.TOPIC,),
        transactional_ids=(f"{storefront.APP}-0",),
    ),
    _reader("order_service", order_service.READING, (order_service.TOPIC,)),
    _reader("search_indexer", search_indexer.READING),
    _reader("ml_features", ml_features.READING),
    _reader("billing", billing.READING),
    _reader("fraud_check", fraud_check.READING),
    _reader("notifier", notifier.READING),
)
OWN = ("sa-writer", "sa-reader")
"""Users without any right, for estates of one's own on an empty lab."""
PRINCIPALS = (*(app.principal for app in APPLICATIONS), MIRROR_FORWARD, MIRROR_REVERSE, KMIGRATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """An ALLOW row: a principal may do an operation on a resource; `prefix` makes the name a prefix.

    `resource` is topic, group, transactional_id or cluster; `operation` is Kafka's name in lower case.
    """

    principal: str
    resource: str
    name: str
    operation: str
    prefix: bool = False


def rights(applications: Sequence[ShopApplication] = APPLICATIONS) -> tuple[Right, ...]:
    """What the applications may do on the source; kmigrate and its mirrors may what a plan needs (`tool_rights`)."""
    return tuple(right for app in applications for right in _application_rights(app))


def tool_rights(wanted: Iterable[Need]) -> tuple[Right, ...]:
    """Of the least rights those on the source that are granted beforehand."""
    return tuple(_as_row(need.right) for need in wanted if need.side is Side.SOURCE and not need.made)


def _as_row(right: model.Right) -> Right:
    return Right(
        principal=right.principal.removeprefix("User:"),
        resource=_snake(right.resource),
        name=right.name,
        operation=_snake(right.operation),
        prefix=right.pattern == "prefix",
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower()


def _rows(principal: str, resource: str, name: str, *operations: str, prefix: bool = False) -> Iterator[Right]:
    for operation in operations:
        yield Right(principal=principal, resource=resource, name=name, operation=operation, prefix=prefix)


def _application_rights(app: ShopApplication) -> Iterator[Right]:
    for reads in app.reads:
        yield from _rows(app.principal, "group", reads.group, "read")
        for topic in reads.topics:
            yield from _rows(app.principal, "topic", topic, "read", "describe")
    for topic in app.writes:
        yield from _rows(app.principal, "topic", topic, "write", "describe")
    for transactional_id in app.transactional_ids:
        yield from _rows(app.principal, "transactional_id", transactional_id, "write", "describe")


def grant(admin: AdminClient, rows: tuple[Right, ...]) -> None:
    """Create the ACLs; granting twice equals once. Raises PlatformError."""
    try:
        for future in admin.create_acls([_binding(row) for row in rows], request_timeout=CALL_S).values():
            future.result()
    except KafkaException as failure:
        raise PlatformError(f"rights could not be granted: {failure}", hint="look at the source's log") from failure


def _binding(row: Right) -> AclBinding:
    kinds = {"cluster": ResourceType.BROKER}
    return AclBinding(
        kinds.get(row.resource) or ResourceType[row.resource.upper()],
        row.name,
        ResourcePatternType.PREFIXED if row.prefix else ResourcePatternType.LITERAL,
        f"User:{row.principal}",
        "*",
        AclOperation[row.operation.upper()],
        AclPermissionType.ALLOW,
    )


def install_apps(
    folder: Path,
    *,
    bootstrap: str,
    passwords: Mapping[str, str],
    ca: str,
    applications: Sequence[ShopApplication] = APPLICATIONS,
) -> tuple[Path, ...]:
    """Write `apps/NAME/` for every application, set to the source and wished stopped; the folders made.

    `passwords` is by principal; `ca` is a PEM file. Folders have mode 0700, secrets 0600.
    """
    made = []
    for app in applications:
        home = folder / "apps" / app.name
        (home / "audit").mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {
            "bootstrap": bootstrap,
            "protocol": "SASL_SSL",
            "mechanism": "PLAIN",
            "username": app.principal,
            "password_file": "password",
            "ca": ca,
        }
        replace(home / "password", passwords[app.principal])
        replace(home / "settings.json", json.dumps(settings, indent=2) + "\n")
        replace(home / "desired", "stopped")
        argv = [sys.executable, "-m", f"kmigrate.lab.apps.{app.module}", str(home.resolve())]
        replace(home / "command.json", json.dumps({"argv": argv}) + "\n")
        made.append(home)
    return tuple(made)
