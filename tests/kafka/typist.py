"""Somebody who types kmigrate's commands on a lab that is up, and waits for what comes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kmigrate.lab.walk import Walk
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

_DEADLINE_MS = 180_000


@dataclass(frozen=True)
class Typist:
    """Types commands for the plan file of a lab."""

    walk: Walk

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "KMIGRATE_PLAN": str(self.walk.folder.extra / "kmigrate.yaml")}

    def begin(self, *words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "kmigrate", *words]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.begin(*words)
        out, err = process.communicate(timeout=400)
        return process.returncode, out, " ".join(err.split())

    def done(self, *words: str) -> str:
        code, out, err = self.run(*words)
        assert code == 0, err
        return out

    def until(self, what: str, holds: Callable[[], object]) -> None:
        wait_until(
            lambda: Ready(None) if holds() else NotYet("not yet"),
            what=what,
            clock=self.walk.world.clock,
            reporter=Reporter(),
            deadline_ms=_DEADLINE_MS,
            slowest_ms=200,
        )
