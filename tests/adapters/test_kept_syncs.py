"""Offset syncs kept on disk: what was kept comes back whole, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmigrate.adapters.kept_syncs import Known, fits, keep, load
from kmigrate.model import Partition, Sync
from kmigrate.positions import SyncIndex


def some() -> Known:
    syncs = {Partition("orders", 0): SyncIndex(), Partition("größe", 12): SyncIndex()}
    for at in range(5):
        syncs[Partition("orders", 0)].add(Sync(at * 10, at * 12))
    return Known(topic_id="abc", next={0: 5, 1: 0}, syncs=syncs)


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "syncs.index"
    for _ in range(2):
        keep(file, some())
        back = load(file)
        assert back is not None
        assert (back.topic_id, back.next) == ("abc", {0: 5, 1: 0})
        assert {p: list(index) for p, index in back.syncs.items()} == {p: list(i) for p, i in some().syncs.items()}
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_was_cut_or_changed_anywhere_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "syncs.index"
    keep(file, some())
    whole = file.read_bytes()
    body = whole.index(b"\n") + 1
    for cut in (0, 1, body - 1, body, len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert load(file) is None
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert load(file) is None


@pytest.mark.parametrize("head", [[], {}, {"version": 1}, "x", {"version": 2}])
def test_a_head_that_is_none_is_not_believed(tmp_path: Path, head: object) -> None:
    (tmp_path / "f").write_bytes(json.dumps(head).encode() + b"\n")
    assert load(tmp_path / "f") is None
    assert load(tmp_path / "nothing") is None


def test_keeping_where_nothing_can_be_kept_is_left_out(tmp_path: Path) -> None:
    keep(tmp_path / "no" / "folder", some())
    assert not list(tmp_path.iterdir())


def test_only_syncs_of_this_very_topic_and_of_no_more_than_it_holds_fit() -> None:
    assert fits(some(), "abc", {0: 5, 1: 3})
    assert not fits(some(), "abd", {0: 5, 1: 3})
    assert not fits(some(), "abc", {0: 4, 1: 3})
    assert not fits(some(), "abc", {0: 5, 1: 3, 2: 0})
