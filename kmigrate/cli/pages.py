"""Commands that need no plan and no cluster: pages that explain, and the schema of the plan file."""

from __future__ import annotations

import dataclasses
import difflib
import json
from typing import Annotated

import typer

from kmigrate.advice import pages
from kmigrate.errors import UsageError


def explain(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A red flag, error, grade, exit code, phase, step or unit.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Explain a red flag, error, grade, exit code, phase, step or unit in full, with the way out."""
    page = pages.page(name)
    if page is None:
        raise UsageError(f"there is no page {name}", hint=_instead(name))
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(page)))
        return
    typer.echo("\n\n".join([f"{page.id}: {page.title}", page.what, page.why, f"Way out: {page.way_out}"]))


def schema(name: Annotated[str, typer.Argument(metavar="plan", help="Which schema.")]) -> None:
    """Print the JSON Schema of the plan file."""
    if name != "plan":
        raise UsageError(f"there is no schema {name}", hint="kmigrate schema plan")
    from kmigrate.planfile import plan_schema

    typer.echo(json.dumps(plan_schema(), indent=2))


def _instead(name: str) -> str:
    """The nearest id, which a number has not; where none is near, every kind of page with its ids."""
    known = {each.casefold(): each for each in pages.ids()}
    near = [] if name.isdigit() else difflib.get_close_matches(name.casefold(), known, n=1)
    if near:
        return f"nearest: kmigrate explain {known[near[0]]}"
    told = (f"\n    {kind}: {', '.join(ids)}" for kind, ids in pages.kinds().items())
    return "there are pages for:" + "".join(told)
