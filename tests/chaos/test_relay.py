"""The relay: what it passes on, for whom it is slow, and whom it cuts off."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from relay import HOST, Relay, Weather, relays


@pytest.fixture
def echo() -> Iterator[int]:
    """A port where everything comes back."""
    server = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=back, args=(connection,), daemon=True).start()

    def back(connection: socket.socket) -> None:
        with connection:
            while got := connection.recv(100):
                connection.sendall(got)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


@pytest.fixture
def relay(echo: int) -> Iterator[Relay]:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with relays([(port, echo)]) as (made,):
        yield made


def call(relay: Relay) -> socket.socket:
    return socket.create_connection((HOST, relay.listen), timeout=10)


def said(connection: socket.socket, text: bytes) -> bytes:
    try:
        connection.sendall(text)
        return connection.recv(100)
    except ConnectionError:
        return b""


def test_what_is_sent_comes_back(relay: Relay) -> None:
    with call(relay) as connection:
        assert said(connection, b"one") == b"one"
    assert relay.met == 0


def test_gone_cuts_open_connections_and_new_ones_of_that_process(relay: Relay) -> None:
    with call(relay) as connection:
        assert said(connection, b"one") == b"one"
        relay.set(Weather(of=lambda: [os.getpid()], gone=True))
        assert said(connection, b"two") in (b"", b"two")  # it may have passed just before
        assert said(connection, b"three") == b""
    with call(relay) as connection:
        assert said(connection, b"four") == b""
    relay.set(Weather())
    with call(relay) as connection:
        assert said(connection, b"five") == b"five"


def test_another_process_feels_nothing(relay: Relay) -> None:
    with call(relay) as connection:
        relay.set(Weather(of=lambda: [1], gone=True))
        assert said(connection, b"one") == b"one"
    assert relay.met == 0


def test_slow_holds_every_chunk_up(relay: Relay) -> None:
    relay.set(Weather(of=lambda: [os.getpid()], late_s=0.01))
    with call(relay) as connection:
        assert said(connection, b"one") == b"one"
    assert relay.met == 2
