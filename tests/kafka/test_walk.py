"""The whole walk by hand on a real lab under live traffic: every command a process, killed -9 at seeded instants."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from secret_places import arguments_seen, holders, open_to_others, passwords, strangers
from super_user import super_user
from two_clusters import Figures

from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.operator.admin import Acl
from kmigrate.lab.walk import walking
from kmigrate.model import Right, Side
from kmigrate.planfile import load
from kmigrate.wiring import open_world
from kmigrate.world import Reporter

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_200)]

SEED = 20261124
APP = "ml-features"
KMIGRATE = (sys.executable, "-m", "kmigrate")
ROUNDS = 6
"""How many times at most the application goes there and back until every instant was met."""

MOVE = {
    "stop-workloads": (),
    "fence-clients": (),
    "drain-mirror": ("bounds",),
    "carry-positions": ("positions",),
    "lift-fence": (),
    "switch-settings": (),
    "start-workloads": ("begun_ms",),
}
"""The steps of a move that write, in order, each with a fact that it leaves before its write."""
PHASES = {
    "provision": ("create-users", "claim-migration", "create-topics", "prepare-source"),
    "replicate": ("store-logins", "start-mirror", "prepare-reverse"),
}


def acl(name: str, operation: str, *, pattern: str = "literal", allow: bool = True, resource: str = "topic") -> Acl:
    return Acl(
        principal=f"User:sa-{APP}",
        resource=resource,
        name=name,
        pattern=pattern,
        operation=operation,
        host="*",
        allow=allow,
    )


MORE = (
    acl("shipments", "Delete", allow=False),
    acl("ship", "DescribeConfigs", pattern="prefix"),
    acl("ml-", "Write", pattern="prefix"),
    acl("kafka-cluster", "Alter", resource="cluster"),
)
"""Of the source's ACLs those that the plan does not speak of; the last one must not be taken over."""


class Instant(NamedTuple):
    """A line of the journal: it is on disk, and then kmigrate is no more."""

    step: str
    event: str
    fact: str = ""

    def __str__(self) -> str:
        return f"{self.event} {self.fact or self.step}"

    def is_line(self, line: dict) -> bool:
        if self.fact:
            return line["event"] == "FACT" and line["data"].get(self.fact) is not None
        return (line["event"], line["step"]) == (self.event, self.step)


@dataclass
class Killer:
    """Starts commands of kmigrate on a lab and ends them at instants; knows which were met."""

    lab: LabFolder
    met: list[tuple[str, Instant]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    arguments: set[bytes] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KMIGRATE_PLAN": str(self.lab.extra / "kmigrate.yaml")}

    @property
    def journal(self) -> Path:
        return self.lab.extra / ".kmigrate" / "journal.jsonl"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [*KMIGRATE, *words], capture_output=True, text=True, timeout=240, check=False, env=self.environment
        )
        self.said += [ended.stdout, ended.stderr]
        return ended

    def done(self, *words: str) -> str:
        ended = self.run(*words)
        assert ended.returncode == 0, f"{words}: {ended.returncode}\n{ended.stderr}"
        return ended.stdout

    def lines(self, offset: int = 0) -> list[dict]:
        """Every whole line from an offset on."""
        if not self.journal.exists():
            return []
        with self.journal.open("rb") as file:
            file.seek(offset)
            return [json.loads(line) for line in file.read().split(b"\n")[:-1]]

    def struck(self, instant: Instant, number: signal.Signals, *words: str) -> tuple[int, str]:
        """Start a command and send it a signal as soon as the instant is on disk; its exit code and what it said."""
        offset = self.journal.stat().st_size if self.journal.exists() else 0
        command = [*KMIGRATE, *words, "--yes"]
        running = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self.environment
        )
        deadline, seen = time.monotonic() + 120, offset
        while running.poll() is None:
            assert time.monotonic() < deadline, f"{words}: {instant} did not come"
            now = self.journal.stat().st_size if self.journal.exists() else 0
            if now > seen and any(instant.is_line(line) for line in self.lines(offset)):
                running.send_signal(number)
                break
            seen = now
            time.sleep(0.001)
        _, said = running.communicate(timeout=120)
        self.said.append(said)
        return running.returncode, said

    def kill(self, instant: Instant, *words: str) -> bool:
        """Whether the instant was met; a command that ends well before it has none."""
        code, said = self.struck(instant, signal.SIGKILL, *words)
        assert code in (0, -signal.SIGKILL), f"{words} ended with {code} before {instant}\n{said}"
        if code:
            last = self.lines()[-1]
            self.met.append((last["unit"].partition("/")[0].partition("#")[0], instant))
            self.told.append(f"{last['unit']}: {instant} (last on disk: {last['event']} {last['step'] or _fact(last)})")
        return code != 0

    def status(self) -> dict:
        return json.loads(self.done("status", "--json"))

    def side(self) -> tuple[str, str]:
        app = next(each for each in self.status()["applications"] if each["name"] == APP)
        return app["side"], app["running"]


def _fact(line: dict) -> str:
    return ", ".join(line["data"] or {})


