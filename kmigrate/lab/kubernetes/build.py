"""A Kubernetes control plane in one binary, built once for this machine from Go modules and kept in the user's cache.

No registry has kube-apiserver ready-made, so that it is compiled: `module/` pins every source by its hash (go.sum).
What the machine says of Go holds (GOPROXY, GOFLAGS, GOMODCACHE …).
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.kubernetes.go import find_go
from kmigrate.lab.runtime import cache
from kmigrate.lab.runtime.locks import exclusive
from kmigrate.lab.runtime.process import Machine, ProcessSpec
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

MODULE = Path(__file__).with_name("module")
_FILES = ("go.mod", "go.sum", "main.go")
_SUBJECT = "Kubernetes control plane"
_NAME = "kubernetes"
_DEADLINE_MS = 3_600_000
_ANSWER_S = 300
_FLAGS = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-v")


def binary(clock: Clock, reporter: Reporter, *, module: Path = MODULE) -> Path:
    """The control plane's program; the first call on a machine fetches 600 MB and compiles for about ten minutes.

    Two processes at once: the second waits for the first. Raises NoGo without a Go (`find_go`), PlatformError with the
    compiler's last words when it fails, StillUnderWay after an hour.
    """
    go = find_go(clock, reporter)
    folder = cache.folder("kubernetes", _key(module, _ask(go, "env", "GOVERSION")))
    made = folder / _NAME
    if not made.exists():
        with exclusive(folder / ".lock", what=_SUBJECT, reporter=reporter, clock=clock, deadline_ms=_DEADLINE_MS):
            if not made.exists():
                _build(go, module, made, clock, reporter)
    return made


def version(module: Path = MODULE) -> str:
    """The Kubernetes that is built, for example v1.36.3."""
    found = re.search(r"^\s+k8s\.io/kubernetes (v[\d.]+)", (module / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _ask(go: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            (str(go), *arguments), cwd=MODULE, capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _broken(go, str(error)) from error
    if answer.returncode:
        raise _broken(go, answer.stderr.strip()[-400:])
    return answer.stdout.strip()


def _broken(go: Path, reason: str) -> PlatformError:
    return PlatformError(f"the Go at {go} does not run: {reason}", hint="set KMIGRATE_GO to the program of Go 1.26+")


def _key(module: Path, go_version: str) -> str:
    """Other sources, another compiler or other flags make another binary."""
    digest = hashlib.sha256(f"{go_version} {platform.system()} {platform.machine()} {_FLAGS}\n".encode())
    for name in _FILES:
        digest.update((module / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(go: Path, module: Path, made: Path, clock: Clock, reporter: Reporter) -> None:
    """Into a file beside it, renamed when it is whole: a death leaves nothing that looks like a program."""
    part, log = made.with_suffix(".part"), made.with_suffix(".log")
    log.unlink(missing_ok=True)
    argv = (str(go), "build", "-C", str(module), *_FLAGS, "-ldflags", _stamps(module), "-o", str(part), ".")
    reporter.progress(_SUBJECT, "building, once for this machine: about ten minutes")
    machine = Machine()
    try:
        machine.start(ProcessSpec(name="go build", argv=argv, log=log, env={"CGO_ENABLED": "0"}))
        _await(machine, "go build", log, clock, reporter)
        if machine.exit_code("go build") != 0:
            raise _failed(log)
        part.replace(made)
    finally:
        machine.close()
        part.unlink(missing_ok=True)


def _await(machine: Machine, process: str, log: Path, clock: Clock, reporter: Reporter) -> None:
    look = _counting(lambda: machine.alive(process), log)
    wait_until(look, what=_SUBJECT, clock=clock, reporter=reporter, deadline_ms=_DEADLINE_MS, every_ms=200)


def _counting(alive: Callable[[], bool], log: Path) -> Callable[[], Ready[None] | NotYet]:
    def look() -> Ready[None] | NotYet:
        if not alive():
            return Ready(None)
        lines = log.read_text(errors="replace").splitlines()
        fetched = sum(line.startswith("go: downloading ") for line in lines)
        return NotYet(f"{fetched} modules fetched, {len(lines) - fetched} packages compiled")

    return look


def _failed(log: Path) -> PlatformError:
    lines = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("go: downloading ")]
    told = "\n".join(line for line in lines[-20:] if " " in line)[-1_500:] or "it said nothing"
    return PlatformError(
        f"the {_SUBJECT} cannot be built: {told}",
        hint=f"read {log}; Go fetches by GOPROXY (`go env GOPROXY`) and needs 4 GB of free disk and memory",
    )


def _stamps(module: Path) -> str:
    """The linker's flags: the version that the API server tells, as its own makefile sets it."""
    told = version(module)
    major, minor, _ = told.removeprefix("v").split(".")
    values = {
        "gitVersion": told,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(["-s -w", *(f"-X {package}.{k}={v}" for package in packages for k, v in values.items())])
