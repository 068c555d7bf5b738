"""The only retry policy: Transient is tried again, nothing else is."""

from __future__ import annotations

from tenacity import retry, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from kmigrate.errors import Transient


class Unreachable(Transient):
    """No connection at all, after the client itself tried for seconds: to try four times as long helps nobody."""


def _worth_it(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, Unreachable)


patiently = retry(
    retry=retry_if_exception(_worth_it),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.2, max=3),
    reraise=True,
)
"""Try a call again up to three times with growing, random pauses, then raise what it raised last."""

promptly = retry(
    retry=retry_if_exception(_worth_it),
    stop=stop_after_delay(10),
    wait=wait_random_exponential(multiplier=0.005, max=0.1),
    reraise=True,
)
"""Try a call again for 10 s, soon: somebody stands still until it has come to an end."""

steadily = retry(
    retry=retry_if_exception(_worth_it),
    stop=stop_after_delay(15),
    wait=wait_random_exponential(multiplier=0.1, max=1),
    reraise=True,
)
"""Try a call again for 15 s: a group's coordinator may be on its way to another broker."""
