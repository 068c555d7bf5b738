"""Questions to a human, the loud word while an application stands still, and the end of the time that was given."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kmigrate import interrupt
from kmigrate.errors import KmigrateError, NotConfirmed, UsageError

if TYPE_CHECKING:
    from kmigrate.engine import Edit
    from kmigrate.journal import Journal, UnitRecord
    from kmigrate.plan import Plan
    from kmigrate.world import Clock

_COMMANDS = re.compile(r"kmigrate (apply|rollback|status|plan|verify|history|positions)\b(?! -f )")
_in_hand: ContextVar[str] = ContextVar("in_hand", default="")
"""What names the plan file in the commands that are told; empty where they take it by themselves."""
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


class TimeIsUp(KmigrateError):
    """The time given by --timeout is over; the work is not, and goes on with the same command.

    Not a StillUnderWay: steps catch that one to say which wait was too long for them.
    """

    exit_code = 11


@dataclass(frozen=True, kw_only=True)
class TimedClock:
    """A clock (world.Clock) whose sleep raises TimeIsUp at `end` (monotonic ms), unless `hold` says not now."""

    clock: Clock
    end: int
    hold: Callable[[], bool]

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.clock.now_ms()

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back."""
        return self.clock.monotonic_ms()

    def sleep(self, milliseconds: int) -> None:
        """Wait, at most until the end of the time."""
        left = self.end - self.clock.monotonic_ms()
        if self.hold():
            self.clock.sleep(milliseconds)
        elif left > 0:
            self.clock.sleep(min(milliseconds, left))
        else:
            raise TimeIsUp(
                "the time given by --timeout is over, the work is not", hint="the same command goes on where it stopped"
            )


def milliseconds(text: str, option: str = "--timeout") -> int:
    """A length of time as it is typed, `90s` or `10m`; 0 for an empty text. Raises UsageError for anything else."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h)", text)
    if text and (found is None or not int(found[1])):
        raise UsageError(f"{option} takes a length of time, not {text!r}", hint=f"for example {option} 10m, or 90s")
    return int(found[1]) * _UNITS[found[2]] if found else 0


def need_answer(
    unit: str, *, yes: bool, hint: str = "kmigrate plan shows what it would do; --yes answers the question"
) -> None:
    """Raise NotConfirmed, before anything is asked, where nobody could answer."""
    if not yes and not sys.stdin.isatty():
        raise NotConfirmed(
            f"{unit} waits for a yes, and there is no terminal to ask on",
            hint=hint,
        )


def need_name(unit: str, typed: str, name: str) -> None:
    """What cannot be taken back wants to be told twice, also where nobody is asked; raises NotConfirmed."""
    if typed != name:
        raise NotConfirmed(
            f"{unit} cannot be taken back, and --yes answers one of its two questions",
            hint=f"if you mean it: the same command with --yes --name {name}",
        )


def ask(unit: str, question: str) -> None:
    """Ask, and raise NotConfirmed for anything but a yes; Ctrl-C ends it at once."""
    with interrupt.at_once():
        try:
            sure = typer.confirm(question, err=True)
        except typer.Abort:
            sure = False
    if not sure:
        raise NotConfirmed(f"{unit} was not begun", hint="nothing was changed")


def ask_for_name(unit: str, name: str) -> None:
    """Ask for the migration's name, for what cannot be taken back; raises NotConfirmed for any other word."""
    with interrupt.at_once():
        try:
            typed = typer.prompt(f"This cannot be taken back. Type the migration's name ({name})", err=True)
        except typer.Abort:
            typed = ""
    if typed != name:
        raise NotConfirmed(f"{unit} was not begun: that is not the name", hint="nothing was changed")


