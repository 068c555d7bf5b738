"""Who is denied what during a move, how long it is watched afterwards, and what a human hears before it begins."""

from dataclasses import replace

import pytest
from memory_estate import GROUP, Estate, migration
from walking import APP, FIRST, assert_exact, command, crossing, journal_of, plan_of, run_until, walk

from kmigrate.adapters.memory import Died, MemoryLines, MemoryWorld
from kmigrate.engine import forward, run_unit
from kmigrate.errors import Blocked, Refused, StillUnderWay, VerifyFailed, WentBack
from kmigrate.model import Application, Auth, Denial, Direction, Migration, Principal, SecretRef, Side, Topic
from kmigrate.steps.cutover import FenceClients, Soak
from kmigrate.steps.cutover.move import BEGAN

UNIT = "cutover/ml-features#1"
ON_SOURCE = Denial(principal="User:sa-ml", resource="group", name=GROUP, operation="Read")
ON_TARGET = replace(ON_SOURCE, principal="User:ml-features")


def standing(estate: Estate) -> tuple[set[Denial], set[Denial]]:
    source, target = (estate.clusters[side].acls.denied() for side in Side)
    return source, target


def app_of(one: Migration) -> Application:
    (app,) = one.applications
    return app


def bound(estate: Estate, lines: MemoryLines) -> MemoryWorld:
    return MemoryWorld(estate).bound(journal_of(estate, lines).ledger(UNIT, "f"))


def test_the_side_left_is_fenced_and_the_side_entered_is_not_after_every_move() -> None:
    estate = Estate()
    lines = crossing(estate)
    assert standing(estate) == (set(), set())
    walk(estate, lines, ("cutover",))
    assert standing(estate) == ({ON_SOURCE}, set())
    walk(estate, lines, ("rollback",))
    assert standing(estate) == (set(), {ON_TARGET})
    walk(estate, lines, ("cutover",))
    assert standing(estate) == ({ON_SOURCE}, set())


def test_positions_are_carried_only_once_every_broker_enforces_the_fence() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.clusters[Side.SOURCE].acls.stuck = True
    with pytest.raises(WentBack, match="not enforced everywhere yet"):
        command("cutover", estate, lines)
    assert estate.groups[Side.TARGET].commits == []
    estate.clusters[Side.SOURCE].acls.stuck = False
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


@pytest.mark.parametrize("before", [frozenset(), frozenset({ON_SOURCE})])
def test_undo_lifts_what_the_move_denied_and_leaves_what_stood_before(before: frozenset[Denial]) -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.fences[Side.SOURCE].deny(before)
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')
    assert standing(estate)[0] == {ON_SOURCE}
    command("rollback", estate, lines)
    assert standing(estate)[0] == before


def test_undo_starts_the_application_only_where_no_broker_denies_it_any_more() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')
    estate.clusters[Side.SOURCE].acls.stuck = True
    with pytest.raises(StillUnderWay, match="still denied"):
        command("rollback", estate, lines)
    assert not estate.app.running
    estate.clusters[Side.SOURCE].acls.stuck = False
    command("rollback", estate, lines)
    assert_exact(estate, lines, Side.SOURCE)


