"""plan, status, history, init: commands that look and change nothing. Heavy imports happen inside the commands."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli import gate
from kmigrate.cli.session import DEFAULT_PLAN, AsJson, PlanFile, session
from kmigrate.errors import Interrupted, JournalError, KmigrateError, PlatformError, UsageError

if TYPE_CHECKING:
    from kmigrate.cli.session import Session
    from kmigrate.cli.views import StatusView
    from kmigrate.history import Row
    from kmigrate.journal import Journal
    from kmigrate.model import SecretRef
    from kmigrate.plan import Plan

_EVERY_S = 2.0
DRAFTED = "{type: plain, username: {env: SOURCE_KEY}, password: {env: SOURCE_SECRET}}"
"""How a drafted plan file refers to the credential of the source."""


def plan(
    file: PlanFile = DEFAULT_PLAN,
    *,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 if there are changes and nothing blocks.")
    ] = False,
    rights: Annotated[
        bool, typer.Option("--rights", help="Only the least rights, as a script that grants them; asks no cluster.")
    ] = False,
    phase: Annotated[str, typer.Option("--phase", help="Only with --rights: those that this phase needs.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what is there, what blocks, what each unit would change, in which order, how long. Changes nothing.

    Exits 7 if the source or the target does not answer, 3 if a red flag or an edit blocks, or a pause that cannot keep
    maxPause; everything else is shown.
    """
    from kmigrate.cli import planned
    from kmigrate.cli.draw import say, show

    if phase and not rights:
        raise UsageError(
            "--phase belongs to --rights: plan shows all phases",
            hint=f"kmigrate plan --rights --phase {phase}, or kmigrate apply --phase {phase}, which asks first",
        )
    if rights:
        _rights(file, phase, as_json=as_json)
        return
    with session(file, as_json=as_json, read_only=True) as s:
        _belongs(s)
        seen = planned.look_ahead(s.migration, s.plan, s.journal, s.world)
        # what is drawn names the plan file in hand
        tell = partial(say, planned.plan_json(seen)) if as_json else partial(show, planned.plan_picture(seen))
    tell()
    raise typer.Exit(seen.exit_code(detailed=detailed))


def _rights(file: Path, phase: str, *, as_json: bool) -> None:
    from kmigrate.cli.draw import say
    from kmigrate.cli.granting import chosen, rights_json, rights_text
    from kmigrate.wiring import with_names

    phases = chosen(phase)
    with session(file, as_json=as_json, read_only=True, look_up=False) as s:
        named = with_names(s.migration, s.world)
        if as_json:
            say(rights_json(named, phases))
        else:
            typer.echo(rights_text(named, phases))


