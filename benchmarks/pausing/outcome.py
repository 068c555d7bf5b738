"""What the benchmark prints: the pause beside its floor and the runbook, kmigrate's part by step, what was given."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import psutil

from kmigrate.manifests.kafka import KAFKA_VERSION
from kmigrate.model import Direction
from pausing.cells import Cell
from pausing.clocks import STEPS, Attempt
from pausing.measuring import Measured
from pausing.runbook import ByHand

BUDGET_MS, AIM_MS, BUDGET_PARTITIONS = 2_000, 1_000, 100
_SHORT = {
    "stop-workloads": "stopped",
    "fence-clients": "fence",
    "drain-mirror": "drain",
    "carry-positions": "carry",
    "hand-over-topics": "hand over",
    "lift-fence": "lift",
    "switch-settings": "switch",
    "start-workloads": "before start",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that is printed; `wrong` has a line for each record that the topics written lack or have twice."""

    rows: Sequence[Measured]
    runbook: Mapping[tuple[str, int, int], ByHand]
    wrong: Sequence[str] = ()
    rate: int = 0
    kubernetes: bool = False
    operator_s: float = 0.0
    elapsed_s: float = 0.0
    loads: Sequence[float] = field(default_factory=tuple)

    def slow(self) -> list[str]:
        """Where kmigrate's part outgrew its budget: the median over the times a move went across.

        The budget is that of an operator that takes no time of its own.
        """
        return [
            f"{row.cell}: kmigrate's part was {_tool(row):.2f} s, its budget is {BUDGET_MS / 1000:g} s"
            for row in self.rows
            if not self.operator_s and row.cell.partitions <= BUDGET_PARTITIONS and _tool(row) * 1000 > BUDGET_MS
        ]

    def broken(self) -> list[str]:
        """Where kmigrate lost a record or gave one twice."""
        told = [f"{row.cell}: {row.verdict}" for row in self.rows if not row.verdict.clean]
        return [*told, *self.wrong]

    def told(self) -> dict[str, object]:
        """As JSON."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "runbook": [{"cell": str(shape), **asdict(each)} for shape, each in self.runbook.items()],
            "slow": self.slow(),
            "broken": self.broken(),
            "elapsed_s": self.elapsed_s,
            "machine": machine(),
        }


def shape(cell: Cell) -> tuple[str, int, int]:
    """What a move by kmigrate and one by the runbook have in common."""
    return cell.kind, cell.partitions, cell.applications


def tables(outcome: Outcome) -> str:
    """Both tables in Markdown, what went wrong, and the machine."""
    parts = [*_pauses(outcome), "", *_items(outcome.rows, Direction.CUTOVER)]
    if any(move.direction == str(Direction.ROLLBACK) for row in outcome.rows for move in row.moves):
        parts += ["", "The way back:", "", *_items(outcome.rows, Direction.ROLLBACK)]
    where = "in Kubernetes" if outcome.kubernetes else "in a folder"
    parts += ["", f"the target's resources {where}; its operator takes {outcome.operator_s:g} s for each change"]
    parts += [f"feeds of {outcome.rate} records/s each; {outcome.elapsed_s:.0f} s in all", machine()]
    parts += [f"OVER THE BUDGET {each}" for each in outcome.slow()]
    parts += [f"BROKEN {each}" for each in outcome.broken()]
    return "\n".join(parts)


def _pauses(outcome: Outcome) -> Iterator[str]:
    yield (
        "| move | partitions | applications | floor | kmigrate | its part | over the floor | ratio | lost, twice |"
        " runbook | ratio to kmigrate | lost, twice |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for row in outcome.rows:
        whole, floor, by_hand = _whole(row), row.floor / 1000, outcome.runbook.get(shape(row.cell))
        cells = [row.cell.kind, str(row.cell.partitions), str(row.cell.applications)]
        cells += [f"{floor:.2f} s", f"{whole:.2f} s", f"{_tool(row):.2f} s", f"{whole - floor:.2f} s"]
        cells += [f"{whole / floor:.1f}", f"{row.verdict.lost:,}, {row.verdict.twice:,}"]
        cells += _by_hand(by_hand, whole) if by_hand is not None else ["", "", ""]
        yield f"| {' | '.join(cells)} |"


def _by_hand(by_hand: ByHand, whole: float) -> list[str]:
    took = by_hand.stood_still / 1000
    return [f"{took:.1f} s", f"{took / whole:.0f}", f"{by_hand.verdict.lost:,}, {by_hand.verdict.twice:,}"]


def _items(rows: Iterable[Measured], direction: Direction) -> Iterator[str]:
    """kmigrate's part by step, beside the application's own stopping and starting (s, medians)."""
    titles = ["move", "partitions", "applications", "stopping", *_SHORT.values(), "starting", "kmigrate's", "load"]
    yield f"| {' | '.join(titles)} |"
    yield f"|---|{'--:|' * (len(titles) - 1)}"
    for row in rows:
        moves = [move for move in row.moves if move.direction == str(direction)]
        if moves:
            tries = [move.attempt for move in moves]
            steps = [_of_step(tries, step) for step in STEPS]
            times = [_median(each.stopping for each in tries), *steps, _median(each.starting for each in tries)]
            times += [_median(each.tool for each in tries)]
            cells = [row.cell.kind, str(row.cell.partitions), str(row.cell.applications)]
            cells += ["" if each is None else f"{each:.2f}" for each in times]
            yield f"| {' | '.join([*cells, f'{max(move.load for move in moves):.1f}'])} |"


def _of_step(tries: Sequence[Attempt], step: str) -> float | None:
    return _median(each.steps[step] for each in tries) if step in tries[0].steps else None


def _median(times: Iterable[int]) -> float:
    return statistics.median(times) / 1000


def _tool(row: Measured) -> float:
    return _median(move.attempt.tool for move in row.moves if move.direction == str(Direction.CUTOVER))


def _whole(row: Measured) -> float:
    return _median(move.stood_still for move in row.moves if move.direction == str(Direction.CUTOVER))


def machine() -> str:
    """What it ran on, and how busy it was."""
    memory = round(psutil.virtual_memory().total / 2**30)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    where = f"{os.cpu_count()} cores, {memory} GiB, {platform.machine()}"
    return f"{where}, Python {platform.python_version()}, Kafka {KAFKA_VERSION}; load at the end {load}"
