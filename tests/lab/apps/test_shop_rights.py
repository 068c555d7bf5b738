"""The estate's data: who may do what on the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmigrate.lab import shop
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.plan_file import plan_file
from kmigrate.manifests.rights import for_any_plan, needs
from kmigrate.planfile import load


@pytest.fixture
def granted(tmp_path: Path) -> tuple[shop.Right, ...]:
    """What the lab grants to kmigrate and its mirror for the plan that it writes."""
    folder = LabFolder(tmp_path)
    folder.extra.mkdir()
    (folder.extra / "kmigrate.yaml").write_text(plan_file(folder, "localhost:1", tmp_path / "ca.pem"))
    return shop.tool_rights(needs(load(folder.extra / "kmigrate.yaml")))


def test_every_application_has_a_principal_and_may_do_what_it_does() -> None:
    rows = {(right.principal, right.resource, right.name, right.operation) for right in shop.rights()}
    for app in shop.APPLICATIONS:
        assert app.principal in shop.PRINCIPALS
        for reads in app.reads:
            assert (app.principal, "group", reads.group, "read") in rows
            assert all((app.principal, "topic", topic, "read") in rows for topic in reads.topics)
        assert all((app.principal, "topic", topic, "write") in rows for topic in app.writes)


def test_nobody_but_the_writers_may_write_topics_and_kmigrate_may_end_their_transactions(
    granted: tuple[shop.Right, ...],
) -> None:
    writes = [right for right in (*shop.rights(), *granted) if right.operation == "write"]
    writers = {"sa-storefront", "sa-order-service"}
    assert {right.principal for right in writes if right.resource == "topic"} == writers
    ids = {(right.principal, right.name) for right in writes if right.resource == "transactional_id"}
    assert {principal for principal, _ in ids} == {*writers, shop.KMIGRATE}
    assert {name for principal, name in ids if principal == shop.KMIGRATE} == {"storefront-0", "order-service-0"}


def test_kmigrate_may_make_and_remove_no_topic_but_those_of_reverse_lanes(granted: tuple[shop.Right, ...]) -> None:
    made = {(r.principal, r.resource, r.name, r.prefix) for r in granted if r.operation in ("create", "delete")}
    assert made == {("sa-kmigrate", "topic", "kmigrate-reverse-offsets-", True)}


def test_what_an_empty_lab_grants_is_the_same_over_every_name(granted: tuple[shop.Right, ...]) -> None:
    wide = shop.tool_rights(for_any_plan(f"User:{shop.KMIGRATE}", f"User:{shop.MIRROR_FORWARD}"))
    brought_along = {("topic", "describe"), ("group", "describe")}
    kinds = {(right.principal, right.resource, right.operation, right.prefix) for right in granted}
    assert {(r.principal, r.resource, r.operation, r.prefix) for r in wide} == {
        kind for kind in kinds if kind[1:3] not in brought_along
    }
    assert {right.name for right in wide} == {"*", "kafka-cluster", "kmigrate-reverse-offsets-"}


def test_the_shop_has_every_kind_of_reader() -> None:
    isolations = {app.name: reads.isolation for app in shop.APPLICATIONS for reads in app.reads}
    assert isolations.pop("billing") == "read_uncommitted"
    assert set(isolations.values()) == {"read_committed"}
    assert all(topic.partitions >= 6 for topic in shop.TOPICS)