def standing_still(journal: Journal) -> dict[str, UnitRecord]:
    """The applications that were stopped and do not work anywhere yet, by the journal, with their newest open attempt.

    One that is only watched (soak) works already.
    """
    from kmigrate.story import START

    names = dict.fromkeys(unit.move for unit in journal.units.values() if unit.moves)
    found = {name: _still(journal.standing(name), START) for name in names}
    return {name: attempt for name, attempt in found.items() if attempt is not None}


def warning(journal: Journal) -> str:
    """What is shouted while applications stand still, with the ways on; empty when none does."""
    return with_file("\n  ".join(_shout(name, attempt) for name, attempt in standing_still(journal).items()))


def with_file(text: str) -> str:
    """Commands in a text, made to act on the plan file in hand where it is not the one they take by themselves."""
    return _COMMANDS.sub(lambda found: found[0] + _in_hand.get(), text)


@contextmanager
def naming(file: Path, default: Path) -> Iterator[None]:
    """Within this `file` is the plan file in hand, and what an error tells to type next acts on it."""
    by_itself = file == default or os.environ.get("KMIGRATE_PLAN") == str(file)
    before = _in_hand.set("" if by_itself else as_option(file))
    try:
        yield
    except KmigrateError as error:
        error.hint = with_file(error.hint)
        raise
    finally:
        _in_hand.reset(before)


def told_edits(plan: Plan, journal: Journal) -> tuple[Edit, ...]:
    """Edits of the plan file, with commands that act on it."""
    from kmigrate.engine import edits

    found = edits(plan, journal)
    return tuple(replace(edit, text=with_file(edit.text), refused=with_file(edit.refused)) for edit in found)


def as_option(file: Path) -> str:
    """How a plan file is named after a command, as a shell reads it."""
    return f" -f {shlex.quote(str(file))}"


@contextmanager
def telling_of_the_rest(done: Sequence[str], left: Sequence[str], again: str) -> Iterator[None]:
    """What ends several units in their middle says what was done before, and what waits; `again` says for what."""
    try:
        yield
    except KmigrateError as error:
        told = [f"done before: {', '.join(done)}"] if done else []
        told += [f"not begun: {', '.join(left)} ({again})"] if left else []
        error.hint = "\n  ".join(each for each in (error.hint, *told) if each)
        raise


@contextmanager
def loudly(journal: Journal) -> Iterator[None]:
    """While an application stands still, every end of a command says so: an error in its hint, any other on stderr."""
    try:
        yield
    except KmigrateError as error:
        told = warning(journal)
        error.hint = "\n  ".join(each for each in (error.hint, told) if each)
        raise
    except Exception:
        _say(warning(journal))
        raise
    else:
        _say(warning(journal))


def _still(attempts: tuple[UnitRecord, ...], start: str) -> UnitRecord | None:
    """A way back that was begun, and has not stopped anything itself, leaves standing what the attempt before left."""
    from kmigrate.journal import Event

    stands = False
    for attempt in attempts:
        if attempt.started("stop-workloads"):
            begun = attempt.steps.get(start)
            stands = begun is None or begun.event is not Event.VERIFIED
    return attempts[-1] if stands else None


def _shout(name: str, attempt: UnitRecord) -> str:
    back = f"kmigrate rollback --app {name}"
    by_hand = _by_hand(attempt)
    if attempt.name.startswith("rollback/"):
        return f"{name.upper()} IS STOPPED, on its way back. on: {back}   forward again: once it is back{by_hand}"
    return f"{name.upper()} IS STOPPED. on: kmigrate apply --phase cutover --app {name}   back: {back}{by_hand}"


def _by_hand(attempt: UnitRecord) -> str:
    """The page of the state it stands in; before the topics change hands lifting the fences is all there is to know."""
    from kmigrate.advice import pages

    newest = next((name for name in reversed(attempt.steps) if attempt.started(name)), "")
    return f"   without kmigrate: kmigrate explain {newest}" if pages.page(newest) else ""


def _say(told: str) -> None:
    if told:
        typer.echo(f"kmigrate: {told}", err=True)
