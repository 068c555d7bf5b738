"""Signing in to a cluster, and the vendor's errors in our words."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kmigrate.errors import PlatformError, Transient

T = TypeVar("T")
Settings: TypeAlias = dict[str, str | int | float | bool]

TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How kmigrate signs in to a cluster; `ca` is PEM text, empty for the public authorities."""

    name: str
    bootstrap: str
    mechanism: str
    username: str
    password: str = field(repr=False)
    ca: str = ""

    def settings(self) -> Settings:
        """Settings of librdkafka."""
        secure: Settings = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
            "client.id": "kmigrate",
            "log_level": 0,
            "socket.connection.setup.timeout.ms": 10_000,
        }
        return {**secure, "ssl.ca.pem": self.ca} if self.ca else secure


class Connection:
    """One admin client and one consumer of a cluster, opened on first use and kept warm.

    librdkafka tells a wrong password only through its error callback (`lab.md`), so the last word heard there is kept.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        self._said = ""
        self._lock = threading.Lock()
        self._admin: AdminClient | None = None
        self._consumer: Consumer | None = None

    def admin(self) -> AdminClient:
        """The admin client."""
        if self._admin is None:
            self._admin = AdminClient(self.login.settings(), error_cb=self._hear)
            self._reachable(self._admin)
        return self._admin

    def consumer(self) -> Consumer:
        """A consumer that joins no group, reads committed records only, and tells the end of each partition."""
        if self._consumer is None:
            self.admin()
            self._consumer = Consumer(
                {
                    **self.login.settings(),
                    "error_cb": self._hear,
                    "group.id": "kmigrate-reads-without-a-group",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "error",
                    "isolation.level": "read_committed",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 20,
                    "fetch.queue.backoff.ms": 5,
                }
            )
        return self._consumer

    def close(self) -> None:
        """Close what was opened."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._admin = None

    def failure(self, error: KafkaException, doing: str) -> PlatformError:
        """Our word for what the vendor raised."""
        first = error.args[0]
        assert isinstance(first, KafkaError)
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
            admin.list_topics(topic="kmigrate.is.anybody.there", timeout=TIMEOUT_S)
        except KafkaException as error:
            self._admin = None
            raise self.failure(error, "connecting") from error


def failure(error: KafkaError, doing: str, login: Login, said: str = "") -> PlatformError:
    """Turn a vendor error into ours, with what to do next."""
    told = f"{doing}: {error.str()}" + (f" ({said})" if said and said != error.str() else "")
    if "uthentication" in said or error.code() == KafkaError._AUTHENTICATION:
        return PlatformError(told, hint=f"check the credentials of {login.username} in the plan file")
    if error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT):
        return Transient(told, hint=f"check that {login.bootstrap} can be reached from here and that its CA is trusted")
    if error.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ):
        return PlatformError(told, hint=f"grant the right to User:{login.username}")
    return Transient(told) if error.retriable() else PlatformError(told, hint="look at the broker's log")
