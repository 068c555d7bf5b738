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
_TURNS = 10
"""Of the loop: a connection that was taken is made within three, and one that is ended is lost in the next."""


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
    """How many chunks and connections the weather has held up or cut since the relay was made."""
    open: dict[int, Caller] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True, name=f"relay {self.listen}")
        self._thread.start()
        assert self._up.wait(10), f"nothing listens at {self.listen}"

    def close(self) -> None:
        """End every connection and the thread; twice equals once."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def set(self, weather: Weather) -> None:
        """Another weather from now on; gone ends the connections that are open, for those it is for."""
        self.weather = weather
        if weather.gone:
            self._loop.call_soon_threadsafe(self._cut, ports_of(weather.of()))

    def _serve(self) -> None:
        asyncio.run(self._until_closed())

    async def _until_closed(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: Caller(self), HOST, self.listen)
        self._up.set()
        await self._over.wait()
        for listening in server.sockets:
            self._loop.remove_reader(listening)
        await self._let_go()
        server.close()

    async def _let_go(self) -> None:
        """End every connection, also those that were taken just before: a server that is closed loses them unended."""
        for _ in range(_TURNS):
            for caller in tuple(self.open.values()):
                caller.transport.abort()
                if caller.other is not None:
                    caller.other.transport.abort()
            await asyncio.sleep(0)

    def _cut(self, ports: Iterable[int]) -> None:
        for port in ports:
            if port in self.open:
                self.met += 1
                self.open[port].transport.abort()


class End(asyncio.Protocol):
    """One end of a connection: what comes in goes out at the other, in order, late where the weather is bad."""

    transport: asyncio.Transport
    other: End | None = None
    due: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        now, late = asyncio.get_running_loop().time(), self.late_s()
        if not late and self.due <= now:
            self.other.transport.write(data)
            return
        self.due = max(now + late, self.due + 0.000_01)  # never before what is held up already
        asyncio.get_running_loop().call_at(self.due, self.other.transport.write, data)

    def late_s(self) -> float:
        return self.other.late_s() if self.other is not None else 0.0


class Caller(End):
    """The end of whoever called: its port tells which process that is, found out once the weather is bad for some."""

    def __init__(self, relay: Relay) -> None:
        self.relay, self.port = relay, 0
        self._asked: Weather | None = None
        self._feels = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.port = transport.get_extra_info("peername")[1]
        if self.relay.weather.gone and self._feels_it():
            self.relay.met += 1
            self.transport.abort()
            return
        self.relay.open[self.port] = self
        self.transport.pause_reading()
        self._calling = asyncio.get_running_loop().create_task(self._call())

    def connection_lost(self, exc: Exception | None) -> None:
        self.relay.open.pop(self.port, None)
        super().connection_lost(exc)

    def late_s(self) -> float:
        if not self.relay.weather.late_s or not self._feels_it():
            return 0.0
        self.relay.met += 1
        return self.relay.weather.late_s

    async def _call(self) -> None:
        try:
            _, there = await asyncio.get_running_loop().create_connection(End, HOST, self.relay.forward)
        except OSError:
            self.transport.abort()
            return
        self.other, there.other = there, self
        if self.transport.is_closing():
            there.transport.close()
        else:
            self.transport.resume_reading()

    def _feels_it(self) -> bool:
        weather = self.relay.weather
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
