"""What the steps of a move share: their fields, and the facts they leave each other in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.errors import Blocked
from kmigrate.model import Application, Json, Lane, Partition, Policy, Side
from kmigrate.plan import Step
from kmigrate.probes.groups import positions_held, running_groups
from kmigrate.world import World

BOUNDS = "bounds"
"""Where each group stood on the side left once it was stopped: group → partition → next offset to read."""
LAST = "last"
"""The last record each group had before it: partition → offset on the side left."""
POSITIONS = "positions"
"""Where each group was put on the side entered: group → partition → offset, grade and reason."""
CLOCK_STARTED = "pause_started_ms"
COMMITTED = "committed"
"""The bounds whose positions were committed and read back: from then on a group may stand past them, never before."""
BEGUN = "begun_ms"
"""When the application was about to be started on the side entered: from then on no position is written there."""
PAUSE = "pause_ms"


@dataclass(frozen=True, kw_only=True)
class MoveStep(Step):
    """The fields of every step of a move."""

    app: Application
    leaving: Side
    lane: Lane
    policy: Policy

    @property
    def entering(self) -> Side:
        """The side the application runs on afterwards."""
        return self.leaving.other


def held(world: World, side: Side, app: Application) -> dict[str, dict[Partition, int]]:
    """Where each group of the application stands; raises Blocked where one holds no position."""
    return {reads.group: positions_held(world, side, reads) for reads in app.reads}


def stands_still(world: World, side: Side, app: Application) -> None:
    """Look that nobody took the groups up again since the bounds were written down; raises Blocked if somebody did."""
    running = running_groups(world, side, app)
    moved = [group for group, of in held(world, side, app).items() if of != _bounds(world).get(group)]
    if running or moved:
        raise Blocked(
            f"somebody reads on the {side} with group {', '.join(sorted({*running, *moved}))}, which had been stopped",
            hint="stop every instance there (a supervisor may start it again), then run the same command again",
        )


def _bounds(world: World) -> dict[str, dict[Partition, int]]:
    return read_offsets(world.ledger.get(BOUNDS))


def write_offsets(offsets: Mapping[str, Mapping[Partition, int]]) -> Json:
    """Offsets per group as the ledger keeps them."""
    return {group: {str(p): offset for p, offset in sorted(of.items())} for group, of in offsets.items()}


def read_offsets(fact: Json) -> dict[str, dict[Partition, int]]:
    """What `write_offsets` wrote; empty when the fact is not there yet."""
    if not isinstance(fact, Mapping):
        return {}
    return {
        group: {Partition.parse(p): int(str(offset)) for p, offset in of.items()}
        for group, of in fact.items()
        if isinstance(of, Mapping)
    }


def read_partitions(fact: Json) -> dict[Partition, int]:
    """Offsets per partition from the ledger; empty when the fact is not there yet."""
    if not isinstance(fact, Mapping):
        return {}
    return {Partition.parse(p): int(str(offset)) for p, offset in fact.items()}
