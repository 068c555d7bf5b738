"""The pause of a move: kmigrate, the floor beneath it, and MirrorMaker 2's own sync with the usual runbook.

Two real Kafka clusters and a real exactly-once MirrorMaker 2 under traffic. Moves of 1, 10 and 100 partitions and of 1,
3 and 10 applications, which only read, or read and write in transactions, so that their topics change the owner. The
floor is the same stop and start with nothing in between, on the side the move leads to. All times of a whole pause are
the applications' own: from the first that was asked to stop to the moment when every group works again.

`./dev python benchmarks/pause.py [--whole | --rows reading:100x1,… | --kubernetes | --operator 5 | --json]` takes some
eight minutes. It ends with 4 when kmigrate's part of a pause is over its budget (with an operator that takes no time of
its own), or when a record was lost or given twice by kmigrate.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pausing import runbook
from pausing.cells import KMIGRATE, READING, RUNBOOK, WRITING, Cell, shapes
from pausing.estate import Estate, Feeder, lab
from pausing.measuring import PHASES, Bench, kmigrate, open_bench
from pausing.outcome import Outcome, shape, tables
from pausing.truth import unlike

from kmigrate import interrupt
from kmigrate.cli.draw import TerminalReporter
from kmigrate.errors import KmigrateError
from kmigrate.lab.folder import LabFolder
from kmigrate.world import Reporter

_STOCK = 50


class Run:
    """One run on a lab that is up."""

    def __init__(self, folder: LabFolder, typed: argparse.Namespace, tell: Reporter) -> None:
        self._typed, self._reporter, self._began = typed, tell, time.monotonic()
        self._estate = Estate(folder, typed.cells)

    def measure(self) -> Outcome:
        """Make the estate, walk kmigrate's phases, move, walk the runbook, judge."""
        self._estate.make()
        feeder = Feeder(self._estate, self._typed.rate)
        feeder.stock(_STOCK)
        for cell in self._estate.cells:
            self._estate.stand(cell, feeder.ends(cell.reads))
        feeder.go_on()
        try:
            with self._estate.station():
                return self._measure(feeder)
        finally:
            feeder.end()

    def _measure(self, feeder: Feeder) -> Outcome:
        for phase in PHASES:
            kmigrate(self._estate.plan, "apply", "--phase", phase)
            self._tell(f"{phase} is done")
        with open_bench(
            self._estate, feeder, self._reporter, floors=self._typed.floors, rounds=self._typed.rounds
        ) as bench:
            return self._moves(bench)

    def _moves(self, bench: Bench) -> Outcome:
        rows, wrong = [], list[str]()
        for cell in self._of(KMIGRATE):
            rows.append(bench.measure(cell))
            self._tell(
                f"{cell}: {', '.join(f'{move.attempt.tool} ms of {move.stood_still}' for move in rows[-1].moves)}"
            )
        for cell in (each for each in self._of(KMIGRATE) if each.writes):
            wrong += unlike(self._estate.place, cell, bench.sides())
        self._tell("the topics that were written are compared on both sides")
        by_hand = {}
        if self._typed.interval:
            by_hand = runbook.walk(bench, self._of(RUNBOOK), self._typed.interval)
            self._tell("the runbook is walked")
        return Outcome(
            rows=rows,
            runbook={shape(cell): each for cell, each in by_hand.items()},
            wrong=wrong,
            rate=self._typed.rate,
            kubernetes=self._typed.kubernetes,
            operator_s=self._typed.operator,
            elapsed_s=time.monotonic() - self._began,
        )

    def _of(self, method: str) -> list[Cell]:
        return [cell for cell in self._estate.cells if cell.method == method]

    def _tell(self, text: str) -> None:
        self._reporter.note(f"{time.monotonic() - self._began:4.0f} s  {text}")


def options() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--whole", action="store_true", help="every combination, and there and back three times")
    parser.add_argument("--rows", default="", help="only these, as reading:100x1,writing:100x3")
    parser.add_argument("--rounds", type=int, default=0, help="how often a move goes across, back in between (1)")
    parser.add_argument("--floors", type=int, default=3, help="how often the floor is measured (3)")
    parser.add_argument("--rate", type=int, default=100, help="records/s of each feed (100)")
    parser.add_argument("--interval", type=int, default=60, help="of MirrorMaker 2's sync in s; 0: no runbook (60)")
    parser.add_argument("--kubernetes", action="store_true", help="the target's resources on a real API server")
    parser.add_argument("--operator", type=float, default=0, help="what the operator takes for each change, in s (0)")
    typed = parser.parse_args()
    typed.rounds = typed.rounds or (3 if typed.whole else 1)
    try:
        typed.cells = list(_cells(typed))
    except ValueError:
        parser.error("--rows are as reading:100x1,writing:100x3")
    if typed.operator < 0:
        parser.error("--operator is what it takes for each change, in seconds: 0 or more")
    return typed


def _cells(typed: argparse.Namespace) -> Sequence[Cell]:
    told = [f"{kind}:{p}x{a}" for kind in (READING, WRITING) for p, a in shapes(whole=typed.whole)]
    rows = typed.rows.split(",") if typed.rows else told
    return [_cell(method, row) for method in (KMIGRATE, *([RUNBOOK] if typed.interval else [])) for row in rows]


def _cell(method: str, row: str) -> Cell:
    kind, _, size = row.partition(":")
    partitions, _, applications = size.partition("x")
    if kind not in (READING, WRITING) or min(int(partitions), int(applications)) < 1:
        raise ValueError(row)
    return Cell(method, kind, int(partitions), int(applications))


def main() -> int:
    """Run, print, and say by the exit code whether kmigrate kept its word and its budget."""
    typed = options()
    interrupt.install()
    reporter = TerminalReporter()
    try:
        with tempfile.TemporaryDirectory(prefix="kmigrate-pause-", ignore_cleanup_errors=True) as place:
            folder = LabFolder(Path(place) / "lab")
            with lab(
                folder, typed.cells, reporter, kubernetes=typed.kubernetes, operator_ms=round(typed.operator * 1_000)
            ):
                outcome = Run(folder, typed, reporter).measure()
    except KmigrateError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    finally:
        reporter.close()
    print(json.dumps(outcome.told(), indent=1) if typed.json else tables(outcome))
    return 4 if outcome.broken() or outcome.slow() else 0


if __name__ == "__main__":
    sys.exit(main())
