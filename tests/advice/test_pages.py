"""Everything that a user may be told by id can be explained."""

import re
from pathlib import Path

import pytest

import kmigrate.errors
from kmigrate.advice import flags
from kmigrate.advice.pages import ids, page
from kmigrate.errors import KmigrateError
from kmigrate.model import Direction, Grade
from kmigrate.planfile import load
from kmigrate.story import story


def test_every_red_flag_that_the_code_raises_has_a_page_and_every_page_a_flag() -> None:
    files = [file for file in Path(flags.__file__).parent.glob("flag*.py") if file.name != "flag_pages.py"]
    raised = {name for file in files for name in re.findall(r'"(KM-[A-Z-]+)"', file.read_text())}
    assert raised == {name for name in ids() if name.startswith("KM-")}


def test_every_error_and_its_exit_code_has_a_page() -> None:
    every = [each for each in vars(kmigrate.errors).values() if isinstance(each, type)]
    errors = [each for each in every if issubclass(each, KmigrateError) and each is not KmigrateError]
    lacking = [each.__name__ for each in errors if page(each.__name__) is None or page(str(each.exit_code)) is None]
    assert lacking == []


def test_every_grade_has_a_page() -> None:
    assert [grade for grade in Grade if page(grade) is None] == []


@pytest.mark.parametrize("name", ids())
def test_a_page_says_something_in_each_part(name: str) -> None:
    found = page(name)
    assert found is not None
    assert found.id == name
    assert all(part.endswith((".", ":")) and len(part) > 5 for part in (found.what, found.why, found.way_out))


def test_a_page_is_found_in_any_case_and_a_stranger_is_not() -> None:
    assert page("km-topic-missing") == page("KM-TOPIC-MISSING")
    assert page("KM-NOTHING") is None


def test_every_phase_every_step_and_every_unit_has_a_page_of_its_own() -> None:
    """A near name would tell the opposite: `stop-workloads` is nearest to `start-workloads`."""
    for file in (Path(__file__).parents[2] / "plans").glob("*.yaml"):
        plan = story(load(file))
        units = [phase.unit for phase in plan.phases if phase.unit]
        units += [plan.unit(move, direction, 1) for move in plan.moves for direction in Direction]
        names = [phase.name for phase in plan.phases] + [step.name for unit in units for step in unit.steps]
        assert [name for name in names if (found := page(name)) is None or found.id != name] == []
        assert [unit.name for unit in units if page(unit.name) is None] == []
    assert page("start-bridge")
    for unit, phase in (("cutover/x#1", "cutover"), ("rollback/a+b#2", "rollback"), ("provision#3", "provision")):
        found = page(unit)
        assert found is not None
        assert found.id == phase
    assert page("KM-TOPIC-MISSING/x") is None


def test_every_state_before_the_drain_says_how_to_get_out_without_kmigrate() -> None:
    for state in ("ready", "stop-workloads", "fence-clients"):
        found = page(state)
        assert found is not None
        assert "Without kmigrate" in found.way_out


def test_every_state_between_the_drain_and_the_soak_says_how_to_get_out_without_kmigrate() -> None:
    migration = load(Path(__file__).parents[2] / "plans" / "mirror-back.yaml")
    for direction in Direction:
        steps = [step.name for step in story(migration).unit("checkout", direction, 1).steps]
        states = steps[steps.index("drain-mirror") : steps.index("soak") + 1]
        assert len(states) == 8
        for state in states:
            found = page(state)
            assert found is not None
            assert "ithout kmigrate" in found.way_out or "Without it" in found.way_out
