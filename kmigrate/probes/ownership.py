"""Which side owns a topic, and what hand-overs the ledger knows of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kmigrate.manifests.lanes import other_way, side_written
from kmigrate.model import Json, Lane, Partition, Side
from kmigrate.positions import FORWARD, Epochs, Seam, Seen
from kmigrate.world import World

SEAMS = "seams"
"""The fact of a hand-over: by partition the new owner, where its epoch begins on either side, and what was seen."""


MADE_ANEW = "made_anew"
"""The fact of topics that are made on the target once more: topic → the units whose facts are of the one before."""
Telling = tuple[tuple[Json, frozenset[str]], ...]
"""Facts by the order of their units, each with the topics of which it tells nothing any more."""


def that_hold(world: World, name: str) -> Telling:
    """Every unit's fact of that name; what it says of a topic that was made anew since is of another topic."""
    gone: dict[str, set[str]] = {}
    for fact in world.ledger.by_unit(MADE_ANEW).values():
        for topic, units in fact.items() if isinstance(fact, Mapping) else ():
            for unit in units if isinstance(units, Sequence) else ():
                gone.setdefault(str(unit), set()).add(topic)
    return tuple((fact, frozenset(gone.get(unit, ()))) for unit, fact in world.ledger.by_unit(name).items())


def hand_overs_of(world: World, topics: Iterable[str]) -> dict[str, Json]:
    """By topic, the units that handed it over, of those topics that ever were."""
    found: dict[str, list[Json]] = {}
    for unit, fact in world.ledger.by_unit(SEAMS).items():
        for topic in sorted({p.topic for p in read_seams(fact)}.intersection(topics)):
            found.setdefault(topic, []).append(unit)
    return dict(found)


@dataclass(slots=True)
class _Newest:
    """What was made of the newest hand-overs: a move asks some forty times, and there are more of them with each."""

    facts: Telling = ()
    epochs: dict[Partition, Epochs] = field(default_factory=dict)

    def of(self, facts: Telling) -> dict[Partition, Epochs]:
        """The epochs of these very facts, made anew only where they are others; a fact never changes once it is put."""
        if len(facts) != len(self.facts) or any(
            a is not b or gone != before for (a, gone), (b, before) in zip(facts, self.facts, strict=True)
        ):
            self.facts, self.epochs = facts, _epochs(facts)
        return dict(self.epochs)


_newest = _Newest()


def epochs(world: World) -> dict[Partition, Epochs]:
    """Every partition that was ever handed over, with all its epochs; all others are the source's since ever."""
    return _newest.of(that_hold(world, SEAMS))


def _epochs(facts: Telling) -> dict[Partition, Epochs]:
    found: dict[Partition, list[Seam]] = {}
    for fact, gone in facts:
        for partition, seam in read_seams(fact).items():
            if partition.topic not in gone:
                found.setdefault(partition, [*FORWARD]).append(seam)
    return {partition: Epochs(tuple(seams)) for partition, seams in found.items()}


def owners(world: World, topics: Iterable[str]) -> dict[str, Side]:
    """The side where each topic is written, by the newest hand-over of its partitions."""
    turned = {partition.topic: life.owner for partition, life in sorted(epochs(world).items())}
    return {topic: turned.get(topic, Side.SOURCE) for topic in topics}


def owned_by(world: World, side: Side, topics: Iterable[str]) -> frozenset[str]:
    """Those of the topics that the side owns."""
    return frozenset(topic for topic, owner in owners(world, topics).items() if owner is side)


def origin(lane: Lane) -> Side:
    """The side whose records the lane copies."""
    return side_written(lane).other


def in_force(world: World, lane: Lane) -> Lane:
    """The lane that copies the topics of a forward lane now: itself, or the one the other way once they changed hands.

    A move owns whole lanes, so all its topics have one owner; without any hand-over that is the source.
    """
    return other_way(lane) if owned_by(world, Side.TARGET, lane.topics) else lane


def write_seams(seams: Mapping[Partition, Seam]) -> Json:
    """Seams as the ledger keeps them."""
    return {str(partition): _told(seam) for partition, seam in sorted(seams.items())}


def read_seams(fact: Json) -> dict[Partition, Seam]:
    """What `write_seams` wrote; empty when the fact is not there (any more)."""
    if not isinstance(fact, Mapping):
        return {}
    return {Partition.parse(name): _seam(told) for name, told in fact.items() if isinstance(told, Mapping)}


def _told(seam: Seam) -> Json:
    seen: list[Json] = [each.name for each in Seen if each in seam.seen]
    return {"owner": str(seam.owner), "source": seam.source, "target": seam.target, "seen": seen}


def _seam(told: Mapping[str, Json]) -> Seam:
    seen = told["seen"]
    return Seam(
        owner=Side(str(told["owner"])),
        source=int(str(told["source"])),
        target=int(str(told["target"])),
        seen=frozenset(Seen[str(each)] for each in seen) if isinstance(seen, Sequence) else frozenset(),
    )
