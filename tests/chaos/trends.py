"""Reads clicks under the broker-side group protocol (KIP-848)."""

from __future__ import annotations

import sys
from pathlib import Path

from kmigrate.lab.apps.reader import Reading, run_reader

READING = Reading(app="trends", group="trends", topic="clicks", extra={"group.protocol": "consumer"})

if __name__ == "__main__":
    sys.exit(run_reader(Path(sys.argv[1]), READING))
