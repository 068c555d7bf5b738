"""Rule 13 of the design §4: one operator, and a ledger that survives its folder."""

from __future__ import annotations

from planting import Fault
from where import AWAY, CUTOVER, SHARED, STEPS

LINES = "kmigrate.adapters.shared_lines"

RULE_13 = (
    Fault(
        "a second operator is let in",
        LINES,
        "if holder is None or not holder.working or holder.place == self.us.place or self.take_over:",
        "if True:",
        SHARED + "a_second_operator_is_refused_by_name_and_changes_nothing",
    ),
    Fault(
        "who takes over does not fence the one before",
        LINES,
        "self._agree(found, found.fence())",
        "self._agree(found, found.read())",
        SHARED + "who_is_taken_over_is_fenced_at_the_next_line_and_its_line_is_nowhere",
    ),
    Fault(
        "a line that the target refused stays on the disk",
        LINES,
        "            self.local.take_back()\n",
        "",
        SHARED + "who_is_taken_over_is_fenced_at_the_next_line_and_its_line_is_nowhere",
    ),
    Fault(
        "who was fenced goes on",
        LINES,
        "        if self._fenced is not None:\n            raise self._fenced\n",
        "",
        SHARED + "who_is_taken_over_is_fenced_at_the_next_line_and_its_line_is_nowhere",
    ),
    Fault(
        "lines are on the disk alone",
        LINES,
        "        if self._claimed is not None and self._away is None:\n            self._copy",
        "        if False:\n            self._copy",
        SHARED + "every_line_is_here_and_there",
    ),
    Fault(
        "a lost folder stays lost",
        LINES,
        "        for line in there[len(here) :]:\n            self.local.append(line)\n",
        "",
        SHARED + "a_lost_folder_is_rebuilt_line_by_line",
    ),
    Fault(
        "two histories are taken for one",
        LINES,
        "    if parted:\n",
        "    if False:\n",
        SHARED + "two_histories_are_never_mixed",
    ),
    Fault(
        "a line that somebody removed from the target is no matter",
        LINES,
        "    if missing:\n",
        "    if False:\n",
        SHARED + "a_hole_in_the_ledger_is_told",
    ),
    Fault(
        "while the target is away everything goes on",
        LINES,
        "        if self._away is not None and not alone:\n            told =",
        "        if False:\n            told =",
        SHARED + "while_the_target_is_away_only_what_undoes_goes_on",
    ),
    Fault(
        "what could not be taken back from a target that is away is forgotten",
        "kmigrate.journal.journal",
        "            unit.facts.update(entry.data if isinstance(entry.data, Mapping) else {})",
        "            pass",
        AWAY + "it_may_happen_twice_in_a_row",
    ),
    Fault(
        "who read on a target that was away is not looked for",
        CUTOVER + "left_there",
        "        if past:\n",
        "        if False:\n",
        AWAY + "who_read_there_meanwhile_is_named_before_anything_is_stopped_anew",
    ),
    Fault(
        "any failure of the target counts as that it is away",
        CUTOVER + "carry_positions",
        "if self.entering is Side.SOURCE or answers(world, Side.TARGET):",
        "if self.entering is Side.SOURCE:",
        AWAY + "a_target_that_answers_is_asked_again_and_the_undoing_goes_on_then",
    ),
    Fault(
        "the claim counts although not every line is on the target",
        STEPS + "ledger",
        "if finding.changes or world.claim.whole():",
        "if True:",
        "steps/test_claim.py::test_the_step_is_done_only_once_every_line_is_on_the_target",
    ),
    Fault(
        "two processes share a folder",
        "kmigrate.adapters.journal_file",
        "            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        "journal/test_head.py::test_who_is_refused_is_told_since_when_the_other_works",
    ),
)
