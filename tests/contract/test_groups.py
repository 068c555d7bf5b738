"""What every Groups promises (kmigrate.world): who is in, where it stands, and that only Empty ones are written to."""

from __future__ import annotations

from uuid import uuid4

import pytest
from stages import Stage

from kmigrate.errors import Blocked
from kmigrate.model import GroupKind, GroupState, Partition


@pytest.fixture
def group() -> str:
    return f"g-{uuid4().hex[:8]}"


def test_a_group_that_is_not_there_is_dead_and_holds_nothing(stage: Stage, group: str) -> None:
    one = Partition(stage.topic(), 0)
    seen = stage.groups.describe([group])[group]
    assert (seen.state, seen.members, seen.stopped) == (GroupState.DEAD, (), True)
    assert group not in stage.groups.all()
    assert stage.groups.held([group])[group] == {}
    assert stage.groups.positions({group: [one]})[group] == {one: None}
    assert stage.groups.positions({group: []})[group] == {}
    assert stage.groups.describe([]) == {}
    stage.groups.delete(group)


def test_positions_that_were_committed_are_held_and_others_are_none(stage: Stage, group: str) -> None:
    topic = stage.topic(3)
    first, second, third = (Partition(topic, number) for number in range(3))
    stage.groups.commit({group: {first: 7, second: 0}})
    assert stage.groups.positions({group: [first, second, third]})[group] == {first: 7, second: 0, third: None}
    assert stage.groups.held([group])[group] == {first: 7, second: 0}
    seen = stage.groups.describe([group])[group]
    assert (seen.state, seen.members, seen.stopped) == (GroupState.EMPTY, (), True)
    assert stage.groups.all()[group] == seen


def test_a_later_commit_moves_only_what_it_names_also_backwards(stage: Stage, group: str) -> None:
    topic = stage.topic(2)
    first, second = Partition(topic, 0), Partition(topic, 1)
    stage.groups.commit({group: {first: 7, second: 7}})
    stage.groups.commit({group: {first: 3}})
    assert stage.groups.held([group])[group] == {first: 3, second: 7}


@pytest.mark.parametrize("kind", [GroupKind.CLASSIC, GroupKind.CONSUMER])
def test_a_group_with_members_is_told_with_them_and_with_its_kind(stage: Stage, group: str, kind: GroupKind) -> None:
    with stage.joined(group, stage.topic(), kind):
        stage.eventually("stable", lambda: stage.groups.describe([group])[group].state is GroupState.STABLE)
        seen = stage.groups.describe([group])[group]
        assert (seen.members, seen.kind, seen.stopped) == (("member",), kind, False)
        assert stage.groups.all()[group].members == ("member",)


def test_a_group_with_members_is_neither_written_to_nor_removed(stage: Stage, group: str) -> None:
    one = Partition(stage.topic(), 0)
    stage.groups.commit({group: {one: 1}})
    with stage.joined(group, one.topic):
        for refused in (lambda: stage.groups.commit({group: {one: 9}}), lambda: stage.groups.delete(group)):
            with pytest.raises(Blocked, match=f"group {group} .* is not Empty"):
                refused()
        assert stage.groups.held([group])[group] == {one: 1}
    stage.eventually("all have left", lambda: stage.groups.describe([group])[group].stopped)
    assert stage.groups.held([group])[group] == {one: 1}
    stage.groups.commit({group: {one: 9}})
    assert stage.groups.positions({group: [one]})[group] == {one: 9}


def test_where_one_of_several_groups_has_members_none_is_written_to(stage: Stage, group: str) -> None:
    one, idle = Partition(stage.topic(), 0), f"{group}-idle"
    stage.groups.commit({group: {one: 1}, idle: {one: 2}})
    assert [stage.groups.held([name])[name] for name in (group, idle)] == [{one: 1}, {one: 2}]
    with stage.joined(group, one.topic):
        with pytest.raises(Blocked, match=f"group {group} .* is not Empty"):
            stage.groups.commit({idle: {one: 9}, group: {one: 9}})
        assert [stage.groups.held([name])[name] for name in (group, idle)] == [{one: 1}, {one: 2}]
    stage.groups.delete(idle)


def test_a_removed_group_is_gone_with_its_positions(stage: Stage, group: str) -> None:
    one = Partition(stage.topic(), 0)
    stage.groups.commit({group: {one: 4}})
    stage.groups.delete(group)
    assert stage.groups.describe([group])[group].state is GroupState.DEAD
    assert stage.groups.held([group])[group] == {}
    assert group not in stage.groups.all()
    stage.groups.delete(group)
