"""Proof 3: both mirrors started by mistake. The rights of ownership hold: the wrong one fails, nothing echoes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from mirror_group import MirrorGroup, lane, ownership, sight
from traffic import UNCOMMITTED, count, numbered, whole_log, write
from turning import arm, await_equal, still_ends
from two_clusters import MIRROR, MIRROR_BACK, Figures

from kmigrate.lab.operator.status import objects
from kmigrate.model import Lane, Side

pytestmark = pytest.mark.kafka

PARTITIONS, EACH = 2, 40
OWNERS = [Side.TARGET, Side.SOURCE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A topic with an owner, its right lane running, and the wrong one started by hand."""

    group: MirrorGroup
    topic: str
    owner: Side
    right: Lane
    wrong: Lane

    def on_the_owner(self, isolation: str = UNCOMMITTED) -> int:
        return count(whole_log(self.group.two.sides[self.owner], self.topic, isolation))


def both_started(group: MirrorGroup, owner: Side, *, rights_hold: bool) -> Both:
    """Hand the topic over as the design says, then start by hand the lane that must not run."""
    two, topic = group.two, f"both-{owner}-{'held' if rights_hold else 'granted'}"
    way, back = lane(topic), lane(topic, direction="reverse")
    two.topic(topic, PARTITIONS)
    write(two.source, topic, numbered("first", range(PARTITIONS), EACH))
    group.forward(way)
    await_equal(two, topic)
    group.reverse(back, all_begin_written=True)
    arm(group, back, still_ends(two.target, topic, PARTITIONS))
    right, wrong = (back, way) if owner is Side.TARGET else (way, back)
    cluster, mirror = two.sides[owner], MIRROR if owner is Side.TARGET else MIRROR_BACK
    if owner is Side.TARGET:
        group.stop(way.connector)
        group.resume(back.connector)
    if rights_hold:
        cluster.withdraw(mirror, ownership([topic]))
        cluster.allow(mirror, sight([topic]))
    write(cluster, topic, numbered("owned", range(PARTITIONS), EACH))
    await_equal(two, topic)
    group.resume(wrong.connector)
    return Both(group=group, topic=topic, owner=owner, right=right, wrong=wrong)


@pytest.mark.parametrize("owner", OWNERS)
def test_the_wrong_mirror_fails_and_adds_nothing_on_the_owners_side(
    group: MirrorGroup, owner: Side, figures: Figures
) -> None:
    both = both_started(group, owner, rights_hold=True)
    group.two.until("the wrong lane to fail", lambda: group.states(both.wrong.connector)[1] == ("FAILED",))
    write(group.two.sides[owner], both.topic, numbered("more", range(PARTITIONS), EACH))
    await_equal(group.two, both.topic)
    assert both.on_the_owner() == 3 * EACH * PARTITIONS
    assert group.states(both.right.connector) == ("RUNNING", ("RUNNING",))
    (task,) = objects(group.status(both.wrong.connector).get("tasks"))
    assert "TopicAuthorizationException" in str(task.get("trace"))
    group.delete(both.right.connector, both.wrong.connector)
    figures(owner=owner, wrong_lane="FAILED", records_added=both.on_the_owner() - 3 * EACH * PARTITIONS)


@pytest.mark.parametrize("owner", OWNERS)
def test_with_the_right_granted_the_same_mistake_echoes(group: MirrorGroup, owner: Side, figures: Figures) -> None:
    """The change that makes it fail: the mirror may write what the other side owns."""
    both = both_started(group, owner, rights_hold=False)
    mine = 2 * EACH * PARTITIONS
    group.two.until("an echo on the owner's side", lambda: both.on_the_owner("read_committed") > mine)
    assert group.states(both.wrong.connector) == ("RUNNING", ("RUNNING",))
    group.delete(both.right.connector, both.wrong.connector)
    figures(owner=owner, records_added=both.on_the_owner("read_committed") - mine)
