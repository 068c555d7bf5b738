"""Whether applications can do on the target what they will have to do there, tried with their own credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.errors import StillUnderWay, VerifyFailed
from kmigrate.manifests.users import fence_rules, principal_of, rights_asked, rights_of
from kmigrate.model import Application, Migration, Side, Trial
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, World

_DEADLINE_MS = 30_000
"""How long a right may take to reach every broker."""


def fenced(world: World, migration: Migration, app: Application) -> bool:
    """Whether one of the application's users is denied on the target to read with its groups or to write its topics."""
    fence = fence_rules(groups=[reads.group for reads in app.reads], topics=app.writes)
    keys = (Key("KafkaUser", migration.target.namespace, principal.target) for principal in app.principals)
    return any(
        not rights_asked(found.key.name, found.spec).isdisjoint(
            rights_of(principal_of(found.key.name, found.spec), fence)
        )
        for found in map(world.resources.get, keys)
        if found is not None
    )


def await_access(world: World, applications: Sequence[str]) -> Mapping[str, tuple[Trial, ...]]:
    """Try until nothing is refused, and return every trial by application; rights reach brokers one after the other.

    An application without a trial could not be tried. Raises VerifyFailed with each refusal after half a minute.
    """
    access = world.access(Side.TARGET)
    done: dict[str, tuple[Trial, ...]] = {}

    def look() -> Ready[Mapping[str, tuple[Trial, ...]]] | NotYet:
        for name in applications:
            if name not in done or not all(trial.ok for trial in done[name]):
                done[name] = access.try_out(name)
        refused = refusals(done)
        return NotYet("; ".join(refused)) if refused else Ready(done)

    try:
        return wait_until(
            look, what="access", clock=world.clock, reporter=world.reporter, deadline_ms=_DEADLINE_MS, every_ms=200
        )
    except StillUnderWay as late:
        refused = refusals(done)
        if not refused:  # the cluster did not answer at all
            raise
        raise VerifyFailed(
            f"applications cannot do on the target what they must: {'; '.join(refused)}",
            hint="look at the KafkaUser of each and at the listener's address, then run this again",
        ) from late


def refusals(tried: Mapping[str, Sequence[Trial]]) -> tuple[str, ...]:
    """What was refused, in words: application, subject, broker, answer."""
    return tuple(
        f"{name}: {trial.subject} at {trial.broker}: {trial.detail or 'refused'}"
        for name, trials in tried.items()
        for trial in trials
        if not trial.ok
    )
