"""provision: what the operator would refuse of all that is about to be applied, seen before anything is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.bridge import kafka_bridge
from kmigrate.manifests.refusals import RULES, refusals
from kmigrate.model import Json, JsonObject, Migration
from kmigrate.plan import Finding, Step
from kmigrate.steps.clusters import FindCluster, brokers
from kmigrate.steps.provision import CreateTopics, CreateUsers
from kmigrate.world import World


@dataclass(frozen=True, kw_only=True)
class ForeseeRefusals(Step):
    """The operator has nothing to refuse, by its own rules; a schema does not know them, and NotReady comes late."""

    name: ClassVar[str] = "foresee-refusals"
    title: ClassVar[str] = "See what the operator would refuse"
    looks_only: ClassVar[bool] = True

    migration: Migration

    def check(self, world: World) -> Finding:
        """Nothing to change; raises Blocked with everything that would be refused, each with its field."""
        cluster, bodies = FindCluster(migration=self.migration).wanted(world), self._around(world)
        many = None if cluster else brokers(world, self.migration)
        found = refusals((*cluster, *bodies), brokers=many)
        if found:
            told = "".join(f"\n  {each}" for each in found)
            raise Blocked(
                f"the operator would refuse {len(found)} of what is to be applied:{told}",
                hint="nothing was applied; correct target.cluster in the plan file and run the same command again",
            )
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do: this step only looks."""

    def verify(self, world: World) -> Json:
        """By how many rules nothing is refused."""
        self.check(world)
        return {"rules": len(RULES)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _around(self, world: World) -> tuple[JsonObject, ...]:
        target = self.migration.target
        bridge = target.spec.bridge if target.spec else None
        return (
            *CreateUsers(migration=self.migration).wanted(world),
            *CreateTopics(migration=self.migration).wanted(world),
            *((kafka_bridge(target, bridge),) if bridge else ()),
        )
