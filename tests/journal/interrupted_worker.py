"""A process that runs a unit of three steps: FOLDER [VERB STEP]; it stands in that verb until FOLDER/go exists."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kmigrate import interrupt
from kmigrate.adapters.commands import CommandWorkloads
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.system import SystemClock
from kmigrate.errors import Interrupted
from kmigrate.journal import Event, Journal
from kmigrate.model import CommandWorkload

FOLDER = Path(sys.argv[1])
WHERE = tuple(sys.argv[2:4])
CLOCK = SystemClock()


@dataclass(frozen=True)
class Work:
    """What a step does: something on disk, and a wait for it."""

    names: ClassVar[tuple[str, ...]] = ("one", "two", "three")
    name: str

    def apply(self) -> None:
        """Write without waiting, as a call to a cluster does; then wait."""
        if ("apply", self.name) == WHERE:
            (FOLDER / f"in-apply-{self.name}").touch()
            stand_still()
        if ("program", self.name) == WHERE:
            run_a_program()
        (FOLDER / f"done-{self.name}").touch()
        if ("wait", self.name) == WHERE:
            (FOLDER / f"in-wait-{self.name}").touch()
            CLOCK.sleep(60_000)


def stand_still() -> None:
    """No sleep of the clock's in here: a signal is only noted, which is told in a file."""
    while not (FOLDER / "go").exists():
        if interrupt.asked():
            (FOLDER / "noted").touch()


def run_a_program() -> None:
    """A program of a workload that tells its process id, then waits."""
    told = f"echo $$ > {FOLDER}/program.pid; : > {FOLDER}/in-program-one"
    stop = ("sh", "-c", f"{told}; while ! [ -e {FOLDER}/go ]; do sleep 0.01; done")
    workload = CommandWorkload(stop=stop, switch=("true",), start=("true",), healthy=("true",))
    CommandWorkloads("app", (workload,), lambda _side: {}, FOLDER).stop(60_000)


def run(journal: Journal) -> None:
    """As the engine walks; a step that was journaled as done is done again, since a check would look anew."""
    for work in (Work(name) for name in Work.names):
        known = journal.unit("unit")
        if known and work.name in known.steps and known.steps[work.name].event is Event.VERIFIED:
            continue
        journal.record("unit", "f", Event.STARTED, work.name)
        work.apply()
        journal.record("unit", "f", Event.APPLIED, work.name)
        journal.record("unit", "f", Event.VERIFIED, work.name)
    journal.record("unit", "f", Event.SEALED)


def main() -> int:
    """The exit code as the command line gives it."""
    interrupt.install()
    file = JournalFile(FOLDER, "worker")
    try:
        with interrupt.careful():
            run(Journal(file, CLOCK, "worker", "toy", interrupt.check))
    except Interrupted as error:
        return error.exit_code
    finally:
        file.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
