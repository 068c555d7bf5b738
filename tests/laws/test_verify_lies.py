"""Every planted lie is found by looking again, where it was planted; nothing is found where nobody lied."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from law_watch import estate_of
from laws import Walk
from planted_lies import (
    BACK,
    BACK_WRITES,
    LANE,
    MIRROR_WRITES,
    MOVES,
    WRITES_TOO,
    Plant,
    Scene,
    acl_given,
    acl_gone,
    came_back,
    claim_lost,
    lane_asked,
    lane_resumed,
    more_partitions,
    moved_by,
    pointed_elsewhere,
    put_before,
    put_past_the_end,
    record_changed,
    rule_gone,
    scene,
    secret_gone,
    setting,
    stopped,
    topic_edited,
    user_gone,
    written_on_the_side_left,
)

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli.session import Session
from kmigrate.cli.verify import Looked, compare_content, end, look_again
from kmigrate.errors import Blocked, VerifyFailed
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import Side
from kmigrate.planfile.load import load

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
OVER, BOTH = ("fraud over", "checkout over"), tuple(MOVES)
GONE_BACK = ("fraud back", "checkout back")
LEDGER, SYNCS = "kmigrate-ledger-mirror-back", "mm2-offset-syncs.source-1.internal"
OFFSETS = "kmigrate-reverse-offsets-lane-1-reverse"


@dataclass(frozen=True)
class Lie:
    """What is planted after which moves, the step that finds it, and words of what it says."""

    plant: Plant
    step: str
    told: str
    moves: tuple[str, ...] = BOTH


LIES = {
    "a position moved on by one on the side left": Lie(moved_by(1), "soak", "payments/0 from "),
    "a position moved back by one on the side left": Lie(moved_by(-1), "soak", "payments/0 from "),
    "a position past the end of the log": Lie(put_past_the_end, "carry-positions", "and the log ends at"),
    "a position before the carried one": Lie(put_before, "carry-positions", ", and it was put to "),
    "a record changed on the target": Lie(record_changed(Side.TARGET), "compare", "payments/0: source offset 5"),
    "a record changed on the source": Lie(record_changed(Side.SOURCE), "compare", "payments/0: source offset 5"),
    "a setting changed on the target": Lie(
        setting(Side.TARGET, "orders", "retention.ms", "1"), "create-topics", "orders has retention.ms=1 instead of -1"
    ),
    "a setting added on the target": Lie(
        setting(Side.TARGET, "orders", "max.message.bytes", "9"), "create-topics", "orders has max.message.bytes=9, wh"
    ),
    "a setting changed on the source": Lie(
        setting(Side.SOURCE, "orders", "max.message.bytes", "9"), "create-topics", 'max.message.bytes null → "9"'
    ),
    "a setting of the marks changed": Lie(
        setting(Side.TARGET, SYNCS, "min.compaction.lag.ms", "0"), "create-topics", f"{SYNCS} has min.compaction.lag.ms"
    ),
    "a setting of the ledger changed": Lie(
        setting(Side.TARGET, LEDGER, "cleanup.policy", "delete"), "claim-migration", f"{LEDGER} has cleanup.policy="
    ),
    "a setting of the lane's own topic changed": Lie(
        setting(Side.SOURCE, OFFSETS, "cleanup.policy", "delete"), "prepare-source", f"topic {OFFSETS} is on the source"
    ),
    "a KafkaTopic edited": Lie(topic_edited, "create-topics", 'config.retention.ms "1000" → "-1"'),
    "partitions added on the target": Lie(
        more_partitions(Side.TARGET), "create-topics", "orders has 3 partitions instead of 2"
    ),
    "partitions added on the source": Lie(more_partitions(Side.SOURCE), "create-topics", "partitions 2 → 3"),
    "a fence on the source lifted": Lie(
        acl_gone(Side.SOURCE, lambda at, r: r.type == "deny" and r.principal == f"User:{at.user}"),
        "fence-clients",
        "create denial on the source",
        OVER,
    ),
    "a fence on the target lifted": Lie(
        acl_gone(Side.TARGET, lambda at, r: r.type == "deny" and r.principal == f"User:{at.user}"),
        "fence-clients",
        "create denial on the target",
        GONE_BACK,
    ),
    "a fence taken out of the KafkaUser": Lie(rule_gone("deny"), "create-users", "has not looked at", GONE_BACK),
    "a right taken out of the KafkaUser": Lie(rule_gone("allow"), "create-users", "acls lacks"),
    "a right gone on the target": Lie(
        acl_gone(Side.TARGET, lambda at, r: r.type == "allow" and r.principal == f"User:{at.app}"),
        "create-users",
        " is gone",
    ),
    "a right of the mirror gone": Lie(
        acl_gone(Side.TARGET, lambda at, r: r.principal == "User:kmigrate-mirror" and r.operation == "Write"),
        "create-users",
        "User:kmigrate-mirror Write ",
    ),
    "a right of kmigrate gone": Lie(
        acl_gone(Side.TARGET, lambda at, r: r.principal == "User:kmigrate"), "create-users", "User:kmigrate "
    ),
    "a right more on the target": Lie(
        acl_given(Side.TARGET, WRITES_TOO), "create-users", "User:fraud Write topic payments is more than is asked for"
    ),
    "the mirror may write what the target owns": Lie(
        acl_given(Side.TARGET, MIRROR_WRITES),
        "create-users",
        "User:kmigrate-mirror Write topic orders is more",
        OVER[1:],
    ),
    "the mirror back may write what the source owns": Lie(
        acl_given(Side.SOURCE, BACK_WRITES), "prepare-source", "Write topic orders", (*OVER[:1], *GONE_BACK)
    ),
    "a right of the mirror back gone": Lie(
        acl_gone(Side.SOURCE, lambda at, r: r.principal == "User:sa-back" and r.operation == "Describe"),
        "prepare-source",
        "create right on the source: User:sa-back Describe",
    ),
    "the mirror back may not write what the target owns": Lie(
        acl_gone(Side.SOURCE, lambda at, r: r == BACK_WRITES),
        "hand-over-topics",
        "rights of User:sa-back on the source",
        OVER[1:],
    ),
    "a right of the application gone on the source": Lie(
        acl_gone(Side.SOURCE, lambda at, r: r.type == "allow" and r.principal == f"User:sa-{at.app}"),
        "soak",
        " is not allowed",
        GONE_BACK,
    ),
    "a user gone": Lie(user_gone, "create-users", "create KafkaUser kafka/"),
    "the forward mirror runs where the target owns": Lie(
        lane_asked(LANE, RUNNING), "soak", "lane lane-1 must stand still and was started", OVER[1:]
    ),
    "the forward mirror was resumed at Connect": Lie(
        lane_resumed(LANE), "soak", "lane lane-1 must stand still and was started", OVER[1:]
    ),
    "the mirror back runs where the source owns": Lie(
        lane_asked(BACK, RUNNING), "prepare-reverse", "state", (*OVER[:1], *GONE_BACK)
    ),
    "the mirror back was resumed at Connect": Lie(
        lane_resumed(BACK), "prepare-reverse", "lane lane-1-reverse", (*OVER[:1], *GONE_BACK)
    ),
    "the mirror back stands where the target owns": Lie(
        lane_asked(BACK, STOPPED), "turn-mirror", "start lane lane-1-reverse", OVER[1:]
    ),
    "the forward mirror stands where the source owns": Lie(
        lane_asked(LANE, STOPPED), "start-mirror", "sourceConnector.state", (*OVER[:1], "fraud back")
    ),
    "the forward mirror stands after the way back": Lie(
        lane_asked(LANE, STOPPED), "turn-mirror", "start lane lane-1", GONE_BACK[1:]
    ),
    "the copy of the journal is not there": Lie(claim_lost, "claim-migration", "the copy of the journal"),
    "a Secret gone": Lie(secret_gone, "store-logins", "create Secret"),
    "the application points to the side left": Lie(pointed_elsewhere, "switch-settings", "change settings of"),
    "the application stopped": Lie(stopped, "start-workloads", "start "),
    "somebody reads on the side left": Lie(came_back, "stop-workloads", "forgotten-0"),
    "somebody wrote on the side left": Lie(written_on_the_side_left, "soak", "77", OVER[1:]),
}


def looked(walk: Walk, *, full: bool = False) -> tuple[Looked, ...]:
    journal = walk.journal()
    world = MemoryWorld(walk.estate).bound(journal.past())
    seen = look_again(walk.plan, journal, world)
    return (*seen, compare_content(session(walk))) if full else seen


def session(walk: Walk) -> Session:
    journal = walk.journal()
    return Session(
        migration=walk.estate.migration,
        plan=walk.plan,
        journal=journal,
        world=MemoryWorld(walk.estate).bound(journal.past()),
        read_anew=lambda: nullcontext(journal),
    )


@pytest.mark.parametrize("name", LIES)
def test_a_planted_lie_is_found_where_it_was_planted(name: str) -> None:
    lie = LIES[name]
    for move in lie.moves:
        at = scene(move)
        assert_found(lie, at, move)


def assert_found(lie: Lie, at: Scene, told_of: str) -> None:
    lie.plant(at)
    seen = looked(at.walk, full=lie.step == "compare")
    wrong = [each for unit in seen for each in unit.wrong if each.step == lie.step and lie.told in each.what]
    assert wrong, (told_of, [each for unit in seen for each in unit.wrong])
    assert all(each.hint for unit in seen for each in unit.wrong), told_of
    with pytest.raises(VerifyFailed, match=lie.step) as told:
        end(seen)
    assert (told.value.exit_code, bool(told.value.hint)) == (4, True)


def assert_calm(walk: Walk, told: str) -> None:
    was, count = walk.estate.picture(), walk.counts()
    seen = looked(walk, full=True)
    assert [(each.unit, each.wrong) for each in seen if each.wrong] == [], told
    assert walk.counts() == count, told
    assert walk.estate.picture() == was, told


@pytest.mark.parametrize("plan", PLANS, ids=lambda file: file.stem)
def test_after_each_calm_command_nothing_is_wrong_and_looking_changes_nothing(plan: Path) -> None:
    walk, looks = Walk(estate_of(load(plan))), 0
    for command in walk.commands():
        try:
            walk.type(command)
        except Blocked:
            assert command == "decommission"  # who stays keeps the source
            assert walk.plan.stays
        assert_calm(walk, command)
        looks += 1
    assert looks >= 7


def unsealed(at: Scene) -> list[str]:
    return [f"{each.unit}: {each.skipped}" for each in looked(at.walk) if each.skipped]


def test_what_is_not_looked_at_is_told() -> None:
    at = scene("checkout back")
    assert unsealed(at) == ["cutover/checkout#1: rollback/checkout#1 came after it"]
    at.walk.type("cutover checkout")
    assert unsealed(at) == ["cutover/checkout#1, rollback/checkout#1: cutover/checkout#2 came after it"]


def test_a_unit_that_is_under_way_is_told() -> None:
    at = scene("checkout over")
    life = at.walk.copy().lives("rollback checkout")[-5]
    told = unsealed(Scene(life, at.app, at.left))
    assert told == [
        "provision: rollback/checkout#1 is half done, and changes what provision made",
        "replicate: rollback/checkout#1 is half done, and changes what replicate made",
        "cutover/checkout#1: rollback/checkout#1 came after it",
        "rollback/checkout#1: it is not done yet",
    ]
