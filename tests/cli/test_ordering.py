"""The order of moves as plan draws it: waves, and why each move is where it is."""

from __future__ import annotations

import io
from dataclasses import replace

from memory_estate import TOPIC, migration
from rich.console import Console
from rich.tree import Tree

from kmigrate.cli.ordering import draw_waves, waves_json
from kmigrate.story import story


def test_the_order_is_told_with_its_reasons() -> None:
    said = migration()
    (reader,) = said.applications
    writers = tuple(replace(reader, name=name, reads=(), writes=(TOPIC,), principals=()) for name in ("web", "batch"))
    estate = (reader, *writers)
    plan = story(replace(said, applications=estate))
    drawn = Tree("order")
    draw_waves(drawn, estate, plan)
    file = io.StringIO()
    Console(file=file, width=200).print(drawn)
    text = file.getvalue()
    assert f"batch and web write topic {TOPIC}; they could go apart if only one of them wrote topic {TOPIC}" in text
    assert f"no later than batch and web: it reads {TOPIC}, written there" in text
    told = waves_json(estate)
    assert told["waves"] == [[[reader.name]], [["batch", "web"]]]
    assert told["noLaterThan"] == [{"reader": [reader.name], "writer": ["batch", "web"], "topics": [TOPIC]}]
    assert told["circles"] == []


def test_a_circle_is_told_with_what_would_cut_it() -> None:
    said = migration()
    (reader,) = said.applications
    other = replace(reader.reads[0], group="other", topics=("y",))
    estate = (
        replace(reader, name="one", writes=("y",)),
        replace(reader, name="two", reads=(other,), writes=(TOPIC,)),
    )
    drawn = Tree("order")
    draw_waves(drawn, estate, story(replace(said, applications=estate)))
    file = io.StringIO()
    Console(file=file, width=200).print(drawn)
    assert file.getvalue().count("mayStay at a group would cut the circle") == 2
    assert waves_json(estate)["circles"] == [[["one"], ["two"]]]
