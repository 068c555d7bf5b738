"""Each red flag flies where it should, and only there; accept takes it off by id and subject."""

from dataclasses import replace

import pytest
from estates import RIGHTS, SECRET, application, group, inventory, migration, right

from kmigrate.advice import ABORTED_AHEAD, BORNE, FLAG_IDS, FOREIGN_WRITE, LANE_SHARED, Inventory, Judged, judge
from kmigrate.manifests.lanes import topics_by_lane
from kmigrate.manifests.taken_over import left_out
from kmigrate.model import (
    Accepted,
    Auth,
    ClusterSpec,
    GroupKind,
    Listener,
    ListenerKind,
    ManualWorkload,
    Migration,
    Storage,
    Topic,
)
from kmigrate.waves import crowded

KNOWN = frozenset({"retention.ms", "cleanup.policy", "delete.retention.ms", "message.timestamp.type"})
CALM = (migration(), inventory())
SHORT = {"cleanup.policy": "compact", "delete.retention.ms": "3600000"}

GHOST = ("orders", "ghost")
DENIED = replace(right("User:sa-reader", "topic", "o", "Delete", "prefix"), type="deny")


def accepting_topics(accepts: dict[str, str]) -> Inventory:
    return replace(inventory(), topics={"orders": Topic(name="orders", partitions=2, accepts=accepts)})


def listening(kind: ListenerKind) -> Migration:
    asked = ClusterSpec(brokers=1, storage=Storage(size="1Gi"), listener=Listener(name="clients", kind=kind, port=9095))
    return replace(migration(), target=replace(migration().target, spec=asked))


def writing(*names: str) -> Migration:
    """A move that writes `orders`, in one lane with the other topics."""
    app = replace(application(writes=("orders",)), workloads=(ManualWorkload(note="n"),))
    plan = replace(migration(app, topics=names), lane_topics=(names,))
    return replace(plan, reverse_auth=Auth(type="plain", username="back", password=SECRET))


