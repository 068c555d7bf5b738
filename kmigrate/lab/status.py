"""What runs in a lab's folder, seen from outside its supervisor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import psutil

from kmigrate.lab.folder import ENVIRONMENT, LabFolder
from kmigrate.lab.runtime.board import FAILED, STARTING, STOPPED
from kmigrate.lab.runtime.process import resident_bytes
from kmigrate.model import Json, JsonObject

DEAD = "dead"
NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabProcess:
    """A process of the lab; `memory` is resident bytes, 0 when it is gone."""

    name: str
    pid: int
    alive: bool
    memory: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """What runs: `phase` is nothing, starting, up, stopping, stopped, failed, or dead (the supervisor was killed).

    `since` is milliseconds since the epoch; `facts` are endpoints and credential files by part; the supervisor is
    among the processes.
    """

    folder: str
    phase: str
    pid: int | None = None
    since: int | None = None
    brokers: int = 0
    progress: str = ""
    notes: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    facts: JsonObject
    processes: tuple[LabProcess, ...] = ()

    @property
    def memory(self) -> int:
        """Resident bytes of all processes."""
        return sum(process.memory for process in self.processes)


def status(folder: LabFolder) -> LabStatus:
    """What runs in the folder, with memory per process; phase `nothing` when there is no lab."""
    said, running = folder.read(), folder.running()
    if not said:
        return LabStatus(folder=str(folder.root), phase=STARTING if running else NOTHING, facts={})
    phase = str(said["phase"])
    error = said.get("error")
    error = error if isinstance(error, Mapping) else {}
    notes, facts = said.get("notes"), said.get("facts")
    return LabStatus(
        folder=str(folder.root),
        phase=phase if running or phase in (STOPPED, FAILED) else DEAD,
        pid=integer(said["pid"]) if running else None,
        since=integer(said["since"]),
        brokers=integer(said["brokers"]),
        progress=str(said["progress"]),
        notes=tuple(str(note) for note in notes) if isinstance(notes, list) else (),
        error=str(error.get("message", "")),
        hint=str(error.get("hint", "")),
        exit_code=integer(error.get("exit_code", 0)),
        facts=facts if isinstance(facts, Mapping) else {},
        processes=_processes(said) if running else (),
    )


def survivors(folder: LabFolder) -> tuple[int, ...]:
    """The pids of every process that the lab in this folder started and that still lives, zombies left out."""
    return tuple(process.pid for process in psutil.process_iter() if _belongs(process, str(folder.root.absolute())))


def _belongs(process: psutil.Process, root: str) -> bool:
    try:
        ours = process.uids().real == os.getuid() and process.environ().get(ENVIRONMENT) == root
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _processes(said: JsonObject) -> tuple[LabProcess, ...]:
    found = [_process("supervisor", {"pid": said["pid"], "alive": True, "log": ""})]
    table = said.get("processes")
    if isinstance(table, Mapping):
        found += [_process(name, view) for name, view in table.items() if isinstance(view, Mapping)]
    return tuple(found)


def _process(name: str, view: JsonObject) -> LabProcess:
    pid, alive = integer(view["pid"]), view["alive"] is True
    memory = resident_bytes(pid) if alive else 0
    return LabProcess(name=name, pid=pid, alive=alive, memory=memory, log=str(view["log"]))


def integer(value: Json) -> int:
    """The number, or 0 where there is none."""
    return value if isinstance(value, int) else 0


def status_json(seen: LabStatus) -> JsonObject:
    """The status as one JSON object."""
    processes: list[Json] = [asdict(process) for process in seen.processes]
    return {
        "folder": seen.folder,
        "phase": seen.phase,
        "pid": seen.pid,
        "since": seen.since,
        "brokers": seen.brokers,
        "facts": seen.facts,
        "processes": processes,
        "memory": seen.memory,
    }
