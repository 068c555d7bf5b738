"""Faults for the code, one change of its text each, and what comes of the tests that stand against them."""

from __future__ import annotations

import contextlib
import importlib.machinery
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "kmigrate"
CALM = "calm"
_QUICK = ("-q", "-p", "no:cacheprovider", "-m", "not kafka and not kube")


@dataclass(frozen=True, slots=True)
class Fault:
    """In a module, `right` is written as `wrong`; `caught_by` is a pytest id below `tests/`."""

    name: str
    module: str
    right: str
    wrong: str
    caught_by: str


class ChangedText(importlib.machinery.SourceFileLoader):
    """Loads a module from its file's text with the fault in it; nothing is written anywhere."""

    def __init__(self, name: str, path: str, fault: Fault) -> None:
        super().__init__(name, path)
        self.fault = fault

    def get_code(self, fullname: str) -> CodeType:
        return compile(changed(self.fault), self.path, "exec")


@dataclass
class Planting(MetaPathFinder):
    """Finds the one module that has the fault; everything else is found as ever."""

    fault: Fault

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.fault.module:
            return None
        file = str(file_of(self.fault))
        return importlib.machinery.ModuleSpec(fullname, ChangedText(fullname, file, self.fault), origin=file)


@dataclass(eq=False)
class Failures:
    """A listener of pytest: which tests ran, which of them failed where they assert, and how the first one did."""

    ran: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    how: str = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.ran.append(report.nodeid)
            if report.failed:
                self.failed.append(report.nodeid)
                crash = getattr(report.longrepr, "reprcrash", None)
                self.how = self.how or str(crash.message if crash is not None else "").partition("\n")[0]


def file_of(fault: Fault) -> Path:
    return PACKAGE.joinpath(*fault.module.split(".")[1:]).with_suffix(".py")


def changed(fault: Fault) -> str:
    """The text of the module with the fault in it; the right text must stand there exactly once."""
    text = file_of(fault).read_text()
    if text.count(fault.right) != 1:
        raise ValueError(f"{fault.name}: {fault.right!r} stands {text.count(fault.right)} times in {fault.module}")
    return text.replace(fault.right, fault.wrong)


def run(tests: Iterable[str], planting: Planting | None) -> Failures:
    """Import everything anew, with the fault or without one, and run the tests."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.partition(".")[0] == "kmigrate" or (Path(file).is_relative_to(TESTS) and name != "__main__"):
            del sys.modules[name]
    heard = Failures()
    if planting is not None:
        sys.meta_path.insert(0, planting)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = pytest.main([*_QUICK, *(str(TESTS / test) for test in tests)], plugins=[heard])
    finally:
        if planting is not None:
            sys.meta_path.remove(planting)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"the tests did not run: {pytest.ExitCode(code).name}")
    return heard


def outcomes(faults: Iterable[Fault]) -> Iterator[Mapping[str, object]]:
    """Of the tests without any fault; then of each fault: its test, whether that ran, whether it failed, and how."""
    wanted = tuple(faults)
    calm = run(sorted({fault.caught_by for fault in wanted}), None)
    yield {"fault": CALM, "ran": len(calm.ran), "failed": calm.failed}
    for fault in wanted:
        heard = run([fault.caught_by], Planting(fault))
        told = {"fault": fault.name, "module": fault.module, "test": fault.caught_by, "ran": len(heard.ran)}
        yield {**told, "caught": bool(heard.failed), "how": heard.how}


def tell(faults: Iterable[Fault], names: Sequence[str]) -> None:
    """One line of JSON per outcome, as it comes; of the named faults, or of all."""
    for told in outcomes(fault for fault in faults if not names or fault.name in names):
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def heard_from(script: Path, *words: str) -> Mapping[str, Mapping[str, object]]:
    """What a script tells that plants faults in a process of its own, by the name of the fault."""
    argv = [sys.executable, script, *words]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=script.parent)
    return {line["fault"]: line for line in map(json.loads, ran.stdout.splitlines())}