BLOCKS: dict[str, tuple[str, Migration, Inventory]] = {
    "KM-TOPIC-UNASSIGNED": ("stray", migration(), inventory(topics={"stray": {}})),
    "KM-TOPIC-MISSING": (
        "ghost",
        migration(application(topics=("orders", "ghost")), topics=("orders", "ghost")),
        inventory(),
    ),
    "KM-GROUP-UNASSIGNED": ("who", migration(), inventory(groups=(group("who", "orders"),))),
    "KM-GROUP-SHARE": ("share", migration(), inventory(groups=(group("share", kind=GroupKind.SHARE, members=("m",)),))),
    "KM-GROUP-STREAMS": ("st", migration(), inventory(groups=(group("st", "orders", kind=GroupKind.STREAMS),))),
    "KM-GROUP-CONNECT": ("connect-s3", migration(), inventory(groups=(group("connect-s3", "orders"),))),
    "KM-GROUP-HOLDS-MORE": (
        "reader",
        migration(topics=("orders",), exclude=("other",)),
        inventory(topics={"other": {}}, groups=(group("reader", "orders", "other"),)),
    ),
    "KM-PRINCIPAL-UNASSIGNED": (
        "User:odd",
        migration(),
        inventory(rights=(*RIGHTS, right("User:odd", "topic", "orders", "Write"))),
    ),
    "KM-ACL-UNREADABLE": ("acls", migration(), inventory(rights=None)),
    "KM-ACL-NOT-CARRIED": (
        "User:sa-reader deny Delete topic o… from 10.1.2.3",
        migration(),
        inventory(rights=(*RIGHTS, replace(DENIED, host="10.1.2.3"))),
    ),
    "KM-WRITE-EVERYBODY": (
        "orders",
        replace(
            migration(application(writes=("orders",))),
            reverse_auth=Auth(type="plain", username="back", password=SECRET),
            accept=(Accepted(id="KM-PRINCIPAL-UNASSIGNED", subject="User:*", reason="r"),),
        ),
        inventory(rights=(*RIGHTS, right("User:*", "topic", "ord", "Write", "prefix"))),
    ),
    "KM-TOPIC-ACCEPTS-MORE": (
        "orders",
        replace(
            migration(application(writes=("orders",))),
            reverse_auth=Auth(type="plain", username="back", password=SECRET),
        ),
        accepting_topics({"message.timestamp.before.max.ms": "86400000", "max.message.bytes": "5"}),
    ),
    "KM-LANE-SHARED": (
        "reader",
        replace(
            writing("orders", "other"), accept=(Accepted(id="KM-TOPIC-UNUSED", subject="other", reason="nobody's"),)
        ),
        inventory(topics={"other": {}}),
    ),
    "KM-NOT-ALL-SEEN": (
        "groups",
        migration(),
        inventory(rights=tuple(r for r in RIGHTS if (r.resource, r.name) != ("group", "*"))),
    ),
    "KM-WRITE-UNDECLARED": (
        "orders",
        replace(
            migration(application(writes=("orders",)), application("other", topics=())),
            reverse_auth=Auth(type="plain", username="back", password=SECRET),
        ),
        inventory(rights=(*RIGHTS, right("User:sa-other", "topic", "*", "Write"))),
    ),
}
WARNS: dict[str, tuple[str, Migration, Inventory]] = {
    "KM-TOPIC-UNUSED": ("idle", migration(topics=("orders", "idle")), inventory(topics={"idle": {}})),
    "KM-TOPIC-COMPACT-SHORT-DELETE-RETENTION": ("orders", migration(), inventory(topics={"orders": SHORT})),
    "KM-TOPIC-LOGAPPENDTIME": (
        "orders",
        migration(),
        inventory(topics={"orders": {"message.timestamp.type": "LogAppendTime"}}),
    ),
    "KM-TOPIC-SETTING-DROPPED": ("orders", migration(), inventory(topics={"orders": {"confluent.x": "1"}})),
    "KM-READ-UNCOMMITTED": ("reader", migration(application(isolation="read_uncommitted")), inventory()),
    "KM-GROUP-NO-POSITION": ("reader", migration(), inventory(groups=(group("reader", "orders", partitions=1),))),
    "KM-TRANSACTIONAL-ID-UNDECLARED": (
        "reader-0",
        migration(),
        inventory(rights=(*RIGHTS, right("User:sa-reader", "transactionalId", "reader-0", "Write"))),
    ),
    "KM-LISTENER-DEPRECATED": ("clients", listening("ingress"), inventory()),
    "KM-LISTENER-UNVERIFIED": ("clients", listening("nodeport"), inventory()),
    "KM-WRITER-STAYS": ("reader", migration(application(writes=("orders",))), inventory()),
}
CASES = {**BLOCKS, **WARNS}


def accepting(plan: Migration, id_: str, subject: str) -> Migration:
    return replace(plan, accept=(*plan.accept, Accepted(id=id_, subject=subject, reason="r")))


def told(plan: Migration, seen: Inventory) -> list[tuple[str, str]]:
    return [(flag.id, flag.subject) for flag in judged_of(plan, seen).flags]


def judged_of(plan: Migration, seen: Inventory) -> Judged:
    """As it is judged on the way to `assess`, but for the rights that are left out: the test after this tells those."""
    denials = {right: why for right, why in left_out(plan, seen.rights or ()).items() if right.type == "deny"}
    crowd = crowded(plan.applications, topics_by_lane(plan), way_back=plan.way_back)
    return judge(plan, seen, KNOWN, denials, crowd)


def test_a_right_that_is_left_out_warns_and_a_denial_blocks() -> None:
    rule = right("User:sa-reader", "topic", "orders", "Write")
    judged = judge(migration(), inventory(), KNOWN, {rule: "w", DENIED: "d"}, {})
    assert [flag.subject for flag in judged.warning] == ["User:sa-reader allow Write topic orders"]
    assert [flag.subject for flag in judged.blocking] == ["User:sa-reader deny Delete topic o…"]
    assert all(flag.id == "KM-ACL-NOT-CARRIED" for flag in judged.flags)


def test_a_calm_estate_has_no_red_flag() -> None:
    assert told(*CALM) == []


def test_every_flag_that_a_plan_may_accept_has_a_case_here() -> None:
    assert set(CASES) == FLAG_IDS - BORNE


