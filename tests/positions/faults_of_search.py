"""Faults in placing a position between two marks: `place.py` and `search.py`."""

from __future__ import annotations

from fault import BOUND, EXACT, LOST, PROVEN, P, adversary
from planting import Fault

PLACE = (
    Fault(
        "the latest place instead of the earliest",
        P + "place",
        "return Place(earliest=earliest, latest=latest, proven=earliest == latest, settled=True)",
        "return Place(earliest=latest, latest=latest, proven=earliest == latest, settled=True)",
        adversary(LOST, "zombies and lost syncs, harsh"),
    ),
    Fault(
        "proven although two places are left",
        P + "place",
        "return Place(earliest=earliest, latest=latest, proven=earliest == latest, settled=True)",
        "return Place(earliest=earliest, latest=latest, proven=True, settled=True)",
        adversary(PROVEN, "at least once, harsh"),
    ),
    Fault(
        "twins share one copy",
        P + "place",
        "        places.append(at)\n        at += 1\n    return places\n",
        "        places.append(at)\n    return places\n",
        adversary(EXACT, "at least once, harsh"),
    ),
    Fault(
        "a copy without an original is no matter",
        P + "place",
        "if passage.once and copied != len(passage.copies):",
        "if passage.once and copied > len(passage.copies):",
        "positions/test_search.py::test_a_twin_written_by_somebody_else_is_not_taken_for_a_copy",
    ),
    Fault(
        "twins on compacted topics correspond from the first one on",
        P + "place",
        "for at in range(len(left) - 1, -1, -1) if",
        "for at in range(len(left)) if",
        adversary(LOST, "compacted, twins"),
    ),
    Fault(
        "twins correspond although the younger may not be copied yet",
        P + "place",
        "    if passage.compacted and passage.whole and passage.once:\n"
        "        return _between_pairs(passage, _pairs(passage.originals",
        "    if passage.compacted and passage.once:\n        return _between_pairs(passage, _pairs(passage.originals",
        adversary(BOUND, "compacted, twins, still copying"),
    ),
    Fault(
        "on the way back twins correspond although copies may come twice",
        P + "place",
        "    if passage.compacted and passage.whole and passage.once:\n"
        "        return _between_pairs(passage, _pairs(passage.copies",
        "    if passage.compacted and passage.whole:\n        return _between_pairs(passage, _pairs(passage.copies",
        adversary(BOUND, "at least once, compacted, twins, back"),
    ),
    Fault(
        "on compacted topics marks bound nothing",
        P + "place",
        "max(earliest, passage.read), min(latest, size - passage.unread)",
        "earliest, latest",
        "positions/test_search.py"
        "::test_between_marks_that_were_copied_compaction_leaves_no_doubt_where_no_record_is_doubtful",
    ),
    Fault(
        "the one-to-one proof of compacted passages is skipped",
        P + "place",
        "proven = one and passage.low and list(passage.originals) == list(passage.copies) != []",
        "proven = one",
        "positions/test_search.py::test_compaction_on_either_side_leaves_what_is_sure",
    ),
    Fault(
        "twins on either side of the position are no matter while copying goes on",
        P + "place",
        "twins = not passage.whole and not set(passage.originals[:read]).isdisjoint(passage.originals[read:])",
        "twins = False",
        "positions/test_search.py::test_the_copy_of_a_twin_that_was_not_read_is_never_taken_for_that_of_the_one_that_was",
    ),
    Fault(
        "counted back from the end over records that differ",
        P + "place",
        "if list(passage.originals[-size:]) != list(passage.copies[-size:]):",
        "if passage.originals[-1] != passage.copies[-1]:",
        "positions/test_search.py::test_nothing_is_counted_back_over_records_that_differ",
    ),
    Fault(
        "counted back from the end past the first copy",
        P + "place",
        "if behind > size:",
        "if behind > size + 1:",
        "positions/test_search.py::test_what_was_never_copied_has_no_place",
    ),
    Fault(
        "counted back through a mirror that writes twice",
        P + "place",
        "if not passage.high or not passage.once or not size:",
        "if not passage.high or not size:",
        "positions/test_search.py::test_nothing_is_counted_back_through_a_mirror_that_writes_twice",
    ),
    Fault(
        "an original counts as read with the copy at the position",
        P + "place",
        "latest = _count(firsts, lambda place: place < read)",
        "latest = _count(firsts, lambda place: place <= read)",
        adversary(LOST, "exactly once, back"),
    ),
    Fault(
        "on the way back all that may have been read was read",
        P + "place",
        "earliest = min(latest, _count(lasts, lambda place: place < read))",
        "earliest = latest",
        adversary(LOST, "at least once, harsh, back"),
    ),
    Fault(
        "a copy proves its original although that has twins",
        P + "place",
        "if counts[original] == 1 and original in seen:",
        "if original in seen:",
        adversary(LOST, "at least once, harsh, back"),
    ),
    Fault(
        "the bound forgets what a crashed task copied before the marks",
        P + "place",
        "latest=latest if passage.alone else None, settled",
        "latest=latest, settled",
        adversary(BOUND, "zombies and lost syncs, harsh, back"),
    ),
    Fault(
        "a latest place although the end is not known",
        P + "place",
        "    if not passage.high:\n        return Place(earliest=earliest, latest=None, settled=True)\n",
        "",
        "positions/test_search.py::test_where_copying_goes_on_a_twin_may_be_a_second_copy",
    ),
)
SEARCH = (
    Fault(
        "one further",
        P + "search",
        "return before[-1].offset + 1",
        "return before[-1].offset + 2",
        adversary(LOST, "clean"),
    ),
    Fault(
        "offsets are added across holes, as MirrorMaker did before 3.4.1",
        P + "search",
        "        if before:\n            return before[-1].offset + 1\n        low = self._bracket.low\n",
        "        low = self._bracket.low\n"
        "        if low is not None:\n"
        "            return self.position + (low.original - low.copy if self.back else low.copy - low.original)\n"
        "        if before:\n            return before[-1].offset + 1\n",
        adversary(LOST, "exactly once: holes, twins, any times"),
    ),
    Fault(
        "markers count as records read",
        P + "search",
        "read = bisect_left(left, self.position, key=lambda record: record.offset)",
        "read = max(0, min(len(left), self.position - left[0].offset)) if left else 0",
        adversary(LOST, "exactly once: holes, twins, any times"),
    ),
    Fault(
        "the record at the position counts as read",
        P + "search",
        "read = bisect_left(left, self.position, key=lambda record: record.offset)",
        "read = bisect_left(left, self.position + 1, key=lambda record: record.offset)",
        adversary(LOST, "clean"),
    ),
    Fault(
        "a sync is believed without a look at its records",
        P + "search",
        "return False in marks or (None in marks and not self.compacted)",
        "return False",
        "positions/test_search.py::test_a_sync_that_names_other_records_is_not_believed",
    ),
    Fault(
        "the passage ends before the mark that closes it",
        P + "search",
        "reach, end = (high.original + 1, high.copy + 1) if high",
        "reach, end = (high.original, high.copy) if high",
        "positions/test_search.py::test_what_is_read_begins_and_ends_with_both_records_of_a_mark",
    ),
    Fault(
        "a grade too good for what stands between two places",
        P + "search",
        "agree = place.settled and neighbours",
        "agree = neighbours",
        "positions/test_search.py::test_compaction_on_either_side_leaves_what_is_sure",
    ),
    Fault(
        "what marks say is matched although no record bears it out",
        P + "search",
        "return replace(self.best, grade=Grade.EXACT_MATCHED) if seen else None",
        "return replace(self.best, grade=Grade.EXACT_MATCHED)",
        "positions/test_search.py::test_marks_of_which_no_record_is_left_anywhere_are_not_called_a_match",
    ),
    Fault(
        "a record that is not copied yet is refused for good",
        P + "search",
        'return self._not_yet("the last record before the position has no copy yet") if late else None',
        "return None",
        "positions/test_search.py::test_a_record_read_that_has_no_copy_yet_is_waited_for",
    ),
)
