"""claim-migration: the ledger topic first, then the claim; done once every line is on the target."""

from __future__ import annotations

import pytest
from memory_estate import Estate, migration

from kmigrate.adapters.memory import MemoryFacts, MemoryWorld
from kmigrate.errors import VerifyFailed
from kmigrate.manifests.internal import ledger_name
from kmigrate.model import Side
from kmigrate.steps.ledger import ClaimMigration

STEP = ClaimMigration(migration=migration())


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(Estate(), MemoryFacts({}))


def test_topic_and_claim_are_made_and_the_claim_goes_with_its_topic(world: MemoryWorld) -> None:
    before = STEP.check(world).before
    STEP.apply(world)
    assert STEP.verify(world) == {"topic": ledger_name("shop"), "claimedBy": "somebody"}
    assert ledger_name("shop") in world.cluster(Side.TARGET).topics([ledger_name("shop")])
    STEP.undo(world, before)
    world.estate.turns(3)
    assert not world.estate.claim.taken
    assert not world.cluster(Side.TARGET).topics([ledger_name("shop")])


def test_the_step_is_done_only_once_every_line_is_on_the_target(world: MemoryWorld) -> None:
    STEP.apply(world)
    world.estate.claim.taken = False
    (change,) = STEP.check(world).changes
    assert str(change) == f"start the copy of the journal on the target ({ledger_name('shop')})"
    with pytest.raises(VerifyFailed):
        STEP.verify(world)


def test_undo_of_an_attempt_that_found_the_topic_leaves_the_claim(world: MemoryWorld) -> None:
    STEP.apply(world)
    STEP.undo(world, STEP.check(world).before)
    assert world.estate.claim.taken
