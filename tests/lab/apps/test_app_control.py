"""The commands that stop, switch, start and look at an application."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kmigrate.lab.apps import control
from kmigrate.lab.apps.audit import now_ms
from kmigrate.lab.apps.settings import Settings

NEW = {
    "bootstrap": "127.0.0.1:2",
    "protocol": "SASL_SSL",
    "mechanism": "SCRAM-SHA-512",
    "username": "ml-features",
    "password": "other-secret",
    "ca": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "audit").mkdir()
    (tmp_path / "command.json").write_text('{"argv": ["true"]}')
    (tmp_path / "password").write_text("first-secret")
    old = {"bootstrap": "127.0.0.1:1", "protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "sa-ml-features"}
    (tmp_path / "settings.json").write_text(json.dumps(old | {"password_file": "password", "ca": ""}))
    told(tmp_path, running=False)
    return tmp_path


def told(home: Path, *, running: bool, pid: int | None = None) -> None:
    desired = "running" if running else "stopped"
    state = {"running": running, "pid": pid, "desired": desired, "crashes": 0}
    (home / "state.json").write_text(json.dumps(state))


def given(home: Path, settings: dict[str, str]) -> Path:
    path = home / "given.json"
    path.write_text(json.dumps(settings))
    return path


def test_switch_writes_address_and_secrets_and_an_application_reads_them(home: Path) -> None:
    control.switch(home, given(home, NEW))
    settings = Settings.read(home)
    assert (settings.bootstrap, settings.username, settings.password) == ("127.0.0.1:2", "ml-features", "other-secret")
    assert Path(settings.ca).read_text() == NEW["ca"]
    assert "other-secret" not in (home / "settings.json").read_text()
    assert {oct((home / name).stat().st_mode & 0o777) for name in ("password", "ca.pem", "settings.json")} == {"0o600"}


def test_switch_twice_equals_once(home: Path) -> None:
    control.switch(home, given(home, NEW))
    first = {path.name: path.read_text() for path in home.iterdir() if path.is_file()}
    control.switch(home, given(home, NEW))
    assert {path.name: path.read_text() for path in home.iterdir() if path.is_file()} == first


def test_switch_refuses_while_the_application_runs(home: Path) -> None:
    told(home, running=True, pid=1)
    with pytest.raises(control.NotSoError, match="stop it first"):
        control.switch(home, given(home, NEW))
    assert Settings.read(home).bootstrap == "127.0.0.1:1"


def test_switch_names_what_the_settings_lack_and_changes_nothing(home: Path) -> None:
    with pytest.raises(control.NotSoError, match="username, password"):
        control.switch(home, given(home, {key: NEW[key] for key in ("bootstrap", "protocol", "mechanism", "ca")}))
    assert Settings.read(home).password == "first-secret"


def test_stop_of_what_is_stopped_returns_at_once(home: Path) -> None:
    assert control.main([str(home), "stop"]) == 0
    assert (home / "desired").read_text() == "stopped"


def test_an_application_is_healthy_only_with_a_fresh_sign_of_this_very_process(home: Path) -> None:
    sign = {"at": now_ms(), "pid": 41, "assigned": 6, "reads": True, "error": ""}
    cases = [
        (sign, 41, True),
        (sign, 42, False),
        (sign | {"at": now_ms() - 60_000}, 41, False),
        (sign | {"error": "GROUP_AUTHORIZATION_FAILED"}, 41, False),
        (sign | {"assigned": 0}, 41, False),
        (sign | {"assigned": 0, "reads": False}, 41, True),
    ]
    for health, pid, expected in cases:
        (home / "health.json").write_text(json.dumps(health))
        told(home, running=True, pid=pid)
        assert control.healthy(home) is expected
    told(home, running=False)
    assert not control.healthy(home)


def test_healthy_prints_one_object(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert control.main([str(home), "healthy"]) == 1
    assert json.loads(capsys.readouterr().out) == {"running": False, "bootstrap": "127.0.0.1:1"}


@pytest.mark.parametrize("argv", [[], ["somewhere"], ["somewhere", "dance"]])
def test_wrong_usage_is_exit_code_2(argv: list[str]) -> None:
    assert control.main(argv) == 2


def test_a_folder_without_an_application_is_told_in_one_sentence(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "kmigrate.lab.apps.control", str(tmp_path), "start"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "no application is installed here" in ran.stderr
