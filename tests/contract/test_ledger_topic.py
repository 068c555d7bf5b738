"""What every ledger topic promises (adapters.claims.LedgerTopic): one writer at a time, and no line it took is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest
from conftest import BOTH

from kmigrate.adapters.claims import Fenced, Holder, LedgerTopic
from kmigrate.adapters.memory import MemoryLedger, MemoryLedgerTopic

Opening = Callable[[], LedgerTopic]
"""The same topic, as another process sees it."""
ANNA = Holder(who="anna@desk pid 1", place="desk:/here:7", since=1_000)


@pytest.fixture(params=BOTH)
def opened(request: pytest.FixtureRequest) -> Iterator[Opening]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield lambda: MemoryLedgerTopic(ledger)
        return
    with ExitStack() as stack:
        yield on_kafka(request.getfixturevalue("two"), stack)


def on_kafka(two, stack: ExitStack) -> Opening:
    from two_clusters import KMIGRATE

    from kmigrate.adapters.ledger_topic import KafkaLedgerTopic
    from kmigrate.manifests.internal import ledger_id, ledger_name, ledger_topic
    from kmigrate.manifests.users import ledger_rules
    from kmigrate.model import Target

    one, migration = two.target, f"m-{uuid4().hex[:8]}"
    one.allow(KMIGRATE, ledger_rules(migration))
    target = Target(platform="lab", store="", namespace="kafka", cluster="prod", listener="scram")
    spec = ledger_topic(migration, target, brokers=1)["spec"]
    one.topic(ledger_name(migration), 1, spec["config"])

    def opened() -> LedgerTopic:
        connection = one.connection("target")
        stack.callback(connection.close)
        topic = KafkaLedgerTopic(connection, ledger_name(migration), ledger_id(migration), idle_s=0.05)
        stack.callback(topic.close)
        return topic

    two.until("kmigrate's rights", lambda: not opened().read().lines)
    return opened


def test_nothing_is_there_at_first(opened: Opening) -> None:
    kept = opened().read()
    assert (kept.holder, dict(kept.lines)) == (None, {})


def test_what_was_appended_is_seen_by_others_at_once_and_claims_too(opened: Opening) -> None:
    topic = opened()
    topic.fence()
    topic.claim(ANNA)
    for number, line in enumerate(("a", "Grüße, 世界", ""), 1):
        topic.append(number, line)
        kept = opened().read()
        assert kept.lines[number] == line
        assert kept.holder == ANNA
    topic.claim(ANNA.done)
    assert opened().read().holder == ANNA.done
    assert dict(opened().read().lines) == {1: "a", 2: "Grüße, 世界", 3: ""}


def test_lines_come_with_pauses_between_them(opened: Opening) -> None:
    topic = opened()
    topic.fence()
    for number in (1, 2, 3):
        topic.append(number, str(number))
        time.sleep(0.15)  # longer than it takes until an idle writer commits
    assert dict(opened().read().lines) == {1: "1", 2: "2", 3: "3"}


def test_a_large_fact_has_room(opened: Opening) -> None:
    topic, large = opened(), "x" * 3_000_000
    topic.fence()
    topic.append(1, large)
    assert opened().read().lines[1] == large


def test_the_next_writer_fences_the_one_before_and_has_all_its_lines(opened: Opening) -> None:
    first, second = opened(), opened()
    first.fence()
    first.claim(ANNA)
    first.append(1, "acknowledged, and never committed")
    second.fence()
    with pytest.raises(Fenced):
        first.append(2, "late")
    with pytest.raises(Fenced):
        first.claim(ANNA.done)
    second.append(2, "in time")
    assert dict(opened().read().lines) == {1: "acknowledged, and never committed", 2: "in time"}
    assert opened().read().holder == ANNA


def test_who_never_wrote_is_fenced_too(opened: Opening) -> None:
    first, second = opened(), opened()
    first.fence()
    second.fence()
    with pytest.raises(Fenced):
        first.append(1, "late")
    assert not opened().read().lines


@pytest.mark.kafka
def test_what_the_brokers_aborted_is_committed_by_the_next_writer(two) -> None:
    from kmigrate.adapters.ledger_topic import KafkaLedgerTopic

    with ExitStack() as stack:
        opened = on_kafka(two, stack)
        first, second = opened(), opened()
        assert isinstance(second, KafkaLedgerTopic)
        first.fence()
        first.append(1, "a")
        second.fence()
        assert dict(second._read(committed=True).lines) == {1: "a"}
