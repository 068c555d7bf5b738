"""A TCP relay on this machine: every connection belongs to a process, and may be slowed or cut for that one alone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

HOST = "127.0.0.1"
CHUNK = 1 << 16


@dataclass(slots=True)
class Weather:
    """What is wrong for the processes that `of` names: every chunk is late by `late_s`; or nothing passes (`gone`)."""

    of: Callable[[], Iterable[int]] = tuple
    late_s: float = 0.0
    gone: bool = False


@dataclass
class Relay:
    """Listens at `listen` and passes on to `forward`; one thread, until `close`."""

    listen: int
    forward: int
    weather: Weather = field(default_factory=Weather)
    met: int = 0
    """How many chunks and connections the weather has held up since it was made."""
    _open: dict[int, asyncio.StreamWriter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True, name=f"relay {self.listen}")
        self._thread.start()
        assert self._up.wait(10), f"nothing listens at {self.listen}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def set(self, weather: Weather) -> None:
        """Another weather from now on; gone ends the connections that are open, for those it is for."""
        self.weather = weather
        if weather.gone:
            ports = ports_of(weather.of())
            self._loop.call_soon_threadsafe(self._cut, ports)

    def _serve(self) -> None:
        asyncio.run(self._until_closed())

    async def _until_closed(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, HOST, self.listen)
        self._up.set()
        await self._over.wait()
        server.close()
        self._cut(tuple(self._open))

    def _cut(self, ports: Iterable[int]) -> None:
        for port in ports:
            if port in self._open:
                self.met += 1
                self._open[port].transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        owner = _Owner(port)
        if self.weather.gone and owner.feels(self.weather):
            self.met += 1
            writer.transport.abort()
            return
        self._open[port] = writer
        try:
            there, back = await asyncio.open_connection(HOST, self.forward)
        except OSError:
            writer.transport.abort()
            self._open.pop(port, None)
            return
        with contextlib.suppress(asyncio.CancelledError):  # the relay closes, and asyncio would tell of each
            await asyncio.gather(self._pass(reader, back, owner), self._pass(there, writer, owner))
        self._open.pop(port, None)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, owner: _Owner) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.weather.late_s and owner.feels(self.weather):
                    self.met += 1
                    await asyncio.sleep(self.weather.late_s)
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()


@dataclass(slots=True)
class _Owner:
    """Which process a connection comes from, found out once somebody asks."""

    port: int
    _asked: Weather | None = None
    _feels: bool = False

    def feels(self, weather: Weather) -> bool:
        if self._asked is not weather:
            self._asked, self._feels = weather, self.port in ports_of(weather.of())
        return self._feels


def ports_of(processes: Iterable[int]) -> frozenset[int]:
    """The local ports of every TCP connection of these processes."""
    found: set[int] = set()
    for pid in processes:
        with contextlib.suppress(psutil.Error):
            found |= {each.laddr.port for each in psutil.Process(pid).net_connections("tcp") if each.laddr}
    return frozenset(found)


@contextmanager
def relays(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[Relay, ...]]:
    """A relay for each pair of ports (listen, forward)."""
    made = tuple(Relay(listen, forward) for listen, forward in pairs)
    try:
        yield made
    finally:
        for relay in made:
            relay.close()
