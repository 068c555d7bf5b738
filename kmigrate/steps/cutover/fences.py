"""The denials of a move: which they are, how `before` keeps them, and waiting until they are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kmigrate.model import Application, Denial, Json, JsonObject, Side
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

STANDING = "standing"
"""In `before`: the denials that stood when the attempt first looked."""
DEADLINE_MS = 60_000


def denials(side: Side, app: Application) -> tuple[Denial, ...]:
    """All that is denied to the application on a side it leaves: to read with its groups, to write its topics."""
    who = sorted({principal.on(side) for principal in app.principals})
    groups = [("group", reads.group, "Read") for reads in app.reads]
    topics = [("topic", name, "Write") for name in app.writes]
    return tuple(
        Denial(principal=each, resource=resource, name=name, operation=operation)
        for each in who
        for resource, name, operation in (*groups, *topics)
    )


def await_gone(world: World, side: Side, lifted: Iterable[Denial], *, deadline_ms: int = DEADLINE_MS) -> None:
    """Wait until the denials stand nowhere any more; a client that starts before that is refused."""
    wanted = tuple(lifted)

    def look() -> Ready[None] | NotYet:
        fence = world.fence(side)
        left = sorted({*fence.standing(wanted), *fence.proof(wanted)})
        return NotYet(f"still denied: {left[0]}") if left else Ready(None)

    what = f"clients are allowed on the {side}"
    wait_until(look, what=what, clock=world.clock, reporter=world.reporter, deadline_ms=deadline_ms, every_ms=20)


def write_denials(some: Iterable[Denial]) -> JsonObject:
    """Denials as `before` keeps them."""
    return {STANDING: [[one.principal, one.resource, one.name, one.operation] for one in sorted(some)]}


def read_denials(before: JsonObject) -> tuple[Denial, ...]:
    """What `write_denials` wrote."""
    kept = before.get(STANDING)
    return tuple(_denial(each) for each in kept) if isinstance(kept, Sequence) else ()


def _denial(told: Json) -> Denial:
    assert isinstance(told, Sequence)
    principal, resource, name, operation = map(str, told)
    return Denial(principal=principal, resource=resource, name=name, operation=operation)
