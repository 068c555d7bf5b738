"""What was lost and given twice, by what the applications noted down: the number of a record is its offset."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, TopicPartition

from kmigrate.model import Side
from pausing.cells import Cell

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Records that a move's groups worked on, and how many of them were missed, given twice, or out of order."""

    worked_on: int = 0
    lost: int = 0
    twice: int = 0
    disorder: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            worked_on=self.worked_on + other.worked_on,
            lost=self.lost + other.lost,
            twice=self.twice + other.twice,
            disorder=self.disorder + other.disorder,
        )

    @property
    def clean(self) -> bool:
        """Whether every record was given once."""
        return not (self.lost or self.twice or self.disorder)


def judge(place: Path, cell: Cell, began: Mapping[int, int], ends: Mapping[int, int]) -> Verdict:
    """Hold each group to every record from where it began up to where the feed ended when it was stopped for good."""
    return sum((_judge(place, cell, group, began, ends) for group in cell.groups), Verdict())


def _judge(place: Path, cell: Cell, group: str, began: Mapping[int, int], ends: Mapping[int, int]) -> Verdict:
    members = [member for member in cell.members if cell.group(member) == group]
    notes = [_notes(place, member) for member in members]
    seen = Counter(each for note in notes for each in note)
    wanted = {(number, at) for number, end in ends.items() for at in range(began[number], end)}
    return Verdict(
        worked_on=seen.total(),
        lost=sum(each not in seen for each in wanted),
        twice=sum(count - 1 for count in seen.values()),
        disorder=sum(map(_disorder, notes)),
    )


def _notes(place: Path, member: str) -> list[tuple[int, int]]:
    lines = (place / "apps" / member / "read").read_text().splitlines()
    return [(int(number), int(at)) for number, at in map(str.split, lines)]


def _disorder(note: list[tuple[int, int]]) -> int:
    """Records that came for the first time, and behind a later one of their partition."""
    last: dict[int, int] = {}
    seen: set[tuple[int, int]] = set()
    count = 0
    for number, at in note:
        count += at < last.get(number, -1) and (number, at) not in seen
        last[number] = max(at, last.get(number, -1))
        seen.add((number, at))
    return count


def up_to(place: Path, cell: Cell, ends: Mapping[int, int]) -> bool:
    """Whether every group has worked on the last record before each end."""
    for group in cell.groups:
        furthest: dict[int, int] = {}
        for member in (each for each in cell.members if cell.group(each) == group):
            for number, at in _notes(place, member):
                furthest[number] = max(at, furthest.get(number, -1))
        if any(furthest.get(number, -1) < end - 1 for number, end in ends.items()):
            return False
    return True


def unlike(place: Path, cell: Cell, sides: Mapping[Side, Mapping[str, str]]) -> list[str]:
    """Where the topic that a move writes does not have, on either side, every record of its applications once."""
    wanted = Counter(f"{member} {number} {at}" for member in cell.members for number, at in _notes(place, member))
    found = []
    for side, client in sides.items():
        deadline = time.monotonic() + _PATIENCE_S
        while (there := _committed(client, cell)) != wanted and time.monotonic() < deadline:
            time.sleep(1.0)  # the mirror back may still be on its way
        lost, more = (wanted - there).total(), (there - wanted).total()
        if lost or more:
            found.append(f"{cell.writes} on the {side}: {lost} of {wanted.total()} records lost, {more} too many")
    return found


def _committed(client: Mapping[str, str], cell: Cell) -> Counter[str]:
    settings = {"group.id": "pausing", "enable.auto.commit": "false", "enable.partition.eof": "true"}
    consumer = Consumer({**client, **settings, "isolation.level": "read_committed"})
    try:
        consumer.assign([TopicPartition(cell.writes, number, 0) for number in range(cell.partitions)])
        return Counter(_values(consumer, cell.partitions))
    finally:
        consumer.close()


def _values(consumer: Consumer, partitions: int) -> Iterator[str]:
    ended: set[int] = set()
    while len(ended) < partitions:
        for message in consumer.consume(2_000, 0.5):
            error, value = message.error(), message.value()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(message.partition() or 0)
            elif isinstance(value, bytes):
                yield value.decode()