def test_what_is_seen_on_the_target_only_is_accepted_for_readers_of_uncommitted_records() -> None:
    rash = migration(application(isolation="read_uncommitted"))
    assert told(accepting(rash, ABORTED_AHEAD, "reader"), inventory()) == [("KM-READ-UNCOMMITTED", "reader")]
    assert told(accepting(migration(), ABORTED_AHEAD, "reader"), inventory()) == [("KM-ACCEPT-UNMATCHED", "reader")]


def test_what_is_seen_after_a_hand_over_only_is_accepted_for_topics_that_can_change_their_owner() -> None:
    writes = replace(migration(), applications=(replace(application(), writes=("orders",)),))
    (stays,) = judge(accepting(writes, FOREIGN_WRITE, "orders"), inventory(), KNOWN, {}, {}).flags
    assert stays.id == "KM-WRITER-STAYS"
    assert told(accepting(migration(), FOREIGN_WRITE, "orders"), inventory()) == [("KM-ACCEPT-UNMATCHED", "orders")]


@pytest.mark.parametrize("name", CASES)
def test_a_flag_flies_alone_over_its_subject_with_a_way_out(name: str) -> None:
    subject, plan, seen = CASES[name]
    assert told(plan, seen) == [(name, subject)]
    (flag,) = judged_of(plan, seen).flags
    assert flag.what
    assert flag.way_out


@pytest.mark.parametrize("name", CASES)
def test_only_what_leaves_something_undecided_blocks(name: str) -> None:
    judged = judged_of(*CASES[name][1:])
    assert [flag.id for flag in judged.blocking] == ([name] if name in BLOCKS else [])


@pytest.mark.parametrize("name", CASES)
def test_accept_takes_a_flag_off_and_keeps_it_told(name: str) -> None:
    subject, plan, seen = CASES[name]
    judged = judged_of(accepting(plan, name, subject), seen)
    assert judged.flags == ()
    before = [(each.id, each.subject) for each in plan.accept]
    assert [(flag.id, flag.subject) for flag in judged.accepted] == [*before, (name, subject)]


@pytest.mark.parametrize("name", CASES)
def test_accept_of_another_subject_takes_nothing_off_and_is_told(name: str) -> None:
    subject, plan, seen = CASES[name]
    flags = told(accepting(plan, name, "another"), seen)
    assert (name, subject) in flags
    assert ("KM-ACCEPT-UNMATCHED", "another") in flags


def test_not_all_is_seen_where_own_acls_leave_something_out_and_nothing_is_said_where_there_are_none() -> None:
    narrow = [replace(each, name="orders") if each.resource == "topic" else each for each in RIGHTS]
    assert told(migration(), inventory(rights=tuple(narrow))) == [("KM-NOT-ALL-SEEN", "topics")]
    others = tuple(each for each in RIGHTS if each.principal != "User:kmigrate")
    assert told(migration(), inventory(rights=others)) == []


def test_excluded_topics_are_left_and_so_are_the_groups_that_hold_nothing_else() -> None:
    seen = inventory(topics={"tmp-1": {}}, groups=(group("t", "tmp-1"),))
    assert told(migration(exclude=("tmp-.*",)), seen) == []
    both = inventory(topics={"tmp-1": {}}, groups=(group("t", "tmp-1", "orders"),))
    assert told(migration(exclude=("tmp-.*",)), both) == [("KM-GROUP-UNASSIGNED", "t")]


def test_a_group_without_members_and_positions_is_nobodys() -> None:
    assert told(migration(), inventory(groups=(group("gone"),))) == []


@pytest.mark.parametrize(
    ("name", "pattern", "ids", "told_of"),
    [
        ("reader-0", "literal", ("reader-0",), None),
        ("reader-", "prefix", ("reader-0",), None),
        ("*", "literal", ("reader-0",), None),
        ("reader-", "prefix", ("writer-0",), "reader-*"),
        ("reader-1", "literal", ("reader-0",), "reader-1"),
        ("*", "literal", (), "*"),
    ],
)
def test_an_id_is_declared_where_one_that_the_acl_covers_is(
    name: str, pattern: str, ids: tuple[str, ...], told_of: str | None
) -> None:
    rule = right("User:sa-reader", "transactionalId", name, "Write", pattern)
    plan = migration(replace(application(), transactional_ids=ids))
    wanted = [("KM-TRANSACTIONAL-ID-UNDECLARED", told_of)] if told_of else []
    assert told(plan, inventory(rights=(*RIGHTS, rule))) == wanted


