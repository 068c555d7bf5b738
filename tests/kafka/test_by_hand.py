"""README's walkthrough: an empty lab, a writer and a reader of one's own, every phase, back, and across again."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.planfile import load
from kmigrate.world import Reporter

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_200)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "by-hand" / "app.py"
REACHES = ("assess", "provision", "replicate", "rehearse")


class ByHand:
    """Types the commands of the walkthrough; the reader runs until `stop`, the writer until `end_writer`."""

    def __init__(self, lab: LabFolder) -> None:
        self.lab = lab
        self.plan = lab.root.parent / "kmigrate.yaml"
        self._writer: subprocess.Popen[bytes] | None = None

    def app(self, word: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, str(EXAMPLE), str(self.lab.root), word]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def kmigrate(self, *words: str, plan: Path | None = None) -> subprocess.CompletedProcess[str]:
        with self.begin(*words, plan=plan) as begun:
            told, complaint = begun.communicate(timeout=300)
            return subprocess.CompletedProcess(begun.args, begun.returncode, told, complaint)

    def begin(self, *words: str, plan: Path | None = None) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "kmigrate", *words]
        told = {**os.environ, "KMIGRATE_PLAN": str(plan or self.plan)}
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=told)

    def another_desk(self, name: str, soak: str) -> Path:
        """The same plan file with a journal folder of its own, as on another laptop."""
        told = yaml.safe_load(self.plan.read_text())
        told["policy"]["soak"] = soak
        plan = self.plan.with_name(f"{name}.yaml")
        plan.write_text(yaml.safe_dump({**told, "journal": {"store": f"./{name}"}}))
        return plan

    def done(self, *words: str) -> str:
        ended = self.kmigrate(*words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def begin_writer(self) -> None:
        self._writer = subprocess.Popen([sys.executable, str(EXAMPLE), str(self.lab.root), "writer"])

    def end_writer(self) -> None:
        if self._writer is not None:
            self._writer.terminate()
            assert self._writer.wait(30) == 0
            self._writer = None

    def read_count(self) -> int:
        path = self.lab.root.parent / f"{self.lab.root.name}-by-hand" / "read"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def await_reading(self) -> None:
        wanted, deadline = self.read_count() + 30, time.monotonic() + 60
        while self.read_count() < wanted:
            assert time.monotonic() < deadline, "the reader reads nothing"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    folder = LabFolder(tmp_path_factory.mktemp("by-hand") / "lab")
    with compose.lab(folder, brokers=1, empty=True, reporter=Reporter()):
        hand = ByHand(folder)
        assert hand.app("estate").returncode == 0
        hand.plan.write_text(hand.app("plan").stdout)
        hand.begin_writer()
        try:
            assert hand.app("start").returncode == 0
            hand.await_reading()
            yield hand
        finally:
            hand.end_writer()
            hand.app("stop")


def side(hand: ByHand) -> str:
    told = json.loads(hand.done("status", "--json"))
    return str(next(app["side"] for app in told["applications"] if app["name"] == "averages"))


def await_unit(hand: ByHand, plan: Path, name: str, state: str) -> None:
    deadline = time.monotonic() + 120
    while (name, state) not in [(unit["name"], unit["state"]) for unit in units(hand, plan)]:
        assert time.monotonic() < deadline, units(hand, plan)
        time.sleep(0.2)


def units(hand: ByHand, plan: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(hand.kmigrate("status", "--json", plan=plan).stdout)["units"]
    return found


def test_a_first_plan_file_is_drafted_from_what_the_source_answers(by_hand: ByHand) -> None:
    facts = json.loads(by_hand.lab.state.read_text())["facts"]["source"]
    password = by_hand.lab.credentials / "sa-kmigrate"
    source = ("--bootstrap", facts["bootstrap"], "--username", "sa-kmigrate", "--password-file", str(password))
    draft = by_hand.plan.with_name("draft.yaml")
    told = by_hand.done("init", *source, "--ca", facts["ca"], "-o", str(draft))
    assert "DECIDE" in told
    drafted = load(draft)
    assert drafted.topics == ("readings",)
    assert [(app.name, app.writes) for app in drafted.applications if app.writes] == [("sa-writer", ("readings",))]
    assert by_hand.kmigrate("init", *source, "-o", str(draft)).returncode == 2


def test_every_phase_up_to_the_first_move(by_hand: ByHand) -> None:
    for phase in REACHES:
        by_hand.done("apply", "--phase", phase, "--yes")
        assert side(by_hand) == "source"


def test_verify_full_compares_both_logs_while_the_writer_goes_on(by_hand: ByHand) -> None:
    told = [json.loads(line) for line in by_hand.done("verify", "--full", "--json").splitlines()]
    assert "egress from the source" in told[0]["text"]
    assert told[-1]["event"] == "result"
    (content,) = [each for each in told[-1]["units"] if each["unit"] == "content"]
    assert (content["wrong"], content["skipped"]) == ([], "")
    assert content["told"].endswith("partitions are equal on both sides")


def test_a_second_operator_is_refused_or_takes_over_and_the_first_one_is_fenced(by_hand: ByHand) -> None:
    anna, bert = by_hand.another_desk("anna", "3m"), by_hand.another_desk("bert", "1s")
    with by_hand.begin("apply", "--phase", "cutover", "--app", "averages", "--yes", plan=anna) as first:
        await_unit(by_hand, bert, "cutover/averages#1", "in soak")
        refused = by_hand.kmigrate("rollback", "--app", "averages", "--yes", plan=bert)
        assert refused.returncode == 8
        assert f"another kmigrate works on this migration: {getpass.getuser()}@" in refused.stderr
        assert f"pid {first.pid}, since" in refused.stderr
        assert (bert.with_name("bert") / "journal.jsonl").read_text() == ""
        taken = by_hand.kmigrate("rollback", "--app", "averages", "--yes", "--take-over", plan=bert)
        assert taken.returncode == 0, taken.stderr
        assert "this folder had no journal" in taken.stderr
        complaint = first.communicate(timeout=240)[1]
    # what it watched is gone, or its next line is refused: whichever it meets first
    assert first.returncode in (4, 8)
    assert "another kmigrate has taken this migration over" in complaint
    assert side(by_hand) == "source"


def test_a_lost_journal_folder_is_rebuilt_and_each_folder_takes_up_what_others_did(by_hand: ByHand) -> None:
    told = by_hand.done("history", "--json")
    shutil.rmtree(by_hand.plan.parent / ".kmigrate")
    assert by_hand.done("history", "--json") == told
    again = by_hand.kmigrate("apply", "--phase", "rehearse", "--yes")
    assert again.returncode == 0
    lines = len(json.loads(told)["entries"])
    assert f"this folder had no journal: its {lines} lines were brought back from the target" in again.stderr
    assert by_hand.done("history", "--json") == told


def test_across_back_and_across_again_while_the_writer_goes_on(by_hand: ByHand) -> None:
    by_hand.done("apply", "--phase", "cutover", "--app", "averages", "--yes")
    assert side(by_hand) == "target"
    by_hand.await_reading()
    by_hand.done("rollback", "--app", "averages", "--yes")
    assert side(by_hand) == "source"
    by_hand.await_reading()
    by_hand.done("apply", "--phase", "cutover", "--app", "averages", "--yes")
    assert side(by_hand) == "target"
    by_hand.await_reading()


def test_the_source_is_not_left_while_somebody_writes_there(by_hand: ByHand) -> None:
    refused = by_hand.kmigrate("apply", "--phase", "decommission", "--yes", "--name", "by-hand")
    assert refused.returncode == 3
    assert "readings grows (sensors may write it)" in refused.stderr


def test_once_the_writer_is_stopped_the_source_is_left_and_nothing_was_lost(by_hand: ByHand) -> None:
    by_hand.end_writer()
    by_hand.done("apply", "--phase", "decommission", "--yes", "--name", "by-hand")
    closed = by_hand.kmigrate("rollback", "--app", "averages", "--yes")
    assert closed.returncode == 5
    assert "there is no way back any more" in closed.stderr
    deadline = time.monotonic() + 60
    while (seen := by_hand.app("check")).returncode and time.monotonic() < deadline:
        time.sleep(0.5)  # the last records are still being copied and read
    assert " 0 lost, 0 twice, 0 out of order" in seen.stdout
    assert int(seen.stdout.split()[0]) > 100
