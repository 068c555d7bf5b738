"""Connections to chosen brokers that stay open between one question and the next."""

from __future__ import annotations

import select
import ssl
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.wire import lost, signed_in
from kmigrate.adapters.retry import Unreachable

_Kept: TypeAlias = dict[tuple[str, Login], list[ssl.SSLSocket]]


class Lines:
    """Keeps what was opened, by broker and credential; threads may ask side by side, each over a line of its own."""

    def __init__(self) -> None:
        self._kept: _Kept = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._kept)

    @contextmanager
    def asking(self, broker: str, login: Login, timeout_s: float = 10.0) -> Iterator[ssl.SSLSocket]:
        """A connection to the broker at `host:port`, kept unless something went wrong.

        Raises as `wire.asking` does, and Unreachable where nobody answers for so long while it is opened.
        """
        line: ssl.SSLSocket | None = None
        try:
            line = self._take(broker, login) or _opened(broker, login, timeout_s)
            yield line
        except BaseException as error:
            if line is not None:
                line.close()
            if isinstance(error, OSError):
                raise lost(broker, login, error) from error
            raise
        with self._lock:
            self._kept.setdefault((broker, login), []).append(line)

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            _close(self._kept)

    def _take(self, broker: str, login: Login) -> ssl.SSLSocket | None:
        """A line that is still good: nobody was asked on it, so what can be read there is its end."""
        with self._lock:
            kept = self._kept.get((broker, login), [])
            while kept:
                line = kept.pop()
                if not select.select([line], [], [], 0)[0]:
                    return line
                line.close()
        return None


def _opened(broker: str, login: Login, timeout_s: float) -> ssl.SSLSocket:
    try:
        return signed_in(broker, login, timeout_s)
    except TimeoutError as error:
        told = lost(broker, login, error)
        raise Unreachable(told.message, hint=told.hint) from error


def _close(kept: _Kept) -> None:
    for lines in kept.values():
        for line in lines:
            line.close()
    kept.clear()
