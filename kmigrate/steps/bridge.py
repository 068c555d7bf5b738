"""provision: HTTP in front of the target, for plans that ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.manifests.bridge import kafka_bridge
from kmigrate.model import Bridge, JsonObject, Migration
from kmigrate.plan import Finding, Step
from kmigrate.probes.resources import await_ready
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.world import World

_DEADLINE_MS = 300_000


@dataclass(frozen=True, kw_only=True)
class StartBridge(Step):
    """The KafkaBridge is Ready; it signs in as one of the plan's users, so it comes after them."""

    name: ClassVar[str] = "start-bridge"
    title: ClassVar[str] = "Start the bridge to HTTP"

    migration: Migration
    bridge: Bridge

    def check(self, world: World) -> Finding:
        """Missing while it is not stored as wanted or not Ready."""
        return find(world, self._wanted())

    def apply(self, world: World) -> None:
        """Apply it and wait until it is Ready at its generation."""
        apply_all(world, self._wanted())
        await_ready(world, self._wanted(), what="bridge", deadline_ms=_DEADLINE_MS)

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove it, or put back what was there."""
        restore(world, before)

    def _wanted(self) -> tuple[JsonObject, ...]:
        return (kafka_bridge(self.migration.target, self.bridge),)
