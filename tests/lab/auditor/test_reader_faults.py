"""Each planted fault of a reader is counted where it belongs, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from made_up_shop import NEW, OLD, Diary, Move, cluster, copied, differences, faults, orders

from kmigrate.lab.auditor.audit import audit


def test_a_clean_move_has_no_fault_and_tells_its_pause(tmp_path: Path) -> None:
    verdict = Move(tmp_path).run()
    (app,) = verdict.applications
    assert verdict.clean
    assert faults(app) == {}
    assert (app.processed, app.behind, app.runs, app.crashes) == (22, 0, 2, 0)
    (switch,) = app.switches
    assert (switch.left, switch.entered, switch.before, switch.after) == ("source", "target", 10, 12)
    assert app.pause_ms == switch.pause_ms > 250


def test_a_position_one_too_far_loses_one_record(tmp_path: Path) -> None:
    verdict = Move(tmp_path, shift=1).run()
    (app,) = verdict.applications
    assert not verdict.clean
    assert faults(app) == {"lost": 1}
    assert app.examples == ("lost: orders/0 shop-1-9",)


def test_a_position_too_far_at_the_end_of_an_idle_partition_loses_one_record(tmp_path: Path) -> None:
    move = Move(tmp_path, left=21)
    move.on_source()
    move.diary.start(NEW)
    move.diary.assigned(move.target[-1].offset + 1)
    (app,) = move.verdict().applications
    assert faults(app) == {"lost": 1}


def test_a_position_one_too_low_gives_one_record_twice(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.on_source()
    rest = move.target[9:]
    move.diary.start(NEW)
    move.diary.assigned(rest[0].offset)
    move.diary.work(rest)
    move.diary.stop()
    (app,) = move.verdict().applications
    assert faults(app) == {"redelivered": 1}
    assert not app.clean


def test_a_record_missing_on_the_target_is_lost_to_the_reader_and_missing_in_the_log(tmp_path: Path) -> None:
    source = orders(20, twins=(3, 11))
    verdict = Move(tmp_path, source, copied(source[:15] + source[16:])).run()
    assert faults(verdict.applications[0]) == {"lost": 1}
    assert differences(verdict) == {"missing": 1}


def test_a_record_doubled_on_the_target_is_given_twice_and_extra_in_the_log(tmp_path: Path) -> None:
    source = orders(20, twins=(3, 11))
    verdict = Move(tmp_path, source, copied([*source[:15], source[14], *source[15:]])).run()
    assert faults(verdict.applications[0]) == {"redelivered": 1}
    assert differences(verdict) == {"extra": 1}


def test_a_record_doubled_at_the_very_end_is_no_tail(tmp_path: Path) -> None:
    source = orders(20)
    verdict = Move(tmp_path, source, copied([*source, source[-1]])).run()
    assert faults(verdict.applications[0]) == {"redelivered": 1}
    assert differences(verdict) == {"extra": 1}


def test_two_records_of_a_key_swapped_on_the_target_are_out_of_order(tmp_path: Path) -> None:
    source = orders(20)
    changed = list(source)
    changed[12], changed[16] = changed[16], changed[12]
    assert changed[12].key == changed[16].key
    verdict = Move(tmp_path, source, copied(changed)).run()
    assert faults(verdict.applications[0]) == {"out_of_order": 1}
    assert differences(verdict)["swapped"] > 0


def test_a_deleted_line_of_a_processed_record_is_a_gap_and_a_loss(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.on_source()
    move.on_target()
    move.diary.end()
    file = tmp_path / "audit" / "2-77.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    assert '"processed"' in lines[5]
    file.write_text("".join(lines[:5] + lines[6:]))
    (app,) = move.verdict().applications
    assert faults(app) == {"lost": 1, "audit_gaps": 1}


def test_one_twin_skipped_is_one_record_lost(tmp_path: Path) -> None:
    source = orders(20, twins=(3, 11))
    places = [at for at, record in enumerate(source) if record.identity == "shop-1-11x2"]
    assert len(places) == 2
    verdict = Move(tmp_path, source, left=places[1], shift=0).run()
    assert faults(verdict.applications[0]) == {"lost": 1}


def test_a_third_twin_on_the_target_is_given_twice(tmp_path: Path) -> None:
    source = orders(20, twins=(15,))
    twin = next(at for at, record in enumerate(source) if record.identity.endswith("x2"))
    verdict = Move(tmp_path, source, copied([*source[:twin], source[twin], *source[twin:]])).run()
    assert faults(verdict.applications[0]) == {"redelivered": 1}
    assert differences(verdict) == {"extra": 1}


def test_repeats_after_a_crash_of_its_own_are_counted_apart(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.diary.start(OLD)
    move.diary.assigned(0)
    move.diary.work(move.source[:6], batch=6)
    move.diary.process(move.source[6:10])
    move.diary.end(torn='{"n": 99, "at"')
    move.diary.start(OLD)
    move.diary.assigned(move.source[6].offset)
    move.diary.work(move.source[6:])
    move.diary.stop()
    (app,) = move.verdict().applications
    assert faults(app) == {"repeats": 4}
    assert (app.crashes, app.clean) == (1, True)


def test_a_repeat_behind_a_committed_position_is_never_the_applications_own(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.diary.start(OLD)
    move.diary.assigned(0)
    move.diary.work(move.source[:8])
    move.diary.start(OLD)
    move.diary.assigned(move.source[5].offset)
    move.diary.work(move.source[5:])
    (app,) = move.verdict().applications
    assert faults(app) == {"redelivered": 3}


def test_aborted_records_are_counted_apart_for_a_read_uncommitted_reader(tmp_path: Path) -> None:
    move = Move(tmp_path, isolation="read_uncommitted")
    gone = orders(30)[25]._replace(offset=5, key="red", sequence=-5)
    assert all(record.offset != gone.offset for record in move.source)
    move.diary.start(OLD)
    move.diary.assigned(0)
    move.diary.work([*move.source[:5], gone, *move.source[5:]])
    (app,) = move.verdict().applications
    assert faults(app) == {"aborted_seen": 1}
    assert app.clean


def test_a_committed_reader_that_saw_what_is_not_in_the_log_is_a_fault(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.diary.start(OLD)
    move.diary.assigned(0)
    move.diary.work([*move.source[:5], move.source[5]._replace(offset=5), *move.source[5:]])
    (app,) = move.verdict().applications
    assert faults(app) == {"unexplained": 1}
    assert not app.clean


def test_what_a_transaction_took_back_was_not_processed(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.diary.start(OLD)
    move.diary.assigned(0)
    move.diary.process(move.source[:4], tx=1)
    move.diary.add("aborted", tx=1)
    move.diary.process(move.source[:4], tx=2)
    move.diary.commit(move.source[3].offset + 1, tx=2)
    move.diary.assigned(move.source[4].offset)
    (app,) = move.verdict().applications
    assert faults(app) == {}
    assert app.processed == 4


def test_a_transaction_without_an_outcome_counts_if_the_position_lies_behind_it(tmp_path: Path) -> None:
    for committed, processed in ((True, 8), (False, 8)):
        move = Move(tmp_path / str(committed))
        move.diary.start(OLD)
        move.diary.assigned(0)
        move.diary.process(move.source[:4], tx=1)
        move.diary.start(OLD)
        goes_on = 4 if committed else 0
        move.diary.assigned(move.source[goes_on].offset)
        move.diary.process(move.source[goes_on:8], tx=1)
        move.diary.commit(move.source[7].offset + 1, tx=1)
        (app,) = move.verdict().applications
        assert faults(app) == {}
        assert app.processed == processed


def test_records_before_the_first_committed_position_are_not_lost(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.diary.start(OLD)
    move.diary.assigned(move.source[7].offset)
    move.diary.work(move.source[7:])
    (app,) = move.verdict().applications
    assert (faults(app), app.processed) == ({}, 15)


def test_records_after_the_last_committed_position_are_behind_and_only_lost_once_settled(tmp_path: Path) -> None:
    move = Move(tmp_path)
    move.on_source()
    (app,) = move.verdict().applications
    assert (faults(app), app.behind) == ({}, 12)
    clusters = (cluster("source", OLD, move.source), cluster("target", NEW, move.target))
    (app,) = audit([tmp_path], clusters, settled=True).applications
    assert faults(app) == {"lost": 12}


def test_a_partition_that_never_had_a_committed_position_is_named(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    diary.start(OLD)
    diary.end()
    (app,) = audit([tmp_path], [cluster("source", OLD, orders(3))]).applications
    assert app.uncovered == ("orders/0",)
    assert not app.clean


def test_there_and_back_and_there_again_is_three_switches(tmp_path: Path) -> None:
    move = Move(tmp_path)
    begin = 0
    for side, end in ((OLD, 5), (NEW, 9), (OLD, 15), (NEW, 22)):
        log = move.source if side == OLD else move.target
        move.diary.start(side)
        move.diary.assigned(log[begin].offset)
        move.diary.work(log[begin:end])
        move.diary.stop()
        begin = end
    (app,) = move.verdict().applications
    assert faults(app) == {}
    assert [switch.entered for switch in app.switches] == ["target", "source", "target"]
    assert [switch.before for switch in app.switches] == [5, 4, 6]


def test_a_tail_that_is_not_copied_yet_is_no_difference(tmp_path: Path) -> None:
    source = orders(20)
    move = Move(tmp_path, source, copied(source[:15]), left=16)
    move.on_source()
    verdict = move.verdict()
    assert differences(verdict) == {"behind": 5}
    assert verdict.clean


def test_other_bytes_under_the_same_identity_are_told(tmp_path: Path) -> None:
    source = orders(20)
    target = copied(source)
    target[4] = target[4]._replace(digest=1)
    verdict = Move(tmp_path, source, target).run()
    assert differences(verdict) == {"changed": 1}
    assert not verdict.clean
