"""Rules of topics and users (`strimzi.md` §§1.5, 2.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kmigrate.manifests.audit import OPERATIONS, RESOURCES
from kmigrate.manifests.refusals.bodies import Bodies, Rule, Told, items, name, topic_of, whole
from kmigrate.model import JsonObject, objects, part

_SUBJECT = 64
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def topic_twice(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """Of two resources for one topic only the first counts."""
    keeper = seen.keepers[topic_of(body)]
    if keeper != name(body):
        yield Told("spec.topicName", f"{topic_of(body)} is that of {keeper}, too", "remove one of them")


def topic_name(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """What Kafka takes for a name."""
    if not _TOPIC.fullmatch(topic_of(body)) or topic_of(body) in (".", ".."):
        told = f"Kafka does not take {topic_of(body)!r} as a name"
        yield Told("spec.topicName", told, "use letters, digits, '.', '_' and '-', at most 249")


def topic_copies(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """No more copies than brokers."""
    replicas = whole(part(body, "spec").get("replicas"))
    if replicas > seen.brokers:
        yield Told("spec.replicas", f"{replicas} copies and {seen.brokers} brokers", "ask for more brokers")


def user_name(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """A name in a certificate is short."""
    if _signs_in(body).startswith("tls") and len(name(body)) > _SUBJECT:
        told = f"a certificate names at most {_SUBJECT} characters, and these are {len(name(body))}"
        yield Told("metadata.name", told, "name another target principal in the plan")


def user_days(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Rules of the schema that only an API server looks at."""
    asked, at = part(body, "spec", "authentication"), "spec.authentication"
    days = [field for field in ("validityDays", "renewalDays") if field in asked]
    if days and _signs_in(body) != "tls":
        yield Told(f"{at}.{days[0]}", "only a certificate of the operator's has an end", "remove it, or use type tls")
    elif len(days) == 1:
        yield Told(f"{at}.{days[0]}", "validityDays and renewalDays go together", "say both, or neither")
    elif days and whole(asked["renewalDays"]) >= whole(asked["validityDays"]):
        yield Told(f"{at}.renewalDays", "it is renewed before it is made", "let it be less than validityDays")


def user_rules(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """What a rule is about, and what it allows."""
    for number, acl in enumerate(objects(part(body, "spec", "authorization").get("acls"))):
        at, place = f"spec.authorization.acls[{number}]", part(acl, "resource")
        if place.get("type") not in RESOURCES:
            told = f"no rule can be about {place.get('type')}"
            yield Told(f"{at}.resource.type", told, f"it can be about {', '.join(sorted(RESOURCES))}")
        elif place.get("type") != "cluster" and not place.get("name"):
            told = f"which {place.get('type')} is not said"
            yield Told(f"{at}.resource.name", told, "name it; '*' is all of them")
        wrong = sorted({str(each) for each in items(acl.get("operations"))} - OPERATIONS)
        if wrong or not items(acl.get("operations")):
            told = f"{', '.join(wrong) or 'nothing'} is no operation"
            yield Told(f"{at}.operations", told, f"use {', '.join(sorted(OPERATIONS))}")


def user_authorization(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """Rules need somebody who asks for them."""
    kinds = {str(part(each, "spec", "kafka", "authorization").get("type")) for each in seen.of("Kafka")}
    if part(body, "spec").get("authorization") and kinds - {"simple", "custom"}:
        told = "the Kafka has no authorization, so nobody asks for these rules"
        yield Told("spec.authorization", told, "set spec.kafka.authorization of the Kafka to {type: simple}")


def _topic(body: JsonObject) -> str:
    return str(part(body, "spec").get("topicName", name(body)))


def _signs_in(body: JsonObject) -> str:
    return str(part(body, "spec", "authentication").get("type", ""))


TOPIC_RULES: Mapping[str, Rule] = {
    "topic-twice": topic_twice,
    "topic-name": topic_name,
    "topic-copies": topic_copies,
}
USER_RULES: Mapping[str, Rule] = {
    "user-name": user_name,
    "user-days": user_days,
    "user-rules": user_rules,
    "user-authorization": user_authorization,
}
