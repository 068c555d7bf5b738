"""The fuzzers for a short while, the same examples in every run; and by name whatever a longer run once found."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from foreign_bytes import CUT, TARGETS
from guided import MOST_LINES, TooMuch, fuzz

from kmigrate.errors import UsageError
from kmigrate.model import Sync
from kmigrate.planfile import load
from kmigrate.positions import SyncIndex, read_sync

CLAIMED = b'claim\n--\n{"who":"me","place":"here","since":%s,"working":true}\n--\nline-1\n--\n{}'
LISTED = b'{"offsets":[{"partition":{"cluster":"source-1","topic":"shipments","partition":0},"offset":{"offset":%s}}]}'
KEY = b"\x00\x06orders\x00\x00\x00\x03"
FINDS = {
    "a claim of the year 10,000": ("ledger", CLAIMED % b"253402300800000"),
    "a claim without end": ("ledger", CLAIMED % b"1e999"),
    "a claim of a time that no clock has": ("ledger", CLAIMED % (b"17" * 200)),
    "an offset without end": ("config-map", LISTED % b"1e999"),
    "an offset that no log has": ("config-map", LISTED % b"-1"),
    "offsets of no partition": ("config-map", b'{"offsets":[{"partition":["cluster"],"offset":{}}]}'),
    "brackets without end": ("config-map", b"[" * 4_000),
    "an offset of Connect's that is no JSON": ("connect", b"\xff\n--\n{"),
    "an offset of Connect's of nothing": ("connect", b'["c", 7]\n--\n{"offset":1}'),
    "a state of Connect's that is a list": ("connect", b"status-task-c-0\n--\n[1]"),
    "two originals at one copy": (
        "syncs",
        CUT.join(
            part for at in (7, 9_000, 8) for part in (KEY, struct.pack(">qq", at, 14 if at > 8 or at == 7 else 20))
        ),
    ),
    "an answer in no language": ("wire", struct.pack(">iihh", 1, 0, 1, 2) + b"\xff\xfe"),
    "a line of no time": (
        "journal-chained",
        b'{"v":1,"time":"now","who":"","unit":"","fingerprint":"","event":"OPENED"}\n',
    ),
    "a line of no format": ("journal", b'{"v":null}\n'),
    "an offset kept elsewhere that no log has": ("positions-file", b"topic,partition,offset\norders,0," + b"1" * 50),
    "a field longer than any": ("positions-file", b"topic,partition,offset\n" + b"o" * 200_000),
    "positions without end": ("positions-file", b"[" * 4_000),
    "a resource without end": ("resource-file", b"[" * 4_000),
    "a resource of no generation": (
        "resource-file",
        b'{"metadata":{"generation":1e999,"resourceVersion":"1"}}',
    ),
    "a plan file nested beyond any": ("plan-file", b"a:\n " + b"[" * 250 + b"1," * 400 + b"]" * 250),
    "a head of more lines than any disk holds": ("journal-head", b"9" * 5_000 + b" 00\n"),
    "a plan file that is no text": ("plan-file", b"apiVersion: kmigrate/v1alpha1\nkind: \xff\n"),
}
"""What a run once found, or was found while it was written: the target, and its bytes."""
EXECUTIONS = {"plan-file": 150, "journal": 250, "journal-chained": 250}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_bytes_come_the_law_holds(name: str) -> None:
    most = EXECUTIONS.get(name, 1_500)
    seeds = list(TARGETS[name].seeds())
    run = fuzz(TARGETS[name].run, seeds, seed=1, goes_on=lambda run: run.executions < most)
    assert [(find.why, find.data) for find in run.finds] == []
    assert run.executions == most
    assert len(run.corpus) > len(seeds)


@pytest.mark.parametrize("name", FINDS)
def test_what_was_found_once_is_mended(name: str) -> None:
    target, data = FINDS[name]
    TARGETS[target].run(data)


def test_of_two_originals_at_one_copy_neither_bounds_anything() -> None:
    index = SyncIndex()
    for sync in (Sync(1, 2), Sync(7, 14), Sync(20, 40), Sync(9, 14)):
        index.add(sync)
    assert list(index) == [Sync(1, 2), Sync(20, 40)]


def test_a_plan_file_that_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_bytes(b"a: b\nc: \xff\n")
    with pytest.raises(UsageError, match=r"line 2 of the plan file .* is not UTF-8 text"):
        load(file)


def test_a_target_that_breaks_the_law_is_found_by_what_it_reaches() -> None:
    def careless(data: bytes) -> None:
        key, _, value = data.partition(CUT)
        if read_sync(key, value) is None and len(data) > 30:
            raise ValueError("not decoded")

    (seed,) = [each for each in TARGETS["syncs"].seeds() if each.count(CUT) > 1]
    run = fuzz(careless, [seed], seed=1, goes_on=lambda run: not run.finds and run.executions < 2_000)
    (find,) = run.finds
    assert find.why.startswith("ValueError at ")


def test_work_without_end_is_found() -> None:
    def endless(_: bytes) -> None:
        while True:
            read_sync(b"", b"")

    run = fuzz(endless, [b"x"], seed=1, goes_on=lambda run: not run.finds)
    assert run.finds[0].why.startswith(f"{TooMuch.__name__} at ")
    assert str(MOST_LINES) in run.finds[0].why
