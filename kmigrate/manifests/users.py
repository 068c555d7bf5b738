"""KafkaUsers and the rules in them: applications, mirrors, fences (`strimzi.md` §2.5).

Describe comes with Read, Write and Delete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmigrate.errors import UsageError
from kmigrate.manifests.internal import MirrorNames, ledger_id, ledger_name
from kmigrate.manifests.names import is_resource_name, resource
from kmigrate.model import Application, Json, JsonObject, Lane, ListenerAuth, Right, SecretRef, Target


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Rule:
    """One entry of a KafkaUser's `acls`: resource type `topic | group | cluster | transactionalId`, pattern, rights."""

    resource: str
    name: str = ""
    operations: tuple[str, ...]
    pattern: str = "literal"
    type: str = "allow"
    host: str = "*"


def user(
    name: str,
    rules: Iterable[Rule],
    target: Target,
    *,
    auth: ListenerAuth = "scram-sha-512",
    password: SecretRef | None = None,
) -> JsonObject:
    """A KafkaUser that signs in with a password, or with a certificate (`tls`).

    The operator makes either, in Secret `name`; the `password` of a Secret that is given is taken over into it. Raises
    UsageError when Kubernetes does not take the name: with Strimzi the resource's name is the user's name.
    """
    if not is_resource_name(name):
        raise UsageError(
            f"{name!r} cannot be a KafkaUser: Kubernetes takes lower case letters, digits, '-' and '.'",
            hint="name another target principal in the plan file",
        )
    spec: JsonObject = {
        "authentication": {"type": auth, **({"password": _given(password)} if password else {})},
        "authorization": {"type": "simple", "acls": [acl_of(rule) for rule in sorted(set(rules))]},
    }
    return resource("KafkaUser", name, target.namespace, spec, cluster=target.cluster)


def rights_of(principal: str, rules: Iterable[Rule]) -> tuple[Right, ...]:
    """The same rules as ACLs of a principal (`User:name`) on a cluster whose users no operator keeps, sorted."""
    return tuple(
        sorted(
            Right(
                principal=principal,
                resource=rule.resource,
                name=rule.name or "kafka-cluster",
                operation=operation,
                type=rule.type,
                pattern=rule.pattern,
                host=rule.host,
            )
            for rule in set(rules)
            for operation in rule.operations
        )
    )


def rights_asked(name: str, spec: JsonObject) -> frozenset[Right]:
    """The ACLs that a KafkaUser of that name and spec asks its operator for."""
    return frozenset(right for acl in acls_of(spec) for right in _rights(principal_of(name, spec), acl))


def principal_of(name: str, spec: JsonObject) -> str:
    """What brokers call a KafkaUser of that name: who signs in with a certificate is called after its subject."""
    signs_in = spec.get("authentication")
    by_certificate = isinstance(signs_in, Mapping) and str(signs_in.get("type")).startswith("tls")
    return f"User:CN={name}" if by_certificate else f"User:{name}"


def denials(spec: JsonObject) -> tuple[JsonObject, ...]:
    """The deny rules among the `acls` of a KafkaUser's spec, as they are stored."""
    return tuple(acl for acl in acls_of(spec) if acl.get("type") == "deny")


def keeping_denials(body: JsonObject, stored: JsonObject) -> JsonObject:
    """The user of `body` with the deny rules that stand in its `stored` spec: they are fences, and not ours to lift.

    Rules that differ in nothing but their order are left in the stored order.
    """
    spec = body["spec"]
    assert isinstance(spec, Mapping)
    wanted = (*acls_of(spec), *(rule for rule in denials(stored) if rule not in acls_of(spec)))
    have = acls_of(stored)
    acls: list[Json] = list(have if sorted(map(_told, have)) == sorted(map(_told, wanted)) else wanted)
    return {**body, "spec": with_acls(spec, acls)}


def without_acls(spec: JsonObject, gone: Sequence[JsonObject]) -> JsonObject:
    """The spec without those of its rules."""
    return with_acls(spec, [acl for acl in acls_of(spec) if acl not in gone])


def with_acls(spec: JsonObject, acls: Iterable[Json]) -> JsonObject:
    """The spec with those rules and no others."""
    return {**spec, "authorization": {"type": "simple", "acls": list(acls)}}


def written_or_described(acl: JsonObject, topics: Iterable[str], withheld: Iterable[str]) -> JsonObject:
    """A rule of the forward mirror as `forward_mirror_rules` has it while those of the topics are withheld."""
    place = acl.get("resource")
    name = str(place.get("name")) if isinstance(place, Mapping) and place.get("type") == "topic" else ""
    if name not in topics:
        return acl
    return {**acl, "operations": ["Describe" if name in withheld else "Write"]}


def acls_of(spec: JsonObject) -> tuple[JsonObject, ...]:
    """The `acls` of a KafkaUser's spec, as they are stored."""
    authorization = spec.get("authorization")
    listed = authorization.get("acls") if isinstance(authorization, Mapping) else None
    return tuple(acl for acl in listed if isinstance(acl, Mapping)) if isinstance(listed, list | tuple) else ()


def _rights(principal: str, acl: JsonObject) -> Iterator[Right]:
    place, operations = acl.get("resource"), acl.get("operations")
    where = place if isinstance(place, Mapping) else {}
    for operation in operations if isinstance(operations, list | tuple) else ():
        yield Right(
            principal=principal,
            resource=str(where.get("type")),
            name=str(where.get("name", "kafka-cluster")),
            operation=str(operation),
            type=str(acl.get("type", "allow")),
            pattern=str(where.get("patternType", "literal")),
            host=str(acl.get("host", "*")),
        )


