"""The ACLs of a cluster: the rules as they are written, and those that its brokers enforce by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kmigrate.adapters.memory.state import State
from kmigrate.model import Denial, Right


@dataclass(slots=True)
class Acls(State):
    """What is written is enforced some turns later, and so is its removal; `stuck` brokers hear of nothing."""

    rules: set[Right] = field(default_factory=set)
    enforced: set[Right] = field(default_factory=set)
    stuck: bool = False
    _answers: dict[tuple[str, str, str, str], bool] = field(default_factory=dict)

    def work(self) -> None:
        """The brokers hear of the rules."""
        if not self.stuck and self.enforced != self.rules:
            self.enforced = set(self.rules)
            self._answers.clear()

    def allows(self, principal: str, resource: str, name: str, operation: str) -> bool:
        """Whether every broker lets the principal do it: something allows it, and nothing denies it."""
        asked = (principal, resource, name, operation)
        if asked not in self._answers:
            ours = [r for r in self.enforced if r.principal == principal and r.operation in (operation, "All")]
            types = {right.type for right in ours if right.covers(resource, name)}
            self._answers[asked] = types == {"allow"}
        return self._answers[asked]

    def denied(self) -> set[Denial]:
        """Every denial that is written."""
        rules = (r for r in self.rules if r.type == "deny")
        return {Denial(principal=r.principal, resource=r.resource, name=r.name, operation=r.operation) for r in rules}

    def put(self, principal: str, rights: Iterable[Right]) -> None:
        """Make these, and no others, the rules of a principal."""
        self.rules = {rule for rule in self.rules if rule.principal != principal} | set(rights)
