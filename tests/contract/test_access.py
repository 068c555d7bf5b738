"""What every Access promises (kmigrate.world): each credential, broker and subject is tried, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

import pytest
from memory_estate import migration
from stages import eventually

from kmigrate.adapters.memory import MemoryEstate
from kmigrate.manifests.users import Rule
from kmigrate.model import Application, Auth, Principal, Reads, Right, SecretRef, Side, Topic, Trial
from kmigrate.world import Access

AUTH = Auth(type="plain", username="reader", password=SecretRef(env="S"))
ALLOWED, STRANGER, UNKNOWN = "reader", "mirror", "unknown"


def application(name: str, *users: str, known: bool = True) -> Application:
    """Reads and writes what is called after it; the plan refers to its credentials, or does not."""
    auth = AUTH if known else None
    return Application(
        name="app",
        team="team",
        reads=(Reads(group=f"g-{name}", topics=(name,)),),
        writes=(name,),
        principals=tuple(Principal(source=f"User:{user}", target=user, source_auth=auth) for user in users),
        workloads=(),
    )


class Stage(Protocol):
    """A cluster with a user who may do everything, and one who may do nothing."""

    def access(self, app: Application) -> Access: ...

    def addresses(self) -> set[str]:
        """Where clients are told to ask, and what brokers advertise."""
        ...

    def topic(self, name: str) -> None: ...

    def deny(self, group: str) -> None: ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


class MemoryStage:
    """The source of an estate in memory."""

    def __init__(self) -> None:
        self.estate = MemoryEstate(migration())
        self.source = self.estate.clusters[Side.SOURCE]
        self.source.users |= {ALLOWED, STRANGER}
        self._add(
            *(Right(principal=f"User:{ALLOWED}", resource=r, name="*", operation="All") for r in ("topic", "group"))
        )
        self.estate.turn()

    def access(self, app: Application) -> Access:
        access = self.estate.access[Side.SOURCE]
        access.migration = replace(migration(), applications=(app,))
        return access

    def addresses(self) -> set[str]:
        return set(self.source.brokers())

    def topic(self, name: str) -> None:
        self.source.create(Topic(name=name, partitions=1))

    def deny(self, group: str) -> None:
        self._add(Right(principal=f"User:{ALLOWED}", resource="group", name=group, operation="Read", type="deny"))

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self.estate, what, holds)

    def _add(self, *rights: Right) -> None:
        self.source.acls.rules = self.source.acls.rules.union(rights)


class KafkaStage:
    """The source of the two clusters."""

    def __init__(self, two, stack: ExitStack) -> None:
        from two_clusters import MIRROR, READER

        assert (READER, MIRROR) == (ALLOWED, STRANGER)
        self._two, self._stack = two, stack
        self._connection = two.source.connection("source")

    def access(self, app: Application) -> Access:
        from kmigrate.adapters.access import SignedAccess
        from kmigrate.adapters.kafka import KafkaCluster

        users = [principal.target for principal in app.principals if principal.source_auth is not None]
        passwords, own = self._two.source.passwords, self._connection.login
        logins = tuple(replace(own, username=user, password=passwords.get(user, "wrong")) for user in users)
        cluster = KafkaCluster(self._connection)
        return SignedAccess(
            application=lambda _: app, brokers=cluster.brokers, logins=lambda _: logins, signed=self._signed
        )

    def _signed(self, auth: Auth):
        user = str(auth.username)
        return replace(self._connection.login, username=user, password=self._two.source.passwords.get(user, "wrong"))

    def addresses(self) -> set[str]:
        from kmigrate.adapters.kafka import KafkaCluster

        return {*self._connection.login.bootstrap.split(","), *KafkaCluster(self._connection).brokers()}

    def topic(self, name: str) -> None:
        self._two.source.topic(name, 1)

    def deny(self, group: str) -> None:
        from kmigrate.adapters.kafka import KafkaGroups

        KafkaGroups(self._connection).held([group])[group]  # a coordinator is there once somebody asked for one
        rules = (Rule(resource="group", name=group, operations=("Read",), type="deny"),)
        self._two.source.allow(ALLOWED, rules)
        self._stack.callback(self._two.source.withdraw, ALLOWED, rules)

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        self._two.until(what, holds)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "memory":
        yield MemoryStage()
        return
    with ExitStack() as stack:
        yield KafkaStage(request.getfixturevalue("two"), stack)


@pytest.fixture
def name(stage: Stage) -> str:
    made = f"t-{uuid4().hex[:8]}"
    stage.topic(made)
    return made


def told(trials: tuple[Trial, ...]) -> list[tuple[str, bool]]:
    return [(trial.subject, trial.ok) for trial in trials]


def test_who_may_do_everything_is_let_in_at_every_broker(stage: Stage, name: str) -> None:
    access = stage.access(application(name, ALLOWED))
    stage.eventually("allowed", lambda: all(trial.ok for trial in access.try_out("app")))
    trials = access.try_out("app")
    assert told(trials) == [(f"sign in as {ALLOWED}", True), (f"group g-{name}", True), (f"topic {name}", True)]
    assert all(trial.broker.rpartition(":")[2].isdecimal() and not trial.detail for trial in trials)


def test_who_may_do_nothing_signs_in_and_is_refused_with_a_reason(stage: Stage, name: str) -> None:
    trials = stage.access(application(name, STRANGER)).try_out("app")
    assert told(trials) == [(f"sign in as {STRANGER}", True), (f"group g-{name}", False), (f"topic {name}", False)]
    assert all(trial.detail for trial in trials if not trial.ok)


def test_a_wrong_credential_is_told_and_nothing_else_is_tried_with_it(stage: Stage, name: str) -> None:
    (trial,) = stage.access(application(name, UNKNOWN)).try_out("app")
    assert (trial.subject, trial.ok) == (f"sign in as {UNKNOWN}", False)
    assert UNKNOWN in trial.detail


def test_a_topic_that_is_not_there_is_refused(stage: Stage) -> None:
    trials = stage.access(application("nobody-made-this", ALLOWED)).try_out("app")
    assert [(subject, ok) for subject, ok in told(trials) if subject.startswith("topic")] == [
        ("topic nobody-made-this", False)
    ]


def test_a_group_that_is_denied_is_refused_and_the_topic_is_not(stage: Stage, name: str) -> None:
    access = stage.access(application(name, ALLOWED))
    stage.eventually("allowed", lambda: all(trial.ok for trial in access.try_out("app")))
    stage.deny(f"g-{name}")
    stage.eventually("denied", lambda: not all(trial.ok for trial in access.try_out("app")))
    assert told(access.try_out("app"))[1:] == [(f"group g-{name}", False), (f"topic {name}", True)]


def test_every_credential_of_the_application_is_tried(stage: Stage, name: str) -> None:
    trials = stage.access(application(name, ALLOWED, UNKNOWN)).try_out("app")
    assert [subject for subject, _ in told(trials) if subject.startswith("sign")] == [
        f"sign in as {ALLOWED}",
        f"sign in as {UNKNOWN}",
    ]


def test_without_a_credential_in_the_plan_nothing_is_tried(stage: Stage, name: str) -> None:
    assert stage.access(application(name, ALLOWED, known=False)).try_out("app") == ()


def test_a_credential_of_the_plan_signs_in_at_every_address_with_or_without_rights(stage: Stage) -> None:
    access = stage.access(application("any", ALLOWED))
    for user in (ALLOWED, STRANGER):
        trials = access.sign_in(replace(AUTH, username=user))
        assert {(trial.subject, trial.ok, trial.detail) for trial in trials} == {(f"sign in as {user}", True, "")}
        assert {trial.broker for trial in trials} == stage.addresses()
        assert len(trials) == len(stage.addresses())


def test_a_credential_that_is_not_let_in_is_told_with_its_name(stage: Stage) -> None:
    trials = stage.access(application("any", ALLOWED)).sign_in(replace(AUTH, username=UNKNOWN))
    assert trials
    assert not any(trial.ok for trial in trials)
    assert all(UNKNOWN in trial.detail for trial in trials)
