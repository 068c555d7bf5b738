"""What a content proof asks of a cluster, told of records in memory, which have neither key nor contents."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence

from kmigrate.model import FullRecord, KeyedRows, OffsetRange, Partition, Record, Run, Stretch

_SIZE = 16


def stretches(
    found: Mapping[Partition, Sequence[Record]], ranges: Mapping[Partition, OffsetRange], count: int
) -> Generator[tuple[Partition, Stretch], None, None]:
    """Stretches of `count` records, and the rest of each partition."""
    for partition, records in found.items():
        start = ranges[partition].start
        for at in range(0, len(records) + 1, count):
            some = records[at : at + count]
            end = some[-1].offset + 1 if len(some) == count else max(start, ranges[partition].end)
            told = hashlib.sha256(b"".join(each.digest for each in some)).digest()[:16]
            yield partition, Stretch(start=start, end=end, records=len(some), size=_SIZE * len(some), digest=told)
            start = end


def run(records: Sequence[Record]) -> Run:
    """All of them as one run."""
    told = hashlib.sha256(b"".join(each.digest for each in records)).digest()
    return Run(offsets=[each.offset for each in records], digest=told)


def keyed(ranges: Mapping[Partition, OffsetRange]) -> Generator[tuple[Partition, KeyedRows], None, None]:
    """Nothing but the end of each partition: no record has a key."""
    for partition, each in ranges.items():
        yield partition, KeyedRows(part=0, end=each.end, records=0, size=0, rows=b"")


def in_full(record: Record) -> FullRecord:
    """A record whose digest stands for its value."""
    return FullRecord(offset=record.offset, timestamp=record.timestamp, key=None, value=record.digest)
