"""Reads orders slowly, in batches, so that it stays far behind."""

from __future__ import annotations

import sys
from pathlib import Path

from kmigrate.lab.apps.reader import Reading, run_reader

READING = Reading(app="search-indexer", group="search-indexer", topic="orders", batch=200, every_s=2.0)

if __name__ == "__main__":
    sys.exit(run_reader(Path(sys.argv[1]), READING))
