"""What the applications' users take over of the source's ACLs, and what is withheld from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmigrate.manifests.audit import OPERATIONS, RESOURCES, Verdict
from kmigrate.manifests.taken_over import left_out, plan_rules, rules_taken_over, taken_over, withheld_from
from kmigrate.manifests.users import Rule, rights_of
from kmigrate.model import Application, Auth, Migration, Principal, Reads, Right, SecretRef, Source, Target, granted

SECRET = SecretRef(env="S")


def application(name: str, reads: str = "", writes: str = "") -> Application:
    return Application(
        name=name,
        team="t",
        reads=(Reads(group=f"{name}-group", topics=(reads,)),) if reads else (),
        writes=(writes,) if writes else (),
        principals=(Principal(source=f"User:sa-{name}", target=name),),
        workloads=(),
    )


PLAN = Migration(
    name="m",
    source=Source(bootstrap="s:1", auth=Auth(type="plain", username="k", password=SECRET)),
    target=Target(platform="lab", store="store", namespace="kafka", cluster="c", listener="scram"),
    topics=("orders", "shipments"),
    applications=(
        application("shop", writes="orders"),
        application("index", "orders", "shipments"),
        application("other", "orders"),
    ),
    mirror_auth=Auth(type="plain", username="m", password=SECRET),
)


NOTHING: dict[str, tuple[Rule, ...]] = {"shop": (), "index": (), "other": ()}


def of(**changes: str) -> Right:
    return Right(
        **{"principal": "User:sa-index", "resource": "topic", "name": "orders", "operation": "Read", **changes}
    )


def only(right: Right) -> tuple[Verdict, tuple[str, ...], str]:
    (each,) = taken_over(PLAN, [right])
    return each.verdict, each.users, each.why


def test_what_the_plan_gives_anyway_adds_no_rule() -> None:
    listed = (of(), of(operation="Describe"), of(resource="group", name="index-group"))
    assert rules_taken_over(PLAN, listed) == NOTHING
    assert left_out(PLAN, listed) == {}


@pytest.mark.parametrize(
    "right",
    [
        of(operation="DescribeConfigs"),
        of(name="order", pattern="prefix"),
        of(operation="Delete", type="deny", name="*"),
        of(resource="group", name="ad-hoc-", pattern="prefix"),
        of(resource="cluster", name="kafka-cluster", operation="IdempotentWrite"),
        of(operation="Write", name="index-changelog"),
        of(operation="Write", name="index-", pattern="prefix"),
        of(resource="transactionalId", name="index-", pattern="prefix", operation="Write"),
    ],
)
def test_what_the_plan_does_not_speak_of_comes_along_denials_too(right: Right) -> None:
    name = "" if right.resource == "cluster" else right.name
    wanted = Rule(
        resource=right.resource, name=name, operations=(right.operation,), pattern=right.pattern, type=right.type
    )
    assert rules_taken_over(PLAN, [right]) == {**NOTHING, "index": (wanted,)}
    assert left_out(PLAN, [right]) == {}


@pytest.mark.parametrize(
    ("right", "why"),
    [
        (of(operation="Write"), "by it index could Write orders, and the plan does not say that it does"),
        (of(operation="All", name="ord", pattern="prefix"), "by it index could All orders"),
        (of(operation="Write", name="*"), "index could Write orders, kmigrate-"),
        (of(operation="Write", name="kmigrate-", pattern="prefix"), "index could Write kmigrate-"),
        (
            of(resource="transactionalId", name="*", operation="Write"),
            "could Write kmigrate-m, connect-cluster-kmigrate-forward, ",
        ),
        (of(resource="cluster", name="kafka-cluster", operation="Alter"), "lift fences"),
        (of(resource="cluster", name="kafka-cluster", operation="All"), "lift fences"),
        (of(operation="Write", name="mm2-", pattern="prefix"), "index could Write mm2-offset-syncs."),
        (of(operation="Delete", name="*"), "index could Delete orders, "),
        (of(operation="AlterConfigs"), "index could AlterConfigs orders"),
        (of(operation="All", name="kmigrate-forward-off", pattern="prefix"), "kmigrate-forward-offsets"),
        (of(resource="transactionalId", name="connect-", pattern="prefix", operation="Write"), "connect-cluster-"),
        (of(resource="transactionalId", name="kmigrate-forward-source-1", operation="Write"), "kmigrate-forward-"),
        (of(resource="transactionalId", name="kmigrate-", pattern="prefix", operation="All"), "kmigrate-forward-"),
        (of(resource="group", name="*"), "index could Read other-group, "),
        (of(resource="group", name="kmigrate-", pattern="prefix", operation="Delete"), "kmigrate-forward"),
        (of(type="deny"), "it denies index what it does by the plan: Read on topic orders"),
        (of(type="deny", operation="All", name="*"), "it denies index what it does by the plan"),
        (of(operation="Write", name="ship", pattern="prefix", type="deny"), "Write on topic shipments"),
        (of(resource="delegationToken", operation="Describe"), "no rules about delegationToken"),
        (of(type="deny", operation="Delete", host="10.1.2.3"), "clients at 10.1.2.3"),
    ],
)
def test_what_would_undo_a_rule_of_the_migration_is_withheld_with_the_reason(right: Right, why: str) -> None:
    assert rules_taken_over(PLAN, [right]) == NOTHING
    assert why in left_out(PLAN, [right])[right]
    assert only(right)[1] == ()


def test_our_own_fences_are_withheld_and_no_news() -> None:
    fences = (
        of(type="deny", resource="group", name="index-group"),
        of(type="deny", operation="Write", name="shipments"),
        of(type="deny", operation="Write", principal="User:sa-shop"),
        of(type="deny", operation="Write", principal="User:sa-shop", name="shipments"),
        of(type="deny", resource="group", name="index-group", principal="User:sa-other"),
    )
    assert rules_taken_over(PLAN, fences) == NOTHING
    assert left_out(PLAN, fences) == {}
    assert all(only(each)[0] is Verdict.WITHHELD for each in fences)


def test_what_everybody_may_comes_to_those_who_are_not_kept_from_it() -> None:
    verdict, users, why = only(of(principal="User:*", operation="Write"))
    assert (verdict, users) == (Verdict.TRANSLATED, ("shop",))
    assert "index could Write orders" in why
    assert only(of(principal="User:*", operation="DescribeConfigs"))[1] == ("index", "other", "shop")


def test_a_denial_of_everybody_that_somebody_does_not_get_is_told() -> None:
    right = of(principal="User:*", operation="Write", type="deny")
    assert only(right)[:2] == (Verdict.WITHHELD, ())
    assert "it denies shop what it does by the plan" in left_out(PLAN, [right])[right]
    prefixed = of(principal="User:*", operation="Write", name="ord", pattern="prefix", type="deny")
    assert only(prefixed)[1] == ("index", "other")
    assert "it denies shop" in left_out(PLAN, [prefixed])[prefixed]


def test_a_principal_that_is_two_users_there_gives_both_its_rights() -> None:
    apps = PLAN.applications
    both = replace(apps[2], principals=(Principal(source="User:sa-shop", target="other"),))
    plan = replace(PLAN, applications=(*apps[:2], both))
    right = of(principal="User:sa-shop", operation="Delete", name="*", type="deny")
    rules = rules_taken_over(plan, [right])
    assert rules["shop"] == rules["other"] != ()


def test_what_was_taken_over_once_is_kept_from_a_user_where_the_plan_says_something_else_by_now() -> None:
    write = Rule(resource="topic", name="pay", operations=("Write",), pattern="prefix")
    denied = Rule(resource="topic", name="events", operations=("Write",), type="deny")
    assert withheld_from(PLAN, {"index": (write, denied)}) == {"index": ()}
    later = replace(
        PLAN,
        topics=(*PLAN.topics, "payments", "events"),
        applications=(*PLAN.applications[:1], application("index", "orders", "events"), PLAN.applications[2]),
    )
    assert withheld_from(later, {"index": (write, denied)}) == {"index": (write, denied)}


def test_whom_the_plan_does_not_name_gives_nobody_anything() -> None:
    assert taken_over(PLAN, [of(principal="User:sa-odd"), of(principal="Group:admins")]) == ()


def test_two_applications_that_share_a_user_may_write_what_either_writes() -> None:
    shared = replace(PLAN.applications[1], principals=PLAN.applications[0].principals)
    plan = replace(PLAN, applications=(PLAN.applications[0], shared))
    right = of(principal="User:sa-shop", operation="Write", name="s", pattern="prefix")
    (rule,) = rules_taken_over(plan, [right])["shop"]
    assert rule.name == "s"


RIGHTS = st.builds(
    Right,
    principal=st.sampled_from(("User:sa-shop", "User:sa-index", "User:*", "User:odd")),
    resource=st.sampled_from(sorted(RESOURCES)),
    name=st.sampled_from(
        ("orders", "shipments", "o", "s", "*", "kmigrate-", "kmigrate-m", "index-group", "x", "kafka-cluster")
    ),
    operation=st.sampled_from(sorted(OPERATIONS)),
    type=st.sampled_from(("allow", "deny")),
    pattern=st.sampled_from(("literal", "prefix")),
)


@given(st.lists(RIGHTS, max_size=8))
def test_nobody_gets_to_write_what_others_write_and_everybody_can_do_what_the_plan_says(listed: list[Right]) -> None:
    rules, by_plan = rules_taken_over(PLAN, listed), plan_rules(PLAN)
    for app in PLAN.applications:
        (user,) = (principal.target for principal in app.principals)
        have = rights_of(f"User:{user}", (*by_plan[user], *rules[user]))
        needed = rights_of(f"User:{user}", by_plan[user])
        assert all(granted(right, have) for right in needed)
        for topic in (*PLAN.topics, "kmigrate-ledger-m"):
            may = granted(Right(principal=f"User:{user}", resource="topic", name=topic, operation="Write"), have)
            assert may == (topic in app.writes)
        cluster = Right(principal=f"User:{user}", resource="cluster", name="kafka-cluster", operation="Alter")
        assert not granted(cluster, have)


@given(st.lists(RIGHTS, max_size=8))
def test_each_acl_about_the_plans_is_told_once_and_no_denial_gets_lost_in_silence(listed: list[Right]) -> None:
    told = taken_over(PLAN, listed)
    about = {right for right in listed if right.principal != "User:odd"}
    assert [each.right for each in told] == sorted(about)
    rules, silent = rules_taken_over(PLAN, listed), left_out(PLAN, listed)
    for each in told:
        if each.right.type == "deny" and each.rule is not None:
            assert all(each.rule in rules[user] for user in each.users)
        elif each.right.type == "deny":
            fence = (each.right.resource, each.right.operation) in (("topic", "Write"), ("group", "Read"))
            assert each.right in silent or (fence and each.right.pattern == "literal")
        if each.kept_from and each.right.principal == "User:*":
            assert each.right in silent
