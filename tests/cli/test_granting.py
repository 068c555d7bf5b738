"""The least rights as users see them: a script, an object, what `plan` misses, and what an error adds."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from memory_estate import Estate

from kmigrate.adapters.memory import MemoryCluster, MemoryLines, MemoryWorld
from kmigrate.cli.granting import chosen, rights_json, rights_text, telling
from kmigrate.cli.planned import look_ahead, plan_json
from kmigrate.errors import Blocked, Interrupted, Transient, UsageError, WentBack
from kmigrate.journal import Journal
from kmigrate.manifests.granting import commands
from kmigrate.manifests.rights import KMIGRATE, PHASES, Need, needs
from kmigrate.model import Side
from kmigrate.planfile.load import load
from kmigrate.probes.lacking import lacking
from kmigrate.story import story

PLAN = load(Path(__file__).parents[2] / "plans" / "mirror-back.yaml")
OWN = replace(PLAN, source=replace(PLAN.source, auth=replace(PLAN.source.auth, principal="User:sa-kmigrate")))


def estate_without(*missing: Need) -> Estate:
    """Everything that is granted beforehand, but for some."""
    estate = Estate(OWN)
    acls = estate.clusters[Side.SOURCE].acls
    acls.rules |= {need.right for need in needs(OWN) if need.side is Side.SOURCE and not need.made} - {
        need.right for need in missing
    }
    return estate


def need(operation: str, name: str) -> Need:
    mine = [each for each in needs(OWN) if (each.side, each.who) == (Side.SOURCE, KMIGRATE)]
    return next(each for each in mine if (each.right.operation, each.right.name) == (operation, name))


def test_the_script_has_every_command_and_a_shell_can_read_it() -> None:
    lines = rights_text(OWN, PHASES).splitlines()
    granting = [line for line in lines if not line.startswith("#")]
    by_hand = [each for each in needs(OWN) if not each.made]
    assert granting == list(commands(OWN, by_hand))
    assert all(shlex.split(line)[0] in ("kafka-acls.sh", "confluent") for line in granting)
    checked = subprocess.run(["sh", "-n"], input="\n".join(lines), text=True, check=False, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    assert [line for line in lines if "(User:kmigrate) on the target" in line and "kmigrate grants it" in line]


def test_the_object_has_what_the_script_has_with_phases_and_who_grants_it() -> None:
    told = rights_json(OWN, PHASES)["rights"]
    assert isinstance(told, list)
    assert sum(len(each["operations"]) for each in told) == len(needs(OWN))
    own = next(each for each in told if (each["name"], each["who"], each["side"]) == ("*", KMIGRATE, "source"))
    assert own["phases"] == list(PHASES)
    assert not own["grantedByKmigrate"]
    assert [command.split()[0] for command in own["commands"]] == ["confluent", "kafka-acls.sh"]


def test_one_phase_needs_less_than_all() -> None:
    assert len(rights_text(OWN, chosen("assess"))) < len(rights_text(OWN, chosen("cutover")))
    with pytest.raises(UsageError, match="there is no phase 'wave'"):
        chosen("wave")


def test_nothing_is_missing_where_all_is_granted_and_what_is_not_is_told_by_plan_with_its_command() -> None:
    assert lacking(MemoryWorld(estate_without()), OWN).needs == ()
    gone = need("Read", "orders")
    estate = estate_without(gone)
    journal = Journal(MemoryLines(estate.death), estate.clock, "test", OWN.name)
    seen = look_ahead(OWN, story(OWN), journal, MemoryWorld(estate))
    assert [missing.right for missing in seen.lacking.needs] == [gone.right]
    told = plan_json(seen)["lackingRights"]
    assert isinstance(told, dict)
    assert list(told.values()) == [list(commands(OWN, [gone]))]


@pytest.mark.parametrize(("where", "told"), [("cutover/checkout#1, ready", True), ("assess, take-inventory", False)])
def test_an_error_adds_the_command_for_what_its_phase_needs_and_lacks(where: str, told: bool) -> None:
    gone = need("Write", "checkout-0")
    error = Blocked("it may not", hint="look")
    error.where = where
    telling(error, MemoryWorld(estate_without(gone)), OWN)
    assert (commands(OWN, [gone])[-1] in error.hint) is told
    assert error.hint.endswith("look")


def test_a_move_that_went_back_by_itself_tells_the_right_that_it_lacked() -> None:
    gone = need("Read", "orders")
    error = WentBack("it took too long", hint="look")
    error.where = "cutover/checkout#1, drain-mirror"
    telling(error, MemoryWorld(estate_without(gone)), OWN)
    assert commands(OWN, [gone])[-1] in error.hint


def test_a_hint_that_grants_too_much_gives_way_and_other_errors_are_left_alone() -> None:
    gone = need("Read", "orders")
    world = MemoryWorld(estate_without(gone))
    error = Blocked("it may not", hint="grant it: --operation All")
    telling(error, world, OWN)
    assert "--operation All" not in error.hint
    for other in (Interrupted(), UsageError("no", hint="look"), Transient("away", hint="look")):
        before = other.hint
        telling(other, world, OWN)
        assert other.hint == before


def test_where_rights_cannot_be_listed_only_those_to_the_cluster_are_known_to_be_missing() -> None:
    estate = estate_without(need("Read", "orders"))
    estate.clusters[Side.SOURCE].may_list_rights = False
    seen = lacking(MemoryWorld(estate), OWN, ["assess"])
    assert [missing.right for missing in seen.needs] == [
        each.right for each in needs(OWN, ["assess"]) if each.right.resource == "cluster"
    ]
    assert seen.unknown[0].startswith("rights on the source: ")


def test_of_whoever_holds_no_acl_nothing_is_said() -> None:
    estate = Estate(OWN)
    assert lacking(MemoryWorld(estate), OWN).needs == ()


class NotSignedIn(MemoryWorld):
    """A world that cannot even read how it signs in to the target."""

    __slots__ = ()

    def cluster(self, side: Side) -> MemoryCluster:
        if side is Side.TARGET:
            raise Blocked("kmigrate may not get kafkausers in namespace kafka", hint="add a rule")
        return super().cluster(side)


def test_a_cluster_that_was_not_asked_refused_nothing() -> None:
    seen = lacking(NotSignedIn(estate_without()), OWN)
    assert seen.needs == ()
    assert seen.unknown == ("rights on the target: kmigrate may not get kafkausers in namespace kafka",)
