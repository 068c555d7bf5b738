"""The claim on the migration and the copy of its journal, on the target for all to see (design §4.13)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from kmigrate.manifests.internal import ledger_name, ledger_topic
from kmigrate.model import Json, JsonObject, Migration
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.resources import await_ready
from kmigrate.probes.topics import await_topics, refuse_unsettled
from kmigrate.steps.clusters import brokers
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.world import World

_DEADLINE_MS = 300_000


@dataclass(frozen=True, kw_only=True)
class ClaimMigration(Step):
    """From here on nobody else can work on the migration at the same time, and a lost journal folder is no loss."""

    name: ClassVar[str] = "claim-migration"
    title: ClassVar[str] = "Claim the migration, and copy the journal"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: the ledger topic; then the claim, or lines of the journal that are not in it."""
        finding = find(world, self._wanted(world))
        if finding.changes or world.claim.whole():
            return finding
        claim = Change(action=Action.START, subject="the copy of the journal on the target", detail=self._topic)
        return replace(finding, changes=(claim,))

    def apply(self, world: World) -> None:
        """Make the topic, then claim; raises JournalError when another kmigrate has claimed the migration."""
        wanted = self._wanted(world)
        apply_all(world, wanted)
        await_ready(world, wanted, what="ledger topic", deadline_ms=_DEADLINE_MS)
        await_topics(world, wanted, deadline_ms=_DEADLINE_MS)
        world.claim.take()

    def verify(self, world: World) -> Json:
        """Every line is read back from the target; who holds the claim is the evidence."""
        super().verify(world)
        refuse_unsettled(world, self._wanted(world))
        return {"topic": self._topic, "claimedBy": world.claim.holder()}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the topic if it was made here; this folder's journal stays."""
        if before:
            world.claim.leave()
        restore(world, before)

    @property
    def _topic(self) -> str:
        return ledger_name(self.migration.name)

    def _wanted(self, world: World) -> tuple[JsonObject, ...]:
        return (ledger_topic(self.migration.name, self.migration.target, brokers=brokers(world, self.migration)),)
