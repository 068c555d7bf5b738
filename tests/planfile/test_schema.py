"""The keys of a plan file, what becomes of them, and the schema that is published."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from kmigrate.errors import PlanFileError
from kmigrate.model import Accepted, CommandWorkload, ManualWorkload, Migration
from kmigrate.planfile import load, plan_schema

BAD = Path(__file__).parent / "bad"
GOOD = (BAD / "54-accepted-id-unknown.yaml").read_text().replace("KM-TOPIC-UNSUED", "KM-TOPIC-UNUSED")
SHAPES = {"wrong-key", "text-for", "number-for", "mapping-for", "unknown-grade", "time-", "too-few", "key-missing"}


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD)
    return load(file)


def test_what_is_left_out_set_otherwise_and_accepted(migration: Migration) -> None:
    assert migration.topics == ("orders", "shipments", "payments")
    assert migration.excludes("tmp-1")
    assert not migration.excludes("x-tmp-1")
    assert migration.overrides == {"orders": {"retention.ms": "604800000"}}
    assert migration.accept == (
        Accepted(id="KM-TOPIC-UNUSED", subject="payments", reason="nobody reads it since March"),
    )
    assert migration.lanes == 8


def test_a_name_that_is_left_out_is_no_pattern(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD.replace("{pattern: 'tmp-.*'}", "a.b"))
    plan = load(file)
    assert (plan.excludes("a.b"), plan.excludes("axb")) == (True, False)


def test_settings_are_written_as_kafka_spells_them(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD.replace("{retention.ms: 604800000}", "{a: true, b: 0.5, c: text, d: -1}"))
    assert load(file).overrides == {"orders": {"a": "true", "b": "0.5", "c": "text", "d": "-1"}}


def test_policy(migration: Migration, tmp_path: Path) -> None:
    assert (migration.policy.turn_back, migration.policy.soak_ms) == (True, 600_000)
    file = tmp_path / "other.yaml"
    file.write_text(GOOD.replace("turn-back", "hold").replace("soak: 10m", "soak: 500ms"))
    policy = load(file).policy
    assert (policy.turn_back, policy.soak_ms) == (False, 500)


def test_what_an_application_is(migration: Migration) -> None:
    reader, writer = migration.applications
    assert (reader.reads[0].session_timeout_ms, reader.reads[0].may_stay) == (45_000, False)
    assert writer.reads[0].session_timeout_ms == 0
    assert writer.transactional_ids == ("order-service-0",)
    assert writer.workloads == (ManualWorkload(note="call web"),)
    assert reader.workloads == (CommandWorkload(stop=("a",), switch=("b",), start=("c",), healthy=("d",)),)


def test_who_may_stay(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD.replace("mayStay: false", "mayStay: true"))
    assert load(file).applications[0].reads[0].may_stay


def test_references_are_looked_up_only_when_asked_and_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CC_KEY", "CC_SECRET", "MM_KEY", "MM_SECRET"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD)
    load(file)
    with pytest.raises(PlanFileError) as caught:
        load(file, look_up=True)
    told = "\n".join(caught.value.mistakes)
    assert sorted(re.findall("variable (.*) is not set", told)) == ["CC_KEY", "CC_SECRET", "MM_KEY", "MM_SECRET"]


def test_shape_and_contradiction_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD.replace("team: web", "team: 7").replace("group: order-service", "group: ml-features"))
    with pytest.raises(PlanFileError) as caught:
        load(file)
    assert len(caught.value.mistakes) == 2


def test_more_mistakes_than_anybody_reads_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(GOOD + "".join(f"key{number}: 1\n" for number in range(250)))
    with pytest.raises(PlanFileError, match="and 50 more") as caught:
        load(file)
    assert len(caught.value.mistakes) == 201


# ---- the published schema ----


def test_it_is_a_schema_and_takes_the_good_file() -> None:
    schema = plan_schema()
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(yaml.safe_load(GOOD))) == []
    assert "Part" not in str(schema)


def test_what_is_always_refused_is_not_in_the_schema() -> None:
    plan = yaml.safe_load(GOOD)
    plan["topics"]["include"].append({"pattern": "pay.*"})
    assert list(Draft202012Validator(plan_schema()).iter_errors(plan))


def test_a_credential_on_the_source_is_told_to_be_for_the_fence_too() -> None:
    told = json.dumps(plan_schema())
    assert "only to come back" not in told
    assert "try that a fence holds" in told


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(BAD.glob("*.yaml")) if any(shape in file.name for shape in SHAPES)],
    ids=lambda file: file.stem,
)
def test_it_refuses_files_of_another_shape(file: Path) -> None:
    assert list(Draft202012Validator(plan_schema()).iter_errors(yaml.safe_load(file.read_text())))
