"""What a producer says it wrote, against what the logs hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_shop import NEW, OLD, Diary, cluster, copied, faults, orders

from kmigrate.lab.auditor.audit import ApplicationAudit, audit
from kmigrate.lab.auditor.log import LogRecord


def writer(folder: Path) -> Diary:
    diary = Diary(folder, app="storefront", reads=(), writes=("orders",))
    diary.start(OLD)
    return diary


def produce(diary: Diary, records: list[LogRecord], *outcomes: str, **more: int) -> None:
    for record in records:
        diary.add("produced", topic="orders", id=record.identity, **more)
    for outcome in outcomes:
        for record in records:
            diary.add(outcome, topic="orders", id=record.identity, **more)


def verdict(diary: Diary, log: list[LogRecord]) -> ApplicationAudit:
    diary.end()
    (app,) = audit([diary.folder], [cluster("source", OLD, log)]).applications
    return app


def test_what_was_acknowledged_and_is_in_the_log_is_no_fault(tmp_path: Path) -> None:
    log, diary = orders(10, twins=(2,)), writer(tmp_path)
    produce(diary, log, "acked")
    app = verdict(diary, log)
    assert (faults(app), app.written) == ({}, 11)


def test_what_was_acknowledged_and_is_nowhere_is_missing(tmp_path: Path) -> None:
    log, diary = orders(10, twins=(2,)), writer(tmp_path)
    produce(diary, log, "acked")
    app = verdict(diary, [*log[:2], *log[3:8]])
    assert faults(app) == {"missing_written": 4}
    assert not app.clean


def test_a_committed_transaction_counts_and_one_taken_back_must_not_show(tmp_path: Path) -> None:
    log, diary = orders(12), writer(tmp_path)
    produce(diary, log[:4], tx=1)
    diary.add("committed", tx=1, offsets={})
    produce(diary, log[4:8], tx=2)
    diary.add("aborted", tx=2)
    app = verdict(diary, log[:6])
    assert (app.written, app.taken_back) == (4, 4)
    assert faults(app) == {"resurrected": 2}


def test_no_report_and_a_time_out_are_unknown_and_a_refusal_is_not(tmp_path: Path) -> None:
    log, diary = orders(12), writer(tmp_path)
    produce(diary, log[:3])
    produce(diary, log[3:5], "unknown")
    produce(diary, log[5:6], "refused")
    produce(diary, log[6:9], tx=1)
    app = verdict(diary, [*log[:2], *log[6:7]])
    assert faults(app) == {"unknown_outcome": 8}
    assert (app.unknown_written, app.refused, app.clean) == (3, 1, True)


def test_a_writer_that_moved_has_a_pause(tmp_path: Path) -> None:
    log, diary = orders(10), writer(tmp_path)
    produce(diary, log[:5], "acked")
    diary.stop()
    diary.start(NEW)
    diary.at += 400
    produce(diary, log[5:], "acked")
    diary.end()
    clusters = [cluster("source", OLD, log), cluster("target", NEW, copied(log))]
    (app,) = audit([tmp_path], clusters).applications
    assert faults(app) == {}
    assert app.pause_ms is not None
    assert app.pause_ms > 400


def test_an_address_of_no_known_cluster_is_an_error(tmp_path: Path) -> None:
    diary = writer(tmp_path)
    diary.end()
    with pytest.raises(ValueError, match="old:9092"):
        audit([tmp_path], [cluster("target", NEW, orders(3))])
