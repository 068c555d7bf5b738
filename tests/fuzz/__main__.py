"""Fuzz by hand, for as long as there is time for:  ./dev python -m tests.fuzz plan-file --minutes 60 --seed 7"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    sys.path.insert(0, str(folder))

from foreign_bytes import TARGETS  # noqa: E402
from guided import Run, fuzz  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=[*TARGETS, "all"], help="whose bytes; all: one after the other")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    names = list(TARGETS) if asked.target == "all" else [asked.target]
    return max(_fuzz(name, asked.minutes, asked.seed) for name in names)


def _fuzz(name: str, minutes: float, seed: int) -> int:
    end = time.monotonic() + minutes * 60
    run = fuzz(TARGETS[name].run, list(TARGETS[name].seeds()), seed=seed, goes_on=lambda _: time.monotonic() < end)
    _tell(name, minutes, seed, run)
    return 4 if run.finds else 0


def _tell(name: str, minutes: float, seed: int, run: Run) -> None:
    say(
        f"{name}: {run.executions:,} executions in {minutes:g} min, seed {seed}: {len(run.finds)} finds, "
        f"{len(run.lines)} lines of kmigrate reached, {len(run.corpus)} examples kept, "
        f"at most {run.most_lines:,} lines for one, grown by {run.grown_kb / 1024:.1f} MB"
    )
    for find in run.finds:
        say(f"  {find.why}\n    {find.data[:600]!r}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
