"""A token in every secret place of a plan, walked in memory with writers: only Secrets hold one, nothing tells one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from law_watch import estate_of
from laws import Engine, Walk
from memory_estate import Estate
from writers_move import PLAN

from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.memory import MemoryWorld
from kmigrate.adapters.secrets import SecretReader
from kmigrate.cli import pictures, planned, views
from kmigrate.cli.draw import JsonReporter, TerminalReporter, say, show
from kmigrate.engine import run_unit
from kmigrate.journal import Journal
from kmigrate.model import Auth, Migration, SecretRef
from kmigrate.plan import Unit
from kmigrate.world import Reporter

TOKEN = "planted-token"


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migration:
    """The plan of a writer, each of its secrets a token of its own: in the environment, a file and a stored Secret."""
    for name in ("KEY", "BACK", "CHECKOUT"):
        monkeypatch.setenv(f"PLANTED_{name}", f"{TOKEN}-{name}")
    (tmp_path / "mirror").write_text(f"{TOKEN}-file\n")
    back = PLAN.reverse_auth
    assert back is not None
    apps = [
        replace(
            app, principals=tuple(replace(p, source_auth=of(SecretRef(env="PLANTED_CHECKOUT"))) for p in app.principals)
        )
        for app in PLAN.applications
    ]
    return replace(
        PLAN,
        source=replace(PLAN.source, auth=replace(PLAN.source.auth, password=SecretRef(env="PLANTED_KEY"))),
        mirror_auth=replace(PLAN.mirror_auth, password=SecretRef(file=str(tmp_path / "mirror"))),
        reverse_auth=replace(back, password=SecretRef(namespace="kafka", name="kept", key="password")),
        applications=tuple(apps),
    )


def of(reference: SecretRef) -> Auth:
    return Auth(type="plain", username="sa-checkout", password=reference)


def planted(said: Migration, reporter: Reporter) -> Walk:
    """A walk of which the secrets are resolved as the real world resolves them."""
    estate = estate_of(said)
    estate.secrets = SecretReader(estate.store, "kafka")
    estate.store.apply_by_operator(secret("kept", f"{TOKEN}-stored"))

    def run(unit: Unit, world: MemoryWorld, journal: Journal) -> None:
        run_unit(unit, MemoryWorld(world.estate, world.ledger, reporter), journal)

    return Walk(estate, engine=Engine(run=run))


def secret(name: str, password: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": "kafka"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": password}}


@pytest.mark.parametrize("reporter", [JsonReporter, TerminalReporter])
def test_no_planted_secret_is_told_anywhere_and_only_secrets_hold_one(
    said: Migration, reporter: type[Reporter], capsys: pytest.CaptureFixture[str]
) -> None:
    walk = planted(said, reporter())
    for command in walk.commands():
        walk.type(command)
        look(walk)
    told = capsys.readouterr()
    assert "cutover/checkout#2" in told.out + told.err
    assert TOKEN not in told.out + told.err
    assert not [line for line in walk.estate.lines.written if TOKEN in line]
    assert holders(walk.estate) == {
        "Secret kafka/kept",
        "Secret kafka/kmigrate-mirror-source",
        "Secret kafka/kmigrate-mirror-back-source",
    }
    assert TOKEN not in repr(said)


def look(walk: Walk) -> None:
    """What plan, status and history show, drawn and as JSON."""
    world, journal = MemoryWorld(walk.estate), walk.journal()
    ahead = planned.look_ahead(walk.estate.migration, walk.plan, journal, world)
    seen = views.look(walk.estate.migration, walk.plan, journal, world)
    for picture in (planned.plan_picture(ahead), pictures.status_picture(seen)):
        show(picture)
    for object_ in (planned.plan_json(ahead), pictures.status_json(seen)):
        say(object_)


def holders(estate: Estate) -> set[str]:
    return {str(each.key) for each in estate.store.all() if TOKEN in json.dumps(each.body)}


def test_a_login_does_not_tell_its_password() -> None:
    login = Login(name="source", bootstrap="a:1", mechanism="PLAIN", username="u", password=TOKEN)
    assert TOKEN not in repr(login)
