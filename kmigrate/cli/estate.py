"""How plan shows what is there on the source: counts, and what becomes of the ACLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.markup import escape
from rich.tree import Tree

from kmigrate.advice import Inventory
from kmigrate.manifests.audit import Audited, Verdict
from kmigrate.model import Json


def estate_tree(there: Inventory | None, unknown: str, acls: Sequence[Audited]) -> Tree:
    """Topics, groups, principals and ACLs, counted; `acls` are those about somebody of the plan."""
    drawn = Tree("[bold]What is there on the source[/]")
    if there is None:
        drawn.add(f"[yellow]not known: {escape(unknown)}[/]")
        return drawn
    drawn.add(f"{_many(len(there.user_topics), 'topic')} with {_many(there.partitions, 'partition')}")
    drawn.add(f"{_many(sum(group.in_use for group in there.groups.values()), 'group')} in use")
    if there.rights is None:
        drawn.add(f"[yellow]principals not known: {escape(there.unlisted)}[/]")
        return drawn
    branch = drawn.add(f"{_many(len(there.principals), 'principal')} with {_many(len(there.rights), 'ACL')}")
    if acls:
        branch.add(f"of the plan's: {_weighed(acls)}")
    return drawn


def estate_json(there: Inventory | None) -> Json:
    """The counts; null where the source did not answer."""
    if there is None:
        return None
    return {
        "topics": len(there.user_topics),
        "partitions": there.partitions,
        "groups": sum(group.in_use for group in there.groups.values()),
        "principals": None if there.rights is None else len(there.principals),
    }


def acl_json(each: Audited) -> Json:
    """An ACL, what becomes of it, in the KafkaUser of whom, and why not as it is."""
    return {**asdict(each.right), "verdict": str(each.verdict), "users": list(each.users), "why": each.why}


def _weighed(acls: Sequence[Audited]) -> str:
    counts = {verdict: sum(each.verdict is verdict for each in acls) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{_many(len(acls), 'ACL')}, for the target {told}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
