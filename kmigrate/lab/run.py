"""The whole story by itself: a lab, live traffic, one application across, back, across, the others, the audit."""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kmigrate.engine import back, forward, run_unit, undo_unit, where
from kmigrate.errors import Blocked, VerifyFailed, WentBack
from kmigrate.journal import Journal
from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.outcome import MirrorsOwn, Outcome, moves_of
from kmigrate.lab.status import status
from kmigrate.lab.walk import MOVES, Walk, walking
from kmigrate.model import Side
from kmigrate.plan import Plan, Unit
from kmigrate.story import story
from kmigrate.wiring import open_journal
from kmigrate.world import Reporter

TRAFFIC_MS = 8_000


def run(
    folder: Path | None, *, brokers: int, reporter: Reporter, traffic_ms: int = TRAFFIC_MS, kubernetes: bool = False
) -> Outcome:
    """Walk the whole story and take the lab down again, however it ends.

    `traffic_ms`: how long the applications that write work on one side before they are moved again.
    Raises what the walk raises; the outcome has exit code 4 when anything was lost, given twice or out of order.
    """
    begun = time.monotonic()
    with _place(folder) as place:
        lab = LabFolder(place)
        with compose.lab(lab, brokers=brokers, empty=False, reporter=reporter, kubernetes=kubernetes):
            reporter.note(f"the lab is up after {time.monotonic() - begun:.0f} s; traffic runs")
            with walking(lab, reporter) as opened, open_journal(opened.migration, opened.world) as journal:
                walk = replace(opened, world=opened.world.bound(journal.past()))
                plan = story(walk.migration)
                own: dict[str, MirrorsOwn] = {}
                _tell_story(walk, plan, journal)
                _measure(walk, journal, own, MOVES)
                refused = _move_the_others(walk, plan, journal, own)
                walk.traffic(traffic_ms)
                _there_and_back(walk, plan, journal, traffic_ms)
                moves = moves_of(journal, plan.moves)
                walk.settle(moves)
                door = _try_the_door(walk, plan, journal, {**plan.stays, **refused})
                memory = status(lab).memory
                reporter.progress("auditor", "reads both logs and every application's file")
                return Outcome(
                    verdict=walk.audit({name: (move.begun, move.ended) for name, move in moves.items()}),
                    why={**plan.stays, **refused},
                    moves=moves,
                    own=own,
                    door=door,
                    elapsed_s=time.monotonic() - begun,
                    peak_rss=_peak_rss(),
                    memory=memory,
                )


def _tell_story(walk: Walk, plan: Plan, journal: Journal) -> None:
    """Every phase up to the first move, then across, back, and across again, traffic all the while."""

    def do(unit: Unit | None) -> None:
        assert unit is not None, f"{MOVES} is on the wrong side"
        run_unit(unit, walk.world, journal)
        walk.traffic(TRAFFIC_MS)

    walk.traffic(TRAFFIC_MS)
    for phase in ("assess", "provision", "replicate", "rehearse"):
        do(plan.phase(phase).unit)
    do(forward(plan, journal, MOVES))
    way = back(plan, journal, MOVES)
    do(way.unit if way is not None and not way.undo else None)
    do(forward(plan, journal, MOVES))


def _measure(walk: Walk, journal: Journal, own: dict[str, MirrorsOwn], name: str) -> None:
    """Right after a move, while MirrorMaker 2 would still choose by the same syncs."""
    for move in moves_of(journal, (name,)).values():
        own[name] = walk.mirrors_own(move)


def _move_the_others(walk: Walk, plan: Plan, journal: Journal, own: dict[str, MirrorsOwn]) -> dict[str, str]:
    """One move after the other; what blocks one before anything was stopped, or took it back, is why it stays."""
    stays: dict[str, str] = {}
    for name in (each for each in plan.moves if each != MOVES):
        unit = forward(plan, journal, name)
        assert unit is not None, f"{name} was moved before its turn"
        try:
            run_unit(unit, walk.world, journal)
            _measure(walk, journal, own, name)
        except (Blocked, WentBack) as refused:
            stays[name] = refused.message
            way = back(plan, journal, name)
            if way is not None and way.undo:
                undo_unit(way.unit, walk.world, journal)
    return stays


def _there_and_back(walk: Walk, plan: Plan, journal: Journal, traffic_ms: int) -> None:
    """Take every writer that has moved back to the source, the last one first, and over again."""
    writes = {name for name in plan.moves if walk.migration.application(name).writes}
    moved = [name for name in plan.moves if name in writes and where(journal, name) is Side.TARGET]
    for name in reversed(moved):
        way = back(plan, journal, name)
        assert way is not None, f"{name} is on the wrong side"
        run_unit(way.unit, walk.world, journal)
    walk.traffic(traffic_ms)
    for name in moved:
        unit = forward(plan, journal, name)
        assert unit is not None, f"{name} is on the wrong side"
        run_unit(unit, walk.world, journal)
    walk.traffic(traffic_ms)


def _try_the_door(walk: Walk, plan: Plan, journal: Journal, stays: Mapping[str, str]) -> str:
    """Decommission must be refused while applications stay, and go through once none does; how it ended, in words.

    Raises VerifyFailed if it went through all the same, and what blocked it when nobody was left.
    """
    unit = plan.phase("decommission").unit
    assert unit is not None
    try:
        run_unit(unit, walk.world, journal)
    except Blocked as refused:
        if not stays:
            raise
        return f"blocked: {refused.message}"
    if stays:
        raise VerifyFailed("decommission went through although applications still live on the source")
    return "the source is left for good: nobody uses it any more, and every lane is stopped"


def _peak_rss() -> int:
    """The most memory this process ever held, in bytes (getrusage: kB on Linux, bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """The folder asked for, or one that is gone afterwards."""
    if folder is not None:
        yield folder.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="kmigrate-lab-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
