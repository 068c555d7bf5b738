"""What the plan file says of credentials is what is signed in with; nothing is connected here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from memory_estate import Estate

from kmigrate.adapters.fence import AclFence
from kmigrate.adapters.memory import MemoryWorld
from kmigrate.model import Migration, Side
from kmigrate.planfile import load
from kmigrate.steps.replicate import StartMirror
from kmigrate.wiring import LiveWorld, open_world
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
