"""What is never done, in any version (design §9), as far as a move could do it."""

from __future__ import annotations

from planting import Fault
from where import COMMIT, CUTOVER, MANIFESTS, MEANWHILE, PROBES, REFUSALS, RENDERED, law
from where import HAND_OVER as HANDED

SOURCE_ADMIN = "contract/test_source_admin.py::test_"
MADE_AGAIN = HANDED + "making_users_and_mirror_again_leaves_a_hand_over_as_it_is"
START = "            StartWorkloads(**has),\n"
HAND_OVER = "            *([HandOverTopics(**has, migration=migration)] if app.writes else []),\n"
BETWEEN = "            LiftFence(**has),\n            SwitchSettings(**has),\n"

NEVER = (
    Fault(
        "a position is committed to a group that is not Empty",
        "kmigrate.adapters.memory.groups",
        "            self._must_be_stopped(group)\n        for group, of",
        "            pass\n        for group, of",
        REFUSALS + "a_group_that_somebody_uses_on_the_target_is_never_written_to",
    ),
    Fault(
        "a position is committed once more after the application was started",
        CUTOVER + "carry_positions",
        "        if has_begun(world):\n",
        "        if False:\n",
        REFUSALS + "no_position_is_written_after_the_application_was_started_on_the_target",
    ),
    Fault(
        "both directions are on: the lane that was fed from the side left is started again",
        CUTOVER + "turn_mirror",
        "        for lane in self._lanes:\n            feed",
        "        from kmigrate.steps.lanes import start_lane\n"
        "        for lane in self.writing_lanes(self.leaving):\n"
        "            start_lane(world, self.migration.target, lane, _DEADLINE_MS)\n"
        "        for lane in self._lanes:\n            feed",
        law("mirror-back"),
    ),
    Fault(
        "both directions are on: making the mirror again starts what a hand-over has stopped",
        "kmigrate.steps.replicate",
        "turned = [lane for lane in self._lanes() if not handed_over.isdisjoint(lane.topics)]",
        "turned: list[Lane] = []",
        MADE_AGAIN,
    ),
    Fault(
        "a writer is started before its topics are handed over",
        "kmigrate.story",
        HAND_OVER + BETWEEN + START,
        BETWEEN + START + HAND_OVER,
        law("mirror-back"),
    ),
    Fault(
        "a change before its STARTED line",
        "kmigrate.engine.run",
        "    journal.record(unit.name, unit.fingerprint, Event.STARTED, step.name, finding.before)\n"
        "    if finding.changes:\n"
        "        step.apply(world)\n",
        "    if finding.changes:\n"
        "        step.apply(world)\n"
        "    journal.record(unit.name, unit.fingerprint, Event.STARTED, step.name, finding.before)\n",
        "engine/test_engine.py::test_started_is_on_disk_before_the_first_change",
    ),
    Fault(
        "undoing before its UNDOING line",
        "kmigrate.engine.rollback",
        "        journal.record(unit.name, unit.fingerprint, Event.UNDOING, step.name)\n"
        "        with naming(unit, step):\n"
        "            step.undo(world, record.steps[step.name].before)\n",
        "        with naming(unit, step):\n"
        "            step.undo(world, record.steps[step.name].before)\n"
        "        journal.record(unit.name, unit.fingerprint, Event.UNDOING, step.name)\n",
        "laws/test_deaths.py::test_a_death_at_any_instant_comes_to_the_calm_end[one-reader-back]",
    ),
    Fault(
        "a position is written on the source on the way to the target",
        CUTOVER + "carry_positions",
        "        self._read_back(world)\n        world.ledger.put(COMMITTED",
        "        world.groups(self.leaving).commit(bounds)\n"
        "        self._read_back(world)\n        world.ledger.put(COMMITTED",
        law("one-reader"),
    ),
    Fault(
        "anybody may be given a right on the source",
        "kmigrate.adapters.rules",
        'if each.principal != mirror or each.type != "allow":',
        "if False:",
        SOURCE_ADMIN + "nobody_but_the_mirror_back_is_given_or_loses_anything_and_nothing_is_written_then",
    ),
    Fault(
        "any topic may be made or removed on the source",
        "kmigrate.adapters.rules",
        "if not topic.startswith(REVERSE.all_connector_offsets):",
        "if False:",
        SOURCE_ADMIN + "no_topic_but_the_mirrors_own_is_made_or_removed",
    ),
    Fault(
        "kmigrate may write records",
        MANIFESTS + "rights",
        'yield Rule(resource="topic", name=name, operations=("DescribeConfigs",)), _MADE',
        'yield Rule(resource="topic", name=name, operations=("DescribeConfigs", "Write")), _MADE',
        "manifests/test_rights.py::test_on_the_target_kmigrate_writes_its_ledger_and_positions_and_no_topic",
    ),
    Fault(
        "where a group holds no position its client's own reset decides",
        PROBES + "groups",
        "    if without:\n",
        "    if False:\n",
        "cli/test_verify_later.py::test_a_group_without_a_position_is_still_refused_before_it_is_moved",
    ),
    Fault(
        "a position that is not good enough is committed",
        PROBES + "translation",
        "    if bad:\n",
        "    if False:\n",
        REFUSALS + "a_foreign_record_right_after_the_position_is_refused_and_nothing_is_committed",
    ),
    Fault(
        "a group is put to the beginning",
        CUTOVER + "carry_positions",
        "{p: at.offset for p, at in of.items() if at.offset is not None}",
        "{p: 0 for p, at in of.items() if at.offset is not None}",
        law("one-reader"),
    ),
    Fault(
        "a group is put where the same number stands",
        CUTOVER + "carry_positions",
        "{p: at.offset for p, at in of.items() if at.offset is not None}",
        "{p: at.came_from for p, at in of.items() if at.offset is not None}",
        law("one-reader"),
    ),
    Fault(
        "what was committed is not read back",
        CUTOVER + "carry_positions",
        "        self._read_back(world)\n",
        "",
        COMMIT + "a_group_that_somebody_moved_right_after_the_commit_is_named",
    ),
    Fault(
        "a commit that nobody has heard the end of is taken for none",
        CUTOVER + "carry_positions",
        "        self._about_to_put(world, put)\n",
        "",
        MEANWHILE + "who_reads_before_a_commit_is_called_one_is_named_and_nothing_is_put_over_it",
    ),
    Fault(
        "a commit that was not read back is good enough",
        CUTOVER + "carry_positions",
        "            if short or not settled:",
        "            if short:",
        MEANWHILE + "a_commit_that_was_not_read_back_is_read_back_by_the_same_command_and_stays_proven",
    ),
    Fault(
        "what is taken back is not known to be, so who reads meanwhile is overlooked",
        CUTOVER + "carry_positions",
        "        world.ledger.put(PUT, write_left(taken))\n",
        "        world.ledger.put(PUT, None)\n",
        MEANWHILE + "who_reads_while_positions_are_taken_back_is_named_and_keeps_them",
    ),
    Fault(
        "counts are the proof of contents",
        PROBES + "content.ordered",
        "if (here.records, here.digest) != (there.records, there.digest):",
        "if here.records != there.records:",
        "probes/test_content.py::test_a_changed_record_is_named_by_the_field",
    ),
    Fault(
        "a forward lane begins at the end where it has no offset",
        MANIFESTS + "mirror",
        "        RESET: begins,\n",
        '        RESET: "latest",\n',
        RENDERED + "a_lane_is_set_as_measured",
    ),
    Fault(
        "what a group did not hold before is left to it when the move is undone",
        CUTOVER + "carry_positions",
        "            if groups.held([group])[group].keys() - held.keys():\n",
        "            if False:\n",
        REFUSALS + "undo_leaves_a_group_exactly_what_it_held_on_the_target_also_in_other_topics",
    ),
)
