"""How long `kmigrate --help` takes beside an empty Python start: medians of 7, their difference, and the machine."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time

_RUNS = 7
_BUDGET_S = 0.3


def median_s(*argv: str) -> float:
    """The median of 7 runs, in seconds, after one that warms the disk's cache."""
    took = []
    for _ in range(_RUNS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *argv], stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def main() -> None:
    """Print the figures."""
    empty, helped = median_s("-c", ""), median_s("-m", "kmigrate", "--help")
    over = helped - empty
    print(f"kmigrate --help {helped:.3f} s, empty Python start {empty:.3f} s (medians of {_RUNS})")
    print(f"over it by {over:.3f} s, {over / _BUDGET_S:.2f} of the budget of {_BUDGET_S} s")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")


if __name__ == "__main__":
    main()
