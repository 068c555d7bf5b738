"""Rules 1, 9 and 10 of the design §4: drains, retention, readers of uncommitted records."""

from __future__ import annotations

from planting import Fault
from where import (
    COMMIT,
    CUTOVER,
    DRAIN,
    FLAGS,
    MANIFESTS,
    ORDER,
    PROBES,
    REFUSALS,
    RENDERED,
    REPLICATE,
    TOGETHER,
    UNCOMMITTED,
    law,
)

RELEASE = "steps/test_release_retention.py::test_"
_FENCE = "            FenceClients(**has),\n"
_DRAIN = "            DrainMirror(**has, migration=migration),\n"

RULE_1 = (
    Fault(
        "a drain waits for the group that has read the least of a partition",
        CUTOVER + "drain_mirror",
        "max(at, found.get(p, at))",
        "min(at, found.get(p, at))",
        TOGETHER + "a_drain_waits_for_the_group_that_has_read_the_most_of_a_partition",
    ),
    Fault(
        "ends are seen once, not still over two looks",
        PROBES + "topic_drain",
        "if before == found:",
        "if True:",
        DRAIN + "who_writes_on_and_on_in_spite_of_the_fence_is_noticed_and_who_may_is_told",
    ),
    Fault(
        "an open transaction is no matter at the end of a topic",
        PROBES + "topic_drain",
        "self.held = tuple(p for p in self.partitions if stable[p] < whole[p])",
        "self.held = ()",
        DRAIN + "a_transaction_that_hangs_is_named_with_the_command_that_ends_it",
    ),
    Fault(
        "the ends are not read again once all is copied",
        PROBES + "topic_drain",
        "    _refuse_moved(world, leaving, wanted, left)\n",
        "",
        DRAIN + "a_record_that_comes_after_the_ends_were_seen_is_noticed",
    ),
    Fault(
        "what is open on the side entered is no matter",
        PROBES + "topic_drain",
        "entered = await_settled(world, leaving.other, wanted, still_ms())",
        "entered = {p: log.end for p, log in world.cluster(leaving.other).ranges(left).items()}",
        DRAIN + "a_transaction_open_on_the_side_entered_is_named_too",
    ),
    Fault(
        "a record behind the last copy is no matter",
        PROBES + "topic_drain",
        "    _refuse_others(world, leaving.other, unaccepted(others, accepted))\n",
        "",
        DRAIN + "what_somebody_else_writes_there_while_it_is_looked_at_is_refused",
    ),
    Fault(
        "what has no certain place counts as drained",
        PROBES + "topic_drain",
        "    _refuse_unknown(copies.positions)\n",
        "",
        DRAIN + "nothing_is_drained_that_leans_on_a_hand_over_that_was_not_seen_whole",
    ),
    Fault(
        "a topic that changes its owner is drained like any other",
        CUTOVER + "drain_mirror",
        "        last |= self._drain_topics(world, max(0, end - world.clock.monotonic_ms()))\n",
        "",
        law("mirror-back"),
    ),
    Fault(
        "found among the records is enough, without Connect's own word",
        PROBES + "drain",
        "        late = self._unsaid()\n",
        "        late = ()\n",
        REFUSALS + "nothing_counts_as_copied_before_connect_says_so",
    ),
    Fault(
        "what the side entered still hides counts as copied",
        PROBES + "drain",
        "return late or _hidden(self.world.cluster(self.translator.leaving.other), self.last, self.heads)",
        "return late",
        REFUSALS + "nothing_counts_as_copied_while_the_target_hides_the_end_of_its_log",
    ),
    Fault(
        "the group need not stand still while its position is carried",
        CUTOVER + "carry_positions",
        "        stands_still(world, self.leaving, self.app)\n",
        "",
        REFUSALS + "an_application_that_is_restarted_while_positions_are_carried_blocks_the_commit",
    ),
    Fault(
        "the bounds of an earlier stop are good enough",
        CUTOVER + "drain_mirror",
        "return drained is not None and bounds == left_behind(world, self.leaving, self.app)",
        "return drained is not None",
        REFUSALS + "an_application_restarted_by_hand_after_the_drain_is_drained_again_and_stays_exact",
    ),
    Fault(
        "a position past the last stable offset is taken as it is",
        PROBES + "translation",
        "stable = {p: x for p, x in wanted.items() if logs[p].end >= x}",
        "stable = dict(wanted)",
        UNCOMMITTED + "it_may_stand_past_an_open_transaction_and_is_moved_once_that_has_ended",
    ),
    Fault(
        "a group drain waits for the end of the log",
        PROBES + "drain",
        "        seen = self.translator.translate(self.todo)\n",
        "        logs = self.world.cluster(self.translator.leaving).ranges(self.todo)\n"
        "        seen = self.translator.translate({p: logs[p].end for p in self.todo})\n",
        COMMIT + "a_group_drain_asks_nothing_of_what_was_written_after_the_group_stopped",
    ),
    Fault(
        "Connect's own word is enough, whatever stands among the records",
        PROBES + "drain",
        "        if self.todo:\n            _healthy",
        "        if not self.last:\n            _healthy",
        COMMIT + "nothing_counts_as_copied_because_connect_says_so",
    ),
    Fault(
        "a topic is drained before its writers are fenced",
        "kmigrate.story",
        _FENCE + _DRAIN,
        _DRAIN + _FENCE,
        ORDER + "nothing_of_a_hand_over_comes_before_what_it_relies_on",
    ),
)
RULE_9 = (
    Fault(
        "the target takes times ahead that the source refuses",
        MANIFESTS + "topics",
        '"message.timestamp.before.max.ms": FOREVER}',
        '"message.timestamp.before.max.ms": FOREVER, "message.timestamp.after.max.ms": FOREVER}',
        RENDERED + "a_topic_takes_what_the_source_takes_whoever_set_that_there_and_no_more_but_old_records",
    ),
    Fault(
        "nobody asks whether the target would take more than the source",
        "kmigrate.advice.flags",
        "            yield from _accepts_more(migration, inventory.topics[name])\n",
        "",
        f"{FLAGS}[KM-TOPIC-ACCEPTS-MORE]",
    ),
    Fault(
        "records that are gone uncopied are passed over",
        PROBES + "retention",
        "    if gone:\n",
        "    if False:\n",
        REPLICATE + "records_that_are_gone_uncopied_are_refused_never_clamped",
    ),
    Fault(
        "a position that retention has eaten is clamped",
        PROBES + "translation",
        "    if eaten:\n",
        "    if False:\n",
        REFUSALS + "a_position_that_retention_has_eaten_is_refused",
    ),
    Fault(
        "the target deletes as the source does while the way back is open",
        MANIFESTS + "topics",
        'held = {"retention.ms": "-1", "retention.bytes": "-1"}',
        "held: dict[str, str] = {}",
        RENDERED + "a_topic_keeps_what_kafka_knows_and_says_what_it_drops_and_holds_off",
    ),
    Fault(
        "the target compacts while the way back is open",
        MANIFESTS + "topics",
        'if "compact" in policy:',
        "if False:",
        RENDERED + "a_compacted_topic_is_not_compacted_until_the_way_back_is_closed",
    ),
    Fault(
        "what is held off is not remembered",
        MANIFESTS + "topics",
        "held={name: kept[name] for name in needed if name in kept and kept[name] != needed[name]},",
        "held={},",
        RENDERED + "a_topic_keeps_what_kafka_knows_and_says_what_it_drops_and_holds_off",
    ),
    Fault(
        "what is held off stays held off for ever",
        "kmigrate.story",
        "            ReleaseRetention(migration=migration),\n",
        "",
        RELEASE + "what_was_held_off_is_told_and_put_back_by_the_door_that_closes_the_way_back",
    ),
    Fault(
        "what is held off is released while a way back is promised",
        "kmigrate.steps.carried",
        "return tuple(each.released if released else each.body for each in carried(world, migration))",
        "return tuple(each.released for each in carried(world, migration))",
        RELEASE + "until_then_it_stays_held_off_whatever_is_provisioned_again",
    ),
    Fault(
        "that it is released is written down nowhere",
        "kmigrate.steps.decommission",
        "        world.ledger.put(RELEASED, value=True)\n",
        "",
        RELEASE + "it_is_written_down_before_a_record_may_go_and_earlier_phases_know_of_it",
    ),
    Fault(
        "the guard knows nothing of deletions that compaction forgets",
        PROBES + "retention",
        'settings = ("retention.ms", "delete.retention.ms") if compacted else ("retention.ms",)',
        'settings = ("retention.ms",)',
        REPLICATE + "the_shorter_term_counts_and_only_where_it_applies",
    ),
    Fault(
        "the age of what is not copied is no matter",
        PROBES + "retention",
        "        if term.ms - age < need:\n",
        "        if term.ms < need:\n",
        REPLICATE + "records_that_outlive_the_default_of_a_week_uncopied_block_with_numbers_and_the_command",
    ),
)
RULE_10 = (
    Fault(
        "aborted copies ahead are not counted",
        PROBES + "uncommitted",
        "    if isolation == COMMITTED or not known:\n",
        "    if True:\n",
        UNCOMMITTED + "aborted_copies_ahead_of_it_stop_its_move_before_it_is_stopped",
    ),
    Fault(
        "they lower no grade",
        PROBES + "uncommitted",
        "        grade=Grade.SAFE_LOWER_BOUND,\n",
        "",
        UNCOMMITTED + "who_bears_them_is_given_twice_exactly_what_was_counted",
    ),
    Fault(
        "they are not added to what a position repeats",
        PROBES + "uncommitted",
        "repeats_at_most=at.repeats_at_most + seen.ahead,",
        "repeats_at_most=seen.ahead,",
        UNCOMMITTED + "a_position_that_repeats_already_repeats_the_aborted_ones_besides",
    ),
    Fault(
        "who has accepted them is stopped all the same",
        PROBES + "uncommitted",
        "if bar.minimum is not Grade.SAFE_LOWER_BOUND and reads.group not in bar.bears_aborted:",
        "if bar.minimum is not Grade.SAFE_LOWER_BOUND:",
        UNCOMMITTED + "who_bears_them_is_given_twice_exactly_what_was_counted",
    ),
    Fault(
        "they are not counted again when the position is carried",
        CUTOVER + "carry_positions",
        "carried = passed(world, self.leaving, reads, seen.positions, self.bar)",
        "carried = seen.positions",
        UNCOMMITTED + "what_was_aborted_right_behind_its_position_is_passed_and_not_given_twice",
    ),
)
