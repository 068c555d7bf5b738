"""What fences and trials say whatever they sign in with: denials as rules, whom they spare, what is looked for."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from kmigrate.errors import Blocked, Refused
from kmigrate.manifests.lanes import REVERSE
from kmigrate.manifests.users import denials as denied_rules
from kmigrate.model import Application, Denial, JsonObject, Right
from kmigrate.world import Key, Resource, ResourceStore, revise


def spare(denials: Iterable[Denial], spared: frozenset[str]) -> None:
    """Raise Blocked when a denial would catch kmigrate itself or a mirror."""
    for denial in denials:
        if denial.principal in spared or denial.principal == "User:*":
            raise Blocked(
                f"{denial.principal} is not denied anything: kmigrate or the mirror signs in with it",
                hint="give the application a principal of its own and name it in the plan file",
            )


def right(one: Denial) -> Right:
    """The ACL that is a denial."""
    return Right(principal=one.principal, resource=one.resource, name=one.name, operation=one.operation, type="deny")


def only_of_the_mirror(rights: Iterable[Right], mirror: str) -> tuple[Right, ...]:
    """The rights; raises Refused for what is no permission of the mirror back (`User:name`, empty where none is)."""
    asked = tuple(rights)
    for each in asked:
        if each.principal != mirror or each.type != "allow":
            raise Refused(
                f"{each.principal} is given no right on the source: only the mirror back is, and none is denied here",
                hint="name the mirror back in mirror.reverse.auth of the plan file",
            )
    return asked


def only_offsets(topic: str) -> str:
    """The name; raises Refused for any topic that is not the offsets topic of a reverse lane."""
    if not topic.startswith(REVERSE.all_connector_offsets):
        raise Refused(
            f"topic {topic} is neither made nor removed on the source: it is not a reverse lane's own",
            hint=f"kmigrate's own topics there begin with {REVERSE.all_connector_offsets}",
        )
    return topic


def removal(bootstrap: str, denial: Denial) -> str:
    """The command that removes that ACL."""
    return shlex.join(
        [
            *("kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties", "--remove"),
            *("--force", "--deny-principal", denial.principal, "--operation", denial.operation),
            *(f"--{denial.resource}", denial.name),
        ]
    )


def edit(namespace: str, denial: Denial) -> str:
    """The KafkaUser to edit: the operator would write an ACL that only the cluster lost again."""
    return f"kubectl --namespace {namespace} edit kafkauser {_name(denial)}  # remove the deny rule: {denial}"


def deny(store: ResourceStore, namespace: str, wanted: Iterable[Denial]) -> None:
    """Add deny rules to KafkaUsers; others stay. Raises Blocked for a user that is not there."""
    for name, rules in _by_user(wanted).items():
        revise(store, partial(_user, store, Key("KafkaUser", namespace, name)), partial(_denying, rules))


def lift(store: ResourceStore, namespace: str, unwanted: Iterable[Denial]) -> None:
    """Take deny rules out of KafkaUsers; others stay. A user that is not there is denied nothing."""
    for name, rules in _by_user(unwanted).items():
        key = Key("KafkaUser", namespace, name)
        if store.get(key) is not None:
            revise(store, partial(_user, store, key), partial(_allowing, rules))


def _denying(rules: Sequence[JsonObject], user: Resource) -> JsonObject | None:
    lacking = [rule for rule in rules if rule not in denied_rules(user.spec)]
    return _with_rules(user, (*_acls(user), *lacking)) if lacking else None


def _allowing(rules: Sequence[JsonObject], user: Resource) -> JsonObject | None:
    kept = tuple(acl for acl in _acls(user) if acl not in rules)
    return _with_rules(user, kept) if kept != _acls(user) else None


def _by_user(denials: Iterable[Denial]) -> dict[str, list[JsonObject]]:
    """The rules of each, so that a user is written once whatever it is denied."""
    found: dict[str, list[JsonObject]] = {}
    for denial in denials:
        found.setdefault(_name(denial), []).append(_rule(denial))
    return found


def _user(store: ResourceStore, key: Key) -> Resource:
    user = store.get(key)
    if user is None:
        raise Blocked(f"there is no KafkaUser for User:{key.name}", hint="run `kmigrate apply` again")
    return user


def looked_for(app: Application) -> tuple[tuple[str, str, str], ...]:
    """What an application must be able to do, sorted: resource, name, operation."""
    topics = {
        *(("topic", name, "Read") for name in app.topics_read),
        *(("topic", name, "Write") for name in app.writes),
    }
    return tuple(sorted(topics | {("group", reads.group, "Read") for reads in app.reads}))


def _name(denial: Denial) -> str:
    return denial.principal.removeprefix("User:")


def _rule(denial: Denial) -> JsonObject:
    place: JsonObject = {"type": denial.resource, "name": denial.name, "patternType": "literal"}
    return {"type": "deny", "resource": place, "operations": [denial.operation], "host": "*"}


def _acls(user: Resource) -> tuple[JsonObject, ...]:
    authorization = user.spec.get("authorization")
    listed = authorization.get("acls") if isinstance(authorization, Mapping) else None
    return tuple(acl for acl in listed if isinstance(acl, Mapping)) if isinstance(listed, list | tuple) else ()


def _with_rules(user: Resource, acls: tuple[JsonObject, ...]) -> JsonObject:
    """The whole resource with these rules, on condition that nobody wrote it since (its resourceVersion)."""
    kept = {name: value for name, value in user.body.items() if name != "status"}
    return {**kept, "spec": {**user.spec, "authorization": {"type": "simple", "acls": list(acls)}}}
