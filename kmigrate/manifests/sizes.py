"""How large messages may be: whatever the largest topic of the source takes must pass everywhere on its way.

On the target's brokers (`broker_sizes`), in its topics (`topics.carried_topic`), and through a mirror (`fetch_sizes`,
`request_sizes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmigrate.model import Json, Topic

LARGEST = "max.message.bytes"
_KAFKAS_MESSAGE, _KAFKAS_FETCH = 1_048_588, 1_048_576
_REQUEST, _PARTITION, _FETCH, _BUFFER = 20_971_520, 4_194_304, 52_428_800, 33_554_432
_BROKERS_REQUEST = 104_857_600
"""`socket.request.max.bytes` of a broker: no request is larger, whatever a client asks for."""
_UNPACKED = 4


def largest_message(topics: Iterable[Topic], overrides: Mapping[str, Mapping[str, str]]) -> int:
    """The largest batch in bytes that one of the topics takes, on the source or as the plan sets it on the target."""
    told = (
        settings[LARGEST]
        for topic in topics
        for settings in (topic.accepts, topic.config, overrides.get(topic.name, {}))
        if LARGEST in settings
    )
    return max((int(each) for each in told if each.isdigit()), default=0)


def broker_sizes(largest: int) -> dict[str, Json]:
    """What brokers take of a producer and of each other: never less than Kafka's own defaults."""
    return {
        "message.max.bytes": max(_KAFKAS_MESSAGE, largest),
        "replica.fetch.max.bytes": max(_KAFKAS_FETCH, largest),
    }


def fetch_sizes(largest: int) -> dict[str, str]:
    """What a mirror's consumer fetches at once."""
    return {
        "consumer.fetch.max.bytes": str(max(_FETCH, largest)),
        "consumer.max.partition.fetch.bytes": str(max(_PARTITION, largest)),
    }


def request_sizes(largest: int) -> dict[str, str]:
    """What a mirror's producer sends at once.

    A topic's limit counts packed bytes, a producer's the record unpacked; four times as much is allowed for, as far as
    a broker takes it.
    """
    request = max(_REQUEST, min(_UNPACKED * largest, _BROKERS_REQUEST))
    sizes = {"producer.override.max.request.size": str(request)}
    return sizes if request < _BUFFER else sizes | {"producer.override.buffer.memory": str(2 * request)}
