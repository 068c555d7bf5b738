"""The one process that owns a lab: everything it started ends with it (`runtime.process`).

`python -m kmigrate.lab.supervisor --folder F --brokers N [--users a,b] [--empty] [--kubernetes] [--operator-ms N]
[--until-stdin-closes]`. It tells its state in F/lab.json. SIGTERM, SIGINT, or the end of stdin when that was asked for,
take the lab down in order; a line on stdin means that the lab shall stay although stdin ends.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kmigrate.errors import Interrupted, KmigrateError, Transient
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime import board as phases
from kmigrate.lab.runtime.applications import Applications
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.board import Board
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.source import SourcePart
from kmigrate.world import Clock, Reporter

_TICK_MS = 20
_LOOK_MS = 100


class Part(Protocol):
    """Something the supervisor brings up, keeps, and takes down.

    `start` runs in the main thread, part after part, and returns when the part is up. `tick` runs again and again in
    a thread of the part's own. `stop` runs in the main thread, last part first, after the ticks have ended; the
    bench's clock raises Interrupted by then, so it waits for nothing but its processes.
    """

    def start(self) -> None:
        """Bring it up."""
        ...

    def tick(self) -> None:
        """Keep it as it is wished; a Transient error is noted and the next tick tries again."""
        ...

    def stop(self) -> None:
        """Take it down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a lab shall be: one or three brokers per cluster, users of the source, bare clusters or with an estate.

    `kubernetes`: the target's resources lie on an API server instead of in a folder. `operator_ms`: what the stand-in
    takes for each change, at least.
    """

    folder: LabFolder
    brokers: int = 1
    users: tuple[str, ...] = ()
    empty: bool = False
    kubernetes: bool = False
    operator_ms: int = 0


Compose = Callable[[Options, Bench, Board], Sequence[Part]]
Prepare = Callable[[Clock, Reporter], Jvm]


def compose(options: Options, bench: Bench, board: Board) -> Sequence[Part]:
    """The parts of a lab in the order of their start."""
    source = SourcePart(bench, board, brokers=options.brokers, users=options.users, folder=options.folder)
    applications = Applications(options.folder.apps, bench.machine, bench.clock)
    return (source, applications)


class Supervisor:
    """Brings the parts up in order, keeps them in threads of their own, takes them down in reverse."""

    def __init__(self, options: Options, board: Board, clock: LabClock, jvm: Prepare = prepare) -> None:
        self._prepare = jvm
        self._options = options
        self._board = board
        self._clock = clock
        self._halt = threading.Event()
        self._failure: BaseException | None = None
        self._machine = Machine()
        self._ports = Ports()
        self._threads: list[threading.Thread] = []
        self._up: list[Part] = []

    def run(self, composition: Compose) -> None:
        """Until the clock is stopped or a part fails; then everything is down. Raises what failed."""
        try:
            self._start(composition)
            self._watch()
        except Interrupted:
            self._board.phase(phases.STOPPING)
        finally:
            self._stop()

    def _start(self, composition: Compose) -> None:
        bench = self._bench()
        for part in composition(self._options, bench, self._board):
            self._up.append(part)
            part.start()
            self._board.processes(self._machine.views())
        for part in self._up:
            thread = threading.Thread(target=self._keep, args=(part,), daemon=True, name=type(part).__name__)
            thread.start()
            self._threads.append(thread)
        self._board.phase(phases.UP)

    def _bench(self) -> Bench:
        folder = self._options.folder
        return Bench(
            folder=folder.root,
            machine=self._machine,
            ports=self._ports,
            jvm=self._prepare(self._clock, self._board),
            certificates=make_certificates(folder.certificates, "source"),
            clock=self._clock,
            reporter=self._board,
        )

    def _keep(self, part: Part) -> None:
        while not self._halt.wait(_TICK_MS / 1000):
            try:
                part.tick()
            except Transient as error:
                self._board.progress(type(part).__name__, error.message)
            except Interrupted:
                return
            except Exception as error:
                self._failure = error
                return

    def _watch(self) -> None:
        while True:
            self._board.processes(self._machine.views())
            if self._failure is not None:
                raise self._failure
            self._machine.check()
            self._clock.sleep(_LOOK_MS)

    def _stop(self) -> None:
        self._clock.stop()
        self._halt.set()
        for thread in self._threads:
            thread.join(timeout=30)
        try:
            for part in reversed(self._up):
                part.stop()
        finally:
            self._machine.close()
            self._ports.close()


def supervise(
    options: Options, composition: Compose, *, until_stdin_closes: bool = False, jvm: Prepare = prepare
) -> int:
    """Run a lab in this process until it is told to stop; returns the exit code. Call it in the main thread."""
    clock = LabClock()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: clock.stop(received))
    if until_stdin_closes:
        threading.Thread(target=_follow_stdin, args=(clock,), daemon=True).start()
    options.folder.create()
    with options.folder.hold():
        board = Board(options.folder, {"brokers": options.brokers, "empty": options.empty})
        try:
            Supervisor(options, board, clock, jvm).run(composition)
        except KmigrateError as error:
            return _fail(board, error)
        except Exception as error:
            traceback.print_exc()
            told = f"a defect in kmigrate's lab: {type(error).__name__}: {error}"
            return _fail(board, KmigrateError(told, hint=f"the traceback is in {options.folder.log}"))
        board.processes(())
        board.phase(phases.STOPPED)
        return 0


def _fail(board: Board, error: KmigrateError) -> int:
    """Tell why the lab ended, on stderr too, because a full disk can be the reason."""
    sys.stderr.write(f"{error.message}\n")
    with contextlib.suppress(KmigrateError):
        board.processes(())
        board.failed(error)
        board.phase(phases.FAILED)
    return error.exit_code


def _follow_stdin(clock: LabClock) -> None:
    if not os.read(0, 1):
        clock.stop(signal.SIGTERM)


def main(arguments: Sequence[str] | None = None, *, composition: Compose = compose, jvm: Prepare = prepare) -> int:
    """Parse the command line and supervise; returns the exit code."""
    parser = argparse.ArgumentParser(prog="kmigrate.lab.supervisor")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--users", default="")
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--kubernetes", action="store_true")
    parser.add_argument("--operator-ms", type=int, default=0)
    parser.add_argument("--until-stdin-closes", action="store_true")
    given = parser.parse_args(arguments)
    options = Options(
        folder=LabFolder(given.folder.absolute()),
        brokers=given.brokers,
        users=tuple(name for name in given.users.split(",") if name),
        empty=given.empty,
        kubernetes=given.kubernetes,
        operator_ms=given.operator_ms,
    )
    _private()
    try:
        return supervise(options, composition, until_stdin_closes=given.until_stdin_closes, jvm=jvm)
    except KmigrateError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code


def _private() -> None:
    """What a lab writes is its owner's alone, whatever the umask, and no process of it leaves its memory in a core."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    sys.exit(main())
