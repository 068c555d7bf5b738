"""What plan sees: what is there, what blocks, what would change, in which order, and how long; then how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from kmigrate.advice import Flag, Inventory, Judged
from kmigrate.cli import gate
from kmigrate.cli.estate import acl_json, estate_json, estate_tree
from kmigrate.cli.granting import lacking_text
from kmigrate.cli.ordering import draw_waves, waves_json
from kmigrate.cli.verify import Wrong, changed_since
from kmigrate.cli.views import predicted, tree, unanswered, upcoming
from kmigrate.engine import Edit, Preview, preview, where
from kmigrate.errors import Blocked, Interrupted, KmigrateError, PlatformError
from kmigrate.journal import Journal
from kmigrate.manifests.audit import Audited
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.manifests.taken_over import taken_over
from kmigrate.model import Json, JsonObject, Migration, Side
from kmigrate.plan import Plan, Unit
from kmigrate.probes.inventory import assess, take_inventory
from kmigrate.probes.lacking import Lacking, lacking
from kmigrate.probes.pauses import SHORTEN, Prediction, too_long
from kmigrate.probes.uncommitted import COMMITTED, aborted_copies_now
from kmigrate.waves import moves, together
from kmigrate.world import World

THERE_ARE_CHANGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """What plan shows; `inventory` and `judged` are None where the source did not answer, and `unknown` says why.

    `failed` is the exit code of that answer, or 0; `unanswered` says which side failed, and how. `aborted` has, by
    group that reads uncommitted records, how many aborted copies it could see if it moved now; or why that is unknown.
    `since` is what somebody changed of what was made on the target.
    """

    migration: Migration
    plan: Plan
    inventory: Inventory | None
    judged: Judged | None
    unknown: str
    edits: tuple[Edit, ...]
    units: tuple[tuple[Unit, tuple[Preview, ...]], ...]
    pauses: dict[str, int]
    predicted: dict[str, Prediction]
    aborted: dict[str, int | str]
    failed: int
    unanswered: tuple[str, ...]
    lacking: Lacking
    since: tuple[Wrong, ...]
    place: str
    """Where the target's resources are, of a target in Kubernetes."""

    @property
    def acls(self) -> tuple[Audited, ...]:
        """What becomes of each ACL about somebody of the plan, in the KafkaUsers."""
        return taken_over(self.migration, (self.inventory.rights if self.inventory else None) or ())

    @property
    def too_long(self) -> tuple[str, ...]:
        """Moves of which is known beforehand that they would outgrow maxPause."""
        return tuple(name for name, each in self.predicted.items() if not each.fits(self.migration.policy))

    @property
    def changes(self) -> bool:
        """Whether a unit would change something, or cannot say yet; or somebody did."""
        return bool(self.since) or any(step.changes or step.blocked for _, steps in self.units for step in steps)

    def exit_code(self, *, detailed: bool) -> int:
        """What failed, else what blocks, else with `detailed` whether there are changes."""
        if self.failed or self.unanswered:
            return self.failed or PlatformError.exit_code
        blocked = (self.judged is not None and self.judged.blocking) or any(edit.refused for edit in self.edits)
        if blocked or self.too_long:
            return Blocked.exit_code
        return THERE_ARE_CHANGES if detailed and self.changes else 0


def look_ahead(migration: Migration, plan: Plan, journal: Journal, world: World) -> PlanView:
    """Look at the source, the plan and the journal; what does not answer is told, not raised."""
    inventory, judged, unknown, failed = _inventory(world, migration)
    units = tuple((unit, preview(unit, world, journal)) for unit in upcoming(plan, journal))
    return PlanView(
        migration=migration,
        plan=plan,
        inventory=inventory,
        judged=judged,
        unknown=unknown,
        edits=gate.told_edits(plan, journal),
        units=units,
        pauses=_pauses(plan, journal),
        predicted=predicted(migration, plan, journal),
        aborted=_aborted(world, migration, plan, journal),
        failed=failed,
        unanswered=unanswered(world),
        lacking=lacking(world.bound(journal.past()), migration),
        since=tuple(replace(each, hint=gate.with_file(each.hint)) for each in changed_since(plan, journal, world)),
        place=world.resources.place if migration.target.in_kubernetes else "",
    )


