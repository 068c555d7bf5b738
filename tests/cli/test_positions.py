"""kmigrate positions: why a group stands where it stands, and positions that were kept elsewhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from memory_estate import GROUP, TOPIC, Estate
from rich.console import Console, RenderableType
from walking import crossing

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli import standing
from kmigrate.errors import Blocked, UsageError
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Grade, Partition, Side
from kmigrate.probes.standing import Standing, contents
from kmigrate.probes.standing import standing as look


@pytest.fixture
def world() -> MemoryWorld:
    estate = Estate()
    crossing(estate)
    for _ in range(30):
        estate.turn()
    return MemoryWorld(estate)


def seen(world: MemoryWorld) -> tuple[Standing, ...]:
    partitions = world.cluster(Side.SOURCE).topics([TOPIC])[TOPIC].all()
    return look(world, GROUP, partitions, forward_lanes(world.estate.migration))


def drawn(picture: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(picture)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_partition_tells_both_positions_their_grade_and_the_same_records_around(world: MemoryWorld) -> None:
    rows = seen(world)
    assert [row.partition for row in rows] == sorted(row.partition for row in rows)
    settled = [row for row in rows if not row.waiting]
    assert settled
    for row in settled:
        assert row.position is not None
        assert row.position.grade is Grade.EXACT_PROVEN
        assert row.source == row.position.came_from
        assert row.on_source.before is not None
        assert row.on_target.before is not None
        assert row.on_source.before.digest == row.on_target.before.digest
        assert row.on_target.before.offset < (row.position.offset or 0)


def test_the_screen_has_grades_marks_records_and_mirrormakers_own_choice(world: MemoryWorld) -> None:
    text = drawn(standing.standing_picture(GROUP, seen(world)))
    for word in ("EXACT_PROVEN", "last read", "next", "MM2 itself", "MirrorMaker 2's own sync would give", "→"):
        assert word in text


def test_as_json_it_is_one_object_with_hexadecimal_digests(world: MemoryWorld) -> None:
    told = json.loads(json.dumps(standing.standing_json(GROUP, seen(world))))
    first = next(row for row in told["positions"] if not row["waiting"])
    assert first["grade"] == "EXACT_PROVEN"
    assert bytes.fromhex(first["records"]["source"]["before"]["digest"])
    assert "contents" not in told


def test_contents_are_shown_only_when_asked_for(world: MemoryWorld) -> None:
    rows = seen(world)
    full = contents(world, rows)
    assert {side for side, _, _ in full} == set(Side)
    assert "Contents" in drawn(standing.standing_picture(GROUP, rows, full))
    told = json.loads(json.dumps(standing.standing_json(GROUP, rows, full)))
    assert len(told["contents"]) == len(full)


def test_positions_kept_elsewhere_are_carried(world: MemoryWorld, tmp_path: Path) -> None:
    wanted = {row.partition: row for row in seen(world) if not row.waiting}
    csv = tmp_path / "positions.csv"
    lines = [f"{p.topic},{p.number},{row.source}" for p, row in wanted.items()]
    csv.write_text("\n".join(["topic,partition,offset", *lines]))
    lanes = forward_lanes(world.estate.migration)
    found = standing.translated(world, standing.read(csv), lanes)
    assert {p: at.offset for p, at in found.items()} == {
        p: row.position.offset for p, row in wanted.items() if row.position
    }
    assert "EXACT_PROVEN" in drawn(standing.translated_picture(found))
    assert len(json.loads(json.dumps(standing.translated_json(found)))["positions"]) == len(wanted)


def test_every_position_of_a_file_is_answered_also_those_that_have_no_place(world: MemoryWorld) -> None:
    first, second = world.cluster(Side.SOURCE).topics([TOPIC])[TOPIC].all()
    lanes = forward_lanes(world.estate.migration)
    whole = standing.translated(world, {first: 0, second: 0}, lanes)
    assert [at.offset for at in whole.values()] == [0, 0]
    standing.refuse_without_place(whole)

    world.estate.clusters[Side.SOURCE].logs[second].expire(5)
    seen = standing.translated(world, {first: 10**9, second: 4}, lanes)
    assert [at.grade for at in seen.values()] == [Grade.REFUSED, Grade.REFUSED]
    assert "nobody can have read that far" in seen[first].reason
    assert "retention has eaten" in seen[second].reason
    with pytest.raises(Blocked, match=f"2 of 2 positions have no place on the target: {first}, {second}"):
        standing.refuse_without_place(seen)


@pytest.mark.parametrize(
    "text",
    [
        '[{"topic": "t", "partition": 0, "offset": 5}]',
        '{"positions": [{"topic": "t", "partition": "0", "offset": "5"}]}',
        "topic,partition,offset\nt,0,5\n",
        "offset, partition, topic\n5,0,t\n",
        "\ufefftopic,partition,offset\nt,0,5\n",
        '\ufeff[{"topic": "t", "partition": 0, "offset": 5}]',
    ],
)
def test_positions_are_read_as_csv_or_json(tmp_path: Path, text: str) -> None:
    file = tmp_path / "p"
    file.write_text(text, encoding="utf-8")
    assert standing.read(file) == {Partition("t", 0): 5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no position"),
        ("[]", "holds no position"),
        ("topic,partition\nt,0\n", "line 2: not a position"),
        ("topic,partition,offset\nt,0,x\nt,-1,3\n", "line 3: not a position"),
        ("topic,partition,offset\nt,0,1\nt,0,2\n", "line 3: a second position of t/0"),
        ("[1]", "entry 1: not a position"),
        ("topic,partition,offset\nt,0,1_0\n", "line 2: not a position"),
        ("topic,partition,offset\nt,0,٣\n", "line 2: not a position"),
        ("[{", "is not JSON"),
    ],
)
def test_every_bad_line_of_a_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "p"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=told) as error:
        standing.read(file)
    assert "topic,partition,offset" in error.value.hint


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\xff\xfe")
    for file in (tmp_path / "p", tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            standing.read(file)


def test_topics_no_lane_copies_and_partitions_that_are_not_there_are_refused(world: MemoryWorld) -> None:
    lanes = forward_lanes(world.estate.migration)
    with pytest.raises(UsageError, match="no lane copies other"):
        standing.translated(world, {Partition("other", 0): 1}, lanes)
    with pytest.raises(UsageError, match=f"the source has no {TOPIC}/99"):
        standing.translated(world, {Partition(TOPIC, 99): 1}, lanes)
