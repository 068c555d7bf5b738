"""Makes the shop's estate on an empty source: topics, rights, a first stock of orders, the first positions."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from kmigrate.errors import PlatformError, Transient
from kmigrate.lab.apps import fraud_check, order_service, search_indexer, storefront
from kmigrate.lab.apps.audit import now_ms
from kmigrate.lab.apps.records import Drafts
from kmigrate.lab.shop import CALL_S, TOPICS, grant, rights
from kmigrate.world import Reporter

PRELOAD = 60_000
PER_TRANSACTION = 2_000
ABORT_EVERY = 10


def create_estate(
    admin_config: Mapping[str, str], reporter: Reporter, *, replication: int = 1, preload: int = PRELOAD
) -> None:
    """Make topics, rights, a stock of orders and the first positions, as an estate has that has run for a while.

    `admin_config` signs in as somebody who may do anything (librdkafka's names). search-indexer stands at 0, the other
    readers of orders at the end. Twice equals once: an estate that is there is left alone. Raises PlatformError.
    """
    admin = AdminClient(dict(admin_config))
    if {topic.name for topic in TOPICS} <= set(admin.list_topics(timeout=CALL_S).topics):
        return
    try:
        _create_topics(admin, replication)
        grant(admin, rights())
        _stock(admin_config, reporter, preload)
        _first_positions(admin, admin_config)
    except KafkaException as failure:
        raise PlatformError(f"the estate could not be made: {failure}", hint="look at the source's log") from failure


def _create_topics(admin: AdminClient, replication: int) -> None:
    wanted = [
        NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=replication, config=dict(topic.config))
        for topic in TOPICS
    ]
    for future in admin.create_topics(wanted, operation_timeout=CALL_S, request_timeout=CALL_S).values():
        future.result()


def _stock(config: Mapping[str, str], reporter: Reporter, preload: int) -> None:
    producer = Producer(
        {
            **config,
            "transactional.id": "preload",
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "compression.type": "lz4",
        }
    )
    producer.init_transactions(CALL_S)
    drafts = Drafts(writer="preload", run=now_ms(), partitions=storefront.PARTITIONS)
    kept = transactions = 0
    while kept < preload:
        transactions += 1
        sent = _transaction(producer, drafts, min(PER_TRANSACTION, preload - kept))
        if transactions % ABORT_EVERY == 1:
            producer.abort_transaction(CALL_S)
            continue
        producer.commit_transaction(CALL_S)
        kept += sent
        reporter.progress("stocking orders", f"{kept:,} of {preload:,}")
    producer.close()


def _transaction(producer: Producer, drafts: Drafts, count: int) -> int:
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer.begin_transaction()
    sent = 0
    for draft in drafts.make(count, now_ms()):
        producer.produce(
            storefront.TOPIC,
            value=draft.value,
            key=draft.key,
            partition=draft.partition,
            timestamp=draft.timestamp,
            headers=draft.headers,
            on_delivery=delivered,
        )
        sent += 1
    if producer.flush(CALL_S) or failures:
        raise KafkaException(failures[0] if failures else KafkaError(KafkaError._TIMED_OUT))
    return sent


def _first_positions(admin: AdminClient, config: Mapping[str, str]) -> None:
    consumer = Consumer({**config, "group.id": "estate", "isolation.level": "read_committed"})
    orders = [KafkaPartition(storefront.TOPIC, number) for number in range(storefront.PARTITIONS)]
    ends = {entry.partition: consumer.get_watermark_offsets(entry, timeout=CALL_S)[1] for entry in orders}
    consumer.close()
    for reading in (order_service.READING, fraud_check.READING):
        _set_positions(admin, reading.group, ends)
    _set_positions(admin, search_indexer.READING.group, dict.fromkeys(ends, 0))


@retry(retry=retry_if_exception_type(Transient), stop=stop_after_delay(CALL_S), wait=wait_fixed(0.2), reraise=True)
def _set_positions(admin: AdminClient, group: str, positions: Mapping[int, int]) -> None:
    # The first commit on a cluster creates __consumer_offsets; until it is there the answer is an error per partition.
    wanted = [KafkaPartition(storefront.TOPIC, number, offset) for number, offset in positions.items()]
    request = [ConsumerGroupTopicPartitions(group, wanted)]
    (future,) = admin.alter_consumer_group_offsets(request, request_timeout=CALL_S).values()
    failed = [entry.error for entry in future.result().topic_partitions if entry.error]
    if failed:
        raise Transient(f"positions of {group} were not accepted: {failed[0]}")
