"""Signing in to a cluster, and the vendor's errors in our words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kmigrate.adapters.kafka.coordinators import Coordinators
from kmigrate.adapters.kafka.login import Login, granting
from kmigrate.adapters.retry import Unreachable
from kmigrate.errors import Blocked, KmigrateError, PlatformError, Transient
from kmigrate.manifests.internal import READS

__all__ = ["TIMEOUT_S", "Connection", "Login", "failure"]

T = TypeVar("T")

TIMEOUT_S = 15.0
_CONNECTING_S = 10.0

# a broker does not tell which operation it missed; whoever prints the error looks for the very right (manifests.rights)
_MISSING_RIGHTS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "--operation Describe --operation DescribeConfigs --operation Read"
    " --topic '*'",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "--operation Describe --operation Read --group '*'",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "--operation Describe --operation DescribeConfigs --cluster",
}

# librdkafka does not count these as worth asking again when they come as the answer to an admin client
_COORDINATOR_AWAY = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
# a broker died or gave a partition away; an admin client asks with the leaders it knows until it is made anew
_LEADER_AWAY = (
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._NOENT,
)


class Connection:
    """One admin client and one consumer of a cluster, opened on first use and kept warm.

    librdkafka tells a wrong password only through its error callback (`lab.md`), so the last word heard there is kept.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        self._said = ""
        self._lock = threading.Lock()
        self._admin: AdminClient | None = None
        self._consumers: dict[bool, Consumer] = {}
        self.coordinators = Coordinators(login)
        self._ends: list[Callable[[], object]] = []

    def admin(self) -> AdminClient:
        """The admin client."""
        if self._admin is None:
            self.coordinators.sign_in()
            self._admin = AdminClient(self.login.settings(), error_cb=self._hear)
            self._reachable(self._admin)
        return self._admin

    def consumer(self, *, committed: bool = True) -> Consumer:
        """A consumer that joins no group, kept warm, and tells the end of each partition."""
        if committed not in self._consumers:
            self._consumers[committed] = self.new_consumer(committed=committed)
        return self._consumers[committed]

    def new_consumer(self, *, committed: bool = True, ahead: Mapping[str, int] | None = None) -> Consumer:
        """The same, new; whoever asks closes it. `ahead` says in librdkafka's words how far it reads ahead."""
        self.admin()
        return Consumer(
            {
                **self.login.settings(),
                "error_cb": self._hear,
                "group.id": READS,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
                "fetch.queue.backoff.ms": 5,
                **(ahead or {}),
            }
        )

    def ends_with(self, end: Callable[[], object]) -> None:
        """Call this too when the connection is closed; it may be called more than once."""
        self._ends.append(end)

    def close(self) -> None:
        """Close what was opened."""
        while self._ends:
            self._ends.pop()()
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers.clear()
        self.coordinators.close()
        self._admin = None

    def failure(self, error: KafkaException, doing: str) -> KmigrateError:
        """Our word for what the vendor raised."""
        first = error.args[0]
        assert isinstance(first, KafkaError)
        if first.code() in _LEADER_AWAY:
            self._admin = None
        return failure(first, f"{self.login.name}: {doing}", self.login, self._said)

    def result(self, future: Future[T], doing: str) -> T:
        """What the future holds, or our error."""
        try:
            return future.result(timeout=TIMEOUT_S)
        except KafkaException as error:
            raise self.failure(error, doing) from error
        except TimeoutError as error:
            raise Transient(f"{self.login.name}: {doing}: no answer in {TIMEOUT_S:.0f} s") from error

    def _hear(self, error: KafkaError) -> None:
        with self._lock:
            if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL) or not self._said:
                self._said = str(error.str())

    def _reachable(self, admin: AdminClient) -> None:
        try:
            admin.list_topics(topic="kmigrate.is.anybody.there", timeout=_CONNECTING_S)
        except KafkaException as error:
            self._admin = None
            told = self.failure(error, "connecting")
            raise (Unreachable(told.message, hint=told.hint) if isinstance(told, Transient) else told) from error


def failure(error: KafkaError, doing: str, login: Login, said: str = "") -> KmigrateError:
    """Turn a vendor error into ours, with what to do next."""
    told = f"{doing}: {error.str()}" + (f" ({said})" if said and said != error.str() else "")
    if "uthentication" in said or error.code() == KafkaError._AUTHENTICATION:
        return PlatformError(
            f"{login.name}: wrong password for {login.username} ({told})",
            hint=f"check the credentials of {login.username} in the plan file",
        )
    if error.code() in (
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
    ):
        return Transient(told, hint=f"check that {login.bootstrap} can be reached from here and that its CA is trusted")
    if error.code() in _MISSING_RIGHTS:
        return Blocked(told, hint=f"grant it: {granting(login, _MISSING_RIGHTS[error.code()])}")
    again = error.retriable() or error.code() in (*_COORDINATOR_AWAY, *_LEADER_AWAY)
    return Transient(told) if again else PlatformError(told, hint="look at the broker's log")
