"""Rules 6, 7 and 11 of the design §4: foreign writes, fences, kinds of groups."""

from __future__ import annotations

from planting import Fault
from where import CUTOVER, FENCES, FLAGS, FOREIGN, HAND_OVER, PROBES, PROVISION, STEPS, WRITERS, law

FLAG = "kmigrate.advice.flags"
COUNTERPARTS = "probes/test_counterparts.py::test_"

RULE_6 = (
    Fault(
        "a record that only the side left has is no matter",
        PROBES + "counterparts",
        "            foreign += strange\n",
        "",
        FOREIGN + "after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name",
    ),
    Fault(
        "records are counted, not compared",
        PROBES + "counterparts",
        "if originals[n].digest == record.digest), None)",
        "if True), None)",
        COUNTERPARTS + "every_record_without_a_counterpart_is_found",
    ),
    Fault(
        "only the first of several foreign records is told",
        PROBES + "counterparts",
        "            strange.append(_run(partition, first.offset, record.offset, first.time))\n",
        "            strange.append(first)\n",
        COUNTERPARTS + "every_record_without_a_counterpart_is_found",
    ),
    Fault(
        "a foreign record is told without who may write its topic",
        PROBES + "foreign",
        "{more}; {who}",
        "{more}",
        FOREIGN + "after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name",
    ),
    Fault(
        "the mirrors are told as those who may have written it",
        PROBES + "writers",
        "names = [name for name in writers(rights, topic) if name not in ours]",
        "names = writers(rights, topic)",
        FOREIGN + "after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name",
    ),
    Fault(
        "the soak goes on over a foreign record",
        CUTOVER + "soak",
        "        if bad:\n",
        "        if False:\n",
        FOREIGN + "after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name",
    ),
    Fault(
        "what is accepted of one topic is accepted of all",
        PROBES + "foreign",
        "return tuple(each for each in found if each.partition.topic not in accepted)",
        "return () if accepted else tuple(found)",
        FOREIGN + "after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name",
    ),
    Fault(
        "foreign records that were met are kept nowhere",
        CUTOVER + "soak",
        "            keep(world, self.leaving, seen.foreign)\n",
        "",
        FOREIGN + "every_foreign_record_between_the_copies_is_found_and_kept",
    ),
    Fault(
        "positions are carried across foreign records",
        PROBES + "uncommitted",
        "    _refuse_foreign(reads.group, across(world, leaving, positions, bar.bears_foreign))\n",
        "",
        FOREIGN + "who_comes_back_behind_it_is_refused_until_it_is_accepted_and_then_exact",
    ),
    Fault(
        "a move on its way back turns round for a foreign record",
        CUTOVER + "move",
        "            if self.leaving is Side.SOURCE:\n                raise\n",
        "            raise\n",
        WRITERS + "on_the_way_back_a_foreign_record_holds_the_move_instead",
    ),
    Fault(
        "who writes on under a proven fence is waited for",
        PROBES + "topic_drain",
        "        self._refuse_going_on(before or found, found)\n",
        "",
        WRITERS + "whoever_writes_on_while_ends_are_awaited_turns_the_move_back_long_before_its_pause_is_over",
    ),
    Fault(
        "what looking costs is not told",
        CUTOVER + "soak",
        'return {**told, "bytes": size, "foreign": foreign,',
        'return {"foreign": foreign,',
        FOREIGN + "after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name",
    ),
    Fault(
        "how far both sides were compared is kept nowhere",
        CUTOVER + "soak",
        "            world.ledger.put(self._far, write_cursors(seen.cursors))\n",
        "",
        HAND_OVER + "how_far_both_sides_were_compared_is_on_disk_and_goes_on",
    ),
    Fault(
        "foreign records are read as if they had a counterpart",
        PROBES + "sieve",
        "return Sieved(world, met) if met else world",
        "return world",
        FOREIGN + "a_group_that_has_not_read_it_is_not_carried_across_and_nothing_was_stopped",
    ),
    Fault(
        "what came after the soak is looked for by nobody",
        CUTOVER + "stop_workloads",
        "            refuse_strays(world, self)\n",
        "",
        FOREIGN + "what_came_after_the_watch_where_the_application_reads_is_told_before_it_is_stopped",
    ),
    Fault(
        "a source is left with records that stand there alone",
        STEPS + "decommission",
        "bad = unaccepted(strays, self.bears_foreign)",
        "bad = strays[:0]",
        FOREIGN + "the_source_is_not_left_with_records_that_stand_there_alone_but_by_name",
    ),
    Fault(
        "records that retention took are compared with others",
        PROBES + "counterparts",
        "gone = _overtaken(cursors, ends, there.ranges(cursors))",
        "gone = _overtaken({}, ends, {})",
        COUNTERPARTS + "where_retention_took_what_was_to_be_compared_next_nothing_is_told",
    ),
)
RULE_7 = (
    Fault(
        "a rule that stands counts as a fence",
        CUTOVER + "fence_clients",
        "return tuple(denial for denial in self._denials if denial not in proof)",
        "return tuple(denial for denial in self._denials if denial not in standing)",
        FENCES + "positions_are_carried_only_once_every_broker_enforces_the_fence",
    ),
    Fault(
        "groups are not fenced",
        CUTOVER + "fences",
        'groups = [("group", reads.group, "Read") for reads in app.reads]',
        "groups: list[tuple[str, str, str]] = []",
        FENCES + "the_side_left_is_fenced_and_the_side_entered_is_not_after_every_move",
    ),
    Fault(
        "writers are not fenced",
        CUTOVER + "fences",
        'topics = [("topic", name, "Write") for name in app.writes]',
        "topics: list[tuple[str, str, str]] = []",
        HAND_OVER + "writers_are_denied_their_topics_on_the_side_left_and_nowhere_else",
    ),
    Fault(
        "what stood before is lifted too",
        CUTOVER + "fence_clients",
        "lifted = tuple(denial for denial in self._denials if denial not in read_denials(before))",
        "lifted = self._denials",
        FENCES + "undo_lifts_what_the_move_denied_and_leaves_what_stood_before",
    ),
    Fault(
        "the application starts again where a broker still denies it",
        CUTOVER + "fence_clients",
        "        await_gone(world, self.leaving, lifted)\n",
        "",
        FENCES + "undo_starts_the_application_only_where_no_broker_denies_it_any_more",
    ),
    Fault(
        "a way back that is undone leaves the other side open",
        CUTOVER + "lift_fence",
        "            world.fence(self.entering).deny(stood)\n",
        "            pass\n",
        FENCES + "a_way_back_that_is_undone_fences_the_side_again_that_it_would_have_entered",
    ),
    Fault(
        "making users again lifts their fences",
        "kmigrate.steps.provision",
        "return keeping_denials(body, stored.spec) if stored else body",
        "return body",
        PROVISION + "a_fence_in_a_user_is_no_change_and_stays_when_users_are_applied",
    ),
    Fault(
        "an application that signs in as the mirror is fenced",
        CUTOVER + "ready",
        "        if caught:\n",
        "        if False:\n",
        FENCES + "an_application_that_signs_in_as_kmigrate_or_the_mirror_is_blocked_before_it_stops",
    ),
    Fault(
        "a fence may catch kmigrate itself",
        "kmigrate.adapters.rules",
        'if denial.principal in spared or denial.principal == "User:*":',
        "if False:",
        "contract/test_fence.py::test_kmigrate_itself_is_never_denied_and_nothing_is_written_then",
    ),
    Fault(
        "status does not say how to lift a fence without kmigrate",
        "kmigrate.cli.views",
        "commands = fence.commands(standing) if standing else ()",
        "commands: tuple[str, ...] = ()",
        "cli/test_looks.py::test_status_tells_fences_with_the_commands_that_lift_them",
    ),
    Fault(
        "a fence that somebody lifted is still called one",
        CUTOVER + "fence_clients",
        "        if without:\n",
        "        if False:\n",
        FENCES + "a_fence_that_somebody_lifted_is_found_missing",
    ),
)
RULE_11 = (
    Fault(
        "a session time-out is no part of the pause",
        CUTOVER + "ready",
        "        if longest >= self.left_ms(world):\n",
        "        if False:\n",
        "story/test_pause.py::test_a_session_time_out_that_does_not_fit_into_the_pause_blocks_before_anything_stops",
    ),
    Fault(
        "a share group is taken for any other",
        FLAG,
        "    elif seen.group.kind is GroupKind.SHARE:\n",
        "    elif False:\n",
        f"{FLAGS}[KM-GROUP-SHARE]",
    ),
    Fault(
        "a streams group is taken for any other",
        FLAG,
        "return own or seen.group.kind is GroupKind.STREAMS",
        "return own",
        f"{FLAGS}[KM-GROUP-STREAMS]",
    ),
    Fault(
        "a Kafka Streams application of a classic group is taken for any other",
        FLAG,
        "return own or seen.group.kind is GroupKind.STREAMS",
        "return seen.group.kind is GroupKind.STREAMS",
        "advice/test_flags.py::test_a_classic_group_with_changelogs_is_kafka_streams",
    ),
    Fault(
        "a group that nobody declares is no matter",
        FLAG,
        "            if name not in declared:\n",
        "            if False:\n",
        f"{FLAGS}[KM-GROUP-UNASSIGNED]",
    ),
    Fault(
        "groups are not waited for when their application stops",
        CUTOVER + "stop_workloads",
        'return NotYet("; ".join(f"{g}: {s}" for g, s in running.items())) if running else Ready(None)',
        "return Ready(None)",
        law("one-reader"),
    ),
)
