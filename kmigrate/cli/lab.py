"""lab up, lab status, lab down, lab run. Heavy imports happen inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli import gate
from kmigrate.errors import UsageError

if TYPE_CHECKING:
    from kmigrate.lab.outcome import Outcome
    from kmigrate.lab.status import LabStatus

app = typer.Typer(help="Two real Kafka clusters on this machine, to try everything on.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--folder", envvar="KMIGRATE_LAB", help="Where the lab lives.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout; words go to stderr.")]
Kubernetes = Annotated[
    bool, typer.Option("--kubernetes", help="The target's resources lie on a real API server (built once, with Go).")
]
Brokers = Annotated[int, typer.Option("--brokers", help="Brokers per cluster: 1 or 3.")]
DEFAULT_FOLDER = Path(".kmigrate-lab")


@app.command()
def up(
    folder: Folder = DEFAULT_FOLDER,
    *,
    brokers: Brokers = 1,
    empty: Annotated[bool, typer.Option("--empty", help="Bare clusters, without the sample estate.")] = False,
    kubernetes: Kubernetes = False,
    as_json: AsJson = False,
) -> None:
    """Start the lab and leave it running; it writes a plan file to start from."""
    from kmigrate.cli.draw import JsonReporter, TerminalReporter, out
    from kmigrate.lab import compose
    from kmigrate.lab.folder import LabFolder

    _refuse_brokers(brokers)
    reporter = JsonReporter() if as_json else TerminalReporter()
    try:
        place = LabFolder(folder.absolute())
        compose.up(place, brokers=brokers, empty=empty, reporter=reporter, kubernetes=kubernetes)
    finally:
        if isinstance(reporter, TerminalReporter):
            reporter.close()
    if as_json:
        return status(folder, as_json=True)
    where = "" if folder == DEFAULT_FOLDER else f" --folder {folder}"
    out.print(f"the lab is up in {folder}")
    if not empty:
        out.print(f"next: kmigrate plan -f {folder / 'work' / 'kmigrate.yaml'}")
    out.print(f"look: kmigrate lab status{where}    end: kmigrate lab down{where}")
    return None


@app.command()
def status(folder: Folder = DEFAULT_FOLDER, *, as_json: AsJson = False) -> None:
    """Show endpoints, credential files, logs, processes and their memory."""
    from kmigrate.cli.draw import say
    from kmigrate.lab.folder import LabFolder
    from kmigrate.lab.status import status as look
    from kmigrate.lab.status import status_json

    seen = look(LabFolder(folder.absolute()))
    if as_json:
        say(status_json(seen))
    else:
        _draw(seen)


@app.command()
def down(folder: Folder = DEFAULT_FOLDER) -> None:
    """End the lab and remove everything it made; twice equals once."""
    from kmigrate.cli.draw import TerminalReporter, out
    from kmigrate.lab import compose
    from kmigrate.lab.folder import LabFolder

    reporter = TerminalReporter()
    try:
        done = compose.down(LabFolder(folder.absolute()), reporter)
    finally:
        reporter.close()
    out.print(f"the lab in {folder} is down" if done else f"no lab in {folder}: nothing to do")


@app.command()
def run(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the lab's files here; else a new folder.")
    ] = None,
    *,
    brokers: Brokers = 1,
    kubernetes: Kubernetes = False,
    traffic: Annotated[str, typer.Option("--traffic", help="How long writers work before they move again.")] = "8s",
    as_json: AsJson = False,
) -> None:
    """The whole story by itself under live traffic: across, back, across again; ends with the auditor's table."""
    from kmigrate.cli.draw import JsonReporter, TerminalReporter
    from kmigrate.lab.run import run as walk

    _refuse_brokers(brokers)
    traffic_ms = gate.milliseconds(traffic, "--traffic")
    reporter = JsonReporter() if as_json else TerminalReporter()
    try:
        outcome = walk(folder, brokers=brokers, reporter=reporter, traffic_ms=traffic_ms, kubernetes=kubernetes)
    finally:
        if isinstance(reporter, TerminalReporter):
            reporter.close()
    _tell(outcome, as_json=as_json)
    raise typer.Exit(outcome.exit_code)


def _refuse_brokers(brokers: int) -> None:
    if brokers not in (1, 3):
        raise UsageError(f"--brokers takes 1 or 3, not {brokers}", hint="1 needs 1.5 GB of memory, 3 need 3 GB")


def _draw(seen: LabStatus) -> None:
    from kmigrate.cli.draw import out, show, table

    out.print(f"lab in {seen.folder}: [bold]{seen.phase}[/]" + (f", pid {seen.pid}" if seen.pid else ""))
    for part, facts in seen.facts.items():
        for name, value in facts.items() if isinstance(facts, dict) else ():
            if isinstance(value, str):
                out.print(f"  {part} {name}: {value}")
    drawn = table("Processes", "process", "pid", "memory", "log")
    for process in seen.processes:
        drawn.add_row(process.name, str(process.pid), f"{process.memory >> 20} MB", str(process.log))
    if seen.processes:
        show(drawn)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    from kmigrate.cli.draw import out, say, show, table

    if as_json:
        say(outcome.json())
        return
    drawn = table(
        "What the auditor counted",
        *(
            "application",
            "moved",
            "records before + during + after",
            "lost",
            "twice",
            "disorder",
            "repeats",
            "pauses",
            "MM2 itself",
        ),
    )
    for line in outcome.lines:
        drawn.add_row(*line.cells())
    show(drawn)
    for text in outcome.sentences:
        out.print(text)
