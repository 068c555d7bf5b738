"""The commands as a user types them, on a plan whose clusters are not there: exit codes, prompts, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.system import SystemClock
from kmigrate.journal import Event, Journal

PLAN = """\
apiVersion: kmigrate/v1alpha1
kind: Migration
metadata: {name: shop}
source:
  bootstrapServers: localhost:1
  auth: {type: plain, username: key, password: {env: CC_SECRET}}
target:
  platform: lab
  store: ./store
  kubernetes: {namespace: kafka}
  cluster: {name: shop}
topics: {include: [shipments]}
applications:
  - name: ml-features
    reads: [{topics: [shipments], group: ml-features}]
    principals: [{source: 'User:sa-1', target: ml-features}]
    workloads: [{kind: command, stop: [a], switch: [b], start: [c], healthy: ['no-such-program']}]
  - name: order-service
    writes: [shipments]
    principals: [{source: 'User:sa-2', target: order-service}]
mirror: {forward: {auth: {username: mirror, password: {env: MM_SECRET}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kmigrate.yaml").write_text(PLAN)
    (tmp_path / "store").mkdir()
    return tmp_path


def kmigrate(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal."""
    call = "import sys; from kmigrate.cli import main; sys.argv[0] = 'kmigrate'; main()"
    return subprocess.run(
        [sys.executable, "-c", call, *argv],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "USER": "somebody", "CC_SECRET": "c", "MM_SECRET": "m"},
    )


def journal(folder: Path) -> list[str]:
    file = folder / ".kmigrate" / "journal.jsonl"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (
            ("apply",),
            2,
            "apply needs --phase with one of: assess, provision, replicate, rehearse, cutover, decommission",
        ),
        (("apply", "--phase", "nonsense"), 2, "apply needs --phase"),
        (("apply", "--phase", "assess", "--app", "ml-features"), 2, "--app belongs to --phase cutover"),
        (("apply", "--phase", "assess", "--timeout", "soon"), 2, "--timeout takes a length of time, not 'soon'"),
        (("apply", "--phase", "replicate", "--yes"), 3, "assess is not done yet"),
        (("apply", "--phase", "decommission", "--yes"), 3, "assess is not done yet"),
        (("apply", "--phase", "cutover"), 2, "kmigrate: cutover needs --app with one of: ml-features"),
        (
            ("apply", "--phase", "cutover", "--app", "ml-feature"),
            2,
            "there is no application ml-feature to move; cutover needs --app with one of: ml-features",
        ),
        (("apply", "--phase", "assess"), 6, "there is no terminal to ask on"),
        (("rollback",), 2, "rollback needs --app with one of: ml-features"),
        (("rollback", "--app", "order-service"), 2, "rollback needs --app"),
        (("rollback", "--to", "somewhere"), 2, "there is no checkpoint 'somewhere'"),
        (("rollback", "--to", "start", "--app", "ml-features"), 2, "--app or --to, not both"),
        (("verify", "--app", "nobody"), 2, "there is no application nobody"),
        (("verify",), 0, ""),
        (("rollback", "--app", "ml-features"), 0, ""),
        (("plan", "-f", "none.yaml"), 2, "cannot be read"),
        (("nonsense",), 2, "nonsense"),
        (("plan", "--nonsense"), 2, "nonsense"),
    ],
)
def test_every_end_has_its_exit_code_and_says_what_to_do(
    argv: tuple[str, ...], code: int, told: str, folder: Path
) -> None:
    done = kmigrate(folder, *argv)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_least_rights_are_told_without_any_cluster(folder: Path) -> None:
    told = kmigrate(folder, "plan", "--rights")
    assert told.returncode == 0, told.stderr
    assert "kafka-acls.sh --bootstrap-server localhost:1 " in told.stdout
    assess = json.loads(kmigrate(folder, "plan", "--rights", "--phase", "assess", "--json").stdout)
    assert {each["side"] for each in assess["rights"]} == {"source"}
    assert kmigrate(folder, "plan", "--rights", "--phase", "nonsense").returncode == 2


def test_a_phase_without_rights_is_no_question_for_plan(folder: Path) -> None:
    done = kmigrate(folder, "plan", "--phase", "assess")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--phase belongs to --rights" in done.stderr
    assert "kmigrate plan --rights --phase assess" in done.stderr


@pytest.mark.parametrize("argv", [("plan", "--rights"), ("history",)])
def test_what_signs_in_nowhere_asks_for_no_secret(argv: tuple[str, ...], folder: Path) -> None:
    (folder / "kmigrate.yaml").write_text(PLAN.replace("CC_SECRET", "NOT_SET").replace("MM_SECRET", "NOT_SET_EITHER"))
    done = kmigrate(folder, *argv)
    assert done.returncode == 0, done.stderr


def test_who_is_to_be_granted_rights_is_looked_up_and_nothing_else(folder: Path) -> None:
    referred = PLAN.replace(
        "username: key, password: {env: CC_SECRET}", "username: {env: USER}, password: {env: UNSET}"
    )
    (folder / "kmigrate.yaml").write_text(referred)
    assert "--allow-principal User:somebody " in kmigrate(folder, "plan", "--rights").stdout
    (folder / "kmigrate.yaml").write_text(referred.replace("{env: USER}", "{env: NOBODY}"))
    done = kmigrate(folder, "plan", "--rights")
    assert (done.returncode, done.stdout) == (2, "")
    assert "source.principal" in done.stderr


def test_the_next_command_is_named_when_the_phase_is_missing(folder: Path) -> None:
    assert "kmigrate apply --phase assess" in kmigrate(folder, "apply").stderr


def test_nothing_is_begun_when_nobody_says_yes(folder: Path) -> None:
    kmigrate(folder, "apply", "--phase", "assess")
    assert journal(folder) == []


@pytest.mark.parametrize("argv", [("plan",), ("status",), ("history",), ("verify",), ("rollback",)])
def test_commands_that_only_look_make_no_file_and_no_folder(argv: tuple[str, ...], folder: Path) -> None:
    (folder / "store").rmdir()
    before = sorted(folder.rglob("*"))
    kmigrate(folder, *argv)
    assert sorted(folder.rglob("*")) == before


def test_the_next_command_of_an_empty_history_is_about_the_same_plan_file(folder: Path) -> None:
    (folder / "kmigrate.yaml").rename(folder / "my plan.yaml")
    told = kmigrate(folder, "history", "-f", "my plan.yaml").stdout
    assert told == "nothing was done yet; next: kmigrate plan -f 'my plan.yaml'\n"


def test_plan_names_programs_that_are_not_there(folder: Path) -> None:
    told = kmigrate(folder, "plan").stdout
    assert "the stop program of ml-features is not there or may not be run: a" in told


def test_json_of_a_long_command_ends_with_the_result(folder: Path) -> None:
    done = kmigrate(folder, "rollback", "--app", "ml-features", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["event"] == "result"


def test_a_plan_file_with_mistakes_touches_nothing(folder: Path) -> None:
    (folder / "kmigrate.yaml").write_text(PLAN.replace("kind: Migration", "kind: Migraton"))
    done = kmigrate(folder, "apply", "--phase", "provision", "--yes")
    assert done.returncode == 2
    assert "line 2: kind" in done.stderr
    assert not (folder / ".kmigrate").exists()


def test_a_damaged_journal_and_one_of_another_migration_are_exit_code_8(folder: Path) -> None:
    lines = JournalFile(folder / ".kmigrate", "test")
    Journal(lines, SystemClock(), "test", "shop").record("assess", "f", Event.APPROVED)
    lines.close()
    whole = (folder / ".kmigrate" / "journal.jsonl").read_text()
    (folder / "kmigrate.yaml").write_text(PLAN.replace("{name: shop}\nsource", "{name: other}\nsource"))
    assert kmigrate(folder, "rollback").returncode == 8
    (folder / "kmigrate.yaml").write_text(PLAN)
    (folder / ".kmigrate" / "journal.jsonl").write_text(whole.replace("OPENED", "OPEN"))
    assert kmigrate(folder, "rollback").returncode == 8


def test_a_missing_variable_that_the_plan_refers_to_is_told_before_anything(folder: Path) -> None:
    (folder / "kmigrate.yaml").write_text(PLAN.replace("CC_SECRET", "NOT_SET"))
    done = kmigrate(folder, "apply", "--phase", "assess", "--yes")
    assert done.returncode == 2
    assert "NOT_SET" in done.stderr
    assert not (folder / ".kmigrate").exists()


def test_a_plan_file_without_an_end_is_refused(folder: Path) -> None:
    done = kmigrate(folder, "history", "-f", "/dev/zero")
    assert done.returncode == 2
    assert "/dev/zero is larger than 1000 kB: no plan file" in done.stderr


def test_ctrl_c_while_it_is_loaded_is_no_traceback(folder: Path) -> None:
    call = (
        "import sys\n"
        "class Struck:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'kmigrate.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Struck())\n"
        "from kmigrate.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "kmigrate: interrupted before anything was begun\n")


def test_help_and_version_end_well(folder: Path) -> None:
    for argv in (("--help",), ("--version",), ("apply", "--help")):
        done = kmigrate(folder, *argv)
        assert (done.returncode, done.stderr) == (0, "")


def test_help_loads_no_library_that_only_a_command_needs(folder: Path) -> None:
    heavy = ["confluent_kafka", "rich", "pydantic", "yaml", "jsonschema"]
    call = (
        "import sys; from kmigrate.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print('LOADED', [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"
