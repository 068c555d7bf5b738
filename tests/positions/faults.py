"""Faults to be planted into the mathematics of positions, one change of text each, and the test that catches it."""

from __future__ import annotations

from fault import LOST, P, adversary
from faults_of_search import PLACE, SEARCH
from planting import Fault

SYNCS = (
    Fault(
        "the sync of a second copy brackets, too",
        P + "syncs",
        "            if not self._originals or sync.original > self._originals[-1]:\n"
        "                self._originals.append(sync.original)\n"
        "                self._copies.append(sync.copy)\n",
        "            self._originals.append(sync.original)\n            self._copies.append(sync.copy)\n",
        "positions/test_syncs.py::test_the_sync_of_a_second_copy_brackets_nothing",
    ),
    Fault(
        "a late sync leaves those that it overtakes",
        P + "syncs",
        "while del_to < len(self._originals) and self._originals[del_to] <= late.original:",
        "while False:",
        "positions/test_syncs.py::test_a_sync_that_comes_late_takes_its_place_and_ends_those_that_do_not_rise_after_it",
    ),
    Fault(
        "the sync at the position counts as before it",
        P + "syncs",
        "at = bisect_left(self._copies if by_copy else self._originals, position)",
        "at = bisect_left(self._copies if by_copy else self._originals, position + 1)",
        "positions/test_syncs.py::test_a_position_lies_after_the_low_sync_and_at_or_before_the_high_one",
    ),
    Fault(
        "an MM2 checkpoint of a version nobody knows is read",
        P + "syncs",
        "if not group or not topic or len(rest) < 4 or version != 0:",
        "if not group or not topic or len(rest) < 4:",
        "positions/test_syncs.py::test_a_checkpoint_of_unknown_version_or_cut_short_is_not_read",
    ),
    Fault(
        "a sync cut short is read",
        P + "syncs",
        "if key is None or value is None or len(value) < 16 or len(key) < 2:",
        "if key is None or value is None or len(key) < 2:\n        return None\n"
        '    value = value.ljust(16, b"\\0")\n    if len(key) < 2:',
        "positions/test_syncs.py::test_what_cannot_be_read_as_a_sync_bounds_nothing",
    ),
)
MATCH = (
    Fault(
        "a proof from fewer records than tell twins apart",
        P + "match",
        "if once and (from_log_start or len(run) == CONTEXT) else",
        "if once else",
        "positions/test_locate.py::test_where_retention_left_fewer_records_than_the_context_the_grade_is_lower",
    ),
    Fault(
        "the same run elsewhere on the side left is no matter",
        P + "match",
        "if len(ends) > 1 or len(_occurrences(run, here)) > 1:",
        "if len(ends) > 1:",
        "positions/test_locate.py::test_the_same_run_again_after_the_position_is_refused_when_the_first_copy_is_broken",
    ),
    Fault(
        "the first of several places",
        P + "match",
        "if len(ends) > 1 or len(_occurrences(run, here)) > 1:",
        "if False:",
        "positions/test_locate.py::test_a_long_run_of_identical_records_is_refused_and_not_guessed",
    ),
    Fault(
        "records that the owner lacks are no matter",
        P + "match",
        "if left_is_owner and len(right) > len(left):",
        "if False:",
        "positions/test_locate.py"
        "::test_a_foreign_record_at_the_end_of_the_copy_is_refused_when_the_owner_has_nothing_there",
    ),
    Fault(
        "what follows the position is not compared",
        P + "match",
        "if not _agree(after, candidates[last + 1 :], left_is_owner=left_is_owner):",
        "if False:",
        "positions/test_locate.py::test_a_foreign_record_within_the_context_after_the_position_is_refused",
    ),
    Fault(
        "the last record read comes again",
        P + "match",
        "offset=candidates[last].offset + 1,",
        "offset=candidates[last].offset,",
        "positions/test_locate.py::test_distinct_records_are_always_found",
    ),
    Fault(
        "beginnings are not compared",
        P + "match",
        "if any(a.digest != b.digest for a, b in zip(run, candidates, strict=False)):",
        "if False:",
        "positions/test_locate.py::test_sides_that_begin_differently_are_refused_also_where_nothing_follows",
    ),
)
DIGEST = (
    Fault(
        "null equals empty",
        P + "digest",
        "marshal.dumps((timestamp, key, value, *headers), _PLAIN)",
        'marshal.dumps((timestamp, key or b"", value or b"", *headers), _PLAIN)',
        "positions/test_digest.py::test_null_and_empty_differ_in_key_value_and_header",
    ),
    Fault(
        "headers have no order",
        P + "digest",
        "marshal.dumps((timestamp, key, value, *headers), _PLAIN)",
        "marshal.dumps((timestamp, key, value, *sorted(headers)), _PLAIN)",
        "positions/test_digest.py::test_the_order_of_headers_counts",
    ),
    Fault(
        "parts run together",
        P + "digest",
        "marshal.dumps((timestamp, key, value, *headers), _PLAIN)",
        'b"%d" % timestamp + b"".join((key or b"", value or b"", *(n.encode() + (v or b"") for n, v in headers)))',
        "positions/test_digest.py::test_parts_never_run_together",
    ),
    Fault(
        "the time does not count",
        P + "digest",
        "marshal.dumps((timestamp, key, value, *headers), _PLAIN)",
        "marshal.dumps((key, value, *headers), _PLAIN)",
        "positions/test_digest.py::test_the_time_counts",
    ),
)
OWN = (
    Fault(
        "one further than the record after the sync",
        P + "mirrors_own",
        "chosen.copy + (position > chosen.original)",
        "chosen.copy + position - chosen.original",
        "positions/test_mirrors_own.py"
        "::test_at_a_sync_it_is_the_copy_itself_and_after_it_the_next_record_never_further",
    ),
    Fault(
        "a mirror that goes back forgets nothing",
        P + "mirrors_own",
        "if not slots or sync.original < slots[0].original:",
        "if not slots:",
        "positions/test_mirrors_own.py::test_a_mirror_that_goes_back_forgets_all_it_kept",
    ),
    Fault(
        "every slot takes any sync, however far",
        P + "mirrors_own",
        "return newer is older or j == _SLOTS - 1 or newer.original <= older.original + (1 << j) - (1 << i)",
        "return True",
        "positions/test_mirrors_own.py"
        "::test_the_further_a_group_lags_the_less_is_left_around_it_and_never_less_than_the_store_keeps",
    ),
)
EPOCHS = (
    Fault(
        "the record at a seam belongs to the epoch before",
        P + "epochs",
        "sum(seam.at(side) <= position for seam in self.seams) - 1",
        "max(0, sum(seam.at(side) < position for seam in self.seams) - 1)",
        "positions/test_epochs.py::test_right_at_a_seam_the_ledger_answers",
    ),
    Fault(
        "an old record by the newest epoch",
        P + "epochs",
        "number = sum(seam.at(side) <= position for seam in self.seams) - 1",
        "number = len(self.seams) - 1",
        adversary(LOST, "exactly once, several epochs"),
    ),
    Fault(
        "a seam is leaned on although not all was seen",
        P + "epochs",
        "return whole and not self.begin.missing",
        "return whole",
        "positions/test_epochs.py::test_nothing_leans_on_a_seam_that_was_not_seen_whole",
    ),
    Fault(
        "an epoch counts as copied although nobody saw it drained",
        P + "epochs",
        "over=epoch.end is not None and not epoch.end.missing,",
        "over=epoch.end is not None,",
        "positions/test_epochs.py::test_an_epoch_of_which_nobody_saw_the_end_is_not_counted_back_from_it",
    ),
    Fault(
        "a seam answers although it was not seen",
        P + "epochs",
        "            if epoch.begin.missing:\n",
        "            if False:\n",
        "positions/test_epochs.py::test_nothing_leans_on_a_seam_that_was_not_seen_whole",
    ),
    Fault(
        "a seam answers although retention took what follows it across",
        P + "epochs",
        "if self.logs[leaving.other].start <= entered:",
        "if True:",
        "positions/test_epochs.py::test_a_seam_whose_records_retention_took_across_is_no_place_to_go",
    ),
    Fault(
        "the records of one epoch are looked for in the whole log",
        P + "epochs",
        "end = log.end if self.end is None else min(log.end, self.end.at(side))",
        "end = log.end",
        "positions/test_epochs.py::test_an_epoch_holds_what_lies_between_its_seams_as_far_as_the_log_still_does",
    ),
)
MADE_ANEW = Fault(
    "a log that ends before what was copied from it is looked into",
    P + "epochs",
    "syncs.newest.original >= self.logs[side].end",
    "False",
    "positions/test_epochs.py::test_a_log_that_ends_before_what_was_copied_from_it_was_made_anew",
)
READ = "positions/test_epochs_read.py::test_what_is_read_from_clusters_is_carried_as_the_adversary_knows"
TRANSLATION = (
    Fault(
        "a time counts although the receiving side stamps its own",
        "kmigrate.probes.translation",
        "return owner, (partition.topic, owner.other) not in self._stamping",
        "return owner, True",
        READ,
    ),
    Fault(
        "the side that writes is asked whether it stamps, not the one that receives",
        "kmigrate.probes.translation",
        "return owner, (partition.topic, owner.other) not in self._stamping",
        "return owner, (partition.topic, owner) not in self._stamping",
        READ,
    ),
    Fault(
        "without a mark, times tell where copies lie although they were stamped anew",
        "kmigrate.probes.unmarked",
        "found = cluster.offsets_at(oldest) if timed else dict.fromkeys(oldest, 0)",
        "found = cluster.offsets_at(oldest)",
        "positions/test_epochs_read.py::test_without_a_mark_a_side_that_stamps_its_own_time_is_read_whole",
    ),
)
FAULTS = PLACE + SEARCH + SYNCS + MATCH + DIGEST + OWN + EPOCHS + TRANSLATION + (MADE_ANEW,)
