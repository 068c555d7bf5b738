"""The least rights of kmigrate on Kubernetes: what it asks of which resources in which phase, as Role and ClusterRole.

Server-side apply wants `patch`, and `create` besides for what is not there (Kubernetes, Server-Side Apply).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from kmigrate.manifests.internal import FORWARD_LOGIN, REVERSE_LOGIN, SOURCE_AUTHORITY
from kmigrate.manifests.kafka import ca_secret
from kmigrate.manifests.lanes import forward_lanes, names_of, reverse_lanes
from kmigrate.manifests.rights import KMIGRATE_USER, PHASES
from kmigrate.model import Json, JsonObject, Lane, Migration, SecretRef

_STRIMZI, _RBAC = "kafka.strimzi.io", "rbac.authorization.k8s.io"
_MOVES = ("cutover", "rollback")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Grant:
    """Verbs on a kind of resources, by its plural, in a namespace (empty: in all of Kubernetes), and who needs it when.

    `names`: only on these. `anew`: only where the cluster itself is made.
    """

    namespace: str
    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    phases: tuple[str, ...] = PHASES
    anew: bool = False


def grants(migration: Migration, phases: Iterable[str] = PHASES) -> tuple[Grant, ...]:
    """Every right that one of the phases needs, sorted; to look, as plan, status and verify do, comes with each."""
    chosen = frozenset(phases)
    found = (
        *_looks(migration),
        *_secrets(migration),
        *_changes(migration),
        *_back(migration),
        *_anew(migration),
    )
    return tuple(sorted(each for each in found if not chosen.isdisjoint(each.phases)))


def roles(migration: Migration, phases: Iterable[str] = PHASES) -> tuple[JsonObject, ...]:
    """The Role in the target's namespace, and a ClusterRole where something lies outside of it; without bindings."""
    found = grants(migration, phases)
    name = role_name(migration)
    places = {each.namespace for each in found}
    return tuple(_role(name, place, [each for each in found if each.namespace == place]) for place in sorted(places))


def bindings(migration: Migration, user: str, phases: Iterable[str] = PHASES) -> tuple[JsonObject, ...]:
    """What gives a user the roles."""
    subject: JsonObject = {"kind": "User", "name": user, "apiGroup": _RBAC}
    return tuple(_binding(role, subject) for role in roles(migration, phases))


def role_name(migration: Migration) -> str:
    """What both roles are called."""
    return f"kmigrate-{migration.name}"


def told(grant: Grant) -> str:
    """The right in words: `patch kafkausers.kafka.strimzi.io in namespace kafka`."""
    place = f" in namespace {grant.namespace}" if grant.namespace else ""
    resource = f"{grant.resource}.{grant.group}" if grant.group else grant.resource
    return f"{', '.join(grant.verbs)} {resource}{place}"


def rule_line(grant: Grant) -> str:
    """The rule of a Role that gives it, YAML in one line."""
    names = f", resourceNames: [{', '.join(grant.names)}]" if grant.names else ""
    group = grant.group or '""'
    return f"- {{apiGroups: [{group}], resources: [{grant.resource}]{names}, verbs: [{', '.join(grant.verbs)}]}}"


def _looks(migration: Migration) -> Iterator[Grant]:
    for kind in ("kafkas", "kafkatopics", "kafkausers", "kafkamirrormaker2s"):
        yield _strimzi(migration, kind, "get")
    for kind in ("kafkanodepools", "kafkatopics", "kafkausers"):
        yield _strimzi(migration, kind, "list")


def _secrets(migration: Migration) -> Iterator[Grant]:
    """Only those that it signs in with, those that it makes for the mirrors, and those that the plan refers to."""
    home, ours = migration.target.namespace, _of_the_mirrors(migration)
    for place, names in _referred(migration).items():
        yield _core(place, "secrets", "get", names=names)
    yield _core(home, "secrets", "create", phases=("replicate",))
    yield _core(home, "secrets", "patch", names=ours, phases=("replicate",))
    yield _core(home, "secrets", "delete", names=ours, phases=("rollback",))


def _of_the_mirrors(migration: Migration) -> tuple[str, ...]:
    back, ca = migration.way_back, migration.source.ca
    return (FORWARD_LOGIN, *((REVERSE_LOGIN,) if back else ()), *((SOURCE_AUTHORITY,) if ca else ()))


def _referred(migration: Migration) -> dict[str, tuple[str, ...]]:
    """The Secrets to read, by namespace."""
    target, back = migration.target, migration.reverse_auth
    principals = [each for app in migration.applications for each in app.principals]
    users = (KMIGRATE_USER, *(each.target for each in principals))
    found = {target.namespace: {*users, ca_secret(target), *_of_the_mirrors(migration)}}
    auths = (migration.source.auth, migration.mirror_auth, back, *(each.source_auth for each in principals))
    for reference in (said for auth in auths if auth for said in (auth.username, auth.password)):
        if isinstance(reference, SecretRef) and reference.name:
            found.setdefault(reference.namespace or target.namespace, set()).add(reference.name)
    return {place: tuple(sorted(names)) for place, names in sorted(found.items())}


