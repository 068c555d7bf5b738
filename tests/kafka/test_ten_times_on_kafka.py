"""A transactional writer that also reads, moved there and back time after time on a real lab under live traffic.

Three times with all tests, as often as wanted by hand: `KMIGRATE_TIMES=10 ./dev test` and this file.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest
from two_clusters import Figures
from typist import Typist, before_the_first_move

from kmigrate.engine import back, forward, run_unit
from kmigrate.lab.apps import control as apps
from kmigrate.lab.walk import walking
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Side
from kmigrate.probes.drain import await_copies
from kmigrate.probes.ownership import epochs
from kmigrate.probes.unmarked import records_after
from kmigrate.story import as_begun, story
from kmigrate.wiring import open_journal
from kmigrate.world import Reporter

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(2_400)]

APP, READS, WRITES = "order-service", "orders", "shipments"
TIMES = int(os.environ.get("KMIGRATE_TIMES", "3"))
SLOW = "search-indexer"
WAYS = ("cutover", "rollback")


class Hand(Typist):
    """Looks at the journal and at what the applications have read."""

    def go(self, way: str) -> None:
        """One way, as a command of its own goes it: the journal read anew, its unit found and run."""
        with open_journal(self.walk.migration, self.walk.world) as journal:
            plan, world = story(as_begun(self.walk.migration, journal)), self.walk.world.bound(journal.past())
            found = back(plan, journal, APP)
            unit = forward(plan, journal, APP) if way == "cutover" else found.unit if found is not None else None
            assert unit is not None
            run_unit(unit, world, journal)

    def lines(self) -> list[dict[str, object]]:
        path = self.walk.folder.extra / ".kmigrate" / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def has_read_all(self, group: str, topic: str) -> bool:
        """Whether nothing is left for a group that stayed on the source."""
        source = self.walk.world.cluster(Side.SOURCE)
        wanted = {group: source.topics([topic])[topic].all()}
        held = self.walk.world.groups(Side.SOURCE).positions(wanted, stable=False)[group]
        return not any(records_after(source, {p: at or 0 for p, at in held.items()}).values())

    def settle(self) -> None:
        """The first writer ends, and is read; then the second; all is copied, and read by who is not slow."""
        apps.steer(self.walk.folder.apps / "storefront", "stopped")
        self.until(f"{APP} to have read all", lambda: self.has_read_all(APP, READS))
        apps.steer(self.walk.folder.apps / APP, "stopped")
        source = self.walk.world.cluster(Side.SOURCE)
        for lane in forward_lanes(self.walk.migration):
            topics = source.topics(lane.topics).values()
            ends = {p: log.end for p, log in source.ranges([p for t in topics for p in t.all()]).items()}
            await_copies(self.walk.world, Side.SOURCE, ends, lane, what="last copies", deadline_ms=120_000)
        groups = [r.group for app in self.walk.migration.applications for r in app.reads if WRITES in r.topics]
        for group in (each for each in groups if each != SLOW):
            self.until(f"{group} to have read all", lambda group=group: self.has_read_all(group, WRITES))


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    """A lab on which the readers of shipments stay, with everything done that comes before the first move."""
    with before_the_first_move(tmp_path_factory.mktemp("ten") / "lab", stay=WRITES, soak="1s") as walk:
        yield Hand(walk)


def test_there_and_back_time_after_time_nothing_is_lost_or_given_twice(hand: Hand, figures: Figures) -> None:
    costs, begun = [], time.monotonic()
    for _ in range(TIMES):
        for way in WAYS:
            before = len(hand.lines())
            hand.go(way)
            costs.append(len(hand.lines()) - before)
    took = time.monotonic() - begun
    hand.settle()
    verdict = hand.walk.audit()
    counted = {app.name: (app.lost, app.redelivered, app.out_of_order, app.audit_gaps) for app in verdict.applications}
    assert counted == dict.fromkeys(counted, (0, 0, 0, 0))
    moved = next(app for app in verdict.applications if app.name == APP)
    assert len(moved.switches) == TIMES * 2
    assert (moved.missing_written, moved.resurrected, moved.unexplained) == (0, 0, 0)
    assert [entry for entry in verdict.differences if not entry.clean] == []
    figures(
        round_trips=TIMES,
        minutes=round(took / 60, 1),
        pauses_ms=list(pauses(hand)),
        journal_lines_by_way=costs,
        written=moved.written,
        processed_by_who_moved=moved.processed,
        lost_redelivered_out_of_order_gaps=counted,
    )


def test_the_ledger_has_as_many_epochs_of_each_side_in_turn(hand: Hand) -> None:
    seams = [data["seams"] for line in hand.lines() if isinstance(data := line["data"], dict) and data.get("seams")]
    assert [{str(seam["owner"]) for seam in each.values()} for each in seams] == [{"target"}, {"source"}] * TIMES
    for name in seams[0]:
        for side in Side:
            offsets = [each[name][str(side)] for each in seams]
            assert offsets == sorted(offsets)


def test_history_has_every_attempt_sealed_in_turn(hand: Hand) -> None:
    told = json.loads(hand.done("history", "--json"))["entries"]
    assert [row["number"] for row in told] == list(range(1, len(hand.lines()) + 1))
    sealed = [row["unit"] for row in told if row["event"] == "SEALED" and "/" in row["unit"]]
    assert sealed == [f"{way}/{APP}#{number}" for number in range(1, TIMES + 1) for way in WAYS]
    assert [row["checkpoint"] for row in told if row["checkpoint"]] == [
        "start",
        *("assess", "provision", "replicate", "rehearse"),
    ]


def test_positions_tells_the_same_records_on_both_sides(hand: Hand) -> None:
    told = json.loads(hand.done("positions", APP, "--json"))["positions"]
    assert len(told) == hand.walk.world.cluster(Side.SOURCE).topics([READS])[READS].partitions
    assert Counter((each["grade"], each["waiting"]) for each in told) == {("EXACT_PROVEN", False): len(told)}
    for each in told:
        here, there = (each["records"][str(side)]["before"] for side in Side)
        assert (here["digest"], here["time"]) == (there["digest"], there["time"])


def pauses(hand: Hand) -> Sequence[int]:
    units: Sequence[Mapping[str, int]] = json.loads(hand.done("status", "--json"))["units"]
    return [unit["pause_ms"] for unit in units if "/" in str(unit["name"])]


def test_after_everything_went_back_it_goes_forward_again(hand: Hand, figures: Figures) -> None:
    told = [json.loads(line) for line in hand.done("rollback", "--to", "start", "--yes", "--json").splitlines()]
    phases = ("assess", "provision", "replicate", "rehearse")
    assert (told[0]["event"], [leg["how"] for leg in told[0]["legs"]]) == ("way_back", ["undo"] * 4)
    assert [line["unit"] for line in told[0]["legs"]] == list(reversed(phases))
    for name in ("storefront", APP):
        apps.steer(hand.walk.folder.apps / name, "running")
    for phase in phases:
        hand.done("apply", "--phase", phase, "--yes")
    hand.done("apply", "--phase", "cutover", "--app", APP, "--yes")
    hand.done("rollback", "--app", APP, "--yes")
    # as a command of its own: whoever knew the topics before still asks for those
    with (
        walking(hand.walk.folder, Reporter()) as anew,
        open_journal(anew.migration, anew.world, read_only=True) as read,
    ):
        lives = epochs(anew.world.bound(read.past()))
    assert {len(life.seams) for life in lives.values()} == {3}
    proof = [line["data"] for line in hand.lines() if (line["step"], line["event"]) == ("prove-content", "VERIFIED")]
    figures(proven_again=proof[-1])
