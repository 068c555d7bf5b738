"""A right in Kubernetes that kmigrate does not have stops a named step, by verb, resource and namespace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pytest
from law_watch import estate_of
from laws import BEFORE, Walk
from writers_move import PLAN

from kmigrate.adapters.kubernetes.kinds import kind_of
from kmigrate.adapters.kubernetes.refusals import Subject, refused
from kmigrate.adapters.memory import MemoryStore, MemoryWorld
from kmigrate.engine import run_unit, undo_unit
from kmigrate.errors import KmigrateError
from kmigrate.manifests.roles import Grant, grants
from kmigrate.model import JsonObject, Side
from kmigrate.world import Event, Fence, Key, Resource, ResourceStore, Secrets

FORBIDDEN = 403
READER, WRITER = "fraud", "checkout"
BACK = (f"rollback {WRITER}", f"rollback {READER}", "undo rehearse", "undo replicate", "undo provision")
COMMANDS = (*BEFORE, f"cutover {READER}", f"cutover {WRITER}", *BACK)


@dataclass(frozen=True)
class Guard:
    """A store that refuses one thing, as an API server with RBAC does; its operator is somebody else."""

    store: MemoryStore
    taken: tuple[str, str]

    def apply(self, body: JsonObject) -> Resource:
        key = _key(body)
        there = self.store.get(key)
        if there is None:
            self._ask("create", key)
        if there is None or self.store.preview(body) != there:
            self._ask("patch", key)
        return self.store.apply(body)

    def preview(self, body: JsonObject) -> Resource:
        return self.store.preview(body)

    def get(self, key: Key) -> Resource | None:
        self._ask("get", key)
        return self.store.get(key)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        self._ask("list", Key(kind, namespace, ""))
        return self.store.list(kind, namespace)

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        self._ask("list", Key(kind, "", ""))
        return self.store.everywhere(kind)

    @property
    def place(self) -> str:
        return self.store.place

    def lacking(self, wanted: Iterable[Grant]) -> tuple[Grant, ...]:
        verb, plural = self.taken
        return tuple(replace(each, verbs=(verb,)) for each in wanted if each.resource == plural and verb in each.verbs)

    def delete(self, key: Key) -> bool:
        self._ask("delete", key)
        return self.store.delete(key)

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        raise AssertionError(f"{key}: only operators write a status, not {status}")

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        return self.store.watch(kinds, namespace, timeout_ms)

    def _ask(self, verb: str, key: Key) -> None:
        kind = kind_of(key.kind)
        if (verb, kind.plural) == self.taken:
            where = f' in the namespace "{key.namespace}"' if key.namespace else ""
            told = f'User "kmigrate" cannot {verb} resource "{kind.plural}" in API group "{kind.group}"{where}'
            subject = Subject(kind=kind, namespace=key.namespace, name=key.name)
            raise refused(subject, FORBIDDEN, json.dumps({"message": told}))


def _key(body: JsonObject) -> Key:
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    return Key(str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))


def without(taken: tuple[str, str]) -> type[MemoryWorld]:
    """The world as it is seen without that right."""

    class Guarded(MemoryWorld):
        __slots__ = ()

        @property
        def resources(self) -> ResourceStore:
            return Guard(self.estate.store, taken)

        @property
        def secrets(self) -> Secrets:
            return replace(self.estate.secrets, store_of=self.resources)

        def fence(self, side: Side) -> Fence:
            fence = self.estate.fences[side]
            return replace(fence, store=self.resources) if side is Side.TARGET else fence

    return Guarded


def type_as(world: type[MemoryWorld], walk: Walk, command: str) -> None:
    """What the command line does; `undo` is of a phase."""
    journal = walk.journal()
    verb, _, name = command.partition(" ")
    unit, undo = (walk.plan.phase(name).unit, True) if verb == "undo" else walk.unit(command, journal)
    assert unit is not None
    (undo_unit if undo else run_unit)(unit, world(walk.estate), journal)


@pytest.fixture(scope="module")
def lives() -> dict[str, Walk]:
    """The estate as it is before each command."""
    walk, found = Walk(estate_of(PLAN)), dict[str, Walk]()
    for command in COMMANDS:
        found[command] = walk.copy()
        type_as(MemoryWorld, walk, command)
        walk.rest()
    return found


RIGHTS = tuple(sorted({(verb, each.resource) for each in grants(PLAN) if not each.anew for verb in each.verbs}))


@pytest.mark.parametrize("taken", RIGHTS, ids=" ".join)
def test_each_right_that_is_missing_stops_a_named_step(taken: tuple[str, str], lives: dict[str, Walk]) -> None:
    verb, plural = taken
    group = next(each.group for each in grants(PLAN) if each.resource == plural)
    asked = f"may not {verb} {plural}{f'.{group}' if group else ''} in namespace kafka"
    errors = list(_errors(taken, lives))
    assert errors, "no command needs it"
    for unit, error in errors:
        assert asked in error.message, (unit, error.message)
        assert error.where.startswith(unit), (unit, error.where)
        assert "#" not in unit or error.where.endswith(", ready"), "an application stands still already"
        assert f"resources: [{plural}]" in error.hint
        assert f"verbs: [{verb}]" in error.hint


def _errors(taken: tuple[str, str], lives: dict[str, Walk]) -> Iterator[tuple[str, KmigrateError]]:
    """What the commands end with, each with the unit that it was about."""
    for command, life in lives.items():
        try:
            type_as(without(taken), life.copy(), command)
        except KmigrateError as error:
            verb, _, name = command.partition(" ")
            yield name if verb == "undo" else f"{verb}/{name}#" if name else verb, error


def test_with_all_of_them_nothing_is_refused(lives: dict[str, Walk]) -> None:
    assert list(_errors(("none", "none"), lives)) == []


def test_a_phase_is_stopped_by_no_right_that_it_is_not_said_to_need(lives: dict[str, Walk]) -> None:
    """A Role for some phases alone is enough for these."""
    for command in BEFORE:
        told = {(verb, each.resource) for each in grants(PLAN, [command]) for verb in each.verbs}
        for taken in sorted(set(RIGHTS) - told):
            type_as(without(taken), lives[command].copy(), command)
