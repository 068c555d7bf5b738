"""Free loopback ports that stay ours."""

from __future__ import annotations

import socket
import sys
import threading

HOST = "127.0.0.1"


class Ports:
    """Hands out free TCP ports of the loopback address, no port twice.

    On Linux each port stays held by a bound socket that never listens: nobody else is given it, while a server that
    sets SO_REUSEADDR (Java does) can still listen there, also after a restart (socket(7)). Elsewhere the socket is
    closed when the port is handed out, and the server's own error tells when somebody was faster.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []

    def take(self, count: int) -> tuple[int, ...]:
        """That many free ports, all different."""
        with self._lock:
            fresh = [_bound() for _ in range(count)]
            ports = tuple(int(held.getsockname()[1]) for held in fresh)
            if sys.platform == "linux":
                self._held.extend(fresh)
            else:
                _close(fresh)
            return ports

    def close(self) -> None:
        """Give all ports back."""
        with self._lock:
            _close(self._held)
            self._held.clear()


def _bound() -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.bind((HOST, 0))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held


def _close(sockets: list[socket.socket]) -> None:
    for held in sockets:
        held.close()
