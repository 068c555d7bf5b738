"""What ACLs give, as Kafka's authorizer reads them."""

from __future__ import annotations

from collections.abc import Iterable

from kmigrate.model.facts import Right

BRINGS_DESCRIBE = ("Read", "Write", "Delete", "Alter", "All")
"""The operations that Describe comes with (org.apache.kafka.metadata.authorizer.StandardAuthorizerData)."""


def granted(wanted: Right, listed: Iterable[Right]) -> bool:
    """Whether ACLs give a right, by its very name or by a wider one, and none of them denies it."""
    about = [right for right in listed if right.principal in (wanted.principal, "User:*") and _within(wanted, right)]
    enough = {wanted.operation, "All", *(BRINGS_DESCRIBE if wanted.operation == "Describe" else ())}
    allowed = any(right.type == "allow" and right.operation in enough for right in about)
    return allowed and not any(right.type == "deny" and right.operation in (wanted.operation, "All") for right in about)


def _within(wanted: Right, given: Right) -> bool:
    """Whether an ACL is about all that the wanted right is about."""
    if given.resource != wanted.resource:
        return False
    if given.pattern == "prefix":
        return wanted.name != "*" and wanted.name.startswith(given.name)
    return given.name == "*" or (wanted.pattern == "literal" and given.name == wanted.name)
