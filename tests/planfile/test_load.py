"""Plan files: the good one, and bad ones with line, what was found and the nearest valid name, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmigrate.errors import PlanFileError, UsageError
from kmigrate.model import Grade
from kmigrate.planfile import load

GOOD = """\
apiVersion: kmigrate/v1alpha1
kind: Migration
metadata: {name: shop}
source:
  bootstrapServers: source:9092
  auth: {type: plain, username: key, password: {env: CC_SECRET}}
target:
  platform: lab
  store: ../store
  kubernetes: {namespace: kafka}
  cluster: {name: shop, listener: {name: scram}}
topics: {include: [orders, shipments]}
applications:
  - name: ml-features
    reads:
      - {topics: [shipments], group: ml-features}
    principals: [{source: 'User:sa-1', target: ml-features}]
    workloads:
      - {kind: command, stop: [a], switch: [b], start: [c], healthy: [d]}
  - name: billing
    reads:
      - {topics: [shipments], group: billing, isolation: read_uncommitted}
    principals: [{source: 'User:sa-2', target: billing}]
mirror: {forward: {auth: {username: mirror, password: {file: mirror.secret}}}}
policy: {maxPause: 90s, minimumGrade: EXACT_PROVEN}
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(text)
    return file


def mistakes(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(PlanFileError) as caught:
        load(written(tmp_path, text))
    assert caught.value.exit_code == 2
    assert "nothing was touched" in caught.value.hint
    return caught.value.mistakes


def test_the_good_file_becomes_a_migration_with_paths_relative_to_it(tmp_path: Path) -> None:
    plan = load(written(tmp_path, GOOD))
    assert plan.name == "shop"
    assert [app.name for app in plan.applications] == ["ml-features", "billing"]
    assert plan.policy.max_pause_ms == 90_000
    assert plan.policy.minimum_grade is Grade.EXACT_PROVEN
    assert plan.mirror_auth.password.file == str(tmp_path / "mirror.secret")
    assert Path(plan.target.store) == tmp_path / "../store"
    assert Path(plan.journal) == tmp_path / ".kmigrate"


def test_anchors_and_aliases_work(tmp_path: Path) -> None:
    text = GOOD.replace("{type: plain, username: key,", "&login {type: plain, username: key,").replace(
        "{username: mirror, password: {file: mirror.secret}}", "*login"
    )
    assert load(written(tmp_path, text)).mirror_auth.username == "key"


BAD = {
    "wrong key with a near name": ("metadata: {name: shop}", "metadata: {nmae: shop}", 3, "did you mean name?"),
    "wrong key without one": ("kind: Migration", "kind: Migration\nzzz: 1", 3, "allowed here: "),
    "wrong key deep inside": ("isolation: read_u", "izolation: read_u", 22, "did you mean isolation?"),
    "wrong type": (
        "include: [orders, shipments]",
        "include: orders",
        12,
        "topics.include: expected a list, found 'orders'",
    ),
    "missing key": ("  platform: lab\n", "", 8, "target.platform is missing"),
    "wrong apiVersion": ("v1alpha1", "v9", 1, "kmigrate/v1alpha1"),
    "unknown topic with a near name": (
        "topics: [shipments], group: ml",
        "topics: [shipmets], group: ml",
        16,
        "did you mean shipments?",
    ),
    "duplicate application": ("- name: billing", "- name: ml-features", 20, "application ml-features stands twice"),
    "one group in two applications": ("group: billing", "group: ml-features", 22, "belongs to ml-features already"),
    "one group twice in one application": (
        "      - {topics: [shipments], group: ml-features}\n",
        "      - {topics: [shipments], group: ml-features}\n      - {topics: [orders], group: ml-features}\n",
        17,
        "group ml-features stands twice",
    ),
    "a topic twice": ("[orders, shipments]", "[orders, shipments, orders]", 12, "topic orders stands twice"),
    "a key twice": ("kind: Migration", "kind: Migration\nkind: Migration", 3, "'kind' stands twice"),
    "a number for a name": ("metadata: {name: shop}", "metadata: {name: 5}", 3, "metadata.name"),
    "a name Kubernetes refuses": ("metadata: {name: shop}", "metadata: {name: Shop_1}", 3, "metadata.name"),
    "an unknown grade": ("EXACT_PROVEN", "GUESSED", 25, "policy.minimumGrade"),
    "a time without unit": ("maxPause: 90s", "maxPause: '90'", 25, "policy.maxPause"),
    "no applications' principals": (
        "principals: [{source: 'User:sa-2', target: billing}]",
        "principals: []",
        23,
        "principals",
    ),
    "two places for one secret": (
        "{env: CC_SECRET}",
        "{env: CC_SECRET, file: x}",
        6,
        "exactly one of env, file, secret",
    ),
    "no place for a secret": ("{env: CC_SECRET}", "{}", 6, "exactly one of env, file, secret"),
    "an empty command": ("stop: [a]", "stop: []", 19, "stop"),
    "an unknown kind of workload": ("kind: command", "kind: Deployment", 19, "kind"),
    "no topics at all": ("include: [orders, shipments]", "include: []", 12, "topics.include"),
    "null where a mapping is due": ("topics: {include: [orders, shipments]}", "topics:", 12, "topics"),
}


@pytest.mark.parametrize("case", BAD, ids=list(BAD))
def test_a_mistake_is_told_with_its_line_and_what_is_allowed(case: str, tmp_path: Path) -> None:
    good, bad, line, told = BAD[case]
    assert GOOD.count(good) == 1
    found = mistakes(tmp_path, GOOD.replace(good, bad))
    assert any(text.startswith(f"line {line}: ") and told in text for text in found), found


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = GOOD
    cases = ("wrong key with a near name", "wrong apiVersion", "an unknown grade", "an empty command", "a key twice")
    for case in cases:
        text = text.replace(*BAD[case][:2], 1)
    assert len(mistakes(tmp_path, text)) >= len(cases)


def test_fifty_mistakes_are_fifty_lines(tmp_path: Path) -> None:
    text = GOOD + "".join(f"wrong{number}: 1\n" for number in range(50))
    assert len(mistakes(tmp_path, text)) == 50


def test_a_secret_written_in_clear_is_refused_and_never_shown(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError) as caught:
        load(written(tmp_path, GOOD.replace("{env: CC_SECRET}", "hunter2-in-clear")))
    assert "line 6: source.auth.password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1", "this is not YAML"),
        ("a: b: c", "this is not YAML"),
        ("\tx: 1", "this is not YAML"),
        ("a: !!python/object:os.system {}", "this is not YAML"),
        ("a: 2026-13-45", "this is not YAML"),
        ("a: " + "9" * 5_000, "this is not YAML"),
        ("&a [*a]", "this is no mapping"),
        ("--- 1\n--- 2", "this is not YAML"),
        ("", "the file is empty"),
        ("# nothing", "the file is empty"),
        ("- a\n- b", "this is no mapping"),
        ("42", "this is no mapping"),
        ("\x00", "this is not YAML"),
    ],
)
def test_what_is_no_plan_at_all_is_one_mistake_with_a_line(text: str, told: str, tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.startswith("line ")
    assert told in found


def test_aliases_that_multiply_are_read_in_no_time(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert len(mistakes(tmp_path, "\n".join(levels))) >= 30


@pytest.mark.parametrize("size", [1_000_001, 10_000_000])
def test_a_file_too_large_is_not_read(size: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than"):
        load(written(tmp_path, "#" * size))


def test_a_file_that_is_not_there_or_a_folder_or_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    for name in ("none.yaml", ".", "latin.yaml"):
        with pytest.raises(UsageError) as caught:
            load(tmp_path / name)
        assert "-f" in caught.value.hint


def test_the_mirror_back_has_a_credential_of_its_own_or_there_is_none(tmp_path: Path) -> None:
    assert load(written(tmp_path, GOOD)).reverse_auth is None
    back = "reverse: {auth: {username: back, password: {file: back.secret}}}}"
    auth = load(written(tmp_path, GOOD.replace("mirror.secret}}}}", f"mirror.secret}}}}}}, {back}"))).reverse_auth
    assert auth is not None
    assert (auth.type, auth.username, auth.password.file) == ("plain", "back", str(tmp_path / "back.secret"))


def test_who_signs_in_with_a_key_is_known_by_the_name_that_acls_have(tmp_path: Path) -> None:
    key = "reverse: {auth: {username: KEY, password: {file: back.secret}}"
    told = GOOD.replace(
        "mirror.secret}}}}", f"mirror.secret}}}}, principal: 'User:sa-91'}}, {key}, principal: 'User:sa-92'}}}}"
    )
    plan = load(written(tmp_path, told))
    assert plan.reverse_auth is not None
    assert (plan.mirror_auth.known_as, plan.reverse_auth.known_as) == ("User:sa-91", "User:sa-92")
    assert plan.reverse_auth.username == "KEY"
    plain = load(written(tmp_path, GOOD.replace("mirror.secret}}}}", f"mirror.secret}}}}}}, {key}}}}}"))).reverse_auth
    assert plain is not None
    assert plain.known_as == "User:KEY"
    assert "principal" not in repr(plain)
    assert "principal='User:sa-92'" in repr(plan.reverse_auth)


def test_a_plan_with_a_mirror_back_is_told_as_one_without(tmp_path: Path) -> None:
    """Units keep the digest of what they are told to be; older journals know no mirror back."""
    assert "reverse" not in repr(load(written(tmp_path, GOOD)))