CUTOVER = ("apply", "--phase", "cutover", "--app", APP)
ROLLBACK = ("rollback", "--app", APP)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    folder = LabFolder(tmp_path_factory.mktemp("walk") / "lab")
    with compose.lab(folder, brokers=1, empty=False, reporter=Reporter()):
        plan = folder.extra / "kmigrate.yaml"
        text = plan.read_text()
        assert "soak: 5s" in text
        plan.write_text(text.replace("soak: 5s", "soak: 1s"))
        assert super_user(folder).add_acls(MORE) == ""
        with arguments_seen() as seen:
            yield Killer(folder, arguments=seen)


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(SEED)


def instants(events: Sequence[str], *, facts: bool) -> list[Instant]:
    lines = [Instant(step, event) for step in MOVE for event in events]
    return lines + [Instant(step, "FACT", fact) for step, of in MOVE.items() for fact in of if facts]


def drawn(todo: list[Instant], chance: random.Random, allowed: Callable[[Instant], bool]) -> list[Instant]:
    """At most one instant of each step, in the order in which they come: a step that is through is not done again."""
    pool = sorted(filter(allowed, todo))
    chance.shuffle(pool)
    by_step = {instant.step: instant for instant in pool}
    return [by_step[step] for step in MOVE if step in by_step]


def kill_all(walk: Killer, todo: list[Instant], chosen: list[Instant], *words: str) -> None:
    """One after the other within one attempt, the command started anew each time; what was met leaves `todo`."""
    for instant in chosen:
        if not walk.kill(instant, *words):
            return
        todo.remove(instant)


def test_plan_shows_what_would_change_and_changes_nothing(walk: Killer) -> None:
    told = json.loads(walk.done("plan", "--json"))
    units = {unit["unit"]: unit for unit in told["units"]}
    changes = [change for step in units["provision"]["steps"] for change in step["changes"]]
    assert "create KafkaTopic kafka/shipments" in changes
    assert told["stays"] == {}
    assert {f"cutover/{name}#1" for name in (APP, "storefront", "order-service")} <= units.keys()
    assert walk.lines() == []


def test_cutover_waits_for_the_phases_before_it(walk: Killer) -> None:
    early = walk.run(*CUTOVER, "--yes")
    assert early.returncode == 3
    assert "kmigrate apply --phase assess" in early.stderr


def test_without_a_terminal_nobody_is_asked_and_nothing_begins(walk: Killer) -> None:
    asked = walk.run("apply", "--phase", "assess")
    assert asked.returncode == 6
    assert "--yes" in asked.stderr
    assert not [line for line in walk.lines() if line["unit"]]


@pytest.mark.parametrize("phase", ["assess", "provision", "replicate", "rehearse"])
def test_a_phase_killed_before_and_after_each_write_is_done_once(walk: Killer, phase: str) -> None:
    command = ("apply", "--phase", phase)
    for step in PHASES.get(phase, ()):
        assert walk.kill(Instant(step, "STARTED"), *command)
        assert walk.kill(Instant(step, "APPLIED"), *command)
    walk.done(*command, "--yes")
    assert "nothing to do" in walk.done(*command, "--yes")


def test_users_took_over_what_the_source_has_besides_and_not_what_would_lift_fences(walk: Killer) -> None:
    told = json.loads(walk.done("plan", "--json"))
    left = [each for each in told["acls"] if each["verdict"] not in ("kept", "translated")]
    assert [(each["operation"], each["resource"], each["verdict"]) for each in left] == [
        ("Alter", "cluster", "withheld")
    ]
    assert [flag["id"] for flag in told["flags"]["warning"] if "Alter" in flag["subject"]] == ["KM-ACL-NOT-CARRIED"]
    world = open_world(load(walk.lab.extra / "kmigrate.yaml"), Reporter())
    try:
        rights = world.cluster(Side.TARGET).rights()
    finally:
        world.close()
    taken = {
        Right(
            principal=f"User:{APP}",
            resource="topic",
            name=each.name,
            operation=each.operation,
            pattern=each.pattern,
            type="allow" if each.allow else "deny",
        )
        for each in MORE[:3]
    }
    assert taken <= set(rights)
    assert not [each for each in rights if each.principal == f"User:{APP}" and each.operation == "Alter"]


def test_killed_before_and_after_each_write_of_a_move_it_goes_on(walk: Killer, chance: random.Random) -> None:
    there, home = (instants(("STARTED", "APPLIED"), facts=True) for _ in range(2))
    for attempt in range(1, ROUNDS + 1):
        fenced = attempt > 1  # the first time there is nothing to lift on the target
        chosen = drawn(there, chance, lambda one, fenced=fenced: fenced or one.step != "lift-fence")
        kill_all(walk, there, chosen, *CUTOVER)
        walk.done(*CUTOVER, "--yes")
        assert walk.side() == ("target", "yes")
        kill_all(walk, home, drawn(home, chance, lambda _: True), *ROLLBACK)
        walk.done(*ROLLBACK, "--yes")
        assert walk.side() == ("source", "yes")
        if not there and not home:
            return
    pytest.fail(f"not met in {ROUNDS} rounds: cutover {there}, rollback {home}")


