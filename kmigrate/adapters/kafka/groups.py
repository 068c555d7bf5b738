"""Consumer groups: who is in them, where they stand, and writing positions to a stopped one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConsumerGroupDescription

from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection, failure
from kmigrate.adapters.retry import patiently
from kmigrate.errors import Blocked, Transient
from kmigrate.model import Group, GroupState, Partition

_STATES = {
    "STABLE": GroupState.STABLE,
    "EMPTY": GroupState.EMPTY,
    "DEAD": GroupState.DEAD,
    "PREPARING_REBALANCING": GroupState.REBALANCING,
    "COMPLETING_REBALANCING": GroupState.REBALANCING,
    "ASSIGNING": GroupState.REBALANCING,
    "RECONCILING": GroupState.REBALANCING,
}

_NOT_EMPTY = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.NON_EMPTY_GROUP)


class KafkaGroups:
    """Consumer groups of a cluster (world.Groups)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @patiently
    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        """State and members per group."""
        asked = self._connection.admin().describe_consumer_groups(list(names), request_timeout=TIMEOUT_S)
        return {
            name: _group(name, self._connection.result(future, f"describing group {name}"))
            for name, future in asked.items()
        }

    @patiently
    def positions(self, group: str, partitions: Iterable[Partition]) -> Mapping[Partition, int | None]:
        """Committed, stable offsets; None where nothing was ever committed."""
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(p.topic, p.number) for p in partitions])
        asked = self._connection.admin().list_consumer_group_offsets(
            [wanted], require_stable=True, request_timeout=TIMEOUT_S
        )
        answer = self._connection.result(asked[group], f"positions of group {group}")
        return {Partition(tp.topic, tp.partition): self._offset(tp, group) for tp in answer.topic_partitions or []}

    @patiently
    def commit(self, group: str, positions: Mapping[Partition, int]) -> None:
        """Write positions to an Empty group; the coordinator refuses it too if somebody joins in between."""
        self._must_be_stopped(group)
        wanted = ConsumerGroupTopicPartitions(
            group, [TopicPartition(p.topic, p.number, offset) for p, offset in positions.items()]
        )
        asked = self._connection.admin().alter_consumer_group_offsets([wanted], request_timeout=TIMEOUT_S)
        try:
            answer = asked[group].result(timeout=TIMEOUT_S)
        except TimeoutError as error:
            raise Transient(f"writing positions of group {group}: no answer in {TIMEOUT_S:.0f} s") from error
        except KafkaException as error:
            if error.args[0].code() in _NOT_EMPTY:
                raise self._not_empty(group, "somebody joined just now") from error
            raise self._connection.failure(error, f"writing positions of group {group}") from error
        for tp in answer.topic_partitions or []:
            if tp.error is not None:
                if tp.error.code() in _NOT_EMPTY:
                    raise self._not_empty(group, "somebody joined just now")
                raise failure(tp.error, f"writing {tp.topic}/{tp.partition} of group {group}", self._connection.login)

    @patiently
    def delete(self, group: str) -> None:
        """Remove an Empty group; one that is not there is fine."""
        self._must_be_stopped(group)
        for future in self._connection.admin().delete_consumer_groups([group]).values():
            try:
                future.result(timeout=TIMEOUT_S)
            except TimeoutError as error:
                raise Transient(f"removing group {group}: no answer in {TIMEOUT_S:.0f} s") from error
            except KafkaException as error:
                code = error.args[0].code()
                if code in _NOT_EMPTY:
                    raise self._not_empty(group, "somebody joined just now") from error
                if code == KafkaError.COORDINATOR_NOT_AVAILABLE:
                    raise Transient(f"removing group {group}: its coordinator is away") from error
                if code != KafkaError.GROUP_ID_NOT_FOUND:
                    raise self._connection.failure(error, f"removing group {group}") from error

    def _must_be_stopped(self, name: str) -> None:
        group = self.describe([name])[name]
        if not group.stopped:
            raise self._not_empty(name, f"{group.state}, members {', '.join(group.members) or 'unknown'}")

    def _not_empty(self, name: str, told: str) -> Blocked:
        return Blocked(
            f"group {name} on the {self._connection.login.name} is not Empty: {told}",
            hint="stop every instance that reads with this group, then run the same command again",
        )

    def _offset(self, answer: TopicPartition, group: str) -> int | None:
        if answer.error is not None:
            raise failure(
                answer.error, f"position of group {group} in {answer.topic}/{answer.partition}", self._connection.login
            )
        return int(answer.offset) if answer.offset >= 0 else None


def _group(name: str, seen: ConsumerGroupDescription) -> Group:
    members = tuple(str(member.client_id) for member in seen.members)
    return Group(name=name, state=_STATES.get(seen.state.name, GroupState.UNKNOWN), members=members)
