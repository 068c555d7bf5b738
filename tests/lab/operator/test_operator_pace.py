"""A stand-in that takes its time: what an application waits for where the operator is busy."""

from __future__ import annotations

from dataclasses import replace

from operator_stage import FOREVER_MS, TARGET, Stage, annotated, told

from kmigrate.adapters.memory import MemoryClock
from kmigrate.lab.operator.loop import Operator
from kmigrate.manifests.kafka import kafka

REFUSED = [("NotReady", "True", "InvalidResourceException")]
PAUSED = [("ReconciliationPaused", "True", None)]
TAKES_MS = 5_000


def test_a_change_is_made_real_once_its_time_has_passed_and_each_change_takes_it(bare: Stage) -> None:
    clock = MemoryClock()
    bench = replace(bare.bench, clock=clock)
    operator = Operator(bare.store, bench, TARGET.namespace, interval_ms=FOREVER_MS, takes_ms=TAKES_MS)
    _, cluster = kafka(TARGET, brokers=1)

    def seen_in(ms: int) -> list[tuple[object, object, object]]:
        clock.now += ms
        operator.tick()
        return told(bare.seen("Kafka", TARGET.cluster))

    first = bare.store.apply(cluster)
    assert [seen_in(0), seen_in(TAKES_MS - 1), seen_in(1)] == [[], [], REFUSED]
    bare.store.apply(annotated(first, pause_reconciliation="true"))
    assert [seen_in(0), seen_in(TAKES_MS - 1), seen_in(1)] == [REFUSED, REFUSED, PAUSED]
