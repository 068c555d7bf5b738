"""Each lie planted once on a real lab: `verify` finds it where it was planted, and nothing once it is undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from hashlib import sha256

import pytest
from liar import (
    PLACE,
    READER,
    STAYS,
    WRITER,
    WRITTEN,
    Liar,
    Undo,
    fence_on_the_source_lifted,
    fence_on_the_target_lifted,
    fence_on_the_targets_cluster_lifted,
    mirror_started,
    position_before_the_carried_one,
    position_of_who_left,
    record_changed,
    right_of_a_user_gone,
    right_of_the_mirror_back_gone,
    right_on_the_cluster_gone,
    right_that_came_with_a_topic_gone,
    setting_on_the_cluster,
    topic_edited,
)
from two_clusters import Figures
from typist import before_the_first_move

from kmigrate.cli.verify import verify
from kmigrate.errors import KmigrateError

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    with before_the_first_move(tmp_path_factory.mktemp("lies") / "lab", stay=WRITTEN, soak="1s") as walk:
        made = Liar(walk)
        for app in (READER, WRITER):
            made.done("apply", "--phase", "cutover", "--app", app, "--yes")
        assert made.mighty
        yield made


def line_edited(lines: list[str]) -> list[str]:
    return [*lines[:7], lines[7].replace('"who":"', '"who":"not '), *lines[8:]]


LINES = {
    "a line edited": line_edited,
    "a line removed": lambda lines: [*lines[:7], *lines[8:]],
    "lines swapped": lambda lines: [*lines[:7], lines[8], lines[7], *lines[9:]],
    "the last line removed": lambda lines: lines[:-1],
}


@dataclass(frozen=True)
class Lie:
    """What is planted, by which step it is found, and words of what that says; `asleep`: while the operator sleeps."""

    plant: Callable[[Liar], Undo]
    step: str
    told: str
    app: str = ""
    full: bool = False
    asleep: bool = False


LIES = {
    "a position moved on by one": Lie(position_of_who_left, "soak", f"{PLACE} from ", READER),
    "a position before the carried one": Lie(position_before_the_carried_one, "carry-positions", "was put to", READER),
    "a record changed": Lie(record_changed, "compare", f"{PLACE}: source offset", READER, full=True),
    "settings changed on the cluster": Lie(
        setting_on_the_cluster, "create-topics", "has segment.jitter.ms=5, which", asleep=True
    ),
    "a KafkaTopic edited": Lie(topic_edited, "create-topics", "config.retention.ms"),
    "a fence on the source lifted": Lie(fence_on_the_source_lifted, "fence-clients", "denial on the source", WRITER),
    "a right of the mirror back gone": Lie(right_of_the_mirror_back_gone, "prepare-source", "right on the source"),
    "a right of a user gone": Lie(right_of_a_user_gone, "create-users", "acls lacks"),
    "a right on the cluster gone": Lie(
        right_on_the_cluster_gone, "create-users", f"User:{STAYS} Read topic", asleep=True
    ),
    "a mirror that must stand started": Lie(mirror_started, "soak", "must stand still and was started", WRITER),
}
AT_ONCE = (
    ("a position moved on by one",),
    ("a position before the carried one",),
    ("a record changed",),
    ("a fence on the source lifted",),
    ("a mirror that must stand started",),
    ("a KafkaTopic edited", "a right of the mirror back gone", "a right of a user gone"),
    ("settings changed on the cluster", "a right on the cluster gone"),
)
"""What is planted together, so that one look must find each beside the others: a look at everything takes its time."""
GONE_BACK = {
    "a fence on the target lifted": Lie(fence_on_the_target_lifted, "fence-clients", "denial on the target", READER),
    "a fence on the target's cluster lifted": Lie(
        fence_on_the_targets_cluster_lifted, "fence-clients", "denial on the target", READER, asleep=True
    ),
}


def looked(
    liar: Liar, capsys: pytest.CaptureFixture[str], app: str = "", *, full: bool = False
) -> tuple[KmigrateError | None, list[dict[str, str]]]:
    """What `verify` ends with, and what it says is wrong."""
    capsys.readouterr()
    ended: KmigrateError | None = None
    try:
        verify(liar.walk.folder.extra / "kmigrate.yaml", app=app, full=full, as_json=True)
    except KmigrateError as error:
        ended = error
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"result"' in line]
    return ended, [wrong for result in told for unit in result["units"] for wrong in unit["wrong"]]


def found(liar: Liar, capsys: pytest.CaptureFixture[str], *lies: Lie) -> list[str]:
    """Plant them, look, undo them, look again; what was said of each."""
    (app,), (full,), (asleep,) = ({getattr(lie, name) for lie in lies} for name in ("app", "full", "asleep"))
    with liar.operator_asleep() if asleep else nullcontext(), ExitStack() as planted:
        for lie in lies:
            planted.callback(lie.plant(liar))
        ended, wrong = looked(liar, capsys, app, full=full)
    told = [
        next((each for each in wrong if each["step"] == lie.step and lie.told in each["what"]), None) for lie in lies
    ]
    assert None not in told, (told, wrong)
    assert ended is not None
    assert (ended.exit_code, bool(ended.hint)) == (4, True)
    assert all(each["hint"] for each in wrong)
    assert looked(liar, capsys, app, full=full) == (None, [])
    return [f"{each['unit']} {each['step']}: {each['what']}"[:200] for each in told if each is not None]


@pytest.mark.parametrize("names", AT_ONCE, ids=" and ".join)
def test_each_lie_about_what_was_sealed_is_found(
    liar: Liar, names: tuple[str, ...], capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    figures(found="\n        ".join(found(liar, capsys, *(LIES[name] for name in names))))


def test_no_lie_of_the_table_is_left_out() -> None:
    assert sorted(name for names in AT_ONCE for name in names) == sorted(LIES)


@pytest.mark.parametrize("name", LINES)
def test_a_lie_about_the_journal_is_found(
    liar: Liar, name: str, capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    file, head = liar.journal / "journal.jsonl", liar.journal / "journal.head"
    was = {path: path.read_bytes() for path in (file, head)}
    lines = LINES[name](was[file].decode().splitlines())
    file.write_text("".join(f"{line}\n" for line in lines))
    if name == "the last line removed":
        head.write_text(f"{len(lines):012d} {sha256(lines[-1].encode()).hexdigest()}\n")
    try:
        ended, _ = looked(liar, capsys, READER)
    finally:
        for path, data in was.items():
            path.write_bytes(data)
    assert ended is not None
    assert (ended.exit_code, "line" in ended.message, bool(ended.hint)) == (8, True, True)
    figures(found=ended.message[:200])


def test_a_right_that_came_with_a_topic_is_missed_and_no_way_back_begins_without_it(
    liar: Liar, capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    undo = right_that_came_with_a_topic_gone(liar)
    try:
        ended, wrong = looked(liar, capsys, WRITER)
        code, _, refused = liar.run("rollback", "--app", WRITER, "--yes")
    finally:
        undo()
    assert ended is not None
    assert ended.exit_code == 4
    # its operator starts the lane again and again: turn-mirror tells of it only where it has just FAILED
    assert "hand-over-topics" in {each["step"] for each in wrong}
    assert code == 3, refused
    assert (
        f"rollback/{WRITER}#1, ready: by the ACLs the mirror back may not Write topic {WRITTEN} on the sou" in refused
    )
    assert f"--operation Write --topic {WRITTEN}" in refused
    figures(refused=refused[-300:])
    assert looked(liar, capsys, WRITER) == (None, [])


def test_after_all_that_nothing_is_wrong_anywhere(liar: Liar, capsys: pytest.CaptureFixture[str]) -> None:
    assert looked(liar, capsys, full=True) == (None, [])


def test_lies_about_a_move_that_went_back_are_found(
    liar: Liar, capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    liar.done("rollback", "--app", READER, "--yes")
    figures(found="\n        ".join(told for lie in GONE_BACK.values() for told in found(liar, capsys, lie)))
