"""The whole story on one screen: which phases there are, and what each unit does."""

from __future__ import annotations

from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Application, Direction, Migration
from kmigrate.plan import Phase, Plan, Unit
from kmigrate.steps.cutover import CarryPositions, DrainMirror, Ready, StartWorkloads, StopWorkloads, SwitchSettings
from kmigrate.steps.provision import CreateTopics, CreateUsers, FindCluster
from kmigrate.steps.replicate import CatchUp, StartMirror, StoreLogins, login_name

START = StartWorkloads.name
"""From its STARTED on the way back is a move of its own; before, it is undo (design §3)."""


def story(migration: Migration) -> Plan:
    """Provision, replicate, then one move after the other."""
    movable = {app.name: why_it_stays(app) for app in migration.applications}
    return Plan(
        phases=(
            Phase(name="provision", title="Topics and users on the target", unit=_provision(migration)),
            Phase(name="replicate", title="The mirror runs and has caught up", unit=_replicate(migration)),
            Phase(name="cutover", title="One application after the other"),
        ),
        moves=tuple(name for name, why in movable.items() if not why),
        stays={name: why for name, why in movable.items() if why},
        unit=lambda name, direction, attempt: _move(migration, migration.application(name), direction, attempt),
    )


def why_it_stays(app: Application) -> str:
    """Why an application cannot be moved; empty when it can."""
    if app.writes:
        return f"it writes {', '.join(app.writes)}, and moving writers is not built yet"
    if not app.reads:
        return "it reads nothing with a group, so there is no position to carry"
    if any(reads.isolation != "read_committed" for reads in app.reads):
        return "it reads uncommitted records, and counting the aborted ones ahead of it is not built yet"
    return "" if app.workloads else "it names no workloads, so nobody could stop and start it"


def _provision(migration: Migration) -> Unit:
    return Unit(
        name="provision",
        title="Topics and users on the target",
        gate="Create these on the target?",
        steps=(
            FindCluster(migration=migration),
            CreateUsers(migration=migration),
            CreateTopics(migration=migration),
        ),
    )


def _replicate(migration: Migration) -> Unit:
    login = login_name(migration.mirror_auth)
    return Unit(
        name="replicate",
        title="The mirror runs and has caught up",
        gate="Start copying? The source is only read.",
        steps=(
            StoreLogins(migration=migration),
            StartMirror(migration=migration, mirror_login=login),
            CatchUp(migration=migration),
        ),
    )


def _move(migration: Migration, app: Application, direction: Direction, attempt: int) -> Unit:
    (lane,) = forward_lanes(migration)
    leaving, policy = direction.leaves, migration.policy
    steps = (Ready, StopWorkloads, DrainMirror, CarryPositions, SwitchSettings, StartWorkloads)
    return Unit(
        name=f"{direction}/{app.name}#{attempt}",
        title=f"{app.name} goes from the {leaving} to the {leaving.other}",
        gate=f"{app.name} stands still from here until it runs on the {leaving.other}. Now?",
        steps=tuple(step(app=app, leaving=leaving, lane=lane, policy=policy) for step in steps),
        point_of_no_undo=START,
    )
