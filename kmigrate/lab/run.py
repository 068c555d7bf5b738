"""The whole story by itself: a lab, live traffic, one application across, back, across, and the auditor's word."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmigrate.engine import back, forward, run_unit
from kmigrate.journal import Journal
from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.outcome import Outcome
from kmigrate.lab.status import status
from kmigrate.lab.walk import MOVES, Walk, walking
from kmigrate.plan import Unit
from kmigrate.story import story
from kmigrate.wiring import open_journal
from kmigrate.world import Reporter

_TRAFFIC_MS = 8_000


def run(folder: Path | None, *, brokers: int, reporter: Reporter) -> Outcome:
    """Walk the whole story and take the lab down again, however it ends.

    Raises what the walk raises; the outcome has exit code 4 when anything was lost, given twice or out of order.
    """
    begun = time.monotonic()
    with _place(folder) as place:
        lab = LabFolder(place)
        with compose.lab(lab, brokers=brokers, empty=False, reporter=reporter):
            reporter.note(f"the lab is up after {time.monotonic() - begun:.0f} s; traffic runs")
            with walking(lab, reporter) as walk, open_journal(walk.migration) as journal:
                _tell_story(walk, journal)
                walk.settle()
                memory = status(lab).memory
                reporter.progress("auditor", "reads both logs and every application's file")
                return Outcome(verdict=walk.audit(), elapsed_s=time.monotonic() - begun, memory=memory)


def _tell_story(walk: Walk, journal: Journal) -> None:
    """Provision, replicate, across, back, and across again, traffic all the while."""
    plan = story(walk.migration)

    def do(unit: Unit | None) -> None:
        assert unit is not None, f"{MOVES} is on the wrong side"
        run_unit(unit, walk.world, journal)
        walk.traffic(_TRAFFIC_MS)

    walk.traffic(_TRAFFIC_MS)
    for phase in ("provision", "replicate"):
        do(plan.phase(phase).unit)
    do(forward(plan, journal, MOVES))
    way = back(plan, journal, MOVES)
    do(way.unit if way is not None and not way.undo else None)
    do(forward(plan, journal, MOVES))


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
