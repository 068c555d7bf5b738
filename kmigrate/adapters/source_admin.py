"""What is written on the source beside fences and positions: the mirror back's rights, its lanes' offsets topics."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, NewTopic

from kmigrate.adapters import rules
from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection
from kmigrate.adapters.kafka.login import granting
from kmigrate.adapters.kafka.rights import add, may_alter, remove, rights
from kmigrate.adapters.retry import patiently
from kmigrate.errors import Blocked, KmigrateError
from kmigrate.manifests.lanes import REVERSE
from kmigrate.model import Right, Topic

_REFUSED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
_THERE, _GONE = KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.UNKNOWN_TOPIC_OR_PART


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSourceAdmin:
    """Writes as kmigrate's own principal (world.SourceAdmin); `mirror` is the mirror back, or empty."""

    connection: Connection
    mirror: str

    def allowed(self, topics: Iterable[Topic]) -> None:
        """Ask the broker what it would let us do: nothing is made (`validate_only`)."""
        may_alter(self.connection)
        wanted = tuple(topics)
        self._create(wanted, validate_only=True)
        self._removable([topic.name for topic in wanted])

    @patiently
    def grants(self, wanted: Iterable[Right]) -> frozenset[Right]:
        """Those that stand, exactly as we would write them."""
        return frozenset(wanted).intersection(rights(self.connection))

    def grant(self, wanted: Iterable[Right]) -> None:
        """Write the ACLs."""
        add(self.connection, rules.only_of_the_mirror(wanted, self.mirror))

    def revoke(self, unwanted: Iterable[Right]) -> None:
        """Remove the ACLs."""
        remove(self.connection, rules.only_of_the_mirror(unwanted, self.mirror))

    def topic(self, name: str) -> Topic | None:
        """The topic, by the metadata of a broker."""
        return KafkaCluster(self.connection).topics([name]).get(name)

    def create_topic(self, topic: Topic) -> None:
        """Ask for it, with as many copies as the source makes by default."""
        self._create((topic,))

    def remove_topic(self, name: str) -> None:
        """Remove it."""
        asked = self.connection.admin().delete_topics([rules.only_offsets(name)], request_timeout=TIMEOUT_S)
        self._done(asked[name], f"removing {name}", fine=_GONE)

    def _create(self, topics: Iterable[Topic], *, validate_only: bool = False) -> None:
        wanted = [_new(topic) for topic in topics]
        admin = self.connection.admin()
        asked = admin.create_topics(wanted, request_timeout=TIMEOUT_S, validate_only=validate_only) if wanted else {}
        for name, future in asked.items():
            self._done(future, f"creating {name}", fine=_THERE)

    def _removable(self, names: Iterable[str]) -> None:
        """KIP-430: a broker tells what we may do to a topic that is there."""
        there = sorted(KafkaCluster(self.connection).topics(names))
        if not there:
            return
        wanted, admin = TopicCollection(there), self.connection.admin()
        asked = admin.describe_topics(wanted, include_authorized_operations=True, request_timeout=TIMEOUT_S)
        for name, future in asked.items():
            told = self.connection.result(future, f"describing {name}").authorized_operations
            if told and AclOperation.DELETE not in told and AclOperation.ALL not in told:
                raise self._lacking(f"removing {name} again")

    def _done(self, future: Future[None], doing: str, *, fine: int) -> None:
        try:
            self.connection.result(future, doing)
        except KmigrateError as error:
            code = _code(error)
            if code in _REFUSED:
                raise self._lacking(doing) from error
            if code != fine:
                raise

    def _lacking(self, doing: str) -> Blocked:
        login, ours = self.connection.login, REVERSE.all_connector_offsets
        options = f"--operation Create --operation Delete --resource-pattern-type prefixed --topic {ours}"
        cloud = f"confluent kafka acl create --allow --principal User:{login.username} --operations create,delete"
        return Blocked(
            f"{login.name}: {doing}: User:{login.username} lacks Create or Delete on topics {ours}…",
            hint=f"grant it: {granting(login, options)} (on Confluent Cloud: {cloud} --prefix --topic {ours})",
        )


def _new(topic: Topic) -> NewTopic:
    name = rules.only_offsets(topic.name)
    return NewTopic(name, num_partitions=topic.partitions, replication_factor=-1, config=dict(topic.config))


def _code(error: BaseException) -> int | None:
    """The vendor's code behind an error of ours."""
    cause = error.__cause__
    return cause.args[0].code() if isinstance(cause, KafkaException) else None
