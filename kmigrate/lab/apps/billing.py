"""Reads shipments as a Java client does that was told nothing: read_uncommitted."""

from __future__ import annotations

import sys
from pathlib import Path

from kmigrate.lab.apps.reader import Reading, run_reader

READING = Reading(app="billing", group="billing", topic="shipments", isolation="read_uncommitted")

if __name__ == "__main__":
    sys.exit(run_reader(Path(sys.argv[1]), READING))
