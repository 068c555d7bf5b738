"""The proof itself: every partition up to its ends, in order or by key, going on from what was kept."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from kmigrate.errors import Transient, VerifyFailed
from kmigrate.model import Partition, Side
from kmigrate.probes.content.compacted import compare_keys, groups
from kmigrate.probes.content.compared import Compared, Ends
from kmigrate.probes.content.differences import Difference
from kmigrate.probes.content.ends import is_compacted, is_deleted
from kmigrate.probes.content.ordered import Ordered
from kmigrate.probes.content.reading import Pace
from kmigrate.world import World

_TRIES = 3
_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found equal, and the first difference of each partition that has one."""

    compared: Mapping[Partition, Compared]
    differences: tuple[Difference, ...]


def prove(
    world: World,
    ends: Mapping[Partition, Ends],
    *,
    compared: Mapping[Partition, Compared] | None = None,
    keep: Callable[[Mapping[Partition, Compared]], None] = lambda compared: None,
) -> Proof:
    """Compare both sides up to the ends, all committed records; memory does not grow with the logs.

    On a compacted topic the last value of every key is compared, elsewhere every record in order. `compared` is what an
    earlier call handed to `keep`; `keep` is called whenever more was found equal, and may raise.
    """
    so_far = dict(compared or {})
    todo = [p for p in sorted(ends) if p not in so_far or not so_far[p].finished]
    pace = Pace(world, len(ends), _offsets(world, ends, todo, so_far), equal=len(ends) - len(todo))
    by_key = is_compacted(world, todo)
    ordered = Ordered(
        world=world,
        ends={p: ends[p] for p in ends if p not in by_key},
        compared=so_far,
        pace=pace,
        moved=lambda: keep(so_far),
    )
    ordered.run()
    different = list(ordered.different.values())
    deletes = is_deleted(world, by_key)
    for group in groups({p: ends[p] for p in by_key}):
        for partition, told in _patiently(world, group, pace, deletes).items():
            if isinstance(told, Difference):
                different.append(told)
            else:
                so_far[partition] = told
                pace.equal += 1
        keep(so_far)
    return Proof(compared=so_far, differences=tuple(sorted(different, key=lambda each: each.partition)))


def refuse_differences(differences: Iterable[Difference]) -> None:
    """Raise VerifyFailed naming the first difference of each partition."""
    found = tuple(differences)
    if found:
        told = "\n".join(f"  {each}" for each in found[:_TOLD])
        more = f"\n  and {len(found) - _TOLD} partitions more" if len(found) > _TOLD else ""
        raise VerifyFailed(
            f"the content differs in {len(found)} partition{'s' * (len(found) > 1)}; the first difference of each:\n"
            f"{told}{more}",
            hint="look at both records; the mirror's copy must be made anew before any application moves",
        )


def _patiently(
    world: World, group: Mapping[Partition, Ends], pace: Pace, deletes: Container[Partition]
) -> Mapping[Partition, Compared | Difference]:
    """A read that stalls begins again with the group."""
    for _ in range(_TRIES):
        try:
            return compare_keys(world, group, pace, deletes=deletes)
        except Transient:
            continue
    return compare_keys(world, group, pace, deletes=deletes)


def _offsets(
    world: World, ends: Mapping[Partition, Ends], todo: Iterable[Partition], so_far: Mapping[Partition, Compared]
) -> int:
    """How many offsets there are still to pass on both sides."""
    wanted, whole = tuple(todo), 0
    for side in Side:
        for partition, log in world.cluster(side).ranges(wanted).items():
            known, end = so_far.get(partition), ends[partition].on(side)
            whole += max(0, end - max(log.start, known.on(side).end if known is not None else 0))
    return whole
