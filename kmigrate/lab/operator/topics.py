"""KafkaTopics made real: the resource always wins (io.strimzi.operator.topic.BatchingTopicController)."""

from __future__ import annotations

from collections.abc import Sequence

from kmigrate.lab.operator.admin import ClusterAdmin, NewTopicWish, TopicView
from kmigrate.lab.operator.status import (
    READY,
    Condition,
    Rejected,
    annotation,
    kept,
    mapping,
    setting,
    topic_not_ready,
    whole,
    write,
)
from kmigrate.model import JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Key, Reporter, Resource, ResourceStore

MANAGED = "strimzi.io/managed"
_VISIBLE_MS = 10_000
UNMANAGED = Condition(type="Unmanaged")


class TopicReconciler:
    """Makes, changes and deletes the topics of a namespace."""

    def __init__(self, store: ResourceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._ours: set[Key] = set()

    def reconcile(self, topics: Sequence[Resource], everyone: Sequence[Resource], admin: ClusterAdmin) -> None:
        """Converge `topics` in one batch; `everyone` is every KafkaTopic of the cluster, to find two for one topic.

        Raises Transient when the cluster does not answer; every other failure ends in status.
        """
        for topic in topics:
            if not is_managed(topic):
                write(self._store, self._clock, topic, [UNMANAGED], {"topicName": topic_name(topic)})
        accepted = [topic for topic in topics if is_managed(topic) and self._is_accepted(topic, everyone)]
        names = [topic_name(topic) for topic in accepted]
        views = admin.topics(names)
        refusals = admin.create_topics(_wish(topic) for topic in accepted if topic_name(topic) not in views)
        created = self._visible([name for name in names if refusals.get(name) == ""], admin)
        for topic in accepted:
            name = topic_name(topic)
            if refusals.get(name):
                self._fail(topic, "KafkaError", refusals[name], {"topicName": name})
            elif name in created:
                self._succeed(topic, created[name])
            else:
                self._alter(topic, admin, views[name])

    def _is_accepted(self, topic: Resource, everyone: Sequence[Resource]) -> bool:
        try:
            _refuse_rename(topic)
            _refuse_second(topic, everyone)
        except Rejected as error:
            self._fail(topic, error.reason, error.message, kept(topic, "topicId") | {"topicName": _first_name(topic)})
            return False
        return True

    def _alter(self, topic: Resource, admin: ClusterAdmin, view: TopicView) -> None:
        try:
            _altered(topic, admin, view)
            self._succeed(topic, view)
        except Rejected as error:
            fields: JsonObject = {"topicName": topic_name(topic), "topicId": view.id}
            self._fail(topic, error.reason, error.message, fields)

    def _succeed(self, topic: Resource, view: TopicView) -> None:
        self._ours.add(topic.key)
        write(self._store, self._clock, topic, [READY], {"topicName": topic_name(topic), "topicId": view.id})

    def _fail(self, topic: Resource, reason: str, message: str, fields: JsonObject) -> None:
        write(self._store, self._clock, topic, [topic_not_ready(reason, message)], fields)

    def _visible(self, names: Sequence[str], admin: ClusterAdmin) -> dict[str, TopicView]:
        """A broker learns a little later what the controller made."""

        def look() -> Ready[dict[str, TopicView]] | NotYet:
            views = admin.topics(names)
            missing = [name for name in names if name not in views]
            return NotYet(f"{len(missing)} of {len(names)} not visible") if missing else Ready(views)

        return wait_until(
            look,
            what="topics being made",
            clock=self._clock,
            reporter=Reporter(),
            deadline_ms=_VISIBLE_MS,
            every_ms=10,
        )

    def remove(self, topic: Resource, admin: ClusterAdmin) -> None:
        """Delete the topic of a resource that is gone, unless it was detached before."""
        if is_managed(topic) and (_holds(topic) or topic.key in self._ours):
            self._ours.discard(topic.key)
            admin.delete_topic(topic_name(topic))


def is_managed(topic: Resource) -> bool:
    """Whether the resource decides about its topic."""
    return annotation(topic, MANAGED) != "false"


def topic_name(topic: Resource) -> str:
    """The topic's name in Kafka: `spec.topicName`, else the resource's name."""
    return str(topic.spec.get("topicName") or topic.key.name)


def _first_name(topic: Resource) -> str:
    return str(topic.status.get("topicName") or topic_name(topic))


def _refuse_rename(topic: Resource) -> None:
    if topic.status.get("topicId") and _first_name(topic) != topic_name(topic):
        raise Rejected("NotSupported", "Changing spec.topicName is not supported")


def _refuse_second(topic: Resource, everyone: Sequence[Resource]) -> None:
    """The one that was made first keeps the topic."""
    same = [other for other in everyone if is_managed(other) and topic_name(other) == topic_name(topic)]
    first = min(
        same, key=lambda other: (str(other.metadata.get("creationTimestamp")), not _holds(other), other.key.name)
    )
    if first.key != topic.key:
        raise Rejected(
            "ResourceConflict", f"Managed by Ref{{namespace='{first.key.namespace}', name='{first.key.name}'}}"
        )


def _holds(topic: Resource) -> bool:
    return bool(topic.status.get("topicId"))


def _wish(topic: Resource) -> NewTopicWish:
    return NewTopicWish(
        name=topic_name(topic),
        partitions=whole(topic.spec.get("partitions"), -1),
        replicas=whole(topic.spec.get("replicas"), -1),
        config=_config(topic),
    )


def _altered(topic: Resource, admin: ClusterAdmin, view: TopicView) -> None:
    name, wanted = topic_name(topic), _config(topic)
    put = {key: value for key, value in wanted.items() if view.config.get(key) != value}
    gone = view.config.keys() - wanted.keys()
    if put or gone:
        _check("KafkaError", admin.alter_config(name, put, gone))
    partitions = whole(topic.spec.get("partitions"), len(view.replicas))
    if partitions < len(view.replicas):
        raise Rejected("NotSupported", "Decreasing partitions not supported")
    _refuse_replicas(topic, view)
    if partitions > len(view.replicas):
        _check("KafkaError", admin.add_partitions(name, partitions))


def _refuse_replicas(topic: Resource, view: TopicView) -> None:
    wanted = whole(topic.spec.get("replicas"), -1)
    different = [number for number, copies in enumerate(view.replicas) if wanted not in (-1, copies)]
    if different:
        message = f"Replication factor change not supported, but required for partitions {different}"
        raise Rejected("NotSupported", message)


def _check(reason: str, refusal: str) -> None:
    if refusal:
        raise Rejected(reason, refusal)


def _config(topic: Resource) -> dict[str, str]:
    config: JsonObject = mapping(topic.spec.get("config"))
    return {name: setting(value) for name, value in config.items()}
