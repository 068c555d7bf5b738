"""What holds for every test: where the real tiers are required, a skip of one is a failure, and it is named."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from api_server import ApiServer
    from two_clusters import TwoClusters

    from kmigrate.adapters.kubernetes import KubernetesStore

REAL = ("kafka", "kube")
REQUIRE_KAFKA = "KMIGRATE_REQUIRE_KAFKA"

# the same cases in every run of CI, new ones in every run by hand: what a run by hand finds becomes a test of its own;
# how fast this machine is, or whatever else it does, is no property of what is tested
hypothesis.settings.register_profile("hand", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "hand")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests of the lab's operator can ask a real one: `./dev test tests/lab/operator --operator real --context …`."""
    group = parser.getgroup("kmigrate")
    group.addoption("--operator", choices=("stand-in", "real"), default="stand-in", help="whose rules are tested")
    group.addoption("--context", default="", help="of the kubeconfig, where a real Strimzi watches namespace kafka")
    group.addoption("--listener", default="internal", help="type of the listener by which that Kafka is reached")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the API server before the first test, once for a machine: that takes longer than a test may."""
    if session.config.option.collectonly or not any(item.get_closest_marker("kube") for item in session.items):
        return
    from kmigrate.errors import KmigrateError
    from kmigrate.lab.kubernetes import binary
    from kmigrate.lab.runtime.clock import LabClock
    from kmigrate.world import Reporter

    with contextlib.suppress(KmigrateError):  # what fails here fails the fixture, or skips its tests by name
        binary(LabClock(), Reporter())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    seen = reporter.stats.get("skipped", []) if reporter is not None else []
    skipped = [report for report in seen if any(tier in report.keywords for tier in REAL)]
    if os.environ.get(REQUIRE_KAFKA) and skipped:
        reporter.write_line("")
        for report in skipped:
            reporter.write_line(f"required, and skipped: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoClusters]:
    """A source and a target, one broker each, for the whole session; the machine's reaper ends them with the run.

    Imported here and not above: the quick tier knows no Kafka client.
    """
    from two_clusters import running

    with running(tmp_path_factory.mktemp("two")) as clusters:
        yield clusters


@pytest.fixture(scope="session")
def go() -> None:
    """A Go to build an API server with; without one, and without one to be fetched, its tier is skipped."""
    from kmigrate.lab.kubernetes import NoGo, find_go
    from kmigrate.lab.runtime.clock import LabClock
    from kmigrate.world import Reporter

    try:
        find_go(LabClock(), Reporter())
    except NoGo as error:
        pytest.skip(f"kube: {error.message}; {error.hint}")


@pytest.fixture(scope="session")
def api_server(go: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real Kubernetes API server for the whole session."""
    from api_server import running

    with running(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture(scope="session")
def strimzi_on_kubernetes(api_server: ApiServer) -> KubernetesStore:
    """A store on the session's API server with Strimzi's own definitions, and the namespaces of the contract."""
    from kmigrate.adapters.kubernetes import KubernetesStore
    from kmigrate.lab.crds import install
    from kmigrate.lab.runtime.clock import LabClock
    from kmigrate.world import Reporter

    store = KubernetesStore.open("", LabClock(), kubeconfig=str(api_server.plane.admin))
    install(store, Reporter())
    for name in ("a", "b", "kafka", "other"):
        api_server.namespace(name)
    return store


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Tell what was counted: it goes into the report file and, when the run ends, onto the terminal."""

    def tell(**counted: object) -> None:
        for name, value in counted.items():
            record_property(name, str(value))

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
