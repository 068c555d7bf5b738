"""Made-up estates for tests of advice."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.advice import Inventory, SeenGroup
from kmigrate.model import (
    Accepted,
    Application,
    Auth,
    Group,
    GroupKind,
    GroupState,
    Migration,
    Partition,
    Principal,
    Reads,
    Right,
    SecretRef,
    Source,
    Target,
    Topic,
)

SECRET = SecretRef(env="S")


def right(principal: str, resource: str, name: str, operation: str, pattern: str = "literal") -> Right:
    return Right(principal=principal, resource=resource, name=name, operation=operation, pattern=pattern)


def group(
    name: str,
    *topics: str,
    kind: GroupKind = GroupKind.CLASSIC,
    members: tuple[str, ...] = (),
    partitions: int = 2,
) -> SeenGroup:
    state = GroupState.STABLE if members else GroupState.EMPTY
    held = {Partition(topic, number): 1 for topic in topics for number in range(partitions)}
    return SeenGroup(group=Group(name=name, state=state, members=members, kind=kind), held=held)


RIGHTS = (
    right("User:kmigrate", "topic", "*", "Read"),
    right("User:kmigrate", "group", "*", "Describe"),
    right("User:mirror", "topic", "*", "Read"),
    right("User:sa-reader", "group", "reader", "Read"),
    right("User:sa-reader", "topic", "orders", "Read"),
)


def inventory(
    *,
    topics: Mapping[str, Mapping[str, str]] | None = None,
    groups: tuple[SeenGroup, ...] = (),
    rights: tuple[Right, ...] | None = RIGHTS,
) -> Inventory:
    """`orders` with one reader, and what is named besides."""
    made = {"orders": {}, **(topics or {})}
    every = {seen.group.name: seen for seen in (group("reader", "orders"), *groups)}
    return Inventory(
        cluster_id="c",
        topics={name: Topic(name=name, partitions=2, config=config) for name, config in made.items()},
        groups=every,
        rights=rights,
        unlisted="" if rights is not None else "no right",
    )


def application(
    name: str = "reader",
    *,
    topics: tuple[str, ...] = ("orders",),
    writes: tuple[str, ...] = (),
    isolation: str = "read_committed",
) -> Application:
    return Application(
        name=name,
        team="t",
        reads=(Reads(group=name, topics=topics, isolation=isolation),) if topics else (),
        writes=writes,
        principals=(Principal(source=f"User:sa-{name}", target=name),),
        workloads=(),
    )


def migration(
    *applications: Application,
    topics: tuple[str, ...] = ("orders",),
    exclude: tuple[str, ...] = (),
    accept: tuple[Accepted, ...] = (),
) -> Migration:
    return Migration(
        name="m",
        source=Source(bootstrap="s:1", auth=Auth(type="plain", username="kmigrate", password=SECRET)),
        target=Target(platform="lab", store="store", namespace="kafka", cluster="c", listener="scram"),
        topics=topics,
        applications=applications or (application(),),
        mirror_auth=Auth(type="plain", username="mirror", password=SECRET),
        exclude=exclude,
        accept=accept,
    )
