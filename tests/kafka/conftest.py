"""Two real clusters for every test of the kafka tier; topics, groups and lanes are new in every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from two_clusters import Figures, TwoClusters, started

from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.world import Reporter


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoClusters]:
    """A source and a target, one broker each; the machine's reaper ends them when the test run is killed."""
    folder = tmp_path_factory.mktemp("two")
    clock = LabClock()
    jvm = prepare(clock, Reporter())
    machine, ports = Machine(), Ports()
    bench = Bench(
        folder=folder,
        machine=machine,
        ports=ports,
        jvm=jvm,
        certificates=make_certificates(folder / "pki", "both"),
        clock=clock,
        reporter=Reporter(),
    )
    try:
        yield started(bench)
    finally:
        machine.close()
        ports.close()


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Tell what was counted: it goes into the report file and, when the run ends, onto the terminal."""

    def tell(**counted: object) -> None:
        for name, value in counted.items():
            record_property(name, value)

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of every test that told some."""
    reports = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if reports:
        terminalreporter.section("figures")
    for report in reports:
        terminalreporter.write_line(report.nodeid.rpartition("/")[2])
        for name, value in report.user_properties:
            terminalreporter.write_line(f"    {name.replace('_', ' ')}: {value}")
