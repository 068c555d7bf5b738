"""Ctrl-C, SIGTERM and SIGHUP: at once while nothing is written, after the write in flight once something may be.

The state is the process's own, as signals are; everything here is of the main thread.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kmigrate.errors import Interrupted

_HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)


class _Signals:
    """Whether we are careful, whether we are waiting, and the signal that was sent meanwhile (0 for none)."""

    careful = False
    waiting = False
    asked = 0


_now = _Signals()


def install() -> None:
    """Take Ctrl-C, SIGTERM and SIGHUP into our hands; the second one raises Interrupted wherever it strikes.

    SIGHUP stays ignored where nohup has it so.
    """
    _now.asked = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _strike)
    if _HANG_UP is not None and signal.getsignal(_HANG_UP) is not signal.SIG_IGN:
        signal.signal(_HANG_UP, _strike)


def asked() -> int:
    """The signal that somebody sent meanwhile; 0 for none."""
    return _now.asked


def check() -> None:
    """Raise Interrupted if somebody asked us to stop; called where nothing is half written."""
    if _now.asked:
        raise Interrupted(_now.asked)


@contextmanager
def careful() -> Iterator[None]:
    """Within this a signal is only noted; `check`, `sleep` and `at_once` raise Interrupted for it."""
    before, _now.careful = _now.careful, True
    try:
        yield
    finally:
        _now.careful = before


@contextmanager
def at_once() -> Iterator[None]:
    """Within this, for waits and for questions to a human, a signal raises Interrupted at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _now.waiting = _now.waiting, True
    try:
        check()
        yield
    finally:
        _now.waiting = before


def sleep(milliseconds: int) -> None:
    """Wait; raises Interrupted at once when a signal comes, and when one came before."""
    with at_once():
        time.sleep(milliseconds / 1000)
    check()


def _strike(number: int, _frame: FrameType | None) -> None:
    # a terminal that goes away tells it twice, itself and by its shell, and nobody insists
    again, _now.asked = _now.asked and number != _HANG_UP, number
    if again or _now.waiting or not _now.careful:
        raise Interrupted(number)
