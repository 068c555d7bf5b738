"""What holds for every test: where the kafka tier is required, a skip of it is a failure, and it is named."""

from __future__ import annotations

import os

import pytest

REQUIRE_KAFKA = "KMIGRATE_REQUIRE_KAFKA"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    seen = reporter.stats.get("skipped", []) if reporter is not None else []
    skipped = [report for report in seen if "kafka" in report.keywords]
    if os.environ.get(REQUIRE_KAFKA) and skipped:
        reporter.write_line("")
        for report in skipped:
            reporter.write_line(f"required, and skipped: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
