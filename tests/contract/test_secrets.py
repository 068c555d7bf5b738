"""What every Secrets promises (kmigrate.world): copies by reference, and nothing stored of what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_estate import migration

from kmigrate.adapters.memory import MemoryClock, MemoryEstate, MemoryStore
from kmigrate.adapters.secrets import SecretReader
from kmigrate.errors import UsageError
from kmigrate.model import SecretRef
from kmigrate.world import Secrets

ONE, OTHER, EMPTY = SecretRef(env="ONE"), SecretRef(env="OTHER"), SecretRef(env="EMPTY")


@pytest.fixture(params=["memory", "reader"])
def secrets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    if request.param == "memory":
        kept = MemoryEstate(migration()).secrets
        kept.empty.add(EMPTY)
        return kept
    monkeypatch.setenv("ONE", "first")
    monkeypatch.setenv("OTHER", "second")
    monkeypatch.delenv("EMPTY", raising=False)
    return SecretReader(MemoryStore(MemoryClock()), "kafka")


def test_nothing_is_there_before_it_was_stored(secrets: Secrets) -> None:
    assert not secrets.exists("login")
    assert not secrets.stored("login", "password", ONE)
    secrets.remove("login")


def test_what_was_stored_is_there_under_its_key_and_is_what_the_reference_points_to(secrets: Secrets) -> None:
    secrets.store("login", "password", ONE)
    assert secrets.exists("login")
    assert secrets.stored("login", "password", ONE)
    assert not secrets.stored("login", "password", OTHER)
    assert not secrets.stored("login", "other", ONE)
    assert not secrets.exists("other")


def test_a_newer_secret_replaces_the_older_and_twice_equals_once(secrets: Secrets) -> None:
    for reference in (ONE, OTHER, OTHER):
        secrets.store("login", "password", reference)
    assert secrets.stored("login", "password", OTHER)
    assert not secrets.stored("login", "password", ONE)


def test_a_removed_secret_is_gone_and_others_stay(secrets: Secrets) -> None:
    secrets.store("login", "password", ONE)
    secrets.store("other", "password", ONE)
    secrets.remove("login")
    assert not secrets.exists("login")
    assert secrets.exists("other")
    secrets.remove("login")


def test_a_reference_may_point_to_a_secret_that_is_stored(secrets: Secrets) -> None:
    secrets.store("login", "password", ONE)
    reference = SecretRef(name="login", key="password")
    secrets.store("copy", "key", reference)
    assert secrets.stored("copy", "key", ONE)


@pytest.mark.parametrize("reference", [EMPTY, SecretRef(name="login", key="password")])
def test_a_reference_to_nothing_is_told_by_name_and_nothing_is_stored(secrets: Secrets, reference: SecretRef) -> None:
    for asked in (
        lambda: secrets.store("copy", "key", reference),
        lambda: secrets.stored("copy", "key", reference),
    ):
        with pytest.raises(UsageError) as told:
            asked()
        assert str(reference) in told.value.message
    assert not secrets.exists("copy")


def test_a_file_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("first\n")
    store = MemoryStore(MemoryClock())
    SecretReader(store, "kafka").store("login", "password", SecretRef(file=str(tmp_path / "secret")))
    assert [secret.data for secret in store.list("Secret", "kafka")] == [{"password": "first"}]
