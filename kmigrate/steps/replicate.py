"""replicate: the forward lanes run, and everything up to now stands on the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.model import Auth, Json, JsonObject, Lane, Migration, Partition, SecretRef, Side
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.drain import await_copies, still_copied
from kmigrate.probes.resources import await_ready
from kmigrate.steps.provision import MIRROR_USER
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.world import World

_SOURCE_LOGIN = "kmigrate-mirror-source"
_SOURCE_CA = "kmigrate-source-ca"
_CAUGHT_UP = "caught_up"
_READY_MS = 300_000
_CATCH_UP_MS = 24 * 3_600_000


@dataclass(frozen=True, kw_only=True)
class StoreLogins(Step):
    """The mirror's credential for the source, and the authority it trusts, as Secrets beside the mirror."""

    name: ClassVar[str] = "store-logins"
    title: ClassVar[str] = "Give the mirror its credential for the source"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: Secrets that do not hold what the plan refers to."""
        lacking = [name for name, key, ref in self._wanted() if not world.secrets.stored(name, key, ref)]
        return Finding(
            changes=tuple(Change(action=Action.CREATE, subject=f"Secret {name}") for name in lacking),
            before={"absent": [name for name in lacking if not world.secrets.exists(name)]},
        )

    def apply(self, world: World) -> None:
        """Copy them."""
        for name, key, reference in self._wanted():
            world.secrets.store(name, key, reference)

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove those that were not there. One that held an older credential keeps the newer."""
        absent = before.get("absent")
        for name in absent if isinstance(absent, list | tuple) else ():
            world.secrets.remove(str(name))

    def _wanted(self) -> tuple[tuple[str, str, SecretRef], ...]:
        ca = self.migration.source.ca
        login = (_SOURCE_LOGIN, "password", self.migration.mirror_auth.password)
        return (login, (_SOURCE_CA, "ca.crt", SecretRef(file=ca))) if ca else (login,)


@dataclass(frozen=True, kw_only=True)
class StartMirror(Step):
    """The KafkaMirrorMaker2 with every forward lane, running without a failed task."""

    name: ClassVar[str] = "start-mirror"
    title: ClassVar[str] = "Start the mirror"

    migration: Migration
    mirror_login: str

    def check(self, world: World) -> Finding:
        """Missing while it is not stored as wanted or not Ready; raises Blocked when a task has FAILED."""
        finding = find(world, self._wanted())
        trouble = [] if finding.changes else [t for lane in self._lanes() for t in world.mirror.trouble(lane)]
        if trouble:
            raise Blocked(
                f"the mirror is Ready, and yet: {'; '.join(trouble)}", hint="mend what it names, then run this again"
            )
        return finding

    def apply(self, world: World) -> None:
        """Apply it and wait until it is Ready at its generation."""
        apply_all(world, self._wanted())
        await_ready(world, self._wanted(), what="mirror", deadline_ms=_READY_MS)

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove it, or put back what was there."""
        restore(world, before)

    def _lanes(self) -> tuple[Lane, ...]:
        return forward_lanes(self.migration)

    def _wanted(self) -> tuple[JsonObject, ...]:
        source, target = self.migration.source, self.migration.target
        reads = Endpoint(
            bootstrap=source.bootstrap,
            mechanism="plain",
            username=self.mirror_login,
            password=(_SOURCE_LOGIN, "password"),
            ca=(_SOURCE_CA, "ca.crt") if source.ca else None,
        )
        writes = Endpoint(
            bootstrap=bootstrap(target),
            mechanism="scram-sha-512",
            username=MIRROR_USER,
            password=(MIRROR_USER, "password"),
            ca=(ca_secret(target), "ca.crt"),
        )
        return (mirror_maker(FORWARD, self._lanes(), target, reads_from=reads, writes_to=writes),)


@dataclass(frozen=True, kw_only=True)
class CatchUp(Step):
    """Everything that stood on the source when this step began stands on the target."""

    name: ClassVar[str] = "catch-up"
    title: ClassVar[str] = "Wait until the mirror has caught up"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing until each lane has copied the last record of every partition written down for it."""
        late = [f"lane {lane.name}" for lane in forward_lanes(self.migration) if self._late(world, lane)]
        return Finding(changes=tuple(Change(action=Action.WAIT, subject=name) for name in late))

    def apply(self, world: World) -> None:
        """Take the ends of now as the bound and wait until the last record before each stands on the target."""
        for lane in forward_lanes(self.migration):
            if not self._late(world, lane):
                continue
            topics = world.cluster(Side.SOURCE).topics(lane.topics)
            partitions = [p for topic in topics.values() for p in topic.all()]
            bounds = {p: log.end for p, log in world.cluster(Side.SOURCE).ranges(partitions).items()}
            seen = await_copies(
                world, Side.SOURCE, bounds, lane, what=f"catching up {lane.name}", deadline_ms=_CATCH_UP_MS
            )
            world.ledger.put(f"{_CAUGHT_UP}/{lane.name}", {str(p): offset for p, offset in sorted(seen.last.items())})

    def verify(self, world: World) -> Json:
        """How many partitions were compared at their ends."""
        super().verify(world)
        return {lane.name: len(self._bounds(world, lane) or {}) for lane in forward_lanes(self.migration)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed: the mirror goes with the step before."""

    def _late(self, world: World, lane: Lane) -> bool:
        bounds = self._bounds(world, lane)
        return bounds is None or bool(still_copied(world, bounds, lane))

    def _bounds(self, world: World, lane: Lane) -> dict[Partition, int] | None:
        fact = world.ledger.get(f"{_CAUGHT_UP}/{lane.name}")
        return {Partition.parse(p): int(str(x)) for p, x in fact.items()} if isinstance(fact, dict) else None


def login_name(auth: Auth) -> str:
    """The user name of a credential where the plan writes it out; the mirror's resource needs it in clear."""
    if isinstance(auth.username, str):
        return auth.username
    raise Blocked(
        "the mirror's user name must be written in the plan file: the KafkaMirrorMaker2 holds it in clear",
        hint="set mirror.forward.auth.username to the API key itself; its secret stays a reference",
    )
