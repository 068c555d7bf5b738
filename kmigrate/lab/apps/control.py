"""The commands that a migration plan calls: `python -m kmigrate.lab.apps.control FOLDER stop|start|switch|healthy`.

stop, start   replace FOLDER/desired and wait until FOLDER/state.json says so; twice equals once
switch        writes the settings of the file named by KMIGRATE_SETTINGS (bootstrap, protocol, mechanism, username,
              password, ca) into the folder; refuses while the application runs
healthy       prints {"running", "bootstrap"}; exit code 0 only when the application runs and gives signs of life

Exit codes: 0 done, 1 not so, 2 wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kmigrate.lab.apps.audit import now_ms, replace

DEADLINE_S = 30.0
SIGN_OF_LIFE_MS = 6_000
KEYS = ("bootstrap", "protocol", "mechanism", "username", "password", "ca")


class NotSoError(Exception):
    """What was asked for is not so; one sentence with what to do next."""


def poll(look: Callable[[], bool], what: str) -> None:
    """Look every 20 ms until it is so; NotSoError after the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not look():
        if time.monotonic() > end:
            raise NotSoError(f"{what}: not so after {DEADLINE_S:.0f} s; is the lab up? look at `kmigrate lab status`")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class State:
    """What the supervisor last wrote about the process."""

    running: bool
    pid: int | None
    desired: str


def state(folder: Path) -> State:
    """Read state.json; an application that nobody ever started is stopped."""
    try:
        raw = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return State(running=False, pid=None, desired="stopped")
    return State(running=raw["running"], pid=raw["pid"], desired=raw["desired"])


def _wish(folder: Path) -> str:
    try:
        return (folder / "desired").read_text().strip()
    except FileNotFoundError:
        return "stopped"


def steer(folder: Path, desired: str) -> None:
    """Make the wish and wait until it is so."""
    if not (folder / "command.json").exists():
        raise NotSoError(f"{folder}: no application is installed here; name the folder with its command.json")
    replace(folder / "desired", desired)
    wanted = desired == "running"

    def so() -> bool:
        seen = state(folder)
        return seen.running == wanted and seen.desired == desired

    poll(so, f"{folder.name} {desired}")


def switch(folder: Path, given: Path) -> None:
    """Put address and credentials of another cluster into the folder; secrets first, the address last."""
    if state(folder).running or _wish(folder) == "running":
        raise NotSoError(f"{folder.name} runs, and reads its settings at start only; stop it first")
    raw: dict[str, str] = json.loads(given.read_text())
    if missing := [key for key in KEYS if key not in raw]:
        raise NotSoError(f"{given} lacks {', '.join(missing)}")
    ca = raw["ca"]
    if ca.startswith("-----BEGIN"):
        replace(folder / "ca.pem", ca)
        ca = "ca.pem"
    replace(folder / "password", raw["password"])
    open_part = {key: raw[key] for key in KEYS if key not in ("password", "ca")}
    replace(folder / "settings.json", json.dumps(open_part | {"password_file": "password", "ca": ca}, indent=2) + "\n")


def healthy(folder: Path) -> bool:
    """Print what was seen; whether it is healthy."""
    settings = json.loads((folder / "settings.json").read_text())
    sys.stdout.write(json.dumps({"running": state(folder).running, "bootstrap": settings["bootstrap"]}) + "\n")
    return is_healthy(folder)


def is_healthy(folder: Path) -> bool:
    """Whether it runs, and this very process gave a sign of life lately and told no fault."""
    seen = state(folder)
    try:
        sign = json.loads((folder / "health.json").read_text())
    except FileNotFoundError:
        return False
    fresh = sign["pid"] == seen.pid and now_ms() - sign["at"] < SIGN_OF_LIFE_MS
    return bool(seen.running and fresh and not sign["error"] and (sign["assigned"] or not sign["reads"]))


def act(folder: Path, verb: str) -> bool:
    """Do what the verb says; whether all is well."""
    if verb in ("start", "stop"):
        steer(folder, "running" if verb == "start" else "stopped")
    elif verb == "switch":
        given = os.environ.get("KMIGRATE_SETTINGS")
        if not given:
            raise NotSoError("KMIGRATE_SETTINGS names no file; set it to the settings to switch to")
        switch(folder, Path(given))
    else:
        return healthy(folder)
    return True


def main(argv: list[str]) -> int:
    """Parse, act, tell."""
    if len(argv) != 2 or argv[1] not in ("stop", "start", "switch", "healthy"):
        sys.stderr.write("usage: python -m kmigrate.lab.apps.control FOLDER stop|start|switch|healthy\n")
        return 2
    try:
        return 0 if act(Path(argv[0]), argv[1]) else 1
    except (NotSoError, OSError, ValueError, KeyError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