def plan_picture(seen: PlanView) -> Group:
    """Everything plan shows."""
    head = f"[bold]{escape(seen.migration.name)}[/]: {escape(seen.migration.source.bootstrap)} → "
    target = f"{seen.migration.target.cluster} in namespace {seen.migration.target.namespace} of {seen.place}"
    parts: list[RenderableType] = [
        _line(f"{head}{escape(target if seen.place else seen.migration.target.cluster)}\n"),
        estate_tree(seen.inventory, seen.unknown, seen.acls),
    ]
    parts += [_line(f"[red]DOES NOT ANSWER: {escape(told)}[/]") for told in seen.unanswered if told != seen.unknown]
    if seen.judged is not None and (seen.judged.flags or seen.judged.accepted):
        parts.append(_flags(seen.judged))
    if seen.lacking.needs:
        parts.append(_lacking(seen))
    if seen.edits:
        parts.append(_edits(seen.edits))
    if seen.since:
        parts.append(_since(seen.since))
    parts += [tree(unit, steps) for unit, steps in seen.units] or ([] if seen.since else [_line("Nothing to do.")])
    return Group(*parts, _order(seen), *_twice(seen), *_how_long(seen))


def plan_json(seen: PlanView) -> JsonObject:
    """One object."""
    units: list[Json] = [{"unit": unit.name, "steps": [_step(each) for each in of]} for unit, of in seen.units]
    edited: list[Json] = [asdict(edit) for edit in seen.edits]
    pauses: dict[str, Json] = {name: seen.pauses.get(name) for name in seen.plan.moves}
    return {
        "migration": seen.migration.name,
        "place": seen.place,
        "inventory": estate_json(seen.inventory),
        "unknown": seen.unknown,
        "unanswered": list(seen.unanswered),
        "lackingRights": {told: list(how) for told, how in lacking_text(seen.migration, seen.lacking.needs)},
        "acls": [acl_json(each) for each in seen.acls],
        "flags": _flags_json(seen.judged),
        "edits": edited,
        "changedSince": [asdict(each) for each in seen.since],
        "units": units,
        **waves_json(seen.migration.applications),
        "stays": dict(seen.plan.stays),
        "maxPauseMs": seen.migration.policy.max_pause_ms,
        "lastPauseMs": pauses,
        "predictedPauses": {name: each.told() for name, each in seen.predicted.items()},
        "tooLong": list(seen.too_long),
        "abortedCopiesAhead": dict(seen.aborted),
        "changes": seen.changes,
    }


def _inventory(world: World, migration: Migration) -> tuple[Inventory | None, Judged | None, str, int]:
    try:
        inventory = take_inventory(world, migration)
    except Interrupted:
        raise
    except KmigrateError as error:
        return None, None, f"{error.message}; {error.hint}" if error.hint else error.message, error.exit_code
    return inventory, assess(migration, inventory), inventory.unlisted, 0


def _pauses(plan: Plan, journal: Journal) -> dict[str, int]:
    """The newest pause of each move that was measured (ms)."""
    told = ((name, unit.facts.get("pause_ms")) for name in plan.moves for unit in journal.attempts(name))
    return {name: pause for name, pause in told if isinstance(pause, int)}


def _aborted(world: World, migration: Migration, plan: Plan, journal: Journal) -> dict[str, int | str]:
    """Of every group that reads uncommitted records and is still to be moved."""
    left = [move for move in moves(migration.applications) if move.name in plan.moves]
    here = [together(move.applications) for move in left if where(journal, move.name) is Side.SOURCE]
    told: dict[str, int | str] = {}
    for reads in (reads for app in here for reads in app.reads if reads.isolation != COMMITTED):
        try:
            told[reads.group] = aborted_copies_now(world, reads, forward_lanes(migration))
        except Interrupted:
            raise
        except KmigrateError as error:
            told[reads.group] = error.message
    return told


