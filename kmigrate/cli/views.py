"""What plan and status show: looked at first, drawn or written as JSON afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.markup import escape
from rich.tree import Tree

from kmigrate.cli.draw import err, grades, out, say, table
from kmigrate.engine import Preview, forward, where
from kmigrate.errors import Blocked, KmigrateError
from kmigrate.journal import Event, Journal, UnitRecord
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Json, Lane, Migration, Side
from kmigrate.plan import Plan, Step, Unit
from kmigrate.world import World

Shown = Sequence[tuple[Unit, Sequence[Preview]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """A unit as the journal has it."""

    name: str
    state: str
    pause_ms: int | None
    positions: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationView:
    """Where an application is, by the journal, and whether it runs, by looking."""

    name: str
    side: str
    running: str
    why_it_stays: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """What status shows; `lag` is an upper bound in records per lane, or why it cannot be told."""

    migration: str
    units: tuple[UnitView, ...]
    applications: tuple[ApplicationView, ...]
    lag: Mapping[str, str]
    next: str


def upcoming(plan: Plan, journal: Journal) -> list[Unit]:
    """Units that are not sealed yet: phases, then the next attempt of every move."""
    units = [phase.unit for phase in plan.phases if phase.unit is not None]
    todo = [unit for unit in units if not _sealed(journal, unit.name)]
    for name in plan.moves:
        try:
            unit = forward(plan, journal, name)
        except Blocked:
            continue
        todo += [unit] if unit else []
    return todo


def next_command(plan: Plan, journal: Journal) -> str:
    """The command that goes on."""
    for name in plan.moves:
        last = (journal.attempts(name) or (None,))[-1]
        if last is not None and last.open:
            verb = "rollback" if last.name.startswith("rollback/") else "apply --phase cutover"
            return f"kmigrate {verb} --app {name}"
    for phase in plan.phases:
        if phase.unit is not None and not _sealed(journal, phase.unit.name):
            return f"kmigrate apply --phase {phase.name}"
    left = [name for name in plan.moves if where(journal, name) is Side.SOURCE]
    return f"kmigrate apply --phase cutover --app {left[0]}" if left else "nothing is left to move"


def stopped_warning(plan: Plan, journal: Journal, unit: Unit) -> str:
    """A loud sentence while the unit has stopped clients and not started them again; else empty."""
    known = journal.unit(unit.name)
    app = unit.name.partition("/")[2].partition("#")[0]
    if known is None or not app or not known.open or not known.started("stop-workloads"):
        return ""
    if known.steps.get(unit.point_of_no_undo) and known.steps[unit.point_of_no_undo].event is Event.VERIFIED:
        return ""
    verb = "rollback" if unit.name.startswith("rollback/") else "apply --phase cutover"
    ways = f"on: kmigrate {verb} --app {app}" + (
        "" if verb == "rollback" else f"   back: kmigrate rollback --app {app}"
    )
    return f"{app.upper()} IS STOPPED. {ways}"


def look(migration: Migration, plan: Plan, journal: Journal, world: World) -> StatusView:
    """Look at the journal and the world."""
    return StatusView(
        migration=migration.name,
        units=tuple(_unit(unit) for unit in journal.units.values()),
        applications=tuple(_application(app.name, plan, journal, world) for app in migration.applications),
        lag={lane.name: _lag(world, lane) for lane in forward_lanes(migration)},
        next=next_command(plan, journal),
    )


def status_table(seen: StatusView) -> None:
    """Draw it for people."""
    apps = table(f"Applications of {seen.migration}", "application", "side", "runs", "stays because")
    for app in seen.applications:
        apps.add_row(app.name, app.side, app.running, escape(app.why_it_stays))
    out.print(apps, "")
    units = table("Units", "unit", "state", "pause", "positions")
    for unit in seen.units:
        pause = f"{unit.pause_ms} ms" if unit.pause_ms is not None else ""
        units.add_row(unit.name, unit.state, pause, grades(unit.positions))
    out.print(units, "")
    for lane, told in seen.lag.items():
        out.print(f"{lane}: {told}")
    out.print(f"\nnext: [bold]{seen.next}[/]")


def status_json(seen: StatusView) -> None:
    """One object."""
    units: list[Json] = [asdict(unit) for unit in seen.units]
    apps: list[Json] = [asdict(app) for app in seen.applications]
    say({"migration": seen.migration, "units": units, "applications": apps, "lag": seen.lag, "next": seen.next})


def plan_table(migration: Migration, plan: Plan, shown: Shown) -> None:
    """Draw what each unit would change."""
    out.print(f"[bold]{migration.name}[/]: {migration.source.bootstrap} → {migration.target.cluster}\n")
    for unit, previews in shown:
        unit_tree(unit, previews, onto_stdout=True)
    for name, why in plan.stays.items():
        out.print(f"[bold]{name}[/] stays: {escape(why)}")
    if not shown:
        out.print("nothing to do")


def plan_json(plan: Plan, shown: Shown) -> None:
    """One object."""
    units: list[Json] = [{"unit": unit.name, "steps": [_preview_json(each) for each in of]} for unit, of in shown]
    say({"units": units, "stays": dict(plan.stays)})


def unit_tree(unit: Unit, previews: Sequence[Preview], *, onto_stdout: bool = False) -> None:
    """Draw what one unit would change, step by step."""
    tree = Tree(f"[bold]{unit.name}[/]  {escape(unit.title)}")
    for each in previews:
        way = f"  [dim]one way: {escape(each.one_way)}[/]" if each.one_way else ""
        branch = tree.add(f"{each.step}  [dim]{escape(each.title)}[/]{way}")
        if each.blocked:
            branch.add(f"[yellow]not now: {escape(each.blocked)}[/]")
        for change in each.changes:
            branch.add(escape(str(change)))
    (out if onto_stdout else err).print(tree)


def undo_list(steps: Sequence[Step]) -> None:
    """Draw the whole way back before the first step of it."""
    err.print("the way back, in this order:")
    for step in steps:
        err.print(f"  ↶ {step.name}  [dim]{escape(step.title)}[/]")


def _sealed(journal: Journal, name: str) -> bool:
    known = journal.unit(name)
    return known is not None and known.sealed


def _unit(unit: UnitRecord) -> UnitView:
    if unit.sealed:
        state = "sealed"
    elif unit.went_back:
        state = "went back"
    else:
        done = [name for name, step in unit.steps.items() if step.event is Event.VERIFIED]
        begun = [name for name, step in unit.steps.items() if step.event in (Event.STARTED, Event.APPLIED)]
        state = f"in {begun[-1]}" if begun else f"after {done[-1]}" if done else "approved"
    pause = unit.facts.get("pause_ms")
    positions = unit.facts.get("positions")
    return UnitView(
        name=unit.name, state=state, pause_ms=pause if isinstance(pause, int) else None, positions=positions
    )


def _application(name: str, plan: Plan, journal: Journal, world: World) -> ApplicationView:
    why = plan.stays.get(name, "")
    running = "not looked at: no workloads"
    if "names no workloads" not in why:
        try:
            running = "yes" if world.workload(name).look().running else "NO"
        except KmigrateError as error:
            running = f"unknown: {error.message}"
    return ApplicationView(name=name, side=str(where(journal, name)), running=running, why_it_stays=why)


def _lag(world: World, lane: Lane) -> str:
    """Last stable offsets of the source less what Connect says is copied: at most so many records, markers included."""
    try:
        copied = world.mirror.copied(lane)
        topics = world.cluster(Side.SOURCE).topics(lane.topics)
        logs = world.cluster(Side.SOURCE).ranges([p for topic in topics.values() for p in topic.all()])
        behind = sum(max(0, log.end - 1 - copied.get(p, log.start - 1)) for p, log in logs.items())
        trouble = world.mirror.trouble(lane)
    except KmigrateError as error:
        return f"unknown: {error.message}"
    return f"at most {behind} records behind" + (f"; {'; '.join(trouble)}" if trouble else "")


def _preview_json(each: Preview) -> Json:
    return {"step": each.step, "changes": [str(change) for change in each.changes], "blocked": each.blocked}
