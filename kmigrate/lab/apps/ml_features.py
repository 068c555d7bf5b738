"""Reads shipments from where the log ends when it first comes (auto.offset.reset=latest)."""

from __future__ import annotations

import sys
from pathlib import Path

from kmigrate.lab.apps.reader import Reading, run_reader

READING = Reading(app="ml-features", group="ml-features", topic="shipments", reset="latest")

if __name__ == "__main__":
    sys.exit(run_reader(Path(sys.argv[1]), READING))
