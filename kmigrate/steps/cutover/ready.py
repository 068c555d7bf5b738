"""ready: look before anything is stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.mirror import STOPPED
from kmigrate.manifests.roles import grants
from kmigrate.model import Application, Json, JsonObject, Lane, Migration, Side, Trial
from kmigrate.plan import Finding
from kmigrate.probes.groups import positions_held
from kmigrate.probes.inventory import drift
from kmigrate.probes.lacking import refuse_forbidden, refuse_lacking
from kmigrate.probes.lanes import GETS_UP
from kmigrate.probes.ownership import SEAMS, in_force, owners, read_seams
from kmigrate.probes.pauses import SHORTEN, predict, too_long
from kmigrate.probes.translation import translator
from kmigrate.probes.uncommitted import passed
from kmigrate.steps.cutover.behind import await_close_behind, refuse_started
from kmigrate.steps.cutover.fences import denials
from kmigrate.steps.cutover.left_there import refuse_read_since
from kmigrate.steps.cutover.move import CLOCK_STARTED, MoveStep, left_behind
from kmigrate.steps.lanes import asked_state, lane_state
from kmigrate.steps.logins import secret_of
from kmigrate.waves import knots, sharers
from kmigrate.world import World


@dataclass(frozen=True, kw_only=True)
class Ready(MoveStep):
    """Both sides hold the topics alike, every group has a position to carry, the mirror is well and close behind."""

    name: ClassVar[str] = "ready"
    title: ClassVar[str] = "Look at both sides, the mirror and the positions"
    looks_only: ClassVar[bool] = True

    migration: Migration | None = field(default=None, repr=False)
    """Kept out of the fingerprint: what else the plan file says may change while this move is under way."""

    def check(self, world: World) -> Finding:
        """Change nothing, ever; raises Blocked with what stands in the way."""
        if not self.app.workloads:
            raise Blocked(
                f"{self.app.name} names no workloads, so nobody could stop and start it",
                hint=f"add workloads to {self.app.name} in the plan file",
            )
        if world.ledger.get(CLOCK_STARTED) is None:
            self._can_be_handled(world)
        self._look(world)
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do: this step only looks."""

    def verify(self, world: World) -> Json:
        """What was looked at; right before anything is stopped the mirror has copied all that was there."""
        trials = self._look(world)
        why = self._needs_a_human()
        if why:
            world.reporter.note(why)
        if self.migration is not None and world.ledger.get(CLOCK_STARTED) is None:
            await_close_behind(world, self, self.migration)
        return {
            "groups": [reads.group for reads in self.app.reads],
            "topics": sorted({*self.app.topics_read, *self.app.writes}),
            "tried": [f"{trial.subject} at {trial.broker}" for trial in trials],
            "way back": why or "open",
        }

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _look(self, world: World) -> tuple[Trial, ...]:
        """Raise Blocked with what stands in the way; gives what was tried. While clients stand still it is brief."""
        self._topics_alike(world)
        self._mirror_may(world)
        self._mirror_well(world)
        if self.migration is not None and world.ledger.get(CLOCK_STARTED) is None:
            refuse_started(world, self, self.migration)
        self._owned_here(world)
        self._spares_ours()
        left_behind(world, self.leaving, self.app, stable=False)
        if world.ledger.get(CLOCK_STARTED) is not None:
            return ()
        self.pointed_to(world)
        self._may_change(world)
        for side in Side:
            world.fence(side).allowed()
            if self.app.transactional_ids:
                world.transactions(side).allowed(self.app.transactional_ids)
        self._fits(world)
        self._undecided(world)
        refuse_read_since(world, self)
        self._readers_first(world)
        self._translatable(world)
        self._warm(world)
        return (*self._lets_in(world), *self._mirror_signs_in(world))

    def _can_be_handled(self, world: World) -> None:
        """A program that is not there would be missed only once the application stands still."""
        missing = world.workload(*self.app.members).look().missing
        if missing:
            raise Blocked("; ".join(missing), hint=f"correct the workloads of {self.app.name} in the plan file")

    def _fits(self, world: World) -> None:
        """A static member that stops stays in its group until its session times out; that is part of the pause."""
        longest = max((reads.session_timeout_ms for reads in self.app.reads), default=0)
        if longest >= self.left_ms(world):
            raise Blocked(
                f"{self.app.name} would stand still for {longest / 1000:g} s until its session times out, and with the "
                f"way back that does not fit into maxPause ({self.policy.max_pause_ms / 1000:g} s)",
                hint="shorten session.timeout.ms of its static members, or raise policy.maxPause",
            )
        seen = predict(world.ledger, self.app, self.leaving, self.policy)
        # the way back is never refused for a prediction: it may be what is left
        if self.leaving is Side.SOURCE and not seen.fits(self.policy):
            raise Blocked(too_long(self.app.name, seen, self.policy), hint=SHORTEN)

    @property
    def _copying(self) -> tuple[Lane, ...]:
        """The lanes that copy what is left behind."""
        # a reader's way back needs no mirror, and a broken mirror is a reason to go back
        reading = self.lanes if self.leaving is Side.SOURCE else ()
        return tuple(dict.fromkeys((*reading, *self.writing_lanes(self.leaving))))

    def _mirror_may(self, world: World) -> None:
        """By the ACLs, on either side, there and back: some rights are missed by no task, or only once it starts."""
        if self.migration is not None and world.ledger.get(CLOCK_STARTED) is None:
            target = self.migration.target
            # what stands still is armed, allowed and started by the drain: a move was cut short before its turn-mirror
            copying = [lane for lane in self._copying if asked_state(world, target, lane) != STOPPED]
            refuse_lacking(world, self.migration, (*copying, *self.writing_lanes(self.entering)))

    def _may_change(self, world: World) -> None:
        """What is forbidden in Kubernetes would be met in the middle, while the application stands still."""
        if self.migration is not None:
            refuse_forbidden(world, grants(self.migration, ["cutover"]))

    def _mirror_well(self, world: World) -> None:
        # from the seam on what copied to the side entered stands still, and the hand-over sees to that
        over = self.writing_lanes(self.leaving) if read_seams(world.ledger.get(SEAMS)) else ()
        lanes = [lane for lane in self._copying if lane not in over and self._looked_at(world, lane)]
        trouble = [told for lane in lanes for told in world.mirror.trouble(lane)]
        if trouble:
            raise Blocked(f"the mirror is not well: {'; '.join(trouble)}", hint=GETS_UP)

    def _looked_at(self, world: World, lane: Lane) -> bool:
        """Until its operator has looked at the last change nothing is known of a lane; its drain waits for that."""
        if self.migration is None or set(self.app.writes).isdisjoint(lane.topics):
            return True
        return bool(lane_state(world, self.migration.target, lane).told)

    def _owned_here(self, world: World) -> None:
        """What the move writes is written on the side left, in lanes of its own, and the way back has its mirror."""
        owner = owners(world, self.app.writes)
        elsewhere = sorted(topic for topic, side in owner.items() if side is not self.leaving)
        if elsewhere and not read_seams(world.ledger.get(SEAMS)):
            raise Blocked(
                f"{', '.join(elsewhere)} is written on the {self.entering} already",
                hint="look at kmigrate history: which move handed it over, and was it taken back?",
            )
        others = sharers(tuple(lane.topics for lane in self.lanes), self.app.writes)
        if others:
            raise Blocked(
                f"{', '.join(self.app.writes)} share a lane with {', '.join(others)}, which would stand still too",
                hint="lanes are fixed once topics are made: kmigrate rollback --to assess takes every move and what "
                "was made back, then raise mirror.lanes in the plan file",
            )
        waiting = [lane for lane in self.writing_lanes(self.entering) if self._looked_at(world, lane)]
        trouble = [told for lane in waiting for told in world.mirror.trouble(lane)]
        if trouble:
            raise Blocked(
                f"the mirror of the way back is not well: {'; '.join(trouble)}",
                hint="run `kmigrate apply --phase replicate` again; it makes what is missing",
            )

    def _readers_first(self, world: World) -> None:
        """Who reads what the move writes goes no later, but by name (`mayStay`), or where each waits for the other."""
        apps = self.migration.applications if self.migration is not None and self.leaving is Side.SOURCE else ()
        circle = {
            n for knot in knots(apps) if any(self.app.name == m.name for m in knot) for m in knot for n in m.names
        }
        behind = [
            f"{app.name} reads {', '.join(sorted(left))}"
            for app in apps
            if app.name not in {*self.app.members, *circle}
            and (left := {t for r in app.reads if not r.may_stay for t in r.topics} & set(self.app.writes))
            and self._is_here(world, app)
        ]
        if behind:
            raise Blocked(
                f"{self.app.name} would leave readers behind: {'; '.join(behind)}",
                hint="move them first, or say mayStay: true at their reads: then the mirror back feeds them",
            )

    def _is_here(self, world: World, app: Application) -> bool:
        if not app.workloads:
            return True
        return world.side_of(world.workload(app.name).look().bootstrap) is not self.entering

    def _undecided(self, world: World) -> None:
        """What came to the source since it was assessed."""
        new = drift(world, self.migration) if self.migration is not None and self.leaving is Side.SOURCE else ()
        if new:
            told = "\n".join(("not all on the source is decided on:", *new))
            raise Blocked(told, hint="decide on it in the plan file, then look at it with kmigrate plan")

    def _spares_ours(self) -> None:
        caught = sorted({denial.principal for side in Side for denial in denials(side, self.app)} & set(self.ours))
        if caught:
            raise Blocked(
                f"{self.app.name} signs in as {', '.join(caught)}, which kmigrate or its mirror uses: denied too",
                hint="give the application a principal of its own on both sides, or kmigrate and the mirror one",
            )

    def _lets_in(self, world: World) -> tuple[Trial, ...]:
        """What the application's own credential was refused on the side entered, but for what we denied it there."""
        ours = {d.name for d in world.fence(self.entering).standing(denials(self.entering, self.app))}
        access = world.access(self.entering)
        trials = tuple(trial for name in self.app.members for trial in access.try_out(name))
        bad = [trial for trial in trials if not trial.ok and ours.isdisjoint(trial.subject.split())]
        if bad:
            raise Blocked(
                f"{self.app.name} cannot work on the {self.entering}, {len(bad)} of its trials failed; "
                f"{bad[0].subject} at {bad[0].broker}: {bad[0].detail}",
                hint="mend its credential or its rights there, or the way to that broker, then run this again",
            )
        return trials

    def _mirror_signs_in(self, world: World) -> tuple[Trial, ...]:
        """Who will copy back what is written across: found out only after the hand-over, there would be no way back."""
        if self.migration is None or not self.app.writes:
            return ()
        auth = self.migration.reverse_auth if self.leaving is Side.SOURCE else self.migration.mirror_auth
        if auth is None:
            return ()
        secret, key = secret_of(self.migration, auth)
        if not world.secrets.stored(secret, key, auth.password):
            raise Blocked(
                f"Secret {secret} does not hold the mirror's password on the source as the plan file refers to it now",
                hint=f"write it there, under {key}, or let the plan file refer to the one that the mirror has",
            )
        trials = world.access(Side.SOURCE).sign_in(auth)
        bad = [trial for trial in trials if not trial.ok]
        if bad:
            raise Blocked(
                f"the mirror could not {bad[0].subject} on the source to copy back, {len(bad)} of {len(trials)} trials "
                f"failed; at {bad[0].broker}: {bad[0].detail}",
                hint="mend its credential in the plan file, or the way to that broker, then run this again",
            )
        return trials

    def _translatable(self, world: World) -> None:
        """Translate where the groups stand now, without committing; what waits for its copy is well."""
        carrier = translator(world, self.leaving, self.lanes)
        for reads in self.app.reads:
            seen = carrier.translate(positions_held(world, self.leaving, reads, stable=False))
            copied = {p: at for p, at in seen.positions.items() if p not in seen.waiting}
            passed(world, self.leaving, reads, copied, self.bar)

    def _warm(self, world: World) -> None:
        """Look at what is looked at behind the stop, so that nothing is opened, or read from its start, only then."""
        for lane in self.lanes:
            force = in_force(world, lane)
            world.mirror.copied(force)
            world.mirror.syncs(force)
        world.fence(self.leaving).warm(denials(self.leaving, self.app))
        ends = world.cluster(self.leaving).ends(self.written(world))
        translator(world, self.leaving, self.lanes).translate(ends)

    def _needs_a_human(self) -> str:
        """Why the way back is not ours alone to go; empty when it is."""
        without = [one.source for one in self.app.principals if one.source_auth is None]
        if self.leaving is Side.TARGET or not without:
            return ""
        return f"the way back needs a human: the plan file does not say the credential of {without[0]} (sourceAuth)"

    def _topics_alike(self, world: World) -> None:
        every = sorted({*self.app.topics_read, *self.app.writes})
        sides = {side: world.cluster(side).topics(every) for side in Side}
        for name in every:
            counts = {side: topics[name].partitions if name in topics else 0 for side, topics in sides.items()}
            if len(set(counts.values())) != 1 or 0 in counts.values():
                told = ", ".join(f"{side}: {count}" for side, count in counts.items())
                raise Blocked(
                    f"topic {name} has other partitions on each side ({told})",
                    hint="run `kmigrate apply --phase provision` and `--phase replicate` again",
                )
