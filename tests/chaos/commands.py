"""kmigrate as an operator types it: processes, their exit codes, and the journal as it grows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from kmigrate.lab.folder import LabFolder

PROGRAM = str(Path(sys.executable).with_name("kmigrate"))
WITHIN = Path(__file__).with_name("within")
"""What its processes import before anything else."""
PATIENCE_S = 240
LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended: what was typed, its exit code, and all it said."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def result(self) -> dict:
        """The last JSON line."""
        return json.loads(self.out.splitlines()[-1])

    def __str__(self) -> str:
        return f"kmigrate {' '.join(self.words)} ended with {self.code}: {self.err.strip()[-1500:]}"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the commands of one operator are typed: a plan file with its journal folder beside it."""

    lab: LabFolder
    plan: Path
    journal: Path

    @classmethod
    def of(cls, lab: LabFolder, plan: Path) -> Desk:
        """The desk with that plan file."""
        store = yaml.safe_load(plan.read_text())["journal"]["store"]
        return cls(lab, plan, plan.parent / store / "journal.jsonl")

    @property
    def jump(self) -> Path:
        """The file that makes the clock of the commands jump, once it is there."""
        return self.plan.with_suffix(".jump")

    def begin(self, *words: str, freeze: str = "") -> subprocess.Popen[str]:
        """Type a command; `freeze` says at which line of the journal it stops itself (`within/sitecustomize.py`)."""
        here = {"KMIGRATE_PLAN": str(self.plan), "CHAOS_CLOCK": str(self.jump), "CHAOS_FREEZE": freeze}
        path = {"PYTHONPATH": str(WITHIN)}
        return subprocess.Popen(
            [PROGRAM, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **here, **path},
        )

    def run(self, *words: str) -> Ended:
        return end(self.begin(*words), *words)

    def move(self, direction: str, app: str) -> Ended:
        return self.run(*words_of(direction, app))

    def status(self) -> dict:
        return self.run("status", "--json").result

    def another(self, name: str) -> Desk:
        """The same plan file with a journal folder of its own, as on another laptop."""
        plan = self.plan.with_name(f"{name}.yaml")
        told = yaml.safe_load(self.plan.read_text())
        plan.write_text(yaml.safe_dump({**told, "journal": {"store": f"./{name}"}}))
        return Desk.of(self.lab, plan)

    def lines(self, offset: int = 0) -> list[dict]:
        """Every whole line of the journal from an offset on."""
        if not self.journal.exists():
            return []
        with self.journal.open("rb") as file:
            file.seek(offset)
            return [json.loads(line) for line in file.read().split(b"\n")[:-1]]

    def side(self, app: str) -> str:
        """Where an application is, by the moves that were sealed."""
        sealed = [line["unit"] for line in self.lines() if line["event"] == "SEALED"]
        moves = [unit.partition("/")[0] for unit in sealed if unit.partition("/")[2].partition("#")[0] == app]
        return "target" if moves and moves[-1] == "cutover" else "source"

    def size(self) -> int:
        return self.journal.stat().st_size if self.journal.exists() else 0

    def left_over(self) -> list[str]:
        """Processes that commands of this desk started, and that outlive them."""
        return [each for process in psutil.process_iter() if (each := self._ours(process))]

    def _ours(self, process: psutil.Process) -> str:
        try:
            ours = process.environ().get("KMIGRATE_PLAN") == str(self.plan)
            return " ".join(process.cmdline()) if ours and process.status() != psutil.STATUS_ZOMBIE else ""
        except psutil.Error:
            return ""


def words_of(direction: str, app: str) -> tuple[str, ...]:
    """What takes an application there."""
    way = ("apply", "--phase", "cutover") if direction == "cutover" else ("rollback",)
    return (*way, "--app", app, "--yes", "--json")


def end(running: subprocess.Popen[str], *words: str) -> Ended:
    """Wait for the end; one that hangs is asked where, and is a failure."""
    try:
        out, err = running.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        out, err = running.communicate()
        raise AssertionError(f"kmigrate {' '.join(words)} hung: {out[-800:]}\n{err[-800:]}") from None
    return Ended(words, running.returncode, out, err)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A command that stops itself so long after a line of a step, and waits there."""

    desk: Desk
    offset: int
    running: subprocess.Popen[str]

    @classmethod
    def begin(cls, desk: Desk, words: tuple[str, ...], step: str, event: str, delay_ms: int) -> Frozen:
        """Type the command; it has not begun to work when this returns."""
        size = desk.size()
        line = {"journal": str(desk.journal), "beyond": size, "step": step, "event": event, "delay_ms": delay_ms}
        return cls(desk, size, desk.begin(*words, freeze=json.dumps(line)))

    def within(self, step: str) -> bool:
        """Wait until it stands still, or has ended; whether it stands still within that step."""
        deadline = time.monotonic() + PATIENCE_S
        while self.running.poll() is None and not self._stopped:
            assert time.monotonic() < deadline, f"{step} did not come"
            time.sleep(LOOK_S)
        return self.running.poll() is None and self.stands(step)

    @property
    def _stopped(self) -> bool:
        try:
            return psutil.Process(self.running.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return True

    def stands(self, step: str) -> bool:
        """Whether the newest line of a step is of that one, and it is not verified."""
        last = [line for line in self.desk.lines(self.offset) if line["step"] and line["event"] != "FACT"][-1]
        return last["step"] == step and last["event"] in ("STARTED", "APPLIED")
