"""Drawing for people: what the engine tells, as lines and a spinner on stderr; tables on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from kmigrate.model import Json
from kmigrate.world import Reporter

_UNCUT = 1_000_000
"""As wide as anything gets where no terminal is: rich cuts trees and tables at the width it is told."""
_SHORT = 90
_EVERY_S = 30.0


class _Words(Console):
    """Prints; what nobody reads any more ends nothing on stderr, and on stdout the command (streams)."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process here, in the middle of a step."""
        if not self.stderr:
            raise  # noqa: PLE0704 — rich calls this while it handles the error
        del self._buffer[:]


out = _Words(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _UNCUT)
err = _Words(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else _UNCUT)


def show(picture: RenderableType, on: Console = out) -> None:
    """Print a picture whole: its plain lines as they are, for the terminal to fold; trees and tables folded by us."""
    for part in picture.renderables if isinstance(picture, Group) else (picture,):
        on.print(part, soft_wrap=isinstance(part, Text))


class TerminalReporter(Reporter):
    """Tells people: one line per step with its time, a spinner with the detail of what is waited for.

    Where no terminal is, a wait tells how far it is every half minute.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._spinner: Status | None = None
        self._since, self._pace = time.monotonic(), _Pace(now)

    def unit_started(self, unit: str, title: str) -> None:
        """A heading."""
        self._line(f"[bold]{unit}[/]  {title}")

    def unit_sealed(self, unit: str) -> None:
        """The end of a unit."""
        self._line(f"[bold green]{unit} sealed[/]")

    def step_started(self, unit: str, step: str, title: str) -> None:
        """The spinner shows the step."""
        self._since = time.monotonic()
        self._pace.begin()
        self._show(escape(f"{step}  {title}"))

    def step_skipped(self, unit: str, step: str) -> None:
        """Nothing to do."""
        self._line(f"  [green]✓[/] {step:18} [dim]as it was[/]")

    def step_done(self, unit: str, step: str, evidence: Json) -> None:
        """A step, how long it took, and its evidence if that is short."""
        told = escape(_short(evidence))
        self._line(f"  [green]✓[/] {step:18} {time.monotonic() - self._since:6.2f} s  [dim]{told}[/]")

    def step_undone(self, unit: str, step: str) -> None:
        """A step taken back."""
        self._line(f"  [yellow]↶[/] {step:18} undone")

    def progress(self, what: str, detail: str) -> None:
        """The spinner shows how far a wait is; without a terminal a line does, now and then."""
        if err.is_terminal:
            self._show(escape(f"{what}: {detail}"))
        else:
            self._pace.progress(what, detail)

    def note(self, text: str) -> None:
        """A sentence."""
        self._line(f"  {escape(text)}")

    def close(self) -> None:
        """Take the spinner away."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def _line(self, text: str) -> None:
        self.close()
        err.print(text)

    def _show(self, text: str) -> None:
        if not err.is_terminal:
            return
        if self._spinner is None:
            self._spinner = err.status(text)
            self._spinner.start()
        self._spinner.update(text)


class JsonReporter(Reporter):
    """Tells programs: one JSON object per line on stdout; how far a wait is goes to stderr every half minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._pace = _Pace(now)

    def step_started(self, unit: str, step: str, title: str) -> None:
        """Nothing is told before it is done."""
        self._pace.begin()

    def progress(self, what: str, detail: str) -> None:
        """How far a wait is, in words."""
        self._pace.progress(what, detail)

    def unit_started(self, unit: str, title: str) -> None:
        """`{"event": "unit_started", …}`."""
        _tell({"event": "unit_started", "unit": unit})

    def unit_sealed(self, unit: str) -> None:
        """`{"event": "unit_sealed", …}`."""
        _tell({"event": "unit_sealed", "unit": unit})

    def step_skipped(self, unit: str, step: str) -> None:
        """`{"event": "step_skipped", …}`."""
        _tell({"event": "step_skipped", "unit": unit, "step": step})

    def step_done(self, unit: str, step: str, evidence: Json) -> None:
        """`{"event": "step_done", …}`."""
        _tell({"event": "step_done", "unit": unit, "step": step, "evidence": evidence})

    def step_undone(self, unit: str, step: str) -> None:
        """`{"event": "step_undone", …}`."""
        _tell({"event": "step_undone", "unit": unit, "step": step})

    def note(self, text: str) -> None:
        """`{"event": "note", …}`."""
        _tell({"event": "note", "text": text})


class _Pace:
    """Lets one line of progress through every half minute, the first half a minute after a step began."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._next = now, 0.0
        self.begin()

    def begin(self) -> None:
        self._next = self._now() + _EVERY_S

    def progress(self, what: str, detail: str) -> None:
        if self._now() >= self._next:
            self.begin()
            err.print(escape(f"  … {what}: {detail}"))


def _tell(what: Mapping[str, Json]) -> None:
    """What is told on the way may get lost: the work goes on, and the journal tells it too."""
    with suppress(OSError):
        say(what)


def say(what: Mapping[str, Json]) -> None:
    """Write one JSON object and a newline to stdout."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def table(title: str, *columns: str) -> Table:
    """A plain table."""
    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    return drawn


def _short(evidence: Json) -> str:
    text = json.dumps(evidence).replace('"', "")
    text = text[1:-1] if isinstance(evidence, Mapping) else text
    return grades(evidence) or (text if len(text) <= _SHORT else "")


def grades(positions: Json) -> str:
    """How many positions have which grade, from what carry-positions put into the ledger; empty for anything else."""
    counts: dict[str, int] = {}
    for of in positions.values() if isinstance(positions, Mapping) else ():
        for told in of.values() if isinstance(of, Mapping) else ():
            if isinstance(told, Mapping) and "grade" in told:
                grade = str(told["grade"])
                counts[grade] = counts.get(grade, 0) + 1
    return ", ".join(f"{count} {grade}" for grade, count in counts.items())
