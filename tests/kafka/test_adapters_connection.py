"""What cannot be connected to, and what may not be done, told as such."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
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


@pytest.fixture
def expired(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where somebody shows a certificate that ended a minute ago, and its authority's own."""
    made = make_certificates(tmp_path, "late", lifetime=timedelta(minutes=-1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_shake_hands, args=(server, context))
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", made.ca.read_text()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return  # the end of the test
        with contextlib.suppress(OSError), client:
            context.wrap_socket(client, server_side=True).close()


def test_an_expired_certificate_is_told(login: Login, expired: tuple[str, str]) -> None:
    address, ca = expired
    with pytest.raises(PlatformError, match=r"certificate.*expired") as told:
        KafkaCluster(Connection(replace(login, bootstrap=address, ca=ca))).id()
    assert "CA" in told.value.hint


def test_a_missing_right_is_told_with_the_command_that_grants_it(two: TwoClusters, login: Login) -> None:
    stranger = Connection(replace(login, username=MIRROR, password=two.source.passwords[MIRROR]))
    group = f"g-{uuid4().hex[:8]}"
    granting = f"--add --allow-principal User:{MIRROR} --operation Describe"
    for refused in (
        lambda: KafkaGroups(stranger).held([group])[group],
        lambda: KafkaGroups(stranger).describe([group]),
        lambda: KafkaCluster(stranger).rights(),
    ):
        with pytest.raises(Blocked) as told:
            refused()
        assert granting in told.value.hint
