"""The same story with the target's resources on a real API server, where kmigrate may do what its plan needs alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from typist import Typist, before_the_first_move

from kmigrate.lab.folder import LabFolder
from kmigrate.lab.kubernetes.flags import AUDIT_LOG
from kmigrate.lab.status import status
from kmigrate.lab.walk import MOVES, Walk
from kmigrate.manifests.roles import grants
from kmigrate.model import JsonObject
from kmigrate.wiring import open_journal

pytestmark = [pytest.mark.kafka, pytest.mark.kube, pytest.mark.timeout(1_200)]

WRITER, READ_BY_STAYERS = "order-service", "shipments"
GONE_S = 20


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("kubernetes") / "lab"
    with before_the_first_move(folder, stay=READ_BY_STAYERS, soak="3s", kubernetes=True) as opened:
        yield opened


@pytest.fixture
def typist(walk: Walk) -> Typist:
    return Typist(walk)


def asked(folder: LabFolder) -> list[JsonObject]:
    """Whatever kmigrate asked the API server for, as that wrote it down."""
    return [json.loads(line) for line in (folder.kubernetes / AUDIT_LOG).read_text().splitlines()]


def moved(typist: Typist, app: str) -> None:
    """There, back and there again."""
    typist.done("apply", "--phase", "cutover", "--app", app, "--yes")
    typist.done("rollback", "--app", app, "--yes")
    typist.done("apply", "--phase", "cutover", "--app", app, "--yes")


def test_a_reader_and_a_writer_move_there_back_and_there(typist: Typist) -> None:
    moved(typist, MOVES)
    moved(typist, WRITER)


def freeze(folder: LabFolder) -> None:
    """Nobody answers for a while, and nothing that was accepted is lost."""
    (server,) = (each for each in status(folder).processes if each.name == "kube-apiserver")
    process = psutil.Process(server.pid)
    process.suspend()
    time.sleep(GONE_S)
    process.resume()


def test_an_api_server_that_is_gone_in_the_middle_of_a_move_loses_nothing(typist: Typist, walk: Walk) -> None:
    lines = walk.folder.extra / ".kmigrate" / "journal.jsonl"
    before = lines.stat().st_size
    begun = typist.begin("rollback", "--app", MOVES, "--yes")
    typist.until("the move has begun", lambda: b"stop-workloads" in lines.read_bytes()[before:])
    gone = threading.Thread(target=freeze, args=(walk.folder,))
    gone.start()
    begun.communicate(timeout=400)
    gone.join()
    assert begun.returncode in (0, 7, 9)
    typist.done("rollback", "--app", MOVES, "--yes")
    typist.done("verify")
    typist.done("apply", "--phase", "cutover", "--app", MOVES, "--yes")


def test_nothing_was_lost_given_twice_or_out_of_order(walk: Walk) -> None:
    with open_journal(walk.migration, walk.world, read_only=True) as journal:
        replace(walk, world=walk.world.bound(journal.past())).settle((MOVES, WRITER))
    verdict = walk.audit()
    assert verdict.clean, verdict


def test_its_rights_were_enough_and_each_was_needed(walk: Walk) -> None:
    """No request was refused, and every right to change something was used: those to take all back are not needed."""
    every = asked(walk.folder)
    refused = [each for each in every if each["responseStatus"]["code"] == 403]
    assert refused == []
    used = {(each["objectRef"]["resource"], each["verb"]) for each in every if "objectRef" in each}
    phases = ("assess", "provision", "replicate", "rehearse", "cutover")
    wanted = {(each.resource, verb) for each in grants(walk.migration, phases) if not each.anew for verb in each.verbs}
    # who makes something by server-side apply asks with `patch`, and is asked for `create` besides
    assert {each for each in wanted if each[1] != "create"} - used == set()


def test_no_secret_was_asked_for_but_those_that_are_named(walk: Walk) -> None:
    named = {name for each in grants(walk.migration) if each.resource == "secrets" for name in each.names}
    secrets = {each["objectRef"].get("name") for each in asked(walk.folder) if _about(each) == "secrets"}
    assert secrets <= named
    assert secrets


def _about(line: JsonObject) -> object:
    return line.get("objectRef", {}).get("resource")


def test_the_supervisor_keeps_no_file_that_others_may_read(walk: Walk) -> None:
    modes = {path: path.stat().st_mode & 0o077 for path in Path(walk.folder.kubernetes).rglob("*")}
    assert modes
    assert {path for path, mode in modes.items() if mode} == set()
