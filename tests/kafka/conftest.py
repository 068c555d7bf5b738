"""Figures that tests of the kafka tier count; topics, groups and lanes are new in every test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from two_clusters import Figures


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
