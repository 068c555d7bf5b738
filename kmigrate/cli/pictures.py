"""How status and history look: for people as tables, for programs as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from kmigrate.cli.draw import grades, table
from kmigrate.cli.views import FenceView, LagView, StatusView, UnitView
from kmigrate.history import Row
from kmigrate.model import Json, JsonObject

_NAMED = 10
"""So many places of foreign records are drawn; all are in the JSON."""


def status_picture(seen: StatusView, before: StatusView | None = None) -> Group:
    """Everything status shows; with an earlier look also how long catching up still takes."""
    return Group(*_status(seen, before))


def status_json(seen: StatusView, before: StatusView | None = None) -> JsonObject:
    """One object; `etaMs` is null until two looks tell how fast a lane catches up."""
    earlier = {lag.lane: lag for lag in before.lag} if before else {}
    elapsed = seen.time - before.time if before else 0
    lags: list[Json] = [{**asdict(lag), "etaMs": eta_ms(lag, earlier.get(lag.lane), elapsed)} for lag in seen.lag]
    units: list[Json] = [asdict(unit) for unit in seen.units]
    apps: list[Json] = [asdict(app) for app in seen.applications]
    fences: list[Json] = [asdict(fence) for fence in seen.fences]
    return {
        "migration": seen.migration,
        "time": seen.time,
        "units": units,
        "applications": apps,
        "lag": lags,
        "pauses": {name: pause.told() for name, pause in seen.pauses.items()},
        "fences": fences,
        "next": seen.next,
        "unanswered": list(seen.unanswered),
        "standingStill": seen.standing_still,
        "atWork": seen.holder or None,
        "refusedEdits": list(seen.edits),
        "onOneSideAlone": list(seen.foreign),
    }


def eta_ms(now: LagView, before: LagView | None, elapsed_ms: int) -> int | None:
    """How long the rest takes at the pace between two looks; None where there is no pace to tell it by."""
    if now.behind is None or before is None or before.behind is None or elapsed_ms <= 0:
        return None
    done = before.behind - now.behind
    return now.behind * elapsed_ms // done if done > 0 else None


def history_picture(rows: Sequence[Row]) -> RenderableType:
    """The journal, one line per entry."""
    drawn = table("The journal", "#", "time (UTC)", "unit", "what", "checkpoint")
    for row in rows:
        detail = f"  [dim]{escape(row.detail)}[/]" if row.detail else ""
        drawn.add_row(
            str(row.number),
            row.time,
            escape(row.unit),
            f"{escape(f'{row.event} {row.step}'.strip())}{detail}",
            f"[bold]⚑ {escape(row.checkpoint)}[/]" if row.checkpoint else "",
        )
    return drawn


def _status(seen: StatusView, before: StatusView | None) -> Iterator[RenderableType]:
    looked = datetime.fromtimestamp(seen.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield _line(f"[bold]{escape(seen.migration)}[/], looked at {looked} UTC\n")
    if seen.standing_still:
        yield Text(f"{seen.standing_still}\n", style="bold red")
    if seen.holder:
        yield _line(f"[bold]at work, or died at it:[/] {escape(seen.holder)}\n")
    yield from (_line(f"[yellow]{escape(edit)}[/]\n") for edit in seen.edits)
    yield from (_line(f"[red]DOES NOT ANSWER: {escape(told)}[/]\n") for told in seen.unanswered)
    yield from (_fence(fence) for fence in seen.fences)
    apps = table("Applications", "application", "on the", "runs", "way back", "stays because")
    for app in seen.applications:
        apps.add_row(escape(app.name), app.side, escape(app.running), escape(app.way_back), escape(app.why_it_stays))
    yield apps
    if seen.units:
        units = table("\nUnits", "unit", "state", "pause", "positions")
        for unit in seen.units:
            units.add_row(escape(unit.name), unit.state, _pause(unit), grades(unit.positions))
        yield units
    yield from _foreign(seen.foreign)
    earlier = {lag.lane: lag for lag in before.lag} if before else {}
    elapsed = seen.time - before.time if before else 0
    yield _line("")
    yield from (_line(_lag(lag, eta_ms(lag, earlier.get(lag.lane), elapsed))) for lag in seen.lag)
    yield from _predicted(seen)
    yield _line(f"\nnext: [bold]{escape(seen.next)}[/]")


def _predicted(seen: StatusView) -> Iterator[RenderableType]:
    if seen.pauses:
        yield _line("\n[bold]Pauses of what is still to move[/]")
    yield from (_line(f"  {escape(f'{name}: {pause}')}") for name, pause in seen.pauses.items())


def _foreign(found: Sequence[str]) -> Iterator[RenderableType]:
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        told = f"written by somebody whom the plan does not know: {', '.join(found[:_NAMED])}{more}"
        yield _line(f"\n[yellow]{escape(told)}[/]; kmigrate explain KM-FOREIGN-WRITE")


def _fence(fence: FenceView) -> RenderableType:
    if fence.unknown:
        return _line(f"[yellow]Fences on the {fence.side}: not known: {escape(fence.unknown)}[/]\n")
    denied = "\n".join(f"  {each}" for each in fence.denied)
    lifting = "\n".join(f"  {each}" for each in fence.commands)
    text = f"CLIENTS ARE FENCED on the {fence.side}:\n{denied}\nwithout kmigrate these lift it:\n{lifting}\n"
    return Text(text, style="bold red")


def _pause(unit: UnitView) -> str:
    if unit.pause_ms is None:
        return ""
    parts = ", ".join(f"{_part(part)} {ms / 1000:.1f} s" for part, ms in unit.pause_parts.items())
    return f"{unit.pause_ms / 1000:.1f} s" + (f" ({parts})" if parts else "")


def _part(part: str) -> str:
    return "kmigrate" if part == "tool" else part


def _lag(lag: LagView, eta: int | None) -> str:
    if lag.behind is None:
        return f"{lag.lane}: lag not known: {escape(lag.unknown)}"
    left = f", caught up in about {eta / 1000:.0f} s" if eta is not None and lag.behind else ""
    trouble = f"; [red]{escape('; '.join(lag.trouble))}[/]" if lag.trouble else ""
    return f"{lag.lane}: at most {lag.behind} records behind{left}{trouble}"


def _line(markup: str) -> Text:
    return Text.from_markup(markup)
