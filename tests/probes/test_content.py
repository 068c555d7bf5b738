"""Content is equal, record for record; every kind of difference is named."""

from __future__ import annotations

import pytest
from memory_estate import Estate

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.errors import VerifyFailed
from kmigrate.model import Partition, Side, Topic
from kmigrate.positions import digest
from kmigrate.probes.content import Compared, compare

P = Partition("orders", 0)


def _world(source: str, target: str) -> MemoryWorld:
    """A letter is a record, a dot is a marker."""
    world = MemoryWorld(Estate())
    for side, letters in ((Side.SOURCE, source), (Side.TARGET, target)):
        world.estate.clusters[side].create(Topic(name=P.topic, partitions=1))
        log = world.estate.clusters[side].logs[P]
        for number, letter in enumerate(letters):
            if letter == ".":
                log.mark()
            else:
                log.put(ord(letter), digest(ord(letter), b"k", letter.encode()), number)
    return world


def _compare(world: MemoryWorld, *, compacted: bool = False) -> Compared:
    ends = {side: world.cluster(side).logs[P].end for side in Side}
    return compare(world, P, ends, compacted=compacted)


@pytest.mark.parametrize(("source", "target"), [("abcd", "abcd"), ("a.bc..d", "ab.cd."), ("", ""), ("..", "")])
def test_equal_logs_are_equal_whatever_the_markers(source: str, target: str) -> None:
    assert _compare(_world(source, target)).records == len(source.replace(".", ""))


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("abcd", "abd", "offset 2 (time 99 ms) on the source, offset 1 (time 98 ms) on the target"),
        ("abd", "abcd", "offset 1 (time 98 ms) on the source, offset 2 (time 99 ms) on the target"),
        ("abcd", "acbd", "offset 2 (time 99 ms) on the source, offset 2 (time 98 ms) on the target"),
        ("abcd", "bcd", "offset 0 (time 97 ms) on the source, no such record on the target"),
        ("bcd", "abcd", "no such record on the source, offset 0 (time 97 ms) on the target"),
        ("abcd", "abbcd", "offset 0 (time 97 ms) on the source, offset 1 (time 98 ms) on the target"),
    ],
)
def test_a_difference_is_named_with_both_offsets(source: str, target: str, told: str) -> None:
    with pytest.raises(VerifyFailed) as refused:
        _compare(_world(source, target))
    assert refused.value.message == f"the content differs in {P}: {told}"


def test_what_retention_took_from_the_source_is_counted_and_no_difference() -> None:
    world = _world("abcd", "abcd")
    world.cluster(Side.SOURCE).logs[P].expire(2)
    assert (_compare(world).records, _compare(world).gone) == (2, 2)


def test_what_compaction_took_from_the_source_is_counted_and_a_lost_record_is_still_found() -> None:
    assert (_compare(_world("bd", "abcd"), compacted=True).gone) == 2
    with pytest.raises(VerifyFailed):
        _compare(_world("bd", "abc"), compacted=True)
