"""The control plane's program is built once; `go` is a script here that tells what it was asked."""

from __future__ import annotations

import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kmigrate.errors import Interrupted, PlatformError
from kmigrate.lab.kubernetes import NoGo, binary, version
from kmigrate.lab.kubernetes.build import MODULE
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.world import Reporter

GO = """#!/bin/sh
if [ "$1" = env ]; then echo "${GO_SAYS:-go1.26.0}"; exit; fi
echo "$@" >>"$GO_CALLS"
echo "go: downloading k8s.io/kubernetes v1.36.3" >&2
echo "k8s.io/kubernetes" >&2
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
echo half >"$out"
%s
echo whole >"$out"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KMIGRATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GO_CALLS", str(tmp_path / "calls"))
    a_go(tmp_path, "sleep 0.1", monkeypatch)
    return tmp_path / "calls"


def a_go(folder: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "go").write_text(GO % does)
    (folder / "go").chmod(0o700)
    monkeypatch.setenv("KMIGRATE_GO", str(folder / "go"))


def build(module: Path = MODULE, clock: LabClock | None = None) -> Path:
    return binary(clock or LabClock(), Reporter(), module=module)


def test_it_is_built_once_and_by_the_modules_flags(calls: Path) -> None:
    assert build() == build()
    assert build().read_text() == "whole\n"
    (call,) = calls.read_text().splitlines()
    assert call.startswith(f"build -C {MODULE} -mod=readonly")
    assert f"-X k8s.io/component-base/version.gitVersion={version()}" in call


def test_two_at_once_build_it_once(calls: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: build(), range(2)))
    assert made[0] == made[1]
    assert len(calls.read_text().splitlines()) == 1


def test_other_sources_and_another_go_are_built_anew(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Path(shutil.copytree(MODULE, tmp_path / "module"))
    made = {build(module)}
    (module / "main.go").write_text("package main\n")
    made.add(build(module))
    monkeypatch.setenv("GO_SAYS", "go1.27.0")
    made.add(build(module))
    assert len(made) == 3


def test_a_build_that_fails_tells_the_last_words_and_leaves_no_program(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_go(tmp_path, "echo './main.go:9:2: no required module provides it' >&2; exit 1", monkeypatch)
    with pytest.raises(PlatformError, match=r"cannot be built: \./main\.go:9:2: no required module") as failed:
        build()
    assert "GOPROXY" in failed.value.hint
    assert {path.name for path in (tmp_path / "cache").glob("kubernetes/*/*")} == {".lock", "kubernetes.log"}


def test_a_build_can_be_interrupted_and_leaves_no_program(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_go(tmp_path, "sleep 1000", monkeypatch)
    clock = LabClock()
    later = threading.Timer(0.3, clock.stop)
    later.start()
    with pytest.raises(Interrupted):
        build(clock=clock)
    later.join()
    assert not list((tmp_path / "cache").glob("kubernetes/*/kubernetes*.part"))
    assert not list((tmp_path / "cache").glob("kubernetes/*/kubernetes"))


def test_without_go_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMIGRATE_GO", str(tmp_path / "nothing"))
    with pytest.raises(NoGo, match="there is no Go") as refused:
        build()
    assert "install Go" in refused.value.hint


def test_a_go_that_does_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "go").write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    (tmp_path / "go").chmod(0o700)
    monkeypatch.setenv("KMIGRATE_GO", str(tmp_path / "go"))
    with pytest.raises(PlatformError, match="does not run: broken"):
        build()


def test_the_module_pins_every_source_and_names_no_place_of_a_machine() -> None:
    text = (MODULE / "go.mod").read_text()
    required = set(re.findall(r"^\t(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))
    pinned = dict(line.split()[:2] for line in (MODULE / "go.sum").read_text().splitlines())
    assert len(required) > 100
    replaced = set(re.findall(r"^\t(\S+) => ", text, re.MULTILINE))
    assert {name for name, _ in required if name not in replaced} <= set(pinned)
    assert not re.search(r"https?://|=> (\.|/)", text)
