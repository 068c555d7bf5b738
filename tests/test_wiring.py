"""What the plan file says of credentials is what is signed in with; nothing is connected here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from memory_estate import Estate

from kmigrate.adapters.claims import LedgerTopic
from kmigrate.adapters.fence import AclFence
from kmigrate.adapters.memory import MemoryCluster, MemoryWorld
from kmigrate.errors import PlatformError, Transient
from kmigrate.journal import Event, Journal
from kmigrate.model import Migration, Side
from kmigrate.planfile import load
from kmigrate.steps.ledger import ClaimMigration
from kmigrate.steps.replicate import StartMirror
from kmigrate.wiring import LiveWorld, bind, open_journal, open_world
from kmigrate.wiring.opening import our_name
from kmigrate.world import Reporter

PLAN = """\
apiVersion: kmigrate/v1alpha1
kind: Migration
metadata: {name: shop}
source:
  bootstrapServers: localhost:1
  auth: {type: SOURCE, username: key, password: {env: KEY_SECRET}}
target: {platform: lab, store: ./store, kubernetes: {namespace: kafka}, cluster: {name: shop}}
topics: {include: [shipments]}
applications:
  - name: ml-features
    reads: [{topics: [shipments], group: ml-features}]
    principals:
      - {source: 'User:sa-1', target: ml, sourceAuth: {TYPE username: sa-1, password: {env: KEY_SECRET}}}
    workloads: [{kind: WORK}]
mirror: {forward: {auth: {TYPE username: mirror, password: {env: KEY_SECRET}}}}
"""
COMMAND = """command, stop: [a], switch: [sh, -c, 'cp "$KMIGRATE_SETTINGS" SAID'], start: [a], healthy: [a]"""


def planned(folder: Path, source: str, own: str, work: str = "manual") -> Migration:
    text = PLAN.replace("SOURCE", source).replace("TYPE", f"type: {own}," if own else "").replace("WORK", work)
    file = folder / "kmigrate.yaml"
    file.write_text(text.replace("SAID", str(folder / "said.json")))
    return load(file)


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEY_SECRET", "hunter2")
    return tmp_path / "said.json"


def logins(world: LiveWorld, migration: Migration) -> list[str]:
    fence = world.fence(Side.SOURCE)
    assert isinstance(fence, AclFence)
    own = world.access(Side.SOURCE).logins(migration.applications[0])
    return [fence.connection.login.mechanism, *(login.mechanism for login in own)]


@pytest.mark.parametrize(
    ("source", "own", "signed"),
    [
        ("plain", "", ["PLAIN", "PLAIN"]),
        ("scram-sha-512", "", ["SCRAM-SHA-512", "SCRAM-SHA-512"]),
        ("scram-sha-512", "plain", ["SCRAM-SHA-512", "PLAIN"]),
        ("plain", "scram-sha-512", ["PLAIN", "SCRAM-SHA-512"]),
    ],
)
def test_everybody_signs_in_to_the_source_as_the_plan_file_says(
    source: str, own: str, signed: list[str], tmp_path: Path, said: Path
) -> None:
    migration = planned(tmp_path, source, own, COMMAND)
    world = open_world(migration, Reporter())
    assert logins(world, migration) == signed
    world.workload("ml-features").switch(Side.SOURCE, 60_000)
    assert json.loads(said.read_text())["mechanism"] == signed[1]
    estate = Estate()
    estate.mirror.failed = "it copies nothing: there are no topics yet"
    StartMirror(migration=migration, mirror_login="mirror").apply(MemoryWorld(estate))
    (made,) = estate.store.list("KafkaMirrorMaker2", "kafka")
    assert json.dumps(made.spec["mirrors"]).count(f'"type": "{signed[1].lower()}"') == 1


def test_a_human_is_told_the_mechanism_too(tmp_path: Path) -> None:
    told: list[str] = []

    class Told(Reporter):
        def note(self, text: str) -> None:
            told.append(text)

    open_world(planned(tmp_path, "scram-sha-512", ""), Told()).workload("ml-features").switch(Side.SOURCE, 60_000)
    assert "SCRAM-SHA-512 over TLS" in told[0]


class Heard(Reporter):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Away(LiveWorld):
    """The target does not answer."""

    def ledger_topic(self) -> LedgerTopic | None:
        raise Transient("target: no broker answers")


class Gone(LiveWorld):
    """The target has no ledger topic (any more)."""

    def ledger_topic(self) -> LedgerTopic | None:
        return None


@pytest.mark.parametrize(("kind", "told"), [(Away, "no broker answers"), (Gone, "kmigrate-ledger-shop is gone")])
def test_without_the_ledger_of_a_claimed_migration_only_what_undoes_is_written(
    tmp_path: Path, kind: type[LiveWorld], told: str
) -> None:
    migration = planned(tmp_path, "plain", "plain")
    made, heard = open_world(migration, Reporter()), Heard()
    with open_journal(
        migration, Gone(wires=made.wires, clock=made.clock, reporter=heard, ledger=made.ledger)
    ) as journal:
        for event in (Event.STARTED, Event.APPLIED, Event.VERIFIED):
            journal.record("provision", "f", event, ClaimMigration.name)
    assert heard.notes == []
    world = kind(wires=made.wires, clock=made.clock, reporter=heard, ledger=made.ledger)
    with open_journal(migration, world) as journal:
        assert told in heard.notes[-1]
        with pytest.raises(PlatformError, match=told):
            journal.record("cutover/ml-features#1", "f", Event.STARTED, "ready")
        with pytest.raises(PlatformError, match=told):
            journal.ledger("provision", "f").put("on", value=True)
        journal.record("provision", "f", Event.UNDOING, ClaimMigration.name)
        journal.ledger("provision", "f").put("back", value=True)
        journal.record("provision", "f", Event.UNDONE, ClaimMigration.name)
    with open_journal(migration, world, read_only=True) as journal:
        events = [entry.event for entry in journal.entries]
    assert events[-4:] == [Event.VERIFIED, Event.UNDOING, Event.FACT, Event.UNDONE]


def test_what_only_undoes_needs_no_target_that_answers(tmp_path: Path) -> None:
    class Silent(MemoryWorld):
        def cluster(self, side: Side) -> MemoryCluster:
            if side is Side.TARGET:
                raise Transient("target: no broker answers")
            return super().cluster(side)

    estate = Estate()
    journal = Journal(estate.lines, estate.clock, "test", "shop")
    with pytest.raises(Transient):
        bind(journal, Silent(estate), read_only=False)
    bind(journal, Silent(estate), read_only=False, without_target=True)
    assert journal.clusters == {"source": "source-cluster"}


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 12345"), OSError("No username set")])
def test_a_user_without_a_name_is_called_by_its_number(error: Exception) -> None:
    def nameless() -> str:
        raise error

    assert our_name(lambda: "ops") == "ops"
    assert our_name(nameless) == f"uid {os.getuid()}"
