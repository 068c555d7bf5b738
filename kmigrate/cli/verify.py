"""verify: look again at everything that was sealed, and change nothing, also not the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli import gate
from kmigrate.cli.attempts import moved_otherwise, newest, overtaken, unsealed
from kmigrate.cli.session import DEFAULT_PLAN, AsJson, PlanFile, Session, bind, session
from kmigrate.errors import Interrupted, JournalError, KmigrateError, PlatformError, UsageError, VerifyFailed

if TYPE_CHECKING:
    from kmigrate.journal import Journal, UnitRecord
    from kmigrate.model import Lane, Migration
    from kmigrate.plan import Plan, Step, Unit
    from kmigrate.world import World

_CONTENT, _JOURNAL = "content", "journal"
MADE = ("provision", "replicate")
"""Phases that make something that stays: what is not as it was made is made again by a further attempt."""
_WHOSE = (
    "see who wrote there: on the side that does not own the topic only the mirror does, and it mends nothing. Groups "
    "that stand before it read what is there; kmigrate rollback takes a move back to the side whose record is right"
)
_ENDED_BY = {"replicate": "decommission", "rehearse": "decommission"}
"""Phases whose claims a later one rightly ends: the mirror runs no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What is not as it must be, or, when `unknown`, could not be looked at; and what to type next."""

    unit: str
    step: str
    what: str
    hint: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One unit: what is wrong in it; or, in `skipped`, why it was not looked at; `told` is what else was seen."""

    unit: str
    skipped: str = ""
    told: str = ""
    wrong: tuple[Wrong, ...] = ()


