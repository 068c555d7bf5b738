"""explain and schema: what they print, and what they answer to a name that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from kmigrate.advice import pages


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kmigrate", *words], capture_output=True, text=True, check=False)


def test_a_page_is_told_in_whatever_case_it_is_typed() -> None:
    known = pages.ids()[0]
    told = _run("explain", known.lower(), "--json")
    assert (told.returncode, json.loads(told.stdout)["id"]) == (0, known)


def test_an_unknown_page_names_the_nearest() -> None:
    known = pages.ids()[0]
    told = _run("explain", known + "X")
    assert told.returncode == 2
    assert f"kmigrate explain {known}\n" in told.stderr


def test_a_name_that_is_near_to_nothing_is_answered_with_all_kinds_of_pages() -> None:
    told = _run("explain", "nonsense")
    assert told.returncode == 2
    assert "nearest" not in told.stderr
    for kind, ids in pages.kinds().items():
        assert f"{kind}: {', '.join(ids)}" in told.stderr


def test_a_number_is_near_to_no_other_number() -> None:
    assert "nearest" not in _run("explain", "99").stderr


def test_a_pause_that_cannot_keep_its_budget_is_among_what_plan_ends_with_3_for() -> None:
    page = pages.page("3")
    assert page is not None
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    told = [
        page.what,
        " ".join(_run("plan", "--help").stdout.split()),
        readme.partition("Exit codes:")[2].split("4 a")[0],
    ]
    assert [each for each in told if "maxPause" not in each] == []


def test_every_exit_code_of_an_interruption_names_the_ways_on_and_back() -> None:
    for code in ("129", "130", "143"):
        page = pages.page(code)
        assert page is not None
        assert "the same command again" in page.way_out
        assert "kmigrate rollback --app APP" in page.way_out


def test_the_schema_is_json_and_another_name_is_a_usage_error() -> None:
    assert json.loads(_run("schema", "plan").stdout)["title"] == "kmigrate plan file"
    assert _run("schema", "nothing").returncode == 2
