"""What came to the side entered since it was left, and is no copy: it is known before an application comes back to it.

The soak watches for its time; whoever wrote there later is found here, so that no position is carried past it unseen.
"""

from __future__ import annotations

from kmigrate.errors import Blocked
from kmigrate.probes.counterparts import compare_all, compared, read_cursors, since, write_cursors
from kmigrate.probes.foreign import Foreign, keep, known, named, unaccepted, ways_on
from kmigrate.steps.cutover.move import MoveStep
from kmigrate.world import World


def look_for_strays(world: World, step: MoveStep) -> tuple[Foreign, ...]:
    """Compare on from where anybody got to; gives what is new, written down before the comparing goes past it."""
    side = step.entering
    cursors = since(world, side, step.written(world)) if step.app.writes else {}
    before = set(known(world).get(side, ()))
    for seen in compare_all(world, side, cursors):
        keep(world, side, seen.foreign)
        done = read_cursors(world.ledger.get(compared(side)))
        world.ledger.put(compared(side), write_cursors({**done, **seen.cursors}))
        if seen.gone:
            gone = ", ".join(map(str, seen.gone))
            world.reporter.note(f"whether all is a copy on the {side} cannot be told of {gone}: retention took records")
        world.reporter.progress(f"comparing both sides of {', '.join(step.app.writes)}", f"{seen.records} copies more")
    return tuple(each for each in known(world).get(side, ()) if each not in before)


def refuse_strays(world: World, step: MoveStep) -> None:
    """Raise Blocked, while the application still runs, for new ones that its groups would be put behind."""
    found = look_for_strays(world, step)
    if found:
        told = named(world, step.entering, found, step.ours)
        bad = unaccepted((each for each in found if each.partition.topic in step.app.topics_read), step.bears_foreign)
        if bad:
            raise Blocked(f"{told}; {step.app.name} was not stopped", hint=f"stop that client, then {ways_on(bad)}")
        world.reporter.note(told)
