"""Whether everything up to a bound has been copied to the other side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmigrate.errors import Blocked
from kmigrate.model import Lane, Partition, Position, Side
from kmigrate.probes.translation import Translation, translate
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World


def await_copies(
    world: World, leaving: Side, bounds: Mapping[Partition, int], lane: Lane, *, what: str, deadline_ms: int
) -> Translation:
    """Wait until the last record before each bound stands on the other side; returns what was found.

    That is: found among the records, copied by Connect's own word, and not hidden behind an open transaction. Offsets
    share the transaction of the data, but each partition gets its marker in its own time, and until then a twin could
    be taken for the copy. On the way back every record is itself the copy of one that stands on the other side.
    Nothing here asks where a log ends: writers may go on (design §4.1, group drain). Raises Blocked at once when the
    lane has failed, StillUnderWay after the deadline with the partition that is waited for.
    """
    todo = dict(bounds)
    found: dict[Partition, Position] = {}
    last: dict[Partition, int] = {}
    heads: dict[Partition, int] = {}

    def look() -> Ready[Translation] | NotYet:
        seen = translate(world, leaving, todo)
        last.update(seen.last)
        for partition in set(todo) - set(seen.waiting):
            del todo[partition]
            found[partition] = seen.positions[partition]
        if todo:
            _healthy(world, lane)
            return NotYet(_told(world, lane, seen, len(bounds)))
        late = () if leaving is Side.TARGET else still_copied(world, last, lane) or _hidden(world, last, heads)
        if late:
            _healthy(world, lane)
            return NotYet(f"Connect's own word is missing for {', '.join(map(str, late))}")
        return Ready(Translation(positions=found, waiting=(), last=last))

    return wait_until(look, what=what, clock=world.clock, reporter=world.reporter, deadline_ms=deadline_ms, every_ms=20)


def _hidden(world: World, partitions: Iterable[Partition], heads: dict[Partition, int]) -> tuple[Partition, ...]:
    """Partitions of the target whose last stable offset has not reached where the log ended at the first call."""
    cluster = world.cluster(Side.TARGET)
    if not heads:
        heads.update({p: log.end for p, log in cluster.ranges(partitions, committed=False).items()})
    return tuple(sorted(p for p, log in cluster.ranges(heads).items() if log.end < heads[p]))


def still_copied(world: World, last: Mapping[Partition, int], lane: Lane) -> tuple[Partition, ...]:
    """Partitions whose last record, by Connect's own offsets, is not copied (any more)."""
    copied = world.mirror.copied(lane)
    return tuple(sorted(p for p, offset in last.items() if copied.get(p, -1) < offset))


def _healthy(world: World, lane: Lane) -> None:
    trouble = world.mirror.trouble(lane)
    if trouble:
        raise Blocked(
            f"the mirror cannot finish: {'; '.join(trouble)}",
            hint="mend what it names; once its tasks run, run the same command again",
        )


def _told(world: World, lane: Lane, seen: Translation, total: int) -> str:
    copied = world.mirror.copied(lane)
    behind = {p: seen.last[p] - copied.get(p, -1) for p in seen.waiting if p in seen.last}
    worst = max(behind, key=lambda p: behind[p], default=None)
    detail = f"; {worst} by at most {behind[worst]} records" if worst is not None and behind[worst] > 0 else ""
    return f"{total - len(seen.waiting)} of {total} partitions copied{detail}"