def _flags(judged: Judged) -> Tree:
    drawn = Tree("[bold]Red flags[/]")
    for style, word, flags in (("red", "blocks", judged.blocking), ("yellow", "warns", judged.warning)):
        for flag in flags:
            branch = drawn.add(f"[{style}]{word}  {escape(str(flag))}[/]")
            branch.add(f"way out: {_typed(flag.way_out)}  [dim]kmigrate explain {flag.id}[/]")
    for flag in judged.accepted:
        drawn.add(f"[dim]accepted  {escape(str(flag))}[/]")
    return drawn


def _lacking(seen: PlanView) -> Tree:
    drawn = Tree("[bold]Rights that are missing[/]")
    for told, granting in lacking_text(seen.migration, seen.lacking.needs):
        branch = drawn.add(f"[red]{escape(told)}[/]")
        for command in granting:
            branch.add(escape(command))
    return drawn


def _since(some: Sequence[Wrong]) -> Tree:
    drawn = Tree(f"[yellow]Changed since it was made[/]; `{_typed('kmigrate verify')}` looks at all of it")
    for each in some:
        drawn.add(f"{each.unit}, {each.step}: {escape(each.what)}").add(f"→ {escape(each.hint)}")
    return drawn


def _edits(some: Sequence[Edit]) -> Tree:
    drawn = Tree("[bold]The plan file was edited since[/]")
    for edit in some:
        branch = drawn.add(f"[{'red' if edit.refused else 'yellow'}]{escape(edit.text)}[/]")
        if edit.refused:
            branch.add(f"refused; {escape(edit.refused)}")
    return drawn


def _order(seen: PlanView) -> Tree:
    drawn = Tree("\n[bold]In which order[/]")
    for phase in seen.plan.phases:
        branch = drawn.add(f"{phase.name}  [dim]{escape(phase.title)}[/]")
        if phase.unit is None:
            draw_waves(branch, seen.migration.applications, seen.plan)
    return drawn


def _twice(seen: PlanView) -> Iterator[RenderableType]:
    """What readers of uncommitted records could see twice."""
    if seen.aborted:
        yield _line("\n[bold]Aborted copies ahead of readers of uncommitted records[/]")
    for group, count in seen.aborted.items():
        told = f"{count:,} if it moved now" if isinstance(count, int) else f"not known: {count}"
        yield _line(f"  {escape(f'{group}: {told}')}")


def _how_long(seen: PlanView) -> Iterator[RenderableType]:
    policy = seen.migration.policy
    yield _line("\n[bold]How long[/]")
    watch = _typed("kmigrate status --watch")
    yield _line(f"  catching up: not known from one look; {watch} tells it from the pace it sees")
    for name in seen.plan.moves:
        last = seen.pauses.get(name)
        told = [str(seen.predicted[name])] if name in seen.predicted else []
        told += [] if last is None else [f"stood still {last / 1000:.1f} s last time"]
        yield _line(f"  {escape(name)}: {escape('; '.join(told))}")
        if name in seen.too_long:
            why = too_long(name, seen.predicted[name], policy)
            yield _line(f"    [red]blocks: {escape(why)}[/]; way out: {_typed(SHORTEN)}")
    budget = f"{policy.max_pause_ms / 1000:g} s"
    then = "goes back by itself" if policy.turn_back else "holds and says so"
    yield _line(f"  maxPause is {budget}: a move that would stand still for longer {then}")


def _flags_json(judged: Judged | None) -> Json:
    if judged is None:
        return None
    kinds = {"blocking": judged.blocking, "warning": judged.warning, "accepted": judged.accepted}
    return {kind: [_flag(flag) for flag in flags] for kind, flags in kinds.items()}


def _flag(flag: Flag) -> Json:
    return {"id": flag.id, "subject": flag.subject, "what": flag.what, "wayOut": gate.with_file(flag.way_out)}


def _step(each: Preview) -> Json:
    return {"step": each.step, "changes": [str(change) for change in each.changes], "blocked": each.blocked}


def _typed(text: str) -> str:
    """A text with commands that act on the plan file in hand."""
    return escape(gate.with_file(text))


def _line(markup: str) -> Text:
    return Text.from_markup(markup)
