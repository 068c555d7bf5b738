"""The committed table of runs, and the picture of it: step × fault."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from cases import DIRECTIONS, FAULTS, STEPS, Case

RUNS = Path(__file__).with_name("runs.jsonl")
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- runs -->", "<!-- end of runs -->"


def read(path: Path = RUNS) -> list[dict]:
    """Every run that counted, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(rows: Iterable[dict], path: Path = RUNS) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def row(case: Case, commit: str, told: dict) -> dict:
    """One line: the seed with all it stands for, and what came of it."""
    named = {name: getattr(case, name) for name in ("seed", "fault", "step", "direction", "app", "event", "after")}
    return {**named, "delay_ms": case.delay_ms, "commit": commit, **told}


def pairs(rows: Sequence[dict]) -> Counter[tuple[str, str, str]]:
    """How many runs each (fault, step, direction) has."""
    return Counter((each["fault"], each["step"], each["direction"]) for each in rows)


def drawn(rows: Sequence[dict]) -> str:
    """Markdown: runs of cutover + rollback by fault and step, and what they came to."""
    counts = pairs(rows)
    head = f"| fault | {' | '.join(STEPS)} | on | back | recovery: median, longest |"
    lines = [head, "|---|" + "--:|" * (len(STEPS) + 3)]
    lines += [_line(fault, [each for each in rows if each["fault"] == fault], counts) for fault in FAULTS]
    return "\n".join((_sentence(rows), "", *lines))


def _line(fault: str, rows: Sequence[dict], counts: Counter[tuple[str, str, str]]) -> str:
    met = [[counts[fault, step, way] for way in DIRECTIONS] for step in STEPS]
    cells = [" + ".join(map(str, each)) if any(each) else "" for each in met]
    after = Counter(each["after"] for each in rows)
    times = [each["recovery_ms"] / 1_000 for each in rows]
    told = f"{statistics.median(times):.1f} s, {max(times):.1f} s" if times else ""
    return f"| {fault} | {' | '.join(cells)} | {after['on']} | {after['back']} | {told} |"


def _sentence(rows: Sequence[dict]) -> str:
    met, every = len(pairs(rows)), len(FAULTS) * len(STEPS) * len(DIRECTIONS)
    after = Counter(each["after"] for each in rows)
    rates = [each["rate"] for each in rows]
    least = f"; at least {min(rates)} records/s in the five seconds before a fault" if rates else ""
    there = sum(each.get("kubernetes", False) for each in rows)
    where = f", {there} of them with the target's resources in Kubernetes" if there else ""
    return (
        f"{len(rows)} runs{where}, {after['on']} went on, {after['back']} back; lost, given twice, out of order: 0 in"
        f" each. {met} of {every} (fault, step, direction) were met{least}."
    )


def draw(path: Path = README) -> None:
    """Put the picture between its marks."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{drawn(read())}\n{END}{after}")


if __name__ == "__main__":
    draw()
