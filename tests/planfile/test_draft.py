"""A drafted plan loads as it stands, and names what was seen."""

from pathlib import Path

import pytest

from kmigrate.advice import Inventory, SeenGroup
from kmigrate.model import Group, GroupKind, GroupState, Migration, Partition, Right, Topic
from kmigrate.planfile import load
from kmigrate.planfile.draft import MARK, draft


def right(principal: str, resource: str, name: str, operation: str, pattern: str = "literal") -> Right:
    return Right(principal=principal, resource=resource, name=name, operation=operation, pattern=pattern)


def seen(name: str, *topics: str, kind: GroupKind = GroupKind.CLASSIC) -> SeenGroup:
    held = {Partition(topic, 0): 3 for topic in topics}
    return SeenGroup(group=Group(name=name, state=GroupState.STABLE, members=("m",), kind=kind), held=held)


RIGHTS = (
    right("User:Big App_1", "group", "billing-", "Read", "prefix"),
    right("User:Big App_1", "topic", "orders", "Read"),
    right("User:on", "topic", "orders", "Write"),
    right("User:kmigrate", "group", "Alone!", "Read"),
    right("User:second", "group", "billing-eu", "Read"),
    right("User:*", "topic", "*", "All"),
)
TOPICS = ("orders", "null", "st-x-changelog", "__consumer_offsets")
GROUPS = (
    seen("billing-eu", "orders"),
    seen("Alone!", "orders", "null"),
    seen("share", kind=GroupKind.SHARE),
    seen("st", "orders"),
)


def estate(rights: tuple[Right, ...] | None = RIGHTS) -> Inventory:
    return Inventory(
        cluster_id="abc",
        topics={name: Topic(name=name, partitions=1) for name in TOPICS},
        groups={each.group.name: each for each in GROUPS},
        rights=rights,
    )


def loaded(text: str, folder: Path) -> Migration:
    file = folder / "kmigrate.yaml"
    file.write_text(text)
    return load(file)


def test_a_draft_names_topics_and_an_application_per_principal(tmp_path: Path) -> None:
    plan = loaded(draft("host:9092", estate(), name="Shop", ours=["User:kmigrate"]), tmp_path)
    assert (plan.name, plan.source.bootstrap) == ("shop", "host:9092")
    assert plan.topics == ("null", "orders")
    told = {app.name: ([reads.group for reads in app.reads], list(app.writes)) for app in plan.applications}
    assert told == {"alone": (["Alone!"], []), "big-app-1": (["billing-eu"], []), "on": ([], ["orders"])}
    assert plan.application("alone").topics_read == ("null", "orders")
    assert plan.excludes("st-x-changelog")
    assert {(each.id, each.subject) for each in plan.accept} == {
        ("KM-GROUP-SHARE", "share"),
        ("KM-GROUP-STREAMS", "st"),
    }


def test_without_acls_every_group_becomes_an_application(tmp_path: Path) -> None:
    text = draft("host:9092", estate(rights=None))
    assert "not checked" in text
    assert [app.name for app in loaded(text, tmp_path).applications] == ["alone", "billing-eu"]


def test_a_draft_of_an_empty_cluster_loads_and_says_what_to_fill_in(tmp_path: Path) -> None:
    text = draft("host:9092", Inventory(cluster_id="abc", topics={}, groups={}, rights=()))
    assert loaded(text, tmp_path).topics == ("topic",)
    assert f"{MARK}: none was seen" in text


@pytest.mark.parametrize("what", ["workloads", "platform", "isolation"])
def test_what_a_human_must_decide_is_marked(what: str) -> None:
    assert any(MARK in line and what in line for line in draft("host:9092", estate()).splitlines())
