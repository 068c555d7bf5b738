"""A process freezes at the very line of its journal, whatever the machine does meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from commands import WITHIN

LINES = [("ready", "STARTED"), ("ready", "APPLIED"), ("soak", "STARTED"), ("soak", "APPLIED")]
WRITES = """
import sys
import time
from pathlib import Path
from kmigrate.adapters.journal_file import JournalFile
journal = JournalFile(Path(sys.argv[1]), "me")
for line in sys.argv[2:]:
    journal.append(line)
"""


def written(folder: Path, lines: list[tuple[str, str]], wanted: tuple[str, str]) -> subprocess.Popen[bytes]:
    journal = folder / "journal.jsonl"
    told = {"journal": str(journal), "beyond": journal.stat().st_size if journal.exists() else 0, "delay_ms": 0}
    freeze = json.dumps({**told, "step": wanted[0], "event": wanted[1]})
    around = {**os.environ, "PYTHONPATH": str(WITHIN), "CHAOS_FREEZE": freeze}
    each = [json.dumps({"step": step, "event": event}) for step, event in lines]
    return subprocess.Popen([sys.executable, "-c", WRITES, str(folder), *each], env=around)


def on_disk(folder: Path) -> list[tuple[str, str]]:
    lines = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return [(line["step"], line["event"]) for line in lines]


@pytest.mark.parametrize("at", range(len(LINES)))
def test_it_stands_still_once_that_line_is_on_disk_and_no_other(tmp_path: Path, at: int) -> None:
    with written(tmp_path, LINES, LINES[at]) as running:
        assert os.WIFSTOPPED(os.waitpid(running.pid, os.WUNTRACED)[1])
        assert on_disk(tmp_path) == LINES[: at + 1]
        running.send_signal(signal.SIGCONT)
        assert running.wait() == 0
    assert on_disk(tmp_path) == LINES


def test_what_an_earlier_process_wrote_is_no_line_to_freeze_at(tmp_path: Path) -> None:
    with written(tmp_path, LINES[:1], ("none", "none")) as running:
        assert running.wait() == 0
    with written(tmp_path, LINES[1:2], LINES[0]) as running:
        assert running.wait() == 0


STARTS = """
import json, os, subprocess, sys, time
print(subprocess.Popen(sys.argv[2:], env={**os.environ, **json.loads(sys.argv[1])}).pid, flush=True)
time.sleep(600)
"""


def test_one_that_is_frozen_dies_with_who_started_it(tmp_path: Path) -> None:
    told = {"journal": str(tmp_path / "journal.jsonl"), "beyond": 0, "delay_ms": 0, "step": "ready", "event": "STARTED"}
    around = json.dumps({"PYTHONPATH": str(WITHIN), "CHAOS_FREEZE": json.dumps(told)})
    line = json.dumps({"step": "ready", "event": "STARTED"})
    words = (sys.executable, "-c", STARTS, around, sys.executable, "-c", WRITES, str(tmp_path), line)
    with subprocess.Popen(words, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        frozen = psutil.Process(int(starter.stdout.readline()))
        while frozen.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
            time.sleep(0.05)
        assert frozen.status() == psutil.STATUS_STOPPED
        starter.kill()
    psutil.wait_procs([frozen], timeout=30)
    assert not frozen.is_running()
