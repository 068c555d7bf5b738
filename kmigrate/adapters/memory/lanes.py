"""Connectors that resources ask for, and how the lanes of one direction copy: a few records per turn, then a marker."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.log import Entry, Log
from kmigrate.adapters.memory.state import State
from kmigrate.model import JsonObject, Partition, Sync, objects, part
from kmigrate.world import Resource

_BATCH = 9
_USER = re.compile(r'username="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A MirrorSourceConnector as its resource asks for it.

    `user` is who writes; `patterns` its list of topics; `strict`: where it has no offset, or one that is not in the
    log, it copies nothing instead of everything (`auto.offset.reset`).
    """

    name: str
    alias: str
    user: str
    patterns: str
    stopped: bool
    strict: bool
    spec: JsonObject

    def has(self, topic: str) -> bool:
        """Whether the topic is in its list."""
        return any(re.fullmatch(pattern, topic) for pattern in self.patterns.split(","))


def forward(mirror: Resource) -> Iterator[Connector]:
    """The connectors of a KafkaMirrorMaker2."""
    target = part(mirror.spec, "target")
    for each in objects(mirror.spec.get("mirrors")):
        spec, alias = part(each, "sourceConnector"), str(part(each, "source").get("alias"))
        yield Connector(
            name=f"{alias}->{target.get('alias')}.MirrorSourceConnector",
            alias=alias,
            user=str(part(target, "authentication").get("username")),
            patterns=str(each.get("topicsPattern")),
            stopped=spec.get("state") == "stopped",
            strict=_strict(spec),
            spec=spec,
        )


def reverse(connector: Resource) -> Connector:
    """The connector of a KafkaConnector; it writes as the user that its producer signs in with."""
    config = part(connector.spec, "config")
    user = _USER.search(str(config.get("producer.override.sasl.jaas.config")))
    return Connector(
        name=connector.key.name,
        alias=str(config.get("source.cluster.alias")),
        user=user.group(1) if user else "",
        patterns=str(config.get("topics")),
        stopped=connector.spec.get("state") == "stopped",
        strict=_strict(connector.spec),
        spec=connector.spec,
    )


def _strict(spec: JsonObject) -> bool:
    return part(spec, "config").get("consumer.auto.offset.reset") == "none"


@dataclass(slots=True, kw_only=True)
class MemoryLanes(State):
    """The lanes of one direction, which the operator has asked for; they write only what their user may write.

    `last` is the last offset copied per partition, `marks` are the syncs. `failed` is why every task FAILED, empty
    while they are well; `held_up` they copy nothing, and nobody says so; `dies` so many batches more in
    mid-transaction, whose copies are aborted and made again. `principals` has what ACLs call a user, where that is not
    its name.
    """

    source: MemoryCluster
    target: MemoryCluster
    asked: tuple[Connector, ...] = ()
    last: dict[Partition, int] = field(default_factory=dict)
    marks: dict[Partition, list[Sync]] = field(default_factory=dict)
    failed: str = ""
    held_up: bool = False
    dies: int = 0
    principals: dict[str, str] = field(default_factory=dict)
    _runs: set[str] = field(default_factory=set)
    _denied: dict[str, str] = field(default_factory=dict)

    def runs(self, name: str) -> bool:
        """Whether a task of the connector runs."""
        return name in self._runs and not self.why(name)

    def stands(self, name: str) -> bool:
        """Whether the connector is there and has stopped."""
        return name not in self._runs and any(each.name == name and each.stopped for each in self.asked)

    def why(self, name: str) -> str:
        """Why the connector's task FAILED; empty while it is well."""
        return self.failed or self._denied.get(name, "")

    def failures(self) -> tuple[tuple[str, str], ...]:
        """Every connector that is to run and why its task FAILED."""
        return tuple((each.name, self.why(each.name)) for each in self.asked if not each.stopped)

    def status(self, connector: Connector) -> JsonObject:
        """Connect's own status of a connector, for the operator to tell."""
        if connector.stopped:
            return {"name": connector.name, "connector": {"state": "STOPPED"}, "tasks": []}
        why = self.why(connector.name)
        task: JsonObject = {"id": 0, "state": "FAILED", "trace": why} if why else {"id": 0, "state": "RUNNING"}
        return {"name": connector.name, "connector": {"state": "RUNNING"}, "tasks": [task]}

    def work(self) -> None:
        """A turn: copy a batch of every partition whose topic is on both sides."""
        self._runs = {each.name for each in self.asked if not each.stopped}
        self._denied = {name: why for name, why in self._denied.items() if name in self._runs}
        for partition in self.last.keys() - self.target.logs.keys():
            del self.last[partition]  # the offsets lay in a topic that went with it
            self.marks.pop(partition, None)
        for connector in self.asked if not self.held_up else ():
            if self.runs(connector.name):
                self._copy(connector)

    def _copy(self, connector: Connector) -> None:
        """A task FAILS for good when it may not write a topic; none of its copies is ever seen then."""
        batches = self._batches(connector)
        denied = sorted({p.topic for p in batches if not self._may_write(connector, p.topic)})
        if denied:
            why = (
                f"org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: {denied}"
            )
            self._denied[connector.name] = why
            return
        for partition, batch in batches.items():
            self._write(partition, batch)

    def _may_write(self, connector: Connector, topic: str) -> bool:
        who = self.principals.get(connector.user, f"User:{connector.user}")
        return self.target.acls.allows(who, "topic", topic, "Write")

    def _batches(self, connector: Connector) -> dict[Partition, list[Entry]]:
        """What is copied next, where there is something."""
        ours = [p for p in self.source.logs if p in self.target.logs and connector.has(p.topic)]
        if connector.strict and any(self._lost(partition) for partition in ours):
            return {}
        batches = {p: self.source.logs[p].visible(self._begin(p), limit=_BATCH) for p in ours}
        return {partition: batch for partition, batch in batches.items() if batch}

    def _begin(self, partition: Partition) -> int:
        """Where no offset was kept, or one that is past the end: from the log's start (`earliest`)."""
        return 0 if self._lost(partition) else self.last[partition] + 1

    def _lost(self, partition: Partition) -> bool:
        log = self.source.logs[partition]
        return partition not in self.last or not log.start <= self.last[partition] + 1 <= log.end

    def _write(self, partition: Partition, batch: Sequence[Entry]) -> None:
        to = self.target.logs[partition]
        if self.dies:
            self.dies -= 1
            _put(batch, to, "dies")
            to.abort("dies")
        _put(batch, to)
        self.last[partition] = batch[-1].offset
        self.marks.setdefault(partition, []).append(Sync(self.last[partition], to.end - 1))
        to.mark()


def _put(batch: Sequence[Entry], to: Log, transaction: str = "") -> None:
    for entry in batch:
        assert entry.record is not None
        to.put(entry.record.timestamp, entry.record.digest, entry.number, transaction=transaction)
