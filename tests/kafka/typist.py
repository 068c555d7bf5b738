"""Somebody who types kmigrate's commands on a lab that is up, and waits for what comes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from kmigrate.errors import Conflict
from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.walk import Walk, walking
from kmigrate.model import JsonObject, Lane
from kmigrate.probes.lanes import lane_key, with_asked
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Reporter, Resource

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

    def there(self, key: Key) -> Resource:
        found = self.walk.world.resources.get(key)
        assert found is not None
        return found

    def change(self, key: Key, changed: Callable[[Resource], JsonObject]) -> None:
        """Edit a resource as it is now, as anybody may; anew where its operator wrote in between."""

        def stored() -> bool:
            try:
                self.walk.world.resources.apply(changed(self.there(key)))
            except Conflict:
                return False
            return True

        self.until(f"{key} changed", stored)

    def ask(self, lane: Lane, state: str) -> None:
        """Have a lane run, or stand still."""
        key = lane_key(lane, self.walk.migration.target.namespace)
        self.change(key, lambda resource: with_asked(resource, lane, {"state": state}))


@contextmanager
def before_the_first_move(folder: Path, *, stay: str, soak: str, kubernetes: bool = False) -> Iterator[Walk]:
    """A lab whose readers of the topic `stay` may stay, with everything done that comes before the first move."""
    lab = LabFolder(folder)
    with compose.lab(lab, brokers=1, empty=False, reporter=Reporter(), kubernetes=kubernetes):
        path = lab.extra / "kmigrate.yaml"
        plan = yaml.safe_load(path.read_text())
        plan["policy"]["soak"] = soak
        for reads in (reads for app in plan["applications"] for reads in app["reads"] if stay in reads["topics"]):
            reads["mayStay"] = True
        path.write_text(yaml.safe_dump(plan, sort_keys=False))
        with walking(lab, Reporter()) as walk:
            for phase in ("assess", "provision", "replicate", "rehearse"):
                Typist(walk).done("apply", "--phase", phase, "--yes")
            yield walk
