"""The one polling loop: it has a deadline, can be interrupted through the clock, and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from kmigrate.errors import StillUnderWay, Transient
from kmigrate.world import Clock, Reporter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ready(Generic[T]):
    """The wait is over; `value` is what was waited for."""

    value: T


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not there yet; `detail` says what is still missing, for humans."""

    detail: str


def wait_until(
    look: Callable[[], Ready[T] | NotYet],
    *,
    what: str,
    clock: Clock,
    reporter: Reporter,
    deadline_ms: int,
    every_ms: int = 50,
    slowest_ms: int = 1_000,
) -> T:
    """Look again and again until `look` says Ready; the pause between looks grows by an eighth up to `slowest_ms`.

    So what has come is seen before an eighth of the wait has gone by again, and a long wait looks seldom. A Transient
    error of `look` counts as "not yet". Raises StillUnderWay with the last detail once `deadline_ms` (relative,
    milliseconds) has passed; `look` is called at least once.
    """
    end = clock.monotonic_ms() + deadline_ms
    pause = every_ms
    while True:
        try:
            seen = look()
        except Transient as error:
            seen = NotYet(error.message)
        if isinstance(seen, Ready):
            return seen.value
        reporter.progress(what, seen.detail)
        if clock.monotonic_ms() >= end:
            raise StillUnderWay(
                f"{what}: not done after {deadline_ms / 1000:.0f} s: {seen.detail}",
                hint="look at `kmigrate status`, then run the same command again: it goes on where it stopped",
            )
        clock.sleep(min(pause, max(1, end - clock.monotonic_ms())))
        pause = min(max(pause + 1, pause * 9 // 8), slowest_ms)