def verify(
    file: PlanFile = DEFAULT_PLAN,
    *,
    app: Annotated[str, typer.Option("--app", help="Only this application's newest move, and its topics.")] = "",
    full: Annotated[
        bool, typer.Option("--full", help="Also compare the topics on both sides, record by record.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look again at everything that was sealed; change nothing. Exit code 4 when something is not as it must be.

    7 when nothing is wrong as far as it could be looked at.

    --full reads both logs up to now, and says beforehand how much that is. It keeps nothing, since it changes nothing,
    also not the journal: interrupted, it begins anew (`apply --phase rehearse` goes on where it was).
    """
    with session(file, as_json=as_json, read_only=True, quiet=not full) as s:
        if app and not {app, s.plan.move_of(app)} & {*s.plan.moves, *s.plan.stays}:
            raise UsageError(f"there is no application {app} in the plan file", hint="kmigrate status names them all")
        if s.journal.units:
            bind(s, read_only=True)
        seen = in_doubt(s, look_again(s.plan, s.journal, s.world, app))
        if full:
            seen = (*seen, compare_content(s, app))
        elif seen:
            seen = (*seen, Looked(unit=_CONTENT, skipped="only kmigrate verify --full compares it"))
        if s.journal.units:
            seen = (look_at_journal(s.journal, s.world), *seen)
        _tell(seen, as_json=as_json)
        end(seen)


def look_again(plan: Plan, journal: Journal, world: World, app: str = "") -> tuple[Looked, ...]:
    """Check and verify the steps of sealed phases and of each application's newest attempt; of `app` alone if given.

    Only the newest attempt's claims stand: an earlier one's ended when the application went on or back. One that was
    never begun, or was taken back whole, ended nobody's. Each that is not looked at is told.
    """
    from kmigrate.engine import moved

    if app:
        return (_move(plan, journal, world, app),)
    looked = [each for phase in plan.phases for each in _phase(plan, journal, world, phase.name)]
    last = [name for name in moved(journal) if newest(journal, name).move == name]
    older = (Looked(unit=names, skipped=why) for names, why in overtaken(journal).items())
    return (*looked, *older, *(_move(plan, journal, world, name) for name in last))


def in_doubt(s: Session, seen: tuple[Looked, ...]) -> tuple[Looked, ...]:
    """The same, as not to be looked at where another kmigrate wrote lines meanwhile: it may be its work, half done."""
    if not any(each.wrong for each in seen):
        return seen
    with s.read_anew() as now:
        lines = len(now.entries) - len(s.journal.entries)
    if not lines:
        return seen
    hint = f"another kmigrate wrote {lines} lines to the journal meanwhile: look again once it has ended"
    return tuple(
        replace(each, wrong=tuple(replace(wrong, hint=hint, unknown=True) for wrong in each.wrong)) for each in seen
    )


def changed_since(plan: Plan, journal: Journal, world: World, phases: Sequence[str] = MADE) -> tuple[Wrong, ...]:
    """What is not as it was made on the target, as far as one look tells; `verify` proves it, and looks at all else."""
    return tuple(
        wrong
        for name in phases
        for looked in _phase(plan, journal, world, name, prove=False)
        for wrong in looked.wrong
        if not wrong.unknown
    )


def look_at_journal(journal: Journal, world: World) -> Looked:
    """What reading the journal has shown already, and whether lines were cut off with what would have told of it."""
    whole = f"{len(journal.entries)} lines, each follows the one before"
    try:
        removed = world.claim.removed()
    except PlatformError as error:
        told = Wrong(unit=_JOURNAL, step="copy", what=error.message, hint=error.hint, unknown=True)
        return Looked(unit=_JOURNAL, wrong=(told,))
    if removed is None:
        return Looked(unit=_JOURNAL, told=f"{whole}; there is no copy on the target to compare it with")
    if not removed:
        return Looked(unit=_JOURNAL, told=f"{whole}, and the copy on the target says the same")
    what = f"its last {removed} lines, from line {len(journal.entries) - removed + 1} on, were removed from this folder"
    hint = "nothing is lost: the next apply or rollback brings them back from the target; see who removed them"
    return Looked(unit=_JOURNAL, wrong=(Wrong(unit=_JOURNAL, step="copy", what=what, hint=hint),))


def compare_content(s: Session, app: str = "") -> Looked:
    """Compare the topics of the forward lanes, of `app` alone if given, up to the last place known on both sides."""
    from kmigrate.engine import phase_done
    from kmigrate.manifests.lanes import forward_lanes

    if not phase_done(s.plan, s.journal, "replicate"):
        return Looked(unit=_CONTENT, skipped="replicate is not done yet")
    if phase_done(s.plan, s.journal, "decommission"):
        return Looked(unit=_CONTENT, skipped="decommission ended the mirror")
    every = {lane: _topics_of(s.migration, lane.topics, app) for lane in forward_lanes(s.migration)}
    lanes = {lane: topics for lane, topics in every.items() if topics}
    try:
        return _compare(s, lanes)
    except Interrupted:
        raise
    except KmigrateError as error:
        unknown = not isinstance(error, VerifyFailed)
        told = Wrong(unit=_CONTENT, step="compare", what=error.message, hint=error.hint, unknown=unknown)
        return Looked(unit=_CONTENT, wrong=(told,))


def _compare(s: Session, lanes: Mapping[Lane, tuple[str, ...]]) -> Looked:
    from kmigrate.probes import content

    tell, records, partitions, wrong = s.world.reporter.note, 0, 0, list[Wrong]()
    tell(f"{content.estimate(s.world, [topic for topics in lanes.values() for topic in topics])}")
    tell("nothing is kept meanwhile, so when this is interrupted, the next call begins anew")
    for lane, topics in lanes.items():
        ends = content.settled_ends(s.world, lane, topics, deadline_ms=s.migration.policy.drain_deadline_ms)
        proof = content.prove(s.world, ends)
        records, partitions = records + content.total(proof.compared.values()), partitions + len(ends)
        wrong += [Wrong(unit=_CONTENT, step="compare", what=f"{each}", hint=_WHOSE) for each in proof.differences]
    told = "" if wrong else f"{records:,} records of {partitions} partitions are equal on both sides"
    return Looked(unit=_CONTENT, told=told, wrong=tuple(wrong))


def _topics_of(migration: Migration, topics: tuple[str, ...], app: str) -> tuple[str, ...]:
    if not app:
        return topics
    known = migration.application(app)
    return tuple(topic for topic in topics if topic in {*known.topics_read, *known.writes})


def _phase(plan: Plan, journal: Journal, world: World, name: str, *, prove: bool = True) -> list[Looked]:
    from kmigrate.engine import half_done, phase_attempts, phase_done, phase_over

    unit = plan.phase(name).unit
    attempts = [each for each in phase_attempts(journal, name) if each.begun]
    if unit is None or not attempts:
        return []
    *older, last = attempts
    before = [Looked(unit=each.name, skipped=f"{last.name} came after it") for each in older]
    ended = _ENDED_BY.get(name, "")
    if ended and phase_done(plan, journal, ended):
        return [*before, Looked(unit=last.name, skipped=f"{ended} ended what it claims")]
    if not last.sealed:
        return [*before, Looked(unit=last.name, skipped="it is not done yet")]
    move = half_done(journal) if name in MADE else None
    if move is not None:
        return [*before, Looked(unit=last.name, skipped=f"{move.name} is half done, and changes what {name} made")]
    over = phase_over(plan, journal, name)
    if last.fingerprint != unit.fingerprint:
        edited = "the plan file was edited since" + f": kmigrate apply --phase {name}" * (not over)
        lasting = replace(unit, name=last.name, steps=tuple(step for step in unit.steps if step.for_good))
        looked = _look(lasting, last, journal, world, prove=prove)
        return [*before, looked if looked.wrong else Looked(unit=last.name, skipped=edited)]
    again = name in MADE and not over
    mend = f"see who changed it; kmigrate apply --phase {name} puts it back" if again else ""
    return [*before, _look(replace(unit, name=last.name), last, journal, world, prove=prove, mend=mend)]


def _move(plan: Plan, journal: Journal, world: World, app: str) -> Looked:
    from kmigrate.model import Direction

    if not journal.attempts(app):
        return Looked(unit=app, skipped="it was not moved")
    last = newest(journal, app)
    if not last.sealed:
        return Looked(unit=last.name, skipped=unsealed(last))
    if last.move not in plan.moves:
        return Looked(unit=last.name, skipped="the plan file does not move it any more")
    edited = moved_otherwise(plan, last)
    if edited:
        return Looked(unit=last.name, skipped=edited)
    direction, _, rest = last.name.partition("/")
    return _look(plan.unit(last.move, Direction(direction), int(rest.rpartition("#")[2])), last, journal, world)


def _look(
    unit: Unit, record: UnitRecord, journal: Journal, world: World, *, prove: bool = True, mend: str = ""
) -> Looked:
    """`mend` says what to type where something is missing; by default what each step says."""
    bound = world.bound(journal.past(record))
    found = (_step(unit.name, step, bound, prove=prove, mend=mend) for step in unit.steps)
    return Looked(unit=unit.name, wrong=tuple(each for wrong in found for each in wrong))


def _step(unit: str, step: Step, world: World, *, prove: bool, mend: str) -> list[Wrong]:
    try:
        missing = step.check(world).changes
        if prove and not missing:
            step.verify(world)
    except Interrupted:
        raise
    except KmigrateError as error:
        unknown = isinstance(error, PlatformError)
        return [Wrong(unit=unit, step=step.name, what=error.message, hint=error.hint, unknown=unknown)]
    return [Wrong(unit=unit, step=step.name, what=f"missing: {change}", hint=mend or step.mend) for change in missing]


def _tell(seen: tuple[Looked, ...], *, as_json: bool) -> None:
    from rich.markup import escape

    from kmigrate.cli.draw import out, say

    seen = tuple(map(_with_file, seen))
    if as_json:
        say({"event": "result", "ok": not any(each.wrong for each in seen), "units": [asdict(each) for each in seen]})
        return
    for each in seen:
        sign = "[dim]–[/]" if each.skipped else "[red]✗[/]" if each.wrong else "[green]✓[/]"
        fine = each.told or "is as it was sealed"
        why = f"not looked at: {each.skipped}" if each.skipped else "" if each.wrong else fine
        out.print(f"{sign} {each.unit}  {escape(why)}")
        for wrong in each.wrong:
            out.print(
                f"    {wrong.step}: {escape(wrong.what)}" + (f"\n      → {escape(wrong.hint)}" * bool(wrong.hint))
            )
    if not seen:
        out.print("nothing was sealed yet")


def _with_file(each: Looked) -> Looked:
    """With commands that act on the plan file in hand."""
    wrong = tuple(replace(wrong, hint=gate.with_file(wrong.hint)) for wrong in each.wrong)
    return replace(each, skipped=gate.with_file(each.skipped), wrong=wrong)


def end(seen: tuple[Looked, ...]) -> None:
    """Raise VerifyFailed for what is wrong; PlatformError where there is only what could not be looked at.

    JournalError where the journal itself is: all else was looked at by what it says.
    """
    every = [each for looked in seen for each in looked.wrong]
    wrong = [each for each in every if not each.unknown]
    lines = [each for each in wrong if each.unit == _JOURNAL]
    if lines:
        raise JournalError(f"the journal is not as it was written: {lines[0].what}", hint=lines[0].hint)
    if wrong:
        told = "; ".join(dict.fromkeys(f"{each.unit} {each.step}" for each in wrong))
        raise VerifyFailed(f"not as it must be: {told}", hint=wrong[0].hint or "kmigrate status")
    if every:
        told = "; ".join(dict.fromkeys(f"{each.unit} {each.step}" for each in every))
        raise PlatformError(f"not to be looked at: {told}: {every[0].what}", hint=every[0].hint)
