"""All commands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer

from kmigrate import __version__, interrupt
from kmigrate.cli import lab, looks, migrate, pages, positions, rollback, streams, verify
from kmigrate.errors import KmigrateError

app = typer.Typer(
    name="kmigrate",
    help="Move an organisation off Confluent Cloud onto Apache Kafka run by Strimzi: exact, reversible, one by one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("plan")(looks.plan)
app.command("apply")(migrate.apply)
app.command("status")(looks.status)
app.command("history")(looks.history)
app.command("init")(looks.init)
app.command("rollback")(rollback.rollback)
app.command("verify")(verify.verify)
app.command("positions")(positions.positions)
app.command("offsets", hidden=True)(positions.positions)
app.command("explain")(pages.explain)
app.command("schema")(pages.schema)
app.add_typer(lab.app, name="lab")


@app.callback(invoke_without_command=True)
def top(*, version: Annotated[bool, typer.Option("--version", help="Say the version and exit.")] = False) -> None:
    """Move an organisation off Confluent Cloud onto Apache Kafka run by Strimzi: exact, reversible, one by one."""
    if version:
        typer.echo(f"kmigrate {__version__}")
        raise typer.Exit


def run() -> None:
    """Run the command line; every error of ours becomes one sentence, a hint and its exit code."""
    out = streams.install()
    sys.exit(streams.ended(_run(out), out))


def _run(out: streams.Out | None) -> int:
    try:
        interrupt.install()
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KmigrateError as error:
        typer.echo(f"kmigrate: {error.where and f'{error.where}: '}{error.message}", err=True)
        if error.hint:
            typer.echo(f"  → {error.hint}", err=True)
        return error.exit_code
    except Exception:
        return 1 if out is not None and out.lost else _defect()
    return 0


def _defect() -> int:
    with tempfile.NamedTemporaryFile("w", prefix="kmigrate-", suffix=".txt", delete=False) as file:
        traceback.print_exc(file=file)
    last = traceback.format_exc(limit=0).strip().splitlines()[-1]
    typer.echo(f"kmigrate: a defect in kmigrate itself: {last}", err=True)
    typer.echo(f"  → the traceback lies in {Path(file.name)}; the journal says what is true: kmigrate status", err=True)
    return 1
