"""Doing the same to many things side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_MOST = 16

T = TypeVar("T")
R = TypeVar("R")


def beside(act: Callable[[T], R], things: Iterable[T], *, here: Iterable[T] = ()) -> list[R]:
    """What `act` gives for each of the things, in their order: all in threads, so it must tell nobody anything.

    Those that are to be done `here` come after them, one after the other in this thread. One alone needs no thread.
    What fails first is raised, once all that was begun has ended.
    """
    threaded, own = tuple(things), tuple(here)
    if len(threaded) + len(own) == 1:
        return [act(each) for each in (*threaded, *own)]
    with ThreadPoolExecutor(max_workers=min(_MOST, max(1, len(threaded)))) as pool:
        begun = [pool.submit(act, each) for each in threaded]
        done = [act(each) for each in own]
    return [*(each.result() for each in begun), *done]
