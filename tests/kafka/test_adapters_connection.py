"""What cannot be connected to, and what may not be done, told as such."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from two_clusters import KMIGRATE, MIRROR, TwoClusters

from kmigrate.adapters.kafka import Connection, KafkaCluster, KafkaGroups, Login
from kmigrate.errors import Blocked, PlatformError
from kmigrate.lab.runtime.pki import make_certificates

pytestmark = pytest.mark.kafka


@pytest.fixture
def login(two: TwoClusters) -> Login:
    return two.source.connection("source").login


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_an_address_where_nobody_answers_is_told_soon(login: Login, silent: str) -> None:
    for nobody in (silent, "127.0.0.1:1"):
        began = time.monotonic()
        with pytest.raises(PlatformError, match=f"source: asking broker {nobody}") as told:
            KafkaCluster(Connection(replace(login, bootstrap=nobody))).id()
        assert time.monotonic() - began < 15
        assert nobody in told.value.hint


def test_a_wrong_password_is_told_with_whose_it_is(two: TwoClusters) -> None:
    for one in (two.source, two.target):
        wrong = replace(one.connection("cluster").login, password="wrong")
        began = time.monotonic()
        with pytest.raises(PlatformError, match=f"cluster: wrong password for {KMIGRATE}") as told:
            KafkaCluster(Connection(wrong)).id()
        assert time.monotonic() - began < 5
        assert KMIGRATE in told.value.hint


def test_a_certificate_of_another_authority_is_told(login: Login, tmp_path: Path) -> None:
    stranger = make_certificates(tmp_path, "stranger").ca.read_text()
    began = time.monotonic()
    with pytest.raises(PlatformError, match="certificate verify failed") as told:
        KafkaCluster(Connection(replace(login, ca=stranger))).id()
    assert time.monotonic() - began < 5
    assert "CA" in told.value.hint


def test_a_missing_right_is_told_with_the_command_that_grants_it(two: TwoClusters, login: Login) -> None:
    stranger = Connection(replace(login, username=MIRROR, password=two.source.passwords[MIRROR]))
    group = f"g-{uuid4().hex[:8]}"
    granting = f"--add --allow-principal User:{MIRROR} --operation Describe"
    for refused in (
        lambda: KafkaGroups(stranger).held(group),
        lambda: KafkaGroups(stranger).describe([group]),
        lambda: KafkaCluster(stranger).rights(),
    ):
        with pytest.raises(Blocked) as told:
            refused()
        assert granting in told.value.hint
