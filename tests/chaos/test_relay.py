"""The relay: what it passes on, for whom it is slow, and whom it cuts off."""

from __future__ import annotations

import gc
import os
import socket
import sys
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


def test_who_is_taken_while_it_closes_is_let_go(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: lost.append(str(told.exc_value)))
    busy, over = threading.Event(), threading.Event()

    def of() -> list[int]:
        busy.set()
        over.wait(10)
        return []

    relay.weather = Weather(of=of, gone=True)
    callers = [call(relay)]
    assert busy.wait(10)  # the relay is at work for the first: the others wait to be taken, and it is told to close
    callers += [call(relay) for _ in range(3)]
    closing = threading.Thread(target=relay.close)
    closing.start()
    over.set()
    closing.join()
    gc.collect()
    assert [said(each, b"one") for each in callers] == [b""] * 4
    for each in callers:
        each.close()
    assert lost == []
