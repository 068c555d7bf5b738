"""Looking at a topic of the mirror again and again: what was acknowledged before a look is in it."""

from __future__ import annotations

import pytest
from traffic import write
from two_clusters import TwoClusters

from kmigrate.adapters.tail import Tail

pytestmark = pytest.mark.kafka

LOOKS = 30


def test_what_was_acknowledged_before_a_look_is_seen_by_it_and_only_once(two: TwoClusters) -> None:
    """An end that was fetched before the record came must not end the look."""
    two.source.topic("tailed", 2)
    tail = Tail(two.source.connection("source"), "tailed", {0: -2, 1: -2})
    try:
        assert list(tail.news()) == []
        for number in range(LOOKS):
            value = str(number).encode()
            write(two.source, "tailed", {number % 2: [value]})
            assert [message.value() for message in tail.news()] == [value]
        assert list(tail.news()) == []
        assert sum(tail.ends.values()) == LOOKS
    finally:
        tail.close()


def test_a_look_that_is_left_off_goes_on_where_it_was(two: TwoClusters) -> None:
    two.source.topic("left-off", 1)
    write(two.source, "left-off", {0: [b"one", b"two", b"three"]})
    tail = Tail(two.source.connection("source"), "left-off", {0: -2})
    try:
        assert next(tail.news()).value() == b"one"
        assert [message.value() for message in tail.news()] == [b"two", b"three"]
    finally:
        tail.close()
