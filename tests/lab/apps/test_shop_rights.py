"""The estate's data: who may do what on the source."""

from __future__ import annotations

from kmigrate.lab import shop


def test_every_application_has_a_principal_and_may_do_what_it_does() -> None:
    rows = {(right.principal, right.resource, right.name, right.operation) for right in shop.rights()}
    for app in shop.APPLICATIONS:
        assert app.principal in shop.PRINCIPALS
        for reads in app.reads:
            assert (app.principal, "group", reads.group, "read") in rows
            assert all((app.principal, "topic", topic, "read") in rows for topic in reads.topics)
        assert all((app.principal, "topic", topic, "write") in rows for topic in app.writes)


def test_nobody_but_the_writers_may_write_topics_and_kmigrate_may_end_their_transactions() -> None:
    writes = [right for right in shop.rights() if right.operation == "write"]
    writers = {"sa-storefront", "sa-order-service"}
    assert {right.principal for right in writes if right.resource == "topic"} == writers
    ids = {(right.principal, right.name) for right in writes if right.resource == "transactional_id"}
    assert {principal for principal, _ in ids} == {*writers, shop.KMIGRATE}
    assert {name for principal, name in ids if principal == shop.KMIGRATE} == {"storefront-0", "order-service-0"}


def test_kmigrate_may_make_and_remove_no_topic_but_those_of_reverse_lanes() -> None:
    made = {(r.principal, r.resource, r.name, r.prefix) for r in shop.rights() if r.operation in ("create", "delete")}
    assert made == {("sa-kmigrate", "topic", "kmigrate-reverse-offsets-", True)}


def test_the_shop_has_every_kind_of_reader() -> None:
    isolations = {app.name: reads.isolation for app in shop.APPLICATIONS for reads in app.reads}
    assert isolations.pop("billing") == "read_uncommitted"
    assert set(isolations.values()) == {"read_committed"}
    assert all(topic.partitions >= 6 for topic in shop.TOPICS)
