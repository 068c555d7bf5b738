"""The only retry policy: Transient is tried again, nothing else is."""

from __future__ import annotations

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from kmigrate.errors import Transient

patiently = retry(
    retry=retry_if_exception_type(Transient),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.2, max=3),
    reraise=True,
)
"""Try a call again up to three times with growing, random pauses, then raise what it raised last."""
