"""The shop under the least rights; each that is taken away stops a named step with the command that grants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from super_user import super_user
from two_clusters import Figures

from kmigrate.cli import migrate, rollback
from kmigrate.cli.session import bind, session
from kmigrate.engine import run_step
from kmigrate.engine.rollback import naming
from kmigrate.errors import KmigrateError
from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.operator.admin import Acl, ClusterAdmin
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.manifests.granting import commands
from kmigrate.manifests.internal import ledger_id, ledger_name
from kmigrate.manifests.lanes import FORWARD, REVERSE
from kmigrate.manifests.rights import KMIGRATE, MIRROR, MIRROR_BACK, Need, needs
from kmigrate.model import Json, Migration, Right, Side
from kmigrate.planfile import load
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.wiring import folder_store
from kmigrate.world import Key, Reporter, Resource

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

APP = "ml-features"
CUTOVER = {"phase": "cutover", "app": APP}
_LANE = re.compile(r"\b(lane|source)-[0-9]+")
"""What is called after a lane; one of them stands for the others."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A lab, its plan, a super user of the source, and what is still to be taken away."""

    lab: LabFolder
    plan: Path
    migration: Migration
    admin: ClusterAdmin
    todo: list[Need]
    found: list[str] = field(default_factory=list)

    def take_each(
        self,
        phase: str,
        attempt: Callable[[Need], KmigrateError | None],
        *,
        which: Callable[[Need], bool] = lambda need: True,
        undo: Callable[[], KmigrateError | None] = lambda: None,
    ) -> None:
        """Take each right of the phase away by itself; what stops nothing is undone, and stays for a later phase."""
        for need in [each for each in self.todo if phase in each.phases and which(each)]:
            with self.without(need):
                error = attempt(need)
            if error is None:
                assert undo() is None
                continue
            self.todo.remove(need)
            self.found.append(stopped(self.migration, need, error))

    def need(self, name: str, operation: str) -> Need:
        (found,) = [each for each in self.todo if (each.right.name, each.right.operation) == (name, operation)]
        return found

    @contextmanager
    def without(self, need: Need) -> Iterator[None]:
        """While the block runs nobody gives that right: the ACL is gone, or the rule of the KafkaUser."""
        if need.side is Side.TARGET:
            with self._without_rule(need.right):
                yield
            return
        acl = acl_of(need.right)
        assert not self.admin.remove_acls([acl])
        try:
            yield
        finally:
            assert not self.admin.add_acls([acl])

    @contextmanager
    def _without_rule(self, right: Right) -> Iterator[None]:
        key = Key("KafkaUser", "kafka", right.principal.removeprefix("User:"))
        whole = folder_store(self.lab.store).get(key)
        assert whole is not None
        acls = whole.spec["authorization"]["acls"]
        fewer = [each for rule in acls for each in less(rule, right)]
        assert fewer != list(acls), f"{right} is no rule of {key}"
        self._put(whole, fewer)
        try:
            yield
        finally:
            self._put(whole, acls)

    def _put(self, user: Resource, acls: Sequence[Json]) -> None:
        store = folder_store(self.lab.store)
        made = store.apply(
            {
                "apiVersion": user.body["apiVersion"],
                "kind": "KafkaUser",
                "metadata": {"name": user.key.name, "namespace": user.key.namespace},
                "spec": {**user.spec, "authorization": {"type": "simple", "acls": acls}},
            }
        )

        def look() -> Ready[None] | NotYet:
            found = store.get(user.key)
            seen = found.status.get("observedGeneration") if found else None
            return Ready(None) if seen == made.generation else NotYet("not reconciled yet")

        wait_until(look, what=user.key.name, clock=LabClock(), reporter=Reporter(), deadline_ms=60_000)

    def apply(self, **words: str) -> KmigrateError | None:
        """What stopped the command, or nothing."""
        return caught(lambda: migrate.apply(self.plan, yes=True, **words))

    def rollback(self) -> KmigrateError | None:
        return caught(lambda: rollback.rollback(self.plan, app=APP, yes=True))

    def walk(self, phase: str, *, until: str = "", but: str = "") -> KmigrateError | None:
        """Every step of the phase (of the move, up to one) checked, applied and verified anew, and nothing sealed."""
        return caught(lambda: self._walk(phase, until, but))

    def _walk(self, phase: str, until: str, but: str) -> None:
        with session(self.plan, as_json=False, read_only=False, quiet=True) as s:
            unit = migrate.unit_to_apply(s, phase, APP if phase == "cutover" else "")
            assert unit is not None
            bind(s, read_only=False)
            migrate.approve(s, unit)
            world = s.world.bound(s.journal.ledger(unit.name, unit.fingerprint))
            for step in (each for each in unit.steps if each.name != but):
                with naming(unit, step):
                    if until:
                        run_step(step, unit, world, s.journal)
                    else:
                        if step.check(world).changes:
                            step.apply(world)
                        step.verify(world)
                if step.name == until:
                    return


def caught(command: Callable[[], None]) -> KmigrateError | None:
    try:
        command()
    except KmigrateError as error:
        return error
    return None


def less(rule: Mapping[str, Json], right: Right) -> Iterator[Mapping[str, Json]]:
    """The rule without the operation; nothing once it has none left."""
    place = rule["resource"]
    same = (place["type"], place.get("name", "kafka-cluster")) == (right.resource, right.name)
    operations = [each for each in rule["operations"] if not (same and each == right.operation)]
    if operations:
        yield {**rule, "operations": operations}


def acl_of(right: Right) -> Acl:
    return Acl(
        principal=right.principal,
        resource=right.resource,
        name=right.name,
        pattern=right.pattern,
        operation=right.operation,
        host="*",
        allow=True,
    )


