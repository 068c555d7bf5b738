"""KafkaUsers made real: SCRAM credentials, password Secrets, ACLs (io.strimzi.operator.user.operator)."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Sequence

from kmigrate.errors import PlatformError, Transient
from kmigrate.lab.operator.admin import Acl, ClusterAdmin
from kmigrate.lab.operator.status import READY, Rejected, mapping, not_ready, objects, strings, write
from kmigrate.lab.runtime.layout import SCRAM_LOGIN
from kmigrate.lab.runtime.properties import jaas
from kmigrate.model import Json, JsonObject
from kmigrate.world import Clock, Key, Resource, ResourceStore

CLUSTER_LABEL = "strimzi.io/cluster"
_LENGTH = 32
_LETTERS = string.ascii_letters + string.digits


class UserReconciler:
    """Makes, changes and removes the users of a namespace."""

    def __init__(self, store: ResourceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._set: dict[str, str] = {}

    def reconcile(self, users: Sequence[Resource], cluster: str, admin: ClusterAdmin, *, everything: bool) -> None:
        """Converge users in one batch; raises Transient when the cluster does not answer.

        Credentials that we set ourselves are looked at again only with `everything`: a fence must not wait for it.
        """
        unseen = everything or any(user.key.name not in self._set for user in users)
        acls, known = admin.acls(), admin.scram_users() if unseen else frozenset(self._set)
        for user in users:
            name = user.key.name
            fields: dict[str, Json] = {"username": name}
            try:
                if user.spec.get("authentication"):
                    self._sign_in(user, cluster, admin, known=name in known)
                    fields["secret"] = name
                _converge(admin, _wanted(user), {acl for acl in acls if acl.principal == f"User:{name}"})
                condition = READY
            except Transient:
                raise
            except (Rejected, PlatformError) as error:
                reason = error.reason if isinstance(error, Rejected) else type(error).__name__
                condition = not_ready(reason, error.message)
            write(self._store, self._clock, user, [condition], fields)

    def forget_strangers(self, users: Iterable[str], admin: ClusterAdmin) -> None:
        """Remove the ACLs and credentials of everybody who has no KafkaUser: the operator owns them all."""
        ours = frozenset(users)
        admin.remove_acls(acl for acl in admin.acls() if acl.principal.removeprefix("User:") not in ours)
        for name in admin.scram_users() - ours:
            admin.remove_scram(name)
            self._set.pop(name, None)

    def remove(self, user: Resource, admin: ClusterAdmin) -> None:
        """Remove what a KafkaUser that is gone had."""
        name = user.key.name
        admin.remove_acls(acl for acl in admin.acls() if acl.principal == f"User:{name}")
        admin.remove_scram(name)
        self._set.pop(name, None)
        self._store.delete(Key("Secret", user.key.namespace, name))

    def _sign_in(self, user: Resource, cluster: str, admin: ClusterAdmin, *, known: bool) -> None:
        if user.spec.get("quotas"):
            raise Rejected("InvalidResourceException", "the stand-in sets no quotas")
        kind = mapping(user.spec.get("authentication")).get("type")
        if kind != "scram-sha-512":
            raise Rejected("InvalidResourceException", f"the stand-in has no authentication of type {kind}")
        password = self._password(user)
        self._store.apply(_secret(user, cluster, password))
        if not known or self._set.get(user.key.name) != password:
            refusal = admin.set_scram(user.key.name, password)
            if refusal:
                raise Rejected("KafkaException", refusal)
            self._set[user.key.name] = password

    def _password(self, user: Resource) -> str:
        """The one that `valueFrom` names, else that of the Secret that is there, else a new one."""
        source = mapping(mapping(mapping(user.spec.get("authentication")).get("password")).get("valueFrom"))
        named = mapping(source.get("secretKeyRef"))
        if named:
            secret = self._store.get(Key("Secret", user.key.namespace, str(named.get("name"))))
            if secret is None or str(named.get("key")) not in secret.data:
                message = f"Secret {named.get('name')} with requested user password does not exist."
                raise Rejected("InvalidResourceException", message)
            return str(secret.data[str(named.get("key"))])
        own = self._store.get(Key("Secret", user.key.namespace, user.key.name))
        if own is not None and own.data.get("password"):
            return str(own.data["password"])
        return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def _converge(admin: ClusterAdmin, wanted: set[Acl], there: set[Acl]) -> None:
    """Add first, so that nobody loses a right in between that the old and the new rules both give."""
    refusal = admin.add_acls(sorted(wanted - there)) or admin.remove_acls(sorted(there - wanted))
    if refusal:
        raise Rejected("KafkaException", refusal)


def _wanted(user: Resource) -> set[Acl]:
    rules = objects(mapping(user.spec.get("authorization")).get("acls"))
    return {acl for rule in rules for acl in _acls(f"User:{user.key.name}", rule)}


def _acls(principal: str, rule: JsonObject) -> Iterable[Acl]:
    place = mapping(rule.get("resource"))
    kind = str(place.get("type"))
    for operation in strings(rule.get("operations")):
        yield Acl(
            principal=principal,
            resource=kind,
            name="kafka-cluster" if kind == "cluster" else str(place.get("name") or ""),
            pattern=str(place.get("patternType") or "literal"),
            operation=operation,
            host=str(rule.get("host") or "*"),
            allow=rule.get("type", "allow") == "allow",
        )


def _secret(user: Resource, cluster: str, password: str) -> JsonObject:
    metadata: JsonObject = {
        "name": user.key.name,
        "namespace": user.key.namespace,
        "labels": {CLUSTER_LABEL: cluster, "strimzi.io/kind": "KafkaUser"},
    }
    login = jaas(SCRAM_LOGIN, {"username": user.key.name, "password": password})
    data: JsonObject = {"password": password, "sasl.jaas.config": login}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
