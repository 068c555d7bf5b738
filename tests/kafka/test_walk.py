"""The thinnest walk by hand: four commands on a real lab under live traffic, killed at named instants."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.walk import walking
from kmigrate.world import Reporter

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

APP = "ml-features"
KMIGRATE = (sys.executable, "-m", "kmigrate")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFolder]:
    folder = LabFolder(tmp_path_factory.mktemp("walk") / "lab")
    with compose.lab(folder, brokers=1, empty=False, reporter=Reporter()):
        yield folder


def kmigrate(lab: LabFolder, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KMIGRATE, *words, "-f", plan(lab)], capture_output=True, text=True, timeout=400, check=False
    )


def done(lab: LabFolder, *words: str) -> str:
    ended = kmigrate(lab, *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def plan(lab: LabFolder) -> str:
    return str(lab.extra / "kmigrate.yaml")


def status(lab: LabFolder) -> dict:
    return json.loads(done(lab, "status", "--json"))


def side_of(lab: LabFolder, name: str = APP) -> tuple[str, str]:
    app = next(each for each in status(lab)["applications"] if each["name"] == name)
    return app["side"], app["running"]


def journal(lab: LabFolder) -> list[dict]:
    path = lab.extra / ".kmigrate" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def killed_at(lab: LabFolder, unit: str, event: str, step: str, *words: str) -> None:
    """Start a command and kill it -9 as soon as the journal has that line of that unit."""
    running = subprocess.Popen([*KMIGRATE, *words, "--yes", "-f", plan(lab)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not any((e["unit"], e["event"], e["step"]) == (unit, event, step) for e in journal(lab)):
        assert running.poll() is None, f"it ended with {running.returncode} before {event} {step}"
        assert time.monotonic() < deadline, f"{event} {step} did not come"
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL


def test_plan_shows_what_would_change_and_changes_nothing(lab: LabFolder) -> None:
    told = json.loads(done(lab, "plan", "--json"))
    units = {unit["unit"]: unit for unit in told["units"]}
    changes = [change for step in units["provision"]["steps"] for change in step["changes"]]
    assert "create KafkaTopic kafka/shipments" in changes
    assert set(told["stays"]) == {"storefront", "order-service", "billing"}
    assert f"cutover/{APP}#1" in units
    assert journal(lab) == []


def test_cutover_waits_for_the_phases_before_it(lab: LabFolder) -> None:
    early = kmigrate(lab, "apply", "--phase", "cutover", "--app", APP, "--yes")
    assert early.returncode == 3
    assert "kmigrate apply --phase provision" in early.stderr


def test_without_a_terminal_nobody_is_asked_and_nothing_begins(lab: LabFolder) -> None:
    asked = kmigrate(lab, "apply", "--phase", "provision")
    assert asked.returncode == 6
    assert "add --yes" in asked.stderr
    assert journal(lab) == []


def test_provision_and_replicate_are_done_once(lab: LabFolder) -> None:
    killed_at(lab, "provision", "STARTED", "create-topics", "apply", "--phase", "provision")
    for phase in ("provision", "replicate"):
        done(lab, "apply", "--phase", phase, "--yes")
        assert "nothing to do" in done(lab, "apply", "--phase", phase, "--yes")


@pytest.mark.parametrize(
    ("attempt", "event", "step"),
    [
        (1, "STARTED", "stop-workloads"),
        (2, "APPLIED", "drain-mirror"),
        (3, "STARTED", "carry-positions"),
        (4, "APPLIED", "carry-positions"),
        (5, "STARTED", "start-workloads"),
    ],
)
def test_killed_in_cutover_and_in_rollback_it_goes_on(lab: LabFolder, attempt: int, event: str, step: str) -> None:
    cutover = ("apply", "--phase", "cutover", "--app", APP)
    killed_at(lab, f"cutover/{APP}#{attempt}", event, step, *cutover)
    done(lab, *cutover, "--yes")
    assert side_of(lab) == ("target", "yes")
    killed_at(lab, f"rollback/{APP}#{attempt}", event, step, "rollback", "--app", APP)
    done(lab, "rollback", "--app", APP, "--yes")
    assert side_of(lab) == ("source", "yes")


def test_before_the_start_the_way_back_is_undo(lab: LabFolder) -> None:
    killed_at(lab, f"cutover/{APP}#6", "VERIFIED", "switch-settings", "apply", "--phase", "cutover", "--app", APP)
    warned = status(lab)
    assert warned["next"] == f"kmigrate apply --phase cutover --app {APP}"
    done(lab, "rollback", "--app", APP, "--yes")
    assert side_of(lab) == ("source", "yes")
    undone = [e["step"] for e in journal(lab) if e["unit"] == f"cutover/{APP}#6" and e["event"] == "UNDONE"]
    assert undone == ["switch-settings", "carry-positions", "drain-mirror", "stop-workloads", "ready"]


def test_after_all_that_the_auditor_finds_nothing(lab: LabFolder) -> None:
    done(lab, "apply", "--phase", "cutover", "--app", APP, "--yes")
    with walking(lab, Reporter()) as walk:
        walk.settle()
        verdict = walk.audit()
    counted = {app.name: (app.lost, app.redelivered, app.out_of_order, app.audit_gaps) for app in verdict.applications}
    assert counted == dict.fromkeys(counted, (0, 0, 0, 0))
    assert all(entry.clean and not entry.behind and not entry.ahead for entry in verdict.differences)
    moved = next(app for app in verdict.applications if app.name == APP)
    assert len(moved.switches) == 11
    assert moved.behind == 0
