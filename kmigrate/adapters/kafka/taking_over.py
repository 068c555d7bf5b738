"""Taking transactional ids over, as a new producer of the same id does: who held one is fenced (KIP-98).

librdkafka does it too, and waits half a second before it asks again while the coordinator still ends what was open; an
application stands still meanwhile.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from confluent_kafka import KafkaError

from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.wire import FIND_COORDINATOR, ask, asked_coordinator, asking, compact, told_coordinator
from kmigrate.adapters.retry import promptly
from kmigrate.errors import PlatformError, Transient

_INIT_PRODUCER_ID = 22
_TRANSACTION = 1
_TIMEOUT_MS = 60_000
"""librdkafka's own: how long a transaction of ours could stay open; we begin none."""
# it still ends what was open, still loads the id, or is another broker by now
_ASK_AGAIN = (
    KafkaError.CONCURRENT_TRANSACTIONS,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)


def take_over(login: Login, broker: str, names: Iterable[str]) -> tuple[str, ...]:
    """Initialise each id; then all that was open is aborted. Gives those that our principal may not write.

    `broker` (`host:port`) tells the coordinators. Raises Transient when one does not come to an end, PlatformError for
    any other answer.
    """
    with ExitStack() as stack:
        lines: dict[str, ssl.SSLSocket] = {}

        def line(address: str) -> ssl.SSLSocket:
            if address not in lines:
                lines[address] = stack.enter_context(asking(address, login))
            return lines[address]

        return tuple(name for name in sorted(set(names)) if not _taken(login, line, broker, name))


@promptly
def _taken(login: Login, line: Callable[[str], ssl.SSLSocket], broker: str, name: str) -> bool:
    """Ask the id's coordinator once; False when our principal may not write the id."""
    doing = f"{login.name}: ending transactions of {name}"
    found = ask(line(broker), FIND_COORDINATOR, 1, asked_coordinator(name, _TRANSACTION))
    error, address = told_coordinator(found)
    if not error:
        body = compact(name) + struct.pack(">iqh", _TIMEOUT_MS, -1, -1) + b"\0"
        answer = ask(line(address), _INIT_PRODUCER_ID, 4, body, flexible=True)
        answer.number(4)
        error = answer.number(2)
    if error in _ASK_AGAIN:
        raise Transient(f"{doing}: {KafkaError(error).str()}")
    if error not in (0, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED):
        raise PlatformError(f"{doing}: {KafkaError(error).str()}", hint="look at the broker's log")
    return not error
