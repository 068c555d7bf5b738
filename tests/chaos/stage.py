"""The lab of the street, up, with its relays, its operator's desk, and what strikes need to find."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from commands import Desk
from relay import Relay, relays
from street import USERS

from kmigrate.lab import control
from kmigrate.lab.apps import control as apps
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.kubernetes.plane import API_SERVER
from kmigrate.lab.operator.admin import ClusterAdmin
from kmigrate.lab.plan_file import CLUSTER, NAMESPACE
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.layout import PLAIN, sasl_config
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

SOURCE_BROKER, TARGET_BROKER = "source-1", f"{NAMESPACE}-{CLUSTER}-0"


@dataclass(frozen=True, slots=True)
class Stage:
    """A running lab: `source` and `target` are the relays through which everybody but the lab itself goes."""

    lab: LabFolder
    desk: Desk
    source: Relay
    target: Relay
    revived: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The source's broker, each time it was started again by us: its lab knows only the first."""
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The API server, likewise."""

    @property
    def facts(self) -> dict:
        return json.loads(self.lab.state.read_text())["facts"]

    def process(self, name: str) -> psutil.Process | None:
        """A process of the lab by its name; None while it is down."""
        view = json.loads(self.lab.state.read_text())["processes"].get(name)
        try:
            return psutil.Process(view["pid"]) if view is not None and view["alive"] else None
        except psutil.NoSuchProcess:
            return None

    def names(self, begins: str) -> list[str]:
        return sorted(name for name in json.loads(self.lab.state.read_text())["processes"] if name.startswith(begins))

    def workers(self) -> list[str]:
        """The Connect workers, by process name."""
        return [name for name in self.names("") if "connect" in name or "mirrormaker" in name]

    @property
    def supervisor(self) -> psutil.Process:
        return psutil.Process(json.loads(self.lab.state.read_text())["pid"])

    def source_broker(self) -> psutil.Process:
        """The source's broker, whoever started it."""
        found = psutil.Process(self.revived[-1].pid) if self.revived else self.process(SOURCE_BROKER)
        assert found is not None, "the source's broker is down already"
        return found

    def api_server(self) -> psutil.Process:
        """The API server, whoever started it."""
        found = psutil.Process(self.servers[-1].pid) if self.servers else self.process(API_SERVER)
        assert found is not None, "the API server is down already"
        return found

    def source_admin(self) -> ClusterAdmin:
        """The source as its super user sees it, past the relay."""
        told = self.facts["source"]
        admin = told["admin"]
        password = Path(admin["password_file"]).read_text()
        signed = sasl_config(PLAIN, admin["username"], password, Path(told["ca"]))
        return ClusterAdmin({"bootstrap.servers": admin["bootstrap"], **signed})

    def await_healthy(self, deadline_s: int = 90) -> None:
        """Until every application runs and works."""
        homes = sorted(home for home in self.lab.apps.iterdir() if (home / "command.json").exists())

        def ill() -> str:
            return ", ".join(home.name for home in homes if not apps.is_healthy(home))

        await_none(ill, "every application at work", deadline_s)


def await_none(look: Callable[[], object], what: str, deadline_s: int = 60) -> None:
    """Wait until nothing is left of it; what is left is told when it takes too long."""

    def ready() -> Ready[None] | NotYet:
        left = look()
        return NotYet(str(left)) if left else Ready(None)

    wait_until(ready, what=what, clock=LabClock(), reporter=Reporter(), deadline_ms=deadline_s * 1_000, slowest_ms=200)


@contextmanager
def staged(folder: LabFolder, *, kubernetes: bool = False) -> Iterator[Stage]:
    """A lab that ends with the block, its applications at work."""
    clock, reporter = LabClock(), Reporter()
    here = {"module": "street", "stay": False, "kubernetes": kubernetes}
    with _street_is_found():
        up = control.up(folder, brokers=1, users=USERS, empty=False, clock=clock, reporter=reporter, **here)
    try:
        with relays(ports(folder)) as (source, target):
            stage = Stage(folder, Desk.of(folder, folder.extra / "kmigrate.yaml"), source, target)
            for home in folder.apps.iterdir():
                apps.steer(home, "running")
            stage.await_healthy()
            try:
                yield stage
            finally:
                for each in (*stage.revived, *stage.servers):
                    each.kill()
                    each.wait()
    finally:
        up.down(clock=clock, reporter=reporter)


@contextmanager
def _street_is_found() -> Iterator[None]:
    """Whoever is started within finds `street`; who comes after this lab knows nothing of it."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def ports(folder: LabFolder) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the relays listen, and where they pass on: of the source, of the target."""
    facts = json.loads(folder.state.read_text())["facts"]
    (source,) = facts["source"]["relays"]
    told = int(facts["target"]["listeners"][0]["bootstrapServers"].rpartition(":")[2])
    settings = (folder.operator / NAMESPACE / CLUSTER / "node-0.properties").read_text()
    bound = re.search(r"^listeners=.*SCRAM-9094:/+[^:]*:(\d+)", settings, re.MULTILINE)
    assert bound is not None, settings
    return (source["listen"], source["forward"]), (told, int(bound[1]))