def status(
    file: PlanFile = DEFAULT_PLAN,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 seconds until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is true: applications, units, lag, fences in force, ways back, and the next command to type.

    Exits 7 if the source or the target does not answer; what is known without it is shown.
    """
    from kmigrate.cli import pictures
    from kmigrate.cli.draw import say, show

    with closing(_looks(file, as_json=as_json)) as looks:
        if watch:
            _watch(looks, as_json=as_json)
        seen = next(looks)
    if as_json:
        say(pictures.status_json(seen))
    else:
        show(pictures.status_picture(seen))
    if seen.unanswered:
        raise typer.Exit(PlatformError.exit_code)


def history(file: PlanFile = DEFAULT_PLAN, *, as_json: AsJson = False) -> None:
    """Show the journal, one line per entry, with the checkpoints one can go back to."""
    from dataclasses import asdict

    from kmigrate.cli import pictures
    from kmigrate.cli.draw import say, show

    with session(file, as_json=as_json, read_only=True, look_up=False) as s:
        rows = rows_of(s.plan, s.journal)
    if as_json:
        say({"migration": s.migration.name, "entries": [asdict(row) for row in rows]})
    elif rows:
        show(pictures.history_picture(rows))
    else:
        with gate.naming(file, DEFAULT_PLAN):
            typer.echo(gate.with_file("nothing was done yet; next: kmigrate plan"))


def rows_of(plan: Plan, journal: Journal) -> Sequence[Row]:
    """The journal's rows, flagged where `rollback --to` goes."""
    from kmigrate.engine import checkpoints
    from kmigrate.history import table

    return table(journal.entries, {each.entry: each.name for each in checkpoints(plan, journal)})


def init(
    *,
    bootstrap: Annotated[str, typer.Option("--bootstrap", help="Where the source answers: host:port.")],
    username: Annotated[str, typer.Option("--username", help="Who signs in there: the API key.")],
    password_env: Annotated[str, typer.Option("--password-env", help="The variable that holds the secret.")] = "",
    password_file: Annotated[str, typer.Option("--password-file", help="The file that holds the secret.")] = "",
    ca: Annotated[str, typer.Option("--ca", help="A PEM file, for a private certificate authority.")] = "",
    name: Annotated[str, typer.Option("--name", help="What the migration is called.")] = "my-migration",
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = DEFAULT_PLAN,
) -> None:
    """Write a first plan file from what the source answers; reads only, and never overwrites a file."""
    from kmigrate.planfile.draft import draft
    from kmigrate.wiring import source_inventory

    password = _password(password_env, password_file)
    _free(output)
    inventory = source_inventory(bootstrap, username, password, ca=ca)
    authority = str(Path(ca).resolve()) if ca else ""
    text = draft(bootstrap, inventory, name=name, ours=(f"User:{username}",), ca=authority)
    _write(output, text.replace(DRAFTED, credential(username, password)))
    if inventory.unlisted:
        typer.echo(f"principals are not known: {inventory.unlisted}", err=True)
    _tell_what_to_decide(output)


def _belongs(s: Session) -> None:
    """Hold the journal to the clusters; one that does not answer is told by what looks at it next."""
    from kmigrate.wiring import bind

    try:
        bind(s.journal, s.world, read_only=True)
    except (Interrupted, JournalError, UsageError):
        raise
    except KmigrateError:
        return


def _looks(file: Path, *, as_json: bool) -> Generator[StatusView, None, None]:
    """One look after the other over warm connections; the journal is read anew, since others write it meanwhile."""
    from kmigrate.cli import views

    with session(file, as_json=as_json, read_only=True) as s:
        _belongs(s)
        while True:
            with s.read_anew() as journal:
                seen = views.look(s.migration, s.plan, journal, s.world)
            yield seen


def _watch(looks: Iterator[StatusView], *, as_json: bool) -> None:
    """Tell every look until Ctrl-C: redrawn on a terminal, else one after the other."""
    from rich.live import Live

    from kmigrate.cli import pictures
    from kmigrate.cli.draw import out, say, show

    if as_json or not out.is_terminal:
        for before, seen in _paced(looks):
            if as_json:
                say(pictures.status_json(seen, before))
            else:
                show(pictures.status_picture(seen, before))
        return
    with Live(console=out, auto_refresh=False, vertical_overflow="visible") as live:
        for before, seen in _paced(looks):
            live.update(pictures.status_picture(seen, before), refresh=True)


def _paced(looks: Iterator[StatusView]) -> Iterator[tuple[StatusView | None, StatusView]]:
    """Each look with the one before it, two seconds apart."""
    before = None
    for seen in looks:
        yield before, seen
        before = seen
        time.sleep(_EVERY_S)


def _password(env: str, file: str) -> SecretRef:
    from kmigrate.model import SecretRef

    if bool(env) == bool(file):
        raise UsageError(
            "init needs one of --password-env and --password-file: where the secret lies, never the secret",
            hint="export CC_SECRET=…, then add --password-env CC_SECRET",
        )
    return SecretRef(env=env, file=str(Path(file).resolve()) if file else "")


def _free(output: Path) -> None:
    if output.exists():
        raise UsageError(
            f"{output} is there already, and init never overwrites", hint="name another file with --output"
        )


def _write(output: Path, text: str) -> None:
    try:
        # the commands of a plan file are run: nobody else may write it, whatever the umask lets through
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _free(output)
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written: {error.strerror}", hint="name another file with --output"
        ) from error


def credential(username: str, password: SecretRef) -> str:
    """The source's credential as the plan file refers to it: JSON is YAML, whatever the name holds."""
    reference = {"env": password.env} if password.env else {"file": password.file}
    return json.dumps({"type": "plain", "username": username, "password": reference})


def _tell_what_to_decide(output: Path) -> None:
    from kmigrate.planfile.draft import MARK

    typer.echo(f"{output} is written. What you decide ({MARK} in the file):")
    for number, line in enumerate(output.read_text(encoding="utf-8").splitlines(), 1):
        what, found, todo = line.partition(f"# {MARK}")
        if found:
            typer.echo(f"  line {number}: {what.strip()}{todo if what.strip() else todo.lstrip(': ')}")
    named = "" if output == DEFAULT_PLAN else gate.as_option(output)
    typer.echo(f"next: kmigrate plan{named}")