def test_ids_of_whom_the_plan_does_not_know_and_rights_to_look_are_no_such_flag() -> None:
    some = (
        right("User:kmigrate", "transactionalId", "any", "Write"),
        right("User:sa-reader", "transactionalId", "any", "Describe"),
    )
    assert told(migration(), inventory(rights=(*RIGHTS, *some))) == []


def test_what_everybody_may_write_matters_where_a_topic_changes_its_owner() -> None:
    _, plan, _ = CASES["KM-WRITE-EVERYBODY"]
    for rule, flies in (
        (right("User:*", "topic", "*", "All"), True),
        (right("User:*", "topic", "orders", "Write"), True),
        (right("User:*", "topic", "orders", "Read"), False),
        (right("User:*", "topic", "other", "Write"), False),
    ):
        found = told(plan, inventory(rights=(*RIGHTS, rule)))
        assert found == ([("KM-WRITE-EVERYBODY", "orders")] if flies else [])
    stays = replace(plan, reverse_auth=None)
    assert [name for name, _ in told(stays, CASES["KM-WRITE-EVERYBODY"][2])] == ["KM-WRITER-STAYS"]


def test_kafkas_own_topics_and_ours_need_no_decision() -> None:
    assert told(migration(), inventory(topics={"__x": {}, "_confluent-y": {}, "kmigrate-reverse-offsets": {}})) == []


def test_a_classic_group_with_changelogs_is_kafka_streams() -> None:
    seen = inventory(topics={"st-store-changelog": {}}, groups=(group("st", "orders"),))
    assert told(migration(exclude=(".*-changelog",)), seen) == [("KM-GROUP-STREAMS", "st")]


def test_the_facts_for_the_ledger_name_what_was_seen_and_change_with_it() -> None:
    facts = inventory().facts()
    assert facts["topics"] == {"orders": 2}
    assert facts["groups"] == ["reader"]
    assert facts["digest"] != inventory(topics={"stray": {}}).facts()["digest"]
    assert inventory(rights=None).facts()["principals"] is None


def test_who_is_denied_to_write_is_no_forgotten_writer() -> None:
    _, plan, seen = CASES["KM-WRITE-UNDECLARED"]
    denied = replace(right("User:sa-other", "topic", "orders", "Write"), type="deny")
    assert told(plan, replace(seen, rights=(*(seen.rights or ()), denied))) == []


def test_a_topic_accepts_more_on_the_target_only_where_the_source_sets_a_bound_or_the_plan_lifts_one() -> None:
    _, plan, _ = CASES["KM-TOPIC-ACCEPTS-MORE"]
    forever = "9223372036854775807"
    calm = {"message.timestamp.before.max.ms": forever, "message.timestamp.after.max.ms": "5", "max.message.bytes": "5"}
    assert told(plan, accepting_topics(calm)) == []
    for name in ("max.message.bytes", "message.timestamp.after.max.ms"):
        lifted = replace(plan, overrides={"orders": {name: "6"}})
        assert told(lifted, accepting_topics(calm)) == [("KM-TOPIC-ACCEPTS-MORE", "orders")]
        assert told(replace(plan, overrides={"orders": {name: "4"}}), accepting_topics(calm)) == []


def test_the_flag_of_a_shared_lane_says_how_many_there_must_be_and_flies_for_nobody_who_stays() -> None:
    plan = writing("orders", "other")
    (flag,) = (flag for flag in judged_of(plan, inventory(topics={"other": {}})).flags if flag.id == LANE_SHARED)
    assert "shares a lane with other" in flag.what
    assert "there must be 2 lanes" in flag.what
    assert "kmigrate rollback --to assess" in flag.way_out
    alone = replace(plan, lane_topics=(("orders",), ("other",)))
    without = replace(plan, reverse_auth=None)
    assert LANE_SHARED not in {
        id_ for each in (alone, without) for id_, _ in told(each, inventory(topics={"other": {}}))
    }
