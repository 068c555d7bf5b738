"""Consumer groups: who is in them, where they stand, and writing positions to a stopped one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import KafkaError

from kmigrate.adapters.kafka import describing, offsets
from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection, failure
from kmigrate.adapters.kafka.coordinators import Coordinators, Told
from kmigrate.adapters.kafka.login import granting
from kmigrate.adapters.retry import patiently, steadily
from kmigrate.errors import Blocked
from kmigrate.model import Group, Partition

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
        with self._asking() as at:
            return describing.describe(at, wanted)

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
        for group, of in positions.items():
            with self._asking(group) as at:
                offsets.commit(at, group, of)

    @patiently
    def delete(self, group: str) -> None:
        """Remove an Empty group; one that is not there is fine."""
        self._must_be_stopped([group])
        with self._asking(group) as at:
            try:
                describing.delete(at, group)
            except Told as error:
                if error.code == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    raise self._may_not_delete(group) from error
                raise

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
        with self._asking() as at:
            return offsets.committed(at, wanted, stable=stable)

    @contextmanager
    def _asking(self, changed: str = "") -> Iterator[Coordinators]:
        """Signed in; a broker's error becomes ours, that of the group that is to be `changed` while it has members."""
        self._connection.admin()
        try:
            yield self._connection.coordinators
        except Told as error:
            if changed and error.code in _NOT_EMPTY:
                raise self._not_empty(changed, "somebody joined just now") from error
            login = self._connection.login
            raise failure(KafkaError(error.code), f"{login.name}: {error.doing}", login) from error
