"""Reads orders as a static member (KIP-345): it does not leave the group when it stops."""

from __future__ import annotations

import sys
from pathlib import Path

from kmigrate.lab.apps.reader import Reading, run_reader

READING = Reading(app="fraud-check", group="fraud-check", topic="orders", extra={"group.instance.id": "fraud-check-0"})

if __name__ == "__main__":
    sys.exit(run_reader(Path(sys.argv[1]), READING))
