"""rollback: look at the whole way back, tell it, ask, go. Heavy imports happen inside the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli import gate
from kmigrate.cli.migrate import TakeOver, Yes, approve, moves_of_wave, result
from kmigrate.cli.session import DEFAULT_PLAN, AsJson, PlanFile, Session, bind, session
from kmigrate.errors import UsageError

if TYPE_CHECKING:
    from kmigrate.engine import WayBack


def rollback(
    file: PlanFile = DEFAULT_PLAN,
    *,
    app: Annotated[str, typer.Option("--app", help="The application to take back.")] = "",
    wave: Annotated[int, typer.Option("--wave", help="Every move of a wave, the last one first.")] = 0,
    to: Annotated[
        str, typer.Option("--to", metavar="CHECKPOINT", help="Take back all that came after it; `start`: everything.")
    ] = "",
    yes: Yes = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Take back an application, a wave, or all that came after a checkpoint: undo what has not worked yet, else move.

    Tells the whole way first: its steps, how long who will stand still, and what is not undone and why.
    """
    named = bool(app or to or wave)
    with session(file, as_json=as_json, read_only=not named, take_over=take_over) as s:
        ways = ways_back(s, app, to, wave)
        if not ways:
            result(f"nothing to do: {_there(app, to, wave)}", as_json=as_json)
            return
        bind(s, read_only=False, without_target=all(way.undo for way in ways))
        tell(s, ways, to, as_json=as_json)
        names = ", ".join(way.unit.name for way in ways)
        if not yes:
            gate.need_answer(names, yes=yes, hint="this was the whole way back; --yes answers the question")
            gate.ask(names, _question(ways))
        go(s, ways)
        result(f"done: {_there(app, to, wave)}", as_json=as_json)


def ways_back(s: Session, app: str, to: str, wave: int = 0) -> tuple[WayBack, ...]:
    """What to take back, in this order; raises UsageError with the checkpoints there are where nothing is named."""
    from kmigrate.engine import back, way_of, way_to
    from kmigrate.model import TOGETHER

    if sum(map(bool, (app, to, wave))) > 1:
        raise UsageError(
            "rollback takes --app or --to, not both, and --wave instead of either",
            hint="--to takes back every application after it",
        )
    if to:
        return way_to(s.plan, s.journal, to)
    if wave:
        return way_of(s.plan, s.journal, moves_of_wave(s, wave))
    if app in s.plan.moves and TOGETHER in app:
        return way_of(s.plan, s.journal, (app,))
    if s.plan.move_of(app) not in s.plan.moves and not s.journal.attempts(app):
        raise _nothing_named(s)
    way = back(s.plan, s.journal, app)
    return (way,) if way is not None else ()


def tell(s: Session, ways: Sequence[WayBack], to: str, *, as_json: bool) -> None:
    """Show the whole way, before anything of it is gone."""
    from kmigrate.cli import whole_way
    from kmigrate.cli.draw import err, say, show

    seen = whole_way.look(s, ways, to)
    if as_json:
        say(whole_way.way_json(seen))
    else:
        show(whole_way.way_picture(seen), err)


def go(s: Session, ways: Sequence[WayBack]) -> None:
    """One after the other; what ends it in the middle says what was taken back before and what waits."""
    names = [way.unit.name for way in ways]
    for done, way in enumerate(ways):
        with gate.telling_of_the_rest(names[:done], names[done + 1 :], "the same command goes on"):
            go_back(s, way)


def go_back(s: Session, way: WayBack) -> None:
    """Undo the unit, or run it where it is a move of its own."""
    from kmigrate.engine import run_unit, undo_unit

    approve(s, way.unit)
    (undo_unit if way.undo else run_unit)(way.unit, s.world, s.journal)


def _there(app: str, to: str, wave: int) -> str:
    if wave:
        return f"every application of wave {wave} is on the source"
    return f"{app} is on the source" if app else f"{to} is where we are"


def _nothing_named(s: Session) -> UsageError:
    from kmigrate.engine import checkpoints

    known = checkpoints(s.plan, s.journal)
    told = [f"rollback needs --app with one of: {', '.join(s.plan.moves) or 'none can move'}"]
    told += ["or --wave with its number"] if s.plan.moves else []
    told += ["or --to with a checkpoint:" if known else "or --to with a checkpoint: none yet, nothing was done"]
    told += [f"  {each.name}  ({each.text})" for each in known]
    return UsageError("\n".join(told), hint="kmigrate status shows where each application is")


def _question(ways: Sequence[WayBack]) -> str:
    if len(ways) == 1 and not ways[0].undo:
        return ways[0].unit.gate
    told = ", then ".join(f"{'undo' if way.undo else 'run'} {way.unit.name}" for way in ways)
    return f"Go back: {told}?"
