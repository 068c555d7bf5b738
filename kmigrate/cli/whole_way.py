"""The whole way back, looked at before anything is touched: its steps, who stands still, and what is not undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from kmigrate.cli import gate
from kmigrate.cli.session import Session
from kmigrate.cli.views import tree
from kmigrate.engine import Preview, WayBack, moved, not_restored, preview, way_back, where
from kmigrate.model import TOGETHER, Application, Json, JsonObject, Side
from kmigrate.probes.pauses import Part, Prediction, predict
from kmigrate.probes.pauses import way_back as way_back_part
from kmigrate.waves import together


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One unit of the way: a move of its own with what each step would change, or what is undone, newest first.

    `pause` is how long its applications stand still from now on, as far as that is known; None where nobody does.
    """

    way: WayBack
    steps: tuple[Preview, ...]
    pause: Prediction | Part | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWay:
    """Every leg in its order, and what is not undone by any of them, with why."""

    legs: tuple[Leg, ...]
    left: tuple[str, ...]


def look(s: Session, ways: Sequence[WayBack], checkpoint: str = "") -> WholeWay:
    """Look at every leg; changes nothing, and what a later leg would find is told as things are now.

    Raises Blocked for what would be lost for good.
    """
    return WholeWay(legs=tuple(_leg(s, way) for way in ways), left=tuple(_left(s, ways, checkpoint)))


def way_picture(seen: WholeWay) -> Group:
    """Everything, for people."""
    parts: list[RenderableType] = [Text("the whole way back, in this order:")]
    parts += [_drawn(leg) for leg in seen.legs]
    parts += [Text("\nnot undone:")] if seen.left else []
    return Group(*parts, *(Text(f"  {told}") for told in seen.left))


def way_json(seen: WholeWay) -> JsonObject:
    """One object."""
    legs: list[Json] = [_leg_json(leg) for leg in seen.legs]
    return {"event": "way_back", "legs": legs, "notUndone": list(seen.left)}


def _leg(s: Session, way: WayBack) -> Leg:
    if way.undo:
        undone, record = way_back(way.unit, s.journal), s.journal.units[way.unit.name]
        for step in undone:
            step.may_be_undone(s.world, record.steps[step.name].before)
        steps = tuple(Preview(step=step.name, title=step.title, changes=()) for step in undone)
    else:
        steps = preview(way.unit, s.world, s.journal)
    return Leg(way=way, steps=steps, pause=_pause(s, way))


def _pause(s: Session, way: WayBack) -> Prediction | Part | None:
    """Of a move its whole pause; of one that is undone what is left of it, where it has stopped somebody."""
    names = _members(way)
    if not names:
        return None
    app, ledger = together(s.migration.application(name) for name in names), s.journal.past()
    if not way.undo:
        return predict(ledger, app, Side.TARGET, s.migration.policy)
    stopped = gate.standing_still(s.journal).keys() & {TOGETHER.join(names)}
    return way_back_part(ledger, app, Side.SOURCE, s.migration.policy) if stopped else None


def _left(s: Session, ways: Sequence[WayBack], checkpoint: str) -> Iterator[str]:
    for name in not_restored(s.plan, s.journal, checkpoint) if checkpoint else ():
        again = f"kmigrate apply --phase cutover --app {name}"
        yield f"{name} was on the target at {checkpoint} and came back since; rollback takes nobody forward: {again}"
    for name in (name for way in ways if not way.undo for name in _members(way)):
        if writes := _writes(s, name):
            told = "stays there; the mirror back has brought it to the source by then"
            yield f"what {name} wrote on the target into {', '.join(sorted(writes))} {told}"
    yield from _fed_by_the_mirror_back(s, [s.migration.application(name) for way in ways for name in _members(way)])


def _fed_by_the_mirror_back(s: Session, going: Sequence[Application]) -> Iterator[str]:
    """Writers that stay across, of what somebody reads who goes back."""
    away = {n for move in moved(s.journal) if where(s.journal, move) is Side.TARGET for n in move.split(TOGETHER)}
    for name in sorted(away - {app.name for app in going}):
        writes = _writes(s, name)
        readers = sorted(app.name for app in going if writes & set(app.topics_read))
        if readers:
            told = f"which {', '.join(readers)} reads: the mirror back goes on feeding it"
            yield f"{name} stays on the target and writes {', '.join(sorted(writes))} there, {told}"


def _writes(s: Session, name: str) -> set[str]:
    return {topic for app in s.migration.applications if app.name == name for topic in app.writes}


def _members(way: WayBack) -> tuple[str, ...]:
    """The applications that a leg takes back; none for a phase."""
    _, slash, rest = way.unit.name.partition("/")
    return tuple(rest.rpartition("#")[0].split(TOGETHER)) if slash else ()


def _drawn(leg: Leg) -> Tree:
    told = _still(leg.pause)
    if not leg.way.undo:
        drawn = tree(leg.way.unit, leg.steps)
    else:
        drawn = Tree(f"[bold]{escape(leg.way.unit.name)}[/]  is undone: {escape(leg.way.unit.title)}")
        for step in leg.steps:
            drawn.add(f"↶ {step.step}  [dim]{escape(step.title)}[/]")
    drawn.add(f"[bold]{escape(told)}[/]")
    return drawn


def _still(pause: Prediction | Part | None) -> str:
    if pause is None:
        return "nobody stands still"
    return f"stands still for {pause}" if isinstance(pause, Prediction) else f"stands still; {pause}"


def _leg_json(leg: Leg) -> Json:
    return {
        "unit": leg.way.unit.name,
        "title": leg.way.unit.title,
        "how": "undo" if leg.way.undo else "move",
        "standsStill": _pause_json(leg.pause),
        "steps": list(_steps_json(leg.steps)),
    }


def _pause_json(pause: Prediction | Part | None) -> Json:
    if isinstance(pause, Part):
        return {"ms": pause.ms, "from": pause.source}
    return pause.told() if pause is not None else None


def _steps_json(steps: Iterable[Preview]) -> Iterator[Json]:
    for each in steps:
        changes: list[Json] = [str(change) for change in each.changes]
        yield {"step": each.step, "title": each.title, "changes": changes, "blocked": each.blocked}
