"""Consumer groups: who is in them, where they stand, and writing positions to a stopped one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConsumerGroupDescription

from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection, failure
from kmigrate.adapters.kafka.login import granting
from kmigrate.adapters.kafka.offsets import Told
from kmigrate.adapters.retry import patiently, steadily
from kmigrate.errors import Blocked, Transient
from kmigrate.model import Group, GroupKind, GroupState, Partition

_STATES = {
    "STABLE": GroupState.STABLE,
    "EMPTY": GroupState.EMPTY,
    "DEAD": GroupState.DEAD,
    "PREPARING_REBALANCING": GroupState.REBALANCING,
    "COMPLETING_REBALANCING": GroupState.REBALANCING,
    "ASSIGNING": GroupState.REBALANCING,
    "RECONCILING": GroupState.REBALANCING,
}

_KINDS = {"CLASSIC": GroupKind.CLASSIC, "CONSUMER": GroupKind.CONSUMER}

_NOT_EMPTY = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.NON_EMPTY_GROUP)


class KafkaGroups:
    """Consumer groups of a cluster (world.Groups)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @steadily
    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        """State and members per group."""
        wanted = list(names)
        if not wanted:
            return {}
        asked = self._connection.admin().describe_consumer_groups(wanted, request_timeout=TIMEOUT_S)
        return {
            name: _group(name, self._connection.result(future, f"describing group {name}"))
            for name, future in asked.items()
        }

    @patiently
    def all(self) -> Mapping[str, Group]:
        """Every group that librdkafka can list: share and streams groups are not among them (`lab.md`)."""
        admin = self._connection.admin()
        asked = admin.list_consumer_groups(request_timeout=TIMEOUT_S)
        answer = self._connection.result(asked, "listing groups")
        for error in answer.errors or []:
            raise self._connection.failure(error, "listing groups")
        names = [str(group.group_id) for group in answer.valid or []]
        return self.describe(names) if names else {}

    def held(self, groups: Iterable[str], *, stable: bool = True) -> Mapping[str, Mapping[Partition, int]]:
        """Every committed offset of each group."""
        every = self._committed(dict.fromkeys(groups), stable=stable)
        return {group: {p: offset for p, offset in found.items() if offset >= 0} for group, found in every.items()}

    def positions(
        self, wanted: Mapping[str, Iterable[Partition]], *, stable: bool = True
    ) -> Mapping[str, Mapping[Partition, int | None]]:
        """Committed offsets of each group; None where nothing was ever committed."""
        every = {group: tuple(of) for group, of in wanted.items()}
        seen = self._committed({group: of for group, of in every.items() if of}, stable=stable)
        found = {group: seen.get(group, {}) for group in every}
        return {
            group: {p: found[group][p] if found[group].get(p, -1) >= 0 else None for p in of}
            for group, of in every.items()
        }

    @patiently
    def commit(self, positions: Mapping[str, Mapping[Partition, int]]) -> None:
        """Write positions to Empty groups; the coordinator refuses it too if somebody joins in between."""
        self._must_be_stopped(positions)
        # librdkafka takes one group at a time
        asked = {group: self._ask_to_write(group, of) for group, of in positions.items()}
        for group, answer in asked.items():
            self._written(group, answer)

    def _ask_to_write(self, group: str, positions: Mapping[Partition, int]) -> Future[ConsumerGroupTopicPartitions]:
        wanted = ConsumerGroupTopicPartitions(
            group, [TopicPartition(p.topic, p.number, offset) for p, offset in positions.items()]
        )
        return self._connection.admin().alter_consumer_group_offsets([wanted], request_timeout=TIMEOUT_S)[group]

    def _written(self, group: str, asked: Future[ConsumerGroupTopicPartitions]) -> None:
        try:
            answer = asked.result(timeout=TIMEOUT_S)
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
        self._must_be_stopped([group])
        for future in self._connection.admin().delete_consumer_groups([group]).values():
            try:
                future.result(timeout=TIMEOUT_S)
            except TimeoutError as error:
                raise Transient(f"removing group {group}: no answer in {TIMEOUT_S:.0f} s") from error
            except KafkaException as error:
                code = error.args[0].code()
                if code in _NOT_EMPTY:
                    raise self._not_empty(group, "somebody joined just now") from error
                if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    raise self._may_not_delete(group) from error
                if code != KafkaError.GROUP_ID_NOT_FOUND:
                    raise self._connection.failure(error, f"removing group {group}") from error

    def _must_be_stopped(self, names: Iterable[str]) -> None:
        for name, group in self.describe(names).items():
            if not group.stopped:
                raise self._not_empty(name, f"{group.state}, members {', '.join(group.members) or 'unknown'}")

    def _may_not_delete(self, name: str) -> Blocked:
        login = self._connection.login
        return Blocked(
            f"{login.name}: removing group {name}: User:{login.username} lacks Delete on it",
            hint=f"grant it: {granting(login, f'--operation Delete --group {shlex.quote(name)}')}",
        )

    def _not_empty(self, name: str, told: str) -> Blocked:
        return Blocked(
            f"group {name} on the {self._connection.login.name} is not Empty: {told}",
            hint="stop every instance that reads with this group, then run the same command again",
        )

    @steadily
    def _committed(
        self, wanted: Mapping[str, Sequence[Partition] | None], *, stable: bool
    ) -> dict[str, dict[Partition, int]]:
        self._connection.admin()
        try:
            return self._connection.offsets.committed(wanted, stable=stable)
        except Told as error:
            login = self._connection.login
            raise failure(KafkaError(error.code), f"{login.name}: {error.doing}", login) from error


def _group(name: str, seen: ConsumerGroupDescription) -> Group:
    kind = _KINDS.get(seen.type.name, GroupKind.UNKNOWN)
    members = tuple(str(member.client_id) for member in seen.members)
    return Group(name=name, state=_STATES.get(seen.state.name, GroupState.UNKNOWN), members=members, kind=kind)
