"""The whole story on one screen: which phases there are, and what each unit does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from kmigrate.advice import ABORTED_AHEAD, BORNE, FOREIGN_WRITE
from kmigrate.journal import Event, Journal, UnitRecord
from kmigrate.manifests.lanes import forward_lanes, topics_by_lane
from kmigrate.manifests.rights import KMIGRATE_USER, MIRROR_USER, REVERSE_USER
from kmigrate.model import TOGETHER, Application, Direction, Json, Lane, Migration, Policy, Reads, Side
from kmigrate.plan import Phase, Plan, Unit
from kmigrate.steps.assess import TakeInventory
from kmigrate.steps.bridge import StartBridge
from kmigrate.steps.clusters import FindCluster
from kmigrate.steps.cutover import (
    CarryPositions,
    DrainMirror,
    FenceClients,
    HandOverTopics,
    LiftFence,
    Ready,
    Soak,
    StartWorkloads,
    StopWorkloads,
    SwitchSettings,
    TurnMirror,
)
from kmigrate.steps.decommission import ProveIdle, ReleaseRetention, StopLanes, not_seen
from kmigrate.steps.foresee import ForeseeRefusals
from kmigrate.steps.ledger import ClaimMigration
from kmigrate.steps.logins import login_name
from kmigrate.steps.provision import (
    LANES,
    CreateTopics,
    CreateUsers,
    TryAccess,
)
from kmigrate.steps.rehearse import ProveContent, TryPositions
from kmigrate.steps.replicate import CatchUp, GuardRetention, StartMirror, StoreLogins
from kmigrate.steps.reverse import PrepareReverse, PrepareSource
from kmigrate.waves import Lanes, extended, stays, together, waves

START = StartWorkloads.name
"""From its STARTED on the way back is a move of its own; before, it is undo (design §3)."""


def story(migration: Migration) -> Plan:
    """Assess, provision, replicate, rehearse, then one move after the other, and the door that closes behind them."""
    why = stays(migration.applications, way_back=migration.way_back)
    # policy, journal and what is borne in a move may change at any time: no phase begins anew for it
    accept = tuple(each for each in migration.accept if each.id not in BORNE)
    lasting = replace(migration, policy=Policy(), journal="", accept=accept)
    graded = replace(lasting, policy=Policy(minimum_grade=migration.policy.minimum_grade))
    return Plan(
        phases=(
            Phase(name="assess", title="Everything on the source is known", unit=_assess(lasting)),
            Phase(name="provision", title="Topics and users on the target", unit=_provision(lasting)),
            Phase(name="replicate", title="The mirror runs and has caught up", unit=_replicate(lasting)),
            Phase(name="rehearse", title="Content and positions proven beforehand", unit=_rehearse(graded, migration)),
            Phase(name="cutover", title="One application after the other"),
            Phase(
                name="decommission",
                title="The source is left for good",
                unit=_decommission(lasting, migration.accepted(FOREIGN_WRITE)),
            ),
        ),
        waves=tuple(
            tuple(move.name for move in wave if not any(why[name] for name in move.names))
            for wave in waves(migration.applications)
        ),
        stays={name: told for name, told in why.items() if told},
        unit=lambda move, direction, attempt: _move(migration, _as_one(migration, move), direction, attempt),
    )


def as_begun(migration: Migration, journal: Journal) -> Migration:
    """The migration with the lanes that were fixed when topics were first made for them (design §4.5)."""
    made = [unit for unit in journal.units.values() if unit.name.partition("#")[0] == "provision"]
    told = [unit.facts[LANES] for unit in made if unit.facts.get(LANES)]
    if not told and not any(_made_topics(unit) for unit in made):
        return migration
    # a journal that does not tell is of a version that had one lane
    kept = _lanes(told[-1]) if told else (tuple(sorted(migration.topics)),)
    return replace(migration, lane_topics=extended(kept, topics_by_lane(migration), migration.lanes))


def _made_topics(unit: UnitRecord) -> bool:
    """Whether topics were made and stand; what died right after it was begun had not fixed its lanes yet."""
    return unit.started(CreateTopics.name) and unit.steps[CreateTopics.name].event is not Event.STARTED


def _lanes(fact: Json) -> Lanes:
    assert isinstance(fact, Sequence)
    return tuple(tuple(map(str, lane)) for lane in fact if isinstance(lane, Sequence))


def _assess(migration: Migration) -> Unit:
    return Unit(
        name="assess",
        title="Everything on the source is known",
        gate="Look at everything on the source? Nothing is changed.",
        steps=(TakeInventory(migration=migration),),
    )


def _provision(migration: Migration) -> Unit:
    back, spec = migration.reverse_auth, migration.target.spec
    return Unit(
        name="provision",
        title="Topics and users on the target",
        gate="Create these on the target, and on the source what is named so?"
        if back
        else "Create these on the target?",
        steps=(
            *((ForeseeRefusals(migration=migration),) if spec else ()),
            FindCluster(migration=migration),
            CreateUsers(migration=migration),
            ClaimMigration(migration=migration),
            CreateTopics(migration=migration),
            *((PrepareSource(migration=migration, auth=back),) if back else ()),
            *((StartBridge(migration=migration, bridge=spec.bridge),) if spec and spec.bridge else ()),
            TryAccess(migration=migration),
        ),
    )


def _replicate(migration: Migration) -> Unit:
    login, back = login_name(migration.mirror_auth), migration.reverse_auth
    return Unit(
        name="replicate",
        title="The mirror runs and has caught up",
        gate="Start copying? The source is only read.",
        steps=(
            StoreLogins(migration=migration),
            StartMirror(migration=migration, mirror_login=login),
            *((PrepareReverse(migration=migration, auth=back),) if back else ()),
            CatchUp(migration=migration),
            GuardRetention(migration=migration),
        ),
    )


def _rehearse(migration: Migration, said: Migration) -> Unit:
    bears = _Bears(bears_aborted=said.accepted(ABORTED_AHEAD), bears_foreign=said.accepted(FOREIGN_WRITE))
    return Unit(
        name="rehearse",
        title="Content and positions proven beforehand",
        gate="Read both logs and compare them? Nothing is changed.",
        steps=(ProveContent(migration=migration), TryPositions(migration=migration, **bears)),
    )


def _decommission(migration: Migration, bears_foreign: frozenset[str]) -> Unit:
    return Unit(
        name="decommission",
        title="The source is left for good",
        gate=f"{_not_seen(migration)}Stop the mirror for good, and let the target delete again? "
        "From here no application can go back.",
        steps=(
            ProveIdle(migration=migration, bears_foreign=bears_foreign),
            StopLanes(migration=migration),
            ReleaseRetention(migration=migration),
        ),
    )


def _not_seen(migration: Migration) -> str:
    """Who answers for what cannot be looked at is whoever says yes."""
    names = not_seen(migration)
    told = "they name no workloads, so see for yourself that they use the source no more, at whatever hour."
    return f"Not looked at: {', '.join(names)}; {told} " if names else ""


def _move(migration: Migration, app: Application, direction: Direction, attempt: int) -> Unit:
    touched = {*app.topics_read, *app.writes}
    leaving = direction.leaves
    has = _Common(
        app=app,
        leaving=leaving,
        lanes=tuple(lane for lane in forward_lanes(migration) if not touched.isdisjoint(lane.topics)),
        policy=migration.policy,
        ours=_our_principals(migration),
        bears_aborted=migration.accepted(ABORTED_AHEAD),
        bears_foreign=migration.accepted(FOREIGN_WRITE),
    )
    who, (goes, stands, runs) = " and ".join(app.members), _verbs(app)
    return Unit(
        name=f"{direction}/{app.name}#{attempt}",
        title=f"{who} {goes} from the {leaving} to the {leaving.other}",
        gate=f"{who} {stands} still from here until {runs} on the {leaving.other}. Now?",
        steps=(
            Ready(**has, migration=migration),
            StopWorkloads(**has),
            FenceClients(**has),
            DrainMirror(**has, migration=migration),
            *([CarryPositions(**has)] if app.reads else []),
            *([HandOverTopics(**has, migration=migration)] if app.writes else []),
            LiftFence(**has),
            SwitchSettings(**has),
            StartWorkloads(**has),
            *([TurnMirror(**has, migration=migration)] if app.writes else []),
            Soak(**has, migration=migration if app.writes else None),
        ),
        point_of_no_undo=START,
        keeps=_what_it_moves(app),
    )


class _Bears(TypedDict):
    """What a human took on that is no matter of an inventory."""

    bears_aborted: frozenset[str]
    bears_foreign: frozenset[str]


class _Common(_Bears):
    """What every step of a move has."""

    app: Application
    leaving: Side
    lanes: tuple[Lane, ...]
    policy: Policy
    ours: tuple[str, ...]


def _as_one(migration: Migration, move: str) -> Application:
    """The applications of a move as one, also where the plan file would not move them like that any more."""
    return together(migration.application(name) for name in move.split(TOGETHER))


def _verbs(app: Application) -> tuple[str, str, str]:
    return ("goes", "stands", "it runs") if len(app.members) == 1 else ("go", "stand", "they run")


def _our_principals(migration: Migration) -> tuple[str, ...]:
    """kmigrate's and its mirrors', where the plan file writes them out: a fence must never catch them."""
    auths = [migration.source.auth, migration.mirror_auth]
    users = [KMIGRATE_USER, MIRROR_USER]
    if migration.reverse_auth:
        auths, users = [*auths, migration.reverse_auth], [*users, REVERSE_USER]
    known = {auth.known_as for auth in auths} | {f"User:{name}" for name in users}
    return tuple(sorted(name for name in known if name is not None))


def _what_it_moves(app: Application) -> str:
    """What the move relies on; what is as most applications have it is left out, so that older journals agree."""
    reads = [_what_it_reads(reads) for reads in app.reads]
    who = [f"{principal.source} as {principal.target}" for principal in app.principals]
    writes = [f"writing {', '.join(sorted(app.writes))}"] if app.writes else []
    return "; ".join(sorted(reads) + sorted(who) + writes + ([] if app.workloads else ["no workloads"]))


def _what_it_reads(reads: Reads) -> str:
    how = "" if reads.isolation == "read_committed" else f" {reads.isolation}"
    return f"group {reads.group} of {', '.join(sorted(reads.topics))}{how}"
