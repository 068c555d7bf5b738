"""A topic is drained once it stands still and all of it is copied, and whoever is in the way is named (design §4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from mirror_estate import TARGET, MirrorEstate, lane_of

from kmigrate.adapters.memory import Log, MemoryFacts, MemoryTransactions, MemoryWorld
from kmigrate.errors import Blocked, ForeignWrite, Refused, StillUnderWay
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.manifests.users import Rule, rights_of, user
from kmigrate.model import Partition, Side
from kmigrate.positions import Seam, Seen
from kmigrate.probes.ownership import SEAMS, write_seams
from kmigrate.probes.topic_drain import Drained, await_settled, await_topic_drain, settled_ends

FIRST, SECOND = Partition("orders", 0), Partition("orders", 1)
LONG = 60_000


@dataclass
class Move:
    """A lane that runs and a topic that changes its owner; on the way back the target has owned it since its start."""

    direction: str
    made: MirrorEstate = field(init=False)
    world: MemoryWorld = field(init=False)

    def __post_init__(self) -> None:
        self.made = MirrorEstate(lane_of(self.direction))
        facts = MemoryFacts()
        if self.direction == "reverse":
            seam = Seam(owner=Side.TARGET, source=0, target=0, seen=frozenset(Seen))
            facts.put(SEAMS, write_seams({Partition(t, n): seam for t in self.made.lane.topics for n in (0, 1)}))
        self.world = MemoryWorld(self.made.estate, facts)
        self.made.ask(RUNNING)

    @property
    def leaving(self) -> Side:
        return self.made.origin

    @property
    def left(self) -> dict[Partition, Log]:
        return self.made.estate.clusters[self.leaving].logs

    @property
    def entered(self) -> dict[Partition, Log]:
        return self.made.estate.clusters[self.leaving.other].logs

    @property
    def transactions(self) -> MemoryTransactions:
        return self.made.estate.transactions[self.leaving]

    def drain(self, *topics: str, deadline_ms: int = LONG) -> Drained:
        return await_topic_drain(self.world, self.leaving, topics or ("orders",), self.made.lane, deadline_ms)

    def each_turn(self, act: Callable[[], None]) -> None:
        """Somebody acts whenever time passes."""
        work, clock = self.made.estate.turn, self.made.estate.clock

        def turn() -> None:
            act()
            work()

        clock.work = turn

    def may_write(self, who: str, *, denied: bool = False) -> None:
        """Somebody has the right to write the topic on the side left, and may be denied it all the same."""
        rules = [Rule(resource="topic", name="orders", operations=("Write",), type=kind) for kind in ("allow", "deny")]
        some = rules if denied else rules[:1]
        if self.leaving is Side.TARGET:
            self.made.estate.store.apply(user(who, some, TARGET))
        else:
            acls = self.made.estate.clusters[self.leaving].acls
            acls.rules = acls.rules | set(rights_of(f"User:{who}", some))


@pytest.fixture(params=["forward", "reverse"])
def move(request: pytest.FixtureRequest) -> Move:
    return Move(request.param)


def test_all_of_it_is_copied_and_both_ends_are_told_for_every_partition(move: Move) -> None:
    move.made.write(FIRST, 25)
    move.made.write(SECOND, 3)
    assert len(move.entered[FIRST].entries) == 0
    drained = move.drain()
    assert drained.left == {FIRST: 25, SECOND: 3}
    assert drained.entered == {p: move.entered[p].end for p in (FIRST, SECOND)}
    assert move.made.copies(FIRST) == list(range(25))
    assert drained == move.drain()


def test_markers_and_aborted_records_at_the_end_of_a_log_are_no_records_to_be_copied(move: Move) -> None:
    move.made.write(FIRST, 4)
    for log in (move.left[FIRST], move.left[SECOND]):
        log.put(1_000, b"aborted", transaction="x")
        log.abort("x")
        for _ in range(3):
            log.mark()
    drained = move.drain()
    assert drained.left == {FIRST: 9, SECOND: 5}
    assert move.made.copies(FIRST) == [0, 1, 2, 3]
    assert drained.entered == {FIRST: move.entered[FIRST].end, SECOND: 0}


def test_an_empty_topic_and_one_whose_records_have_all_expired_are_drained_at_once(move: Move) -> None:
    assert move.drain() == Drained(left={FIRST: 0, SECOND: 0}, entered={FIRST: 0, SECOND: 0}, last={})
    move.made.write(FIRST, 5)
    move.drain()
    move.left[FIRST].expire(5)
    assert move.drain().left == {FIRST: 5, SECOND: 0}


def test_a_lane_that_stands_still_is_waited_for_and_what_is_missing_is_told(move: Move) -> None:
    move.made.write(FIRST, 5)
    move.made.ask(STOPPED)
    with pytest.raises(StillUnderWay, match=f"written on the {move.leaving} to orders: not done"):
        move.drain(deadline_ms=2_000)
    move.made.ask(RUNNING)
    assert move.drain().left[FIRST] == 5


def test_a_lane_that_may_not_write_has_failed_and_that_is_told_at_once(move: Move) -> None:
    move.made.write(FIRST, 5)
    move.made.may_write()
    with pytest.raises(Blocked, match=r"the mirror cannot finish.*Not authorized"):
        move.drain()


def test_who_writes_on_and_on_in_spite_of_the_fence_is_noticed_and_who_may_is_told(move: Move) -> None:
    move.may_write("forgotten")
    move.may_write("another", denied=True)
    move.each_turn(lambda: move.made.write(SECOND, 1) and None)
    with pytest.raises(StillUnderWay, match=r"orders/1 went on from \d+ to \d+") as why:
        move.drain(deadline_ms=2_000)
    told = str(why.value).partition("who may write orders there: ")[2]
    assert "User:forgotten" in told
    assert "User:another" not in told
    assert "find out who writes orders" in why.value.hint


def test_who_goes_on_for_longer_than_what_was_under_way_can_take_is_not_waited_for(move: Move) -> None:
    move.may_write("forgotten")
    move.each_turn(lambda: move.made.write(SECOND, 1) and None)
    with pytest.raises(ForeignWrite, match=r"somebody writes on the .*: orders/1 at \d+ .*User:forgotten"):
        move.drain()
    move.each_turn(move.left[SECOND].mark)
    with pytest.raises(StillUnderWay, match="orders/1 went on"):
        move.drain()


def test_a_record_that_comes_after_the_ends_were_seen_is_noticed(move: Move) -> None:
    move.may_write("forgotten")
    move.made.write(FIRST, 40)

    def late() -> None:
        if move.made.copies(FIRST)[18:19] and move.left[FIRST].end == 40:
            move.made.write(FIRST, 1)

    move.each_turn(late)
    with pytest.raises(ForeignWrite, match=r"somebody writes on the .*: orders/0 at 40 \(1970.*User:forgotten"):
        move.drain()


def test_a_transaction_that_hangs_is_named_with_the_command_that_ends_it(move: Move) -> None:
    move.made.write(FIRST, 4)
    move.transactions.take("order-service-0")
    move.transactions.begin("order-service-0")
    for log in (move.left[FIRST], move.left[SECOND]):
        log.put(1_000, b"open", transaction="order-service-0")
    with pytest.raises(StillUnderWay) as why:
        move.drain(deadline_ms=2_000)
    assert "a transaction is open in orders/0 from 4 on (2 partitions in all)" in str(why.value)
    assert str(why.value).count("transaction of order-service-0 (producer 0, epoch 0)") == 1
    assert "abort --topic orders --partition 0 --start-offset 4" in why.value.hint
    with pytest.raises(Blocked, match="order-service-0"):
        settled_ends(move.world, move.leaving, ["orders"])
    move.transactions.end(["order-service-0"])
    assert move.drain().left == {FIRST: 6, SECOND: 2}


def test_a_transaction_that_ends_while_it_is_waited_for_delays_and_its_records_are_copied(move: Move) -> None:
    turns: list[int] = []
    move.transactions.take("x")
    move.transactions.begin("x")
    move.left[FIRST].put(1_000, b"open", 0, transaction="x")

    def act() -> None:
        turns.append(1)
        if len(turns) == 6:
            move.transactions.finish("x", commit=True)

    move.each_turn(act)
    drained = move.drain()
    assert len(turns) > 6
    assert drained.left[FIRST] == 2
    assert move.made.copies(FIRST) == [0]


def test_a_transaction_open_on_the_side_entered_is_named_too(move: Move) -> None:
    """A mirror that died in mid-transaction: its own copies are behind an open one."""
    move.made.write(FIRST, 4)
    move.entered[SECOND].put(1_000, b"open", transaction="kmigrate-0")
    with pytest.raises(StillUnderWay, match=r"transaction of kmigrate-0 .* open in orders/1 from 0 on"):
        move.drain(deadline_ms=2_000)


def test_what_somebody_else_wrote_behind_the_last_copy_is_refused(move: Move) -> None:
    move.made.write(FIRST, 4)
    move.drain()
    move.entered[FIRST].put(1_000, b"foreign")
    with pytest.raises(Refused, match=r"orders/0 up to 4: .*somebody else writes there"):
        move.drain()


def test_what_somebody_else_writes_there_while_it_is_looked_at_is_refused(move: Move) -> None:
    move.made.write(FIRST, 4)
    end, turns = move.drain().entered[FIRST], []

    def act() -> None:
        turns.append(1)
        if len(turns) == 2:  # between the looks at the ends of the side entered
            move.entered[FIRST].put(1_000, b"foreign")

    move.each_turn(act)
    with pytest.raises(
        ForeignWrite, match=rf"orders/0 on the {move.leaving.other} holds a record at {end}, behind the"
    ):
        move.drain()


def test_on_the_way_back_what_was_there_before_the_hand_over_is_drained_by_the_ledger() -> None:
    """Nothing was written since in one partition, a few records in the other; the lane was armed at the seam."""
    move = Move("reverse")
    seams = {}
    for p, count in ((FIRST, 5), (SECOND, 7)):
        for number in range(count):
            for log in (move.left[p], move.entered[p]):
                log.put(1_000, b"%d" % number, number)
        move.left[p].mark()
        seams[p] = Seam(owner=Side.TARGET, source=count, target=count + 1)
        move.made.estate.mirror.back.last[p] = count
    move.world.ledger.put(SEAMS, write_seams(seams))
    assert move.drain() == Drained(left={FIRST: 6, SECOND: 8}, entered={FIRST: 5, SECOND: 7}, last={})
    move.made.write(SECOND, 3)
    drained = move.drain()
    assert drained.left == {FIRST: 6, SECOND: 11}
    assert drained.entered == {FIRST: 5, SECOND: move.entered[SECOND].end}
    assert move.made.copies(SECOND) == [*range(7), 8, 9, 10]


def test_nothing_is_drained_that_leans_on_a_hand_over_that_was_not_seen_whole() -> None:
    move = Move("reverse")
    seam = Seam(owner=Side.TARGET, seen=frozenset({Seen.FENCED, Seen.DRAINED, Seen.STILL}))
    move.world.ledger.put(SEAMS, write_seams(dict.fromkeys((FIRST, SECOND), seam)))
    with pytest.raises(Refused, match="orders/0 up to 0"):
        move.drain()


def test_a_topic_that_is_not_there_is_told(move: Move) -> None:
    with pytest.raises(Blocked, match="has no topic nothing"):
        await_settled(move.world, move.leaving, ["nothing"], LONG)


def test_the_lane_must_copy_what_is_written_on_the_side_left(move: Move) -> None:
    with pytest.raises(AssertionError, match="does not copy what is written on"):
        await_topic_drain(move.world, move.leaving.other, ["orders"], move.made.lane, LONG)


def test_a_record_that_comes_between_two_questions_is_no_open_transaction(move: Move) -> None:
    """The last stable offset is asked for after the end: else whoever writes meanwhile seems to have one open."""
    move.made.write(FIRST, 4)
    cluster = move.made.estate.clusters[move.leaving]

    class Busy(type(cluster)):
        def ranges(self, partitions, *, committed=True):
            found = super().ranges(partitions, committed=committed)
            move.left[FIRST].put(1_000, b"meanwhile")
            return found

    busy = Busy(cluster.name, cluster.addresses)
    busy.logs, busy.made = cluster.logs, cluster.made
    move.made.estate.clusters[move.leaving] = busy
    assert settled_ends(move.world, move.leaving, ["orders"])[FIRST] == 5
