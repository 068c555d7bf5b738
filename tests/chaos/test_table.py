"""The table of runs: what is committed is what its picture says."""

from __future__ import annotations

import table
from cases import FAULTS, ROUNDS, STEPS, another, case

ROW = {"rate": 700, "recovery_ms": 12_345, "zeros": True}


def rows(*seeds: int) -> list[dict]:
    return [table.row(case(seed), "abc", dict(ROW)) for seed in seeds]


def test_each_fault_has_a_line_with_its_runs_by_step_and_direction() -> None:
    told = rows(0, 0, 1)
    lines = table.drawn(told).splitlines()
    (line,) = [each for each in lines if each.startswith(f"| {told[0]['fault']} |")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1 + STEPS.index(told[0]["step"])] == "2 + 1"
    assert cells[-1] == "12.3 s, 12.3 s"
    assert sum(each.startswith("| ") for each in lines) == 1 + len(FAULTS)


def test_the_committed_picture_is_that_of_the_committed_runs() -> None:
    assert table.drawn(table.read()) in table.README.read_text()


def test_every_committed_run_is_what_its_seed_stands_for_and_left_no_trace() -> None:
    for told in table.read():
        assert table.row(case(told["seed"]), told["commit"], {}).items() <= told.items()
        assert told["zeros"] is True
        assert told["rate"] >= 500
        assert told["partitions"] >= 6


def test_what_was_missed_is_tried_at_other_instants_of_the_same_and_not_for_ever() -> None:
    first = case(100_003)
    tried = [first]
    while later := another(tried[-1]):
        tried.append(later)
    assert {each.pair for each in tried} == {first.pair}
    assert len({each.seed for each in tried}) == len(tried) == ROUNDS