def _changes(migration: Migration) -> Iterator[Grant]:
    """Topics, users, the mirror; what a move asks of them; and what going back to the start takes away."""
    for kind in ("kafkatopics", "kafkausers"):
        yield from _made(migration, kind, "provision")
    yield from _made(migration, "kafkamirrormaker2s", "replicate")
    yield _strimzi(migration, "kafkausers", "patch", phases=_MOVES)
    yield _strimzi(migration, "kafkatopics", "patch", phases=("decommission",))
    yield _strimzi(migration, "kafkamirrormaker2s", "patch", phases=("decommission",))


def _back(migration: Migration) -> Iterator[Grant]:
    """The mirror back, and the states and offsets of lanes, which change only with a writer."""
    if not migration.way_back:
        return
    for kind in ("kafkaconnects", "kafkaconnectors"):
        yield _strimzi(migration, kind, "get")
        yield from _made(migration, kind, "replicate")
    for kind in ("kafkaconnectors", "kafkamirrormaker2s"):
        yield _strimzi(migration, kind, "patch", phases=_MOVES)
    yield _strimzi(migration, "kafkaconnectors", "patch", phases=("decommission",))
    home = migration.target.namespace
    lanes = (*forward_lanes(migration), *reverse_lanes(migration))
    places = [name for lane in lanes for name in _offsets(lane)]
    yield _core(home, "configmaps", "create", phases=_MOVES)
    yield _core(home, "configmaps", "get", "patch", "delete", names=tuple(sorted(places)), phases=_MOVES)


def _offsets(lane: Lane) -> tuple[str, str]:
    names = names_of(lane)
    return names.offsets_wanted(lane), names.offsets_listed(lane)


def _anew(migration: Migration) -> Iterator[Grant]:
    """The cluster itself, where there is none; what others there are is looked for in all namespaces."""
    spec = migration.target.spec
    if spec is None:
        return
    for kind in ("kafkas", "kafkanodepools"):
        yield from (replace(each, anew=True) for each in _made(migration, kind, "provision"))
    yield replace(_strimzi(migration, "kafkanodepools", "get"), anew=True)
    yield replace(_strimzi(migration, "kafkas", "list", phases=("provision",)), namespace="", anew=True)
    if spec.bridge is not None:
        yield _strimzi(migration, "kafkabridges", "get")
        yield from _made(migration, "kafkabridges", "provision")
    made = ("get", "create", "patch")
    if spec.namespace:
        yield replace(_core("", "namespaces", *made, phases=("provision",)), anew=True)
    if spec.storage.create:
        grant = _core("", "storageclasses", *made, phases=("provision",))
        yield replace(grant, group="storage.k8s.io", anew=True)


def _made(migration: Migration, kind: str, phase: str) -> Iterator[Grant]:
    """Made in a phase, and removed when that is taken back."""
    yield _strimzi(migration, kind, "create", "patch", phases=(phase,))
    yield _strimzi(migration, kind, "delete", phases=("rollback",))


def _strimzi(migration: Migration, kind: str, *verbs: str, phases: tuple[str, ...] = PHASES) -> Grant:
    return Grant(namespace=migration.target.namespace, group=_STRIMZI, resource=kind, verbs=verbs, phases=phases)


def _core(
    namespace: str, kind: str, *verbs: str, names: tuple[str, ...] = (), phases: tuple[str, ...] = PHASES
) -> Grant:
    return Grant(namespace=namespace, group="", resource=kind, verbs=verbs, names=names, phases=phases)


def _role(name: str, namespace: str, found: Iterable[Grant]) -> JsonObject:
    """One rule for each kind, with all verbs that anybody needs on the same names of it."""
    verbs: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for each in found:
        verbs.setdefault((each.group, each.resource, each.names), set()).update(each.verbs)
    rules: list[Json] = [_rule(*thing, sorted(asked)) for thing, asked in sorted(verbs.items())]
    place: JsonObject = {"name": name, "namespace": namespace} if namespace else {"name": name}
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": place, "rules": rules}


def _rule(group: str, resource: str, names: tuple[str, ...], verbs: list[str]) -> JsonObject:
    named: JsonObject = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": [resource], **named, "verbs": list[Json](verbs)}


def _binding(role: JsonObject, subject: JsonObject) -> JsonObject:
    kind, metadata = role["kind"], role["metadata"]
    assert isinstance(metadata, Mapping)
    reference: JsonObject = {"apiGroup": _RBAC, "kind": kind, "name": metadata["name"]}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": reference,
        "subjects": [subject],
    }