def _told(acl: JsonObject) -> str:
    return json.dumps(acl, sort_keys=True)


def application_rules(application: Application) -> tuple[Rule, ...]:
    """What an application needs: read its topics, its groups, write its topics, its transactional ids."""
    ids = application.transactional_ids
    return (
        *(Rule(resource="topic", name=name, operations=("Describe", "Read")) for name in application.topics_read),
        *(Rule(resource="group", name=reads.group, operations=("Describe", "Read")) for reads in application.reads),
        *(Rule(resource="topic", name=name, operations=("Describe", "Write")) for name in application.writes),
        *(Rule(resource="transactionalId", name=name, operations=("Describe", "Write")) for name in ids),
    )


def forward_mirror_rules(lanes: Iterable[Lane], names: MirrorNames, owned: Iterable[str] = ()) -> tuple[Rule, ...]:
    """What forward mirrors need on the target, and no more: no CREATE, no WRITE on topics the target owns (`owned`).

    Those it may describe all the same: else a lane started by mistake waits for them to come instead of failing.
    Connect's own topics, its group, and the transactional ids of exactly-once (`mirrormaker2.md` §4).
    """
    chosen = tuple(lanes)
    ours = frozenset(owned)
    copied = sorted({topic for lane in chosen for topic in lane.topics})
    return (
        *(Rule(resource="topic", name=topic, operations=("Describe",)) for topic in copied if topic in ours),
        *(_written(topic) for topic in copied if topic not in ours),
        *(_written(names.offset_syncs(lane)) for lane in chosen),
        *_connect_rules(names, chosen),
    )


def reverse_mirror_rules(lanes: Iterable[Lane], names: MirrorNames) -> tuple[Rule, ...]:
    """What reverse mirrors need on the target: read the topics, write their offset syncs. Workers: `worker_rules`."""
    chosen = tuple(lanes)
    copied = sorted({topic for lane in chosen for topic in lane.topics})
    return (
        *(Rule(resource="topic", name=topic, operations=("Read",)) for topic in copied),
        *(_written(names.offset_syncs(lane)) for lane in chosen),
    )


def reverse_source_rules(lanes: Iterable[Lane], names: MirrorNames, owned: Iterable[str] = ()) -> tuple[Rule, ...]:
    """What reverse mirrors need on the source (`lab.md`), and no WRITE on topics the source owns (`owned`)."""
    chosen = tuple(lanes)
    ours = frozenset(owned)
    copied = sorted({topic for lane in chosen for topic in lane.topics})
    return (
        *(Rule(resource="topic", name=topic, operations=("Describe",)) for topic in copied if topic in ours),
        *(_written(topic) for topic in copied if topic not in ours),
        *(Rule(resource="topic", name=names.connector_offsets(lane), operations=("Read", "Write")) for lane in chosen),
        *(
            Rule(resource="transactionalId", name=_transactions(lane, names), operations=("Write",), pattern="prefix")
            for lane in chosen
        ),
    )


def _transactions(lane: Lane, names: MirrorNames) -> str:
    """How the transactional ids of a connector's tasks begin (KIP-618)."""
    return f"{names.group}-{lane.connector}-"


def worker_rules(names: MirrorNames) -> tuple[Rule, ...]:
    """What exactly-once workers need on the target, whatever their connectors do: their topics, group and leader."""
    kept = ("Read", "Write")
    return (
        *(
            Rule(resource="topic", name=topic, operations=kept)
            for topic in (names.configs, names.offsets, names.status)
        ),
        Rule(resource="group", name=names.group, operations=("Read",)),
        Rule(resource="transactionalId", name=f"connect-cluster-{names.group}", operations=("Write",)),
    )


def ledger_rules(migration: str) -> tuple[Rule, ...]:
    """What kmigrate writes on the target beside positions: its ledger, by a transactional id of its own."""
    return (
        _written(ledger_name(migration)),
        Rule(resource="transactionalId", name=ledger_id(migration), operations=("Write",)),
    )


def fence_rules(*, groups: Iterable[str] = (), topics: Iterable[str] = ()) -> tuple[Rule, ...]:
    """Rules that stop a user from reading with its groups and from writing its topics (design §4.7)."""
    return (
        *(Rule(resource="group", name=name, operations=("Read",), type="deny") for name in groups),
        *(Rule(resource="topic", name=name, operations=("Write",), type="deny") for name in topics),
    )


def _connect_rules(names: MirrorNames, lanes: Sequence[Lane]) -> tuple[Rule, ...]:
    kept = ("Read", "Write")
    return (
        *worker_rules(names),
        *(Rule(resource="topic", name=names.connector_offsets(lane), operations=kept) for lane in lanes),
        Rule(resource="transactionalId", name=f"{names.group}-", operations=("Write",), pattern="prefix"),
    )


def _written(topic: str) -> Rule:
    return Rule(resource="topic", name=topic, operations=("Write",))


def acl_of(rule: Rule) -> JsonObject:
    """The rule as it stands among the `acls` of a KafkaUser."""
    place: dict[str, str] = {"type": rule.resource}
    if rule.resource != "cluster":
        place |= {"name": rule.name, "patternType": rule.pattern}
    return {"type": rule.type, "resource": place, "operations": list(rule.operations), "host": rule.host}


def _given(password: SecretRef) -> JsonObject:
    return {"valueFrom": {"secretKeyRef": {"name": password.name, "key": password.key}}}