def stopped(migration: Migration, need: Need, error: KmigrateError) -> str:
    """One line of what came of it: the step that stopped must be named, and the command told that grants the right."""
    told = f"{need.side} {need.who}: {need.right.operation} on {need.right.resource} {need.right.name}: {error.where}"
    complaint = f"{told}\n{type(error).__name__}: {error.message}\n→ {error.hint}"
    assert error.where, complaint
    assert commands(migration, [need])[-1] in f"{error.message}\n{error.hint}", complaint
    return told


def one_of_each(migration: Migration) -> list[Need]:
    """Every right; of topics, groups and ids of the plan, and of what each lane has for itself, one each."""
    alike = names_of(migration)
    kept: dict[tuple[Side, str, str, str, str], Need] = {}
    for need in needs(migration):
        right = need.right
        name = "" if right.name in alike else _LANE.sub(r"\1", right.name)
        kept[need.side, need.who, right.resource, name, right.operation] = need
    return [each for each in kept.values() if each.right.resource != "group" or each.right.name not in alike]


def names_of(migration: Migration) -> set[str]:
    """Names of which one stands for the others; the group that moves stands for itself."""
    groups = {reads.group for app in migration.applications for reads in app.reads} - {APP}
    ids = {name for app in migration.applications for name in app.transactional_ids}
    return {*migration.topics, *groups, *ids}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = LabFolder(tmp_path_factory.mktemp("least") / "lab")
    with compose.lab(folder, brokers=1, empty=False, reporter=Reporter()):
        plan = folder.extra / "kmigrate.yaml"
        plan.write_text(plan.read_text().replace("soak: 5s", "soak: 1s"))
        migration = load(plan)
        yield Shop(lab=folder, plan=plan, migration=migration, admin=super_user(folder), todo=one_of_each(migration))


def test_the_lab_grants_exactly_the_least_rights(shop: Shop) -> None:
    wanted = {acl_of(need.right) for need in needs(shop.migration) if need.side is Side.SOURCE and not need.made}
    ours = {acl.principal for acl in wanted}
    assert {acl for acl in shop.admin.acls() if acl.principal in ours} == wanted


@pytest.mark.parametrize("phase", ["assess", "provision", "replicate", "rehearse"])
def test_a_phase_stops_without_a_right_that_it_needs_and_is_done_with_all_of_them(shop: Shop, phase: str) -> None:
    if phase == "provision":
        # its topic is looked at when it is made, by a user that is there by then
        ledger = shop.need(ledger_name(shop.migration.name), "DescribeConfigs")
        assert shop.walk(phase, until="create-users") is None
        shop.take_each(phase, lambda _: shop.walk(phase, but="create-users"), which=lambda need: need == ledger)
        # the step that makes the users gives a right back that one of them lacks, so it is left out for the target's
        # (as does the step that grants the mirror back its rights on the source)
        shop.take_each(phase, lambda _: shop.walk(phase), which=lambda n: (n.side, n.who) == (Side.SOURCE, KMIGRATE))
        assert shop.walk(phase) is None
        shop.take_each(phase, lambda _: shop.walk(phase, but="create-users"))
    else:
        if phase == "replicate":  # the first line of the journal that cannot be copied stops it
            ledger = (ledger_name(shop.migration.name), ledger_id(shop.migration.name))
            shop.take_each(phase, lambda _: shop.apply(phase=phase), which=lambda need: need.right.name in ledger)
            for mirror in (MIRROR, MIRROR_BACK):  # neither has begun yet: a task that FAILED would stay so
                shop.take_each(phase, lambda _: shop.walk(phase), which=lambda need, who=mirror: need.who == who)
                assert not [need for need in shop.todo if need.who == mirror and phase in need.phases]
        shop.take_each(phase, lambda _: shop.walk(phase))
    assert shop.apply(phase=phase) is None


def test_no_move_begins_without_the_right_to_end_transactions(shop: Shop) -> None:
    owner = {name: app.name for app in shop.migration.applications for name in app.transactional_ids}
    ids = [need for need in shop.todo if need.right.name in owner]
    assert {need.side for need in ids} == set(Side)
    shop.take_each("cutover", lambda n: shop.apply(phase="cutover", app=owner[n.right.name]), which=ids.__contains__)
    assert not [need for need in shop.todo if need.right.name in owner]


def test_a_move_stops_without_a_right_that_it_needs_forth_and_back(shop: Shop) -> None:
    assert shop.walk("cutover", until="carry-positions") is None
    shop.take_each("cutover", lambda _: shop.rollback(), which=lambda n: n.right.operation == "Delete")
    assert shop.rollback() is None
    shop.take_each("cutover", lambda _: shop.apply(**CUTOVER), which=_ours, undo=shop.rollback)
    assert shop.apply(**CUTOVER) is None
    shop.take_each("rollback", lambda _: shop.rollback(), which=_ours, undo=lambda: shop.apply(**CUTOVER))
    assert shop.rollback() is None


def _ours(need: Need) -> bool:
    """Not what the mirror back is granted only once a topic changed its owner."""
    return need.who == KMIGRATE


def test_there_is_no_right_without_which_nothing_stops(shop: Shop, figures: Figures) -> None:
    """But for three that only the moves of applications that write need, which are not walked here."""
    figures(**{"taken away": len(shop.found), "stopped": "\n        ".join(["", *shop.found])})
    left = {(need.side, need.who, need.right.operation, need.right.name) for need in shop.todo}
    assert left == {
        (Side.SOURCE, KMIGRATE, "Read", REVERSE.all_connector_offsets),
        (Side.SOURCE, MIRROR_BACK, "Write", max(shop.migration.topics)),
        (Side.TARGET, KMIGRATE, "Read", FORWARD.status),
    }