def test_killed_while_it_is_undone_it_goes_on_undoing(walk: Killer, chance: random.Random) -> None:
    never = ("drain-mirror", "start-workloads")  # the one wrote nothing but facts, the other is never undone
    todo = [one for one in instants(("UNDOING", "UNDONE"), facts=False) if one.step not in never]
    for _ in range(ROUNDS):
        assert walk.kill(Instant("switch-settings", "VERIFIED"), *CUTOVER)
        assert walk.status()["next"] == f"kmigrate apply --phase cutover --app {APP}"
        kill_all(walk, todo, drawn(todo, chance, lambda _: True)[::-1], *ROLLBACK)
        walk.done(*ROLLBACK, "--yes")
        assert walk.side() == ("source", "yes")
        if not todo:
            return
    pytest.fail(f"not met in {ROUNDS} rounds: {todo}")


def test_killed_in_cutover_it_goes_back(walk: Killer, chance: random.Random) -> None:
    early = chance.choice([step for step in MOVE if step not in ("start-workloads", "switch-settings")])
    for step in (early, "start-workloads"):
        assert walk.kill(Instant(step, "STARTED"), *CUTOVER)
        walk.done(*ROLLBACK, "--yes")
        assert walk.side() == ("source", "yes")


def test_interrupted_it_says_that_the_application_is_stopped_and_both_ways_on(
    walk: Killer, chance: random.Random
) -> None:
    steps = sorted(chance.sample(range(1, 6), 2))
    for number, step in zip((signal.SIGINT, signal.SIGTERM), steps, strict=True):
        instant = Instant(list(MOVE)[step], "STARTED")
        code, said = walk.struck(instant, number, *CUTOVER)
        assert code == 128 + number, said
        assert f"{APP.upper()} IS STOPPED" in said
        assert f"on: kmigrate apply --phase cutover --app {APP}" in " ".join(said.split())
        assert f"back: kmigrate rollback --app {APP}" in " ".join(said.split())
        walk.told.append(f"{number.name} at {instant}: exit {code}")
    walk.done(*CUTOVER, "--yes")
    assert walk.side() == ("target", "yes")


def test_the_source_is_not_left_while_applications_stay(walk: Killer) -> None:
    refused = walk.run("apply", "--phase", "decommission", "--yes", "--name", "shop")
    assert refused.returncode == 3, refused.stderr
    said = " ".join(refused.stderr.split())
    assert all(f"{name} runs there" in said for name in ("storefront", "order-service", "billing"))
    assert f"{APP} runs there" not in said


def test_after_all_that_the_auditor_finds_nothing(walk: Killer, figures: Figures) -> None:
    figures(seed=SEED, killed=len(walk.met), instants="\n        ".join(["", *walk.told]))
    with walking(walk.lab, Reporter()) as seen:
        seen.settle()
        verdict = seen.audit()
    counted = {app.name: (app.lost, app.redelivered, app.out_of_order, app.audit_gaps) for app in verdict.applications}
    assert counted == dict.fromkeys(counted, (0, 0, 0, 0))
    assert all(entry.clean and not entry.behind and not entry.ahead for entry in verdict.differences)
    moved = next(app for app in verdict.applications if app.name == APP)
    sealed = [line for line in walk.lines() if line["event"] == "SEALED" and "/" in line["unit"]]
    # one cutover was killed as it started the application: it read there or not, and went back either way
    assert len(moved.switches) in (len(sealed) - 1, len(sealed) + 1)
    assert moved.behind == 0
    figures(lost_redelivered_out_of_order_gaps=counted, switches=len(moved.switches), pause_ms=moved.pause_ms)


def test_every_step_was_killed_before_and_after_its_writes(walk: Killer) -> None:
    wanted = {Instant(step, event) for step in MOVE for event in ("STARTED", "APPLIED")}
    for way in ("cutover", "rollback"):
        assert not wanted - {instant for unit, instant in walk.met if unit == way}, way


def test_no_password_is_anywhere_but_where_it_is_signed_in_with(walk: Killer, figures: Figures) -> None:
    for words in (("history",), ("plan",), ("plan", "--json"), ("status",), ("positions", APP)):
        assert walk.run(*words).returncode in (0, 3)
    assert walk.run("verify", "--json").returncode == 4  # the auditor has stopped everybody
    secrets = passwords(walk.lab)
    found = holders(walk.lab.root, secrets)
    assert not strangers(found)
    everything = [text.encode() for text in walk.said] + list(walk.arguments)
    assert any(b"ConnectDistributed" in each for each in walk.arguments)
    assert not [each for each in everything if any(secret in each for secret in secrets)]
    figures(passwords=len(secrets), files_that_hold_one=len(found), arguments_of_processes=len(walk.arguments))


def test_what_the_lab_wrote_is_its_owners_alone(walk: Killer) -> None:
    assert not open_to_others(walk.lab.root)
    assert not [path for path in walk.lab.root.rglob("core*") if path.is_file()]
