"""assess: everything on the source is known, and assigned, excluded or accepted by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.advice import Flag, Inventory, Judged
from kmigrate.errors import Blocked
from kmigrate.model import Json, JsonObject, Migration
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.inventory import assess, take_inventory
from kmigrate.world import Key, World

INVENTORY = "inventory"
"""The fact under which the ledger keeps what was seen (advice.Inventory.facts)."""


@dataclass(frozen=True, kw_only=True)
class TakeInventory(Step):
    """Look at every topic, group and principal; raises Blocked with the red flags that nobody has taken on."""

    name: ClassVar[str] = "take-inventory"
    title: ClassVar[str] = "Look at everything on the source"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Change nothing; missing is the inventory in the journal. Raises Blocked with every undecided flag at once."""
        self._look(world)
        if world.ledger.get(INVENTORY) is not None:
            return Finding()
        return Finding(changes=(Change(action=Action.CREATE, subject="the inventory", detail="in the journal"),))

    def apply(self, world: World) -> None:
        """Write down what there is: names and partitions, no record."""
        inventory, _ = self._look(world)
        world.ledger.put(INVENTORY, inventory.facts())

    def verify(self, world: World) -> Json:
        """Look again; the evidence has the counts, what was accepted, what is only told, and what was not checked."""
        super().verify(world)
        inventory, judged = self._look(world)
        return {
            "topics": len(inventory.user_topics),
            "partitions": inventory.partitions,
            "groups": sum(seen.in_use for seen in inventory.groups.values()),
            "principals": "not checked" if inventory.rights is None else len(inventory.principals),
            "accepted": [f"{flag.id} {flag.subject}" for flag in judged.accepted],
            "warnings": [f"{flag.id} {flag.subject}" for flag in judged.warning],
        }

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _look(self, world: World) -> tuple[Inventory, Judged]:
        inventory = take_inventory(world, self.migration)
        other_cluster(world, self.migration, inventory.cluster_id)
        judged = assess(self.migration, inventory)
        if judged.blocking:
            raise undecided(judged.blocking)
        return inventory, judged


def undecided(flags: Sequence[Flag]) -> Blocked:
    """One error with every flag, each with its way out."""
    count = "1 red flag" if len(flags) == 1 else f"{len(flags)} red flags"
    told = "\n".join(f"  {flag}\n    way out: {flag.way_out}" for flag in flags)
    return Blocked(
        f"{count} on the source that nobody has decided about:\n{told}",
        hint=f"edit the plan file and run this again; `kmigrate explain {flags[0].id}` says more",
    )


def other_cluster(world: World, migration: Migration, source_id: str) -> None:
    """Raise Blocked when the target, as far as its operator tells its id, is the source itself."""
    target = migration.target
    kafka = world.resources.get(Key("Kafka", target.namespace, target.cluster))
    if kafka is not None and kafka.status.get("clusterId") == source_id:
        raise Blocked(
            f"source and target are the same cluster, {source_id}",
            hint="correct source.bootstrapServers or target.cluster in the plan file",
        )
