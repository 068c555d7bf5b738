"""Runs named tests on a kmigrate whose text was changed in one place, and tells which of them fail.

By hand, for the table of faults and the tests that caught them:  ./dev python tests/positions/plant.py
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType

import pytest
from fault import Fault
from faults import FAULTS

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "kmigrate"


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


@dataclass
class Failures:
    """A listener of pytest: which tests ran, and which of them failed where they assert."""

    ran: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.ran.append(report.nodeid)
            if report.failed:
                self.failed.append(report.nodeid)


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
            pytest.main(["-q", "-p", "no:cacheprovider", *(str(TESTS / test) for test in tests)], plugins=[heard])
    finally:
        if planting is not None:
            sys.meta_path.remove(planting)
    return heard


def main() -> None:
    """One line of JSON per fault: its name, the test that stands against it, and whether that ran and failed."""
    wanted = [fault for fault in FAULTS if not sys.argv[1:] or fault.name in sys.argv[1:]]
    calm = run(sorted({fault.caught_by for fault in wanted}), None)
    sys.stdout.write(json.dumps({"ran": len(calm.ran), "failed": calm.failed}) + "\n")
    for fault in wanted:
        heard = run([fault.caught_by], Planting(fault))
        told = {"fault": fault.name, "module": fault.module, "test": fault.caught_by, "ran": len(heard.ran)}
        sys.stdout.write(json.dumps({**told, "caught": bool(heard.failed)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