def test_a_way_back_that_is_undone_fences_the_side_again_that_it_would_have_entered() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)

    class Watched(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if '"event":"VERIFIED","step":"lift-fence"' in line:
                raise Died

    with pytest.raises(Died):
        command("rollback", estate, Watched(lines.death, lines.written))
    assert standing(estate) == (set(), {ON_TARGET})
    record = journal_of(estate, lines).unit("rollback/ml-features#1")
    assert record is not None
    unit = plan_of().unit(APP, Direction.ROLLBACK, 1)
    world = MemoryWorld(estate).bound(journal_of(estate, lines).ledger(unit.name, unit.fingerprint))
    for step in reversed(unit.steps):
        if record.started(step.name):
            step.undo(world, record.steps[step.name].before)
    assert standing(estate) == ({ON_SOURCE}, set())


@pytest.mark.parametrize(
    "ours", [Principal(source="m", target="ml"), Principal(source="sa-ml", target="kmigrate-mirror")]
)
def test_an_application_that_signs_in_as_kmigrate_or_the_mirror_is_blocked_before_it_stops(ours: Principal) -> None:
    estate, one = Estate(), migration()
    lines = crossing(estate)
    shared = replace(one, applications=(replace(app_of(one), principals=(ours,)),))
    journal = journal_of(estate, lines)
    unit = forward(plan_of(shared), journal, APP)
    assert unit is not None
    with pytest.raises(Blocked, match="which kmigrate or its mirror uses"):
        run_unit(unit, MemoryWorld(estate), journal)
    assert estate.app.running


def test_a_credential_that_one_broker_refuses_blocks_before_anything_stops() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.clusters[Side.TARGET].addresses = ("target-1:9092", "target-2:9092")
    estate.access[Side.TARGET].refusals["target-2:9092", "topic shipments"] = "not authorized"
    with pytest.raises(Blocked, match="topic shipments at target-2:9092: not authorized"):
        command("cutover", estate, lines)
    assert estate.app.running


def test_what_we_denied_ourselves_does_not_stand_in_the_way_back() -> None:
    one, auth = migration(), Auth(type="plain", username="k", password=SecretRef(env="S"))
    known = replace(app_of(one).principals[0], source_auth=auth)
    estate = Estate(replace(one, applications=(replace(app_of(one), principals=(known,)),)))
    lines = crossing(estate)
    command("cutover", estate, lines)
    assert [trial.subject for trial in estate.access[Side.SOURCE].try_out(APP) if not trial.ok] == [f"group {GROUP}"]
    command("rollback", estate, lines)
    assert_exact(estate, lines, Side.SOURCE)


def test_a_position_that_cannot_be_translated_is_refused_before_anything_stops() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.held_up = True
    estate.turns(2)
    estate.clusters[Side.SOURCE].logs[FIRST].expire(estate.groups[Side.SOURCE].held_by[GROUP][FIRST] + 1)
    with pytest.raises(Refused):
        command("cutover", estate, lines)
    assert '"step":"stop-workloads"' not in "".join(lines.written)


@pytest.mark.parametrize(
    ("auth", "told"), [(None, "needs a human"), (Auth(type="plain", username="k", password=SecretRef(env="S")), "open")]
)
def test_ready_says_whether_the_way_back_needs_a_human(auth: Auth | None, told: str) -> None:
    estate, one = Estate(), migration()
    lines = crossing(estate)
    principal = replace(app_of(one).principals[0], source_auth=auth)
    known = replace(one, applications=(replace(app_of(one), principals=(principal,)),))
    unit = forward(plan_of(known), journal_of(estate, lines), APP)
    assert unit is not None
    evidence = unit.steps[0].verify(bound(estate, lines))
    assert isinstance(evidence, dict)
    assert told in str(evidence["way back"])


def test_the_move_is_sealed_only_after_the_soak_time() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    times = {(e.event, e.step): e.time for e in journal_of(estate, lines).entries if e.unit == UNIT}
    assert times["VERIFIED", "soak"] - times["STARTED", "soak"] >= 2_000


def test_a_soak_goes_on_with_what_is_left_of_its_time_in_another_process() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, BEGAN)
    estate.clock.now += 1_500
    begun = estate.clock.now
    command("cutover", estate, lines)
    assert 400 <= estate.clock.now - begun < 2_000
    assert_exact(estate, lines, Side.TARGET)


@pytest.mark.parametrize("sign", [BEGAN, '"event":"VERIFIED","step":"start-workloads"'])
def test_a_reader_that_comes_back_to_the_side_left_is_named(sign: str) -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, sign)
    estate.groups[Side.SOURCE].held_by[GROUP][FIRST] += 1
    with pytest.raises(VerifyFailed, match=f"group {GROUP} was moved there: {FIRST}"):
        next(s for s in plan_of().unit(APP, Direction.CUTOVER, 1).steps if isinstance(s, Soak)).apply(
            bound(estate, lines)
        )


def test_a_member_on_the_side_left_is_named() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    world = bound(estate, lines)
    soak = next(step for step in plan_of().unit(APP, Direction.CUTOVER, 1).steps if isinstance(step, Soak))
    assert soak.check(world).changes == ()
    estate.groups[Side.SOURCE].members[GROUP] = ("a stranger",)
    with pytest.raises(VerifyFailed, match="a stranger"):
        soak.check(world)


def test_an_application_that_does_not_go_on_is_not_sealed() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, BEGAN)
    estate.app.held_up = True
    with pytest.raises(StillUnderWay, match="does not go on"):
        command("cutover", estate, lines)
    estate.app.held_up = False
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_a_fence_that_somebody_lifted_is_found_missing() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    world = bound(estate, lines)
    fence = next(step for step in plan_of().unit(APP, Direction.CUTOVER, 1).steps if isinstance(step, FenceClients))
    assert fence.check(world).changes == ()
    estate.fences[Side.SOURCE].lift([ON_SOURCE])
    assert len(fence.check(world).changes) == 1
    estate.turn()
    with pytest.raises(VerifyFailed, match="not every broker"):
        fence.verify(world)


def test_a_topic_that_came_since_is_named_before_anything_stops_and_not_while_the_application_stands_still() -> None:
    estate = Estate()
    lines = crossing(estate)
    new, source = Topic(name="new", partitions=1), estate.clusters[Side.SOURCE]
    source.create(new)
    estate.clusters[Side.TARGET].create(new)
    with pytest.raises(Blocked, match="new"):
        command("cutover", estate, lines)
    assert estate.app.running
    source.remove("new")
    run_until(estate, lines, '"event":"VERIFIED","step":"stop-workloads"')
    source.create(new)
    command("cutover", estate, lines)
    assert estate.app.side is Side.TARGET


def test_nothing_starts_on_the_side_entered_while_a_broker_there_still_denies_it() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    estate.clusters[Side.SOURCE].acls.stuck = True
    with pytest.raises(Blocked, match=r"longer than maxPause.*still denied"):
        command("rollback", estate, lines)
    assert (estate.app.running, estate.app.side) == (False, Side.TARGET)
    estate.clusters[Side.SOURCE].acls.stuck = False
    command("rollback", estate, lines)
    assert_exact(estate, lines, Side.SOURCE)
