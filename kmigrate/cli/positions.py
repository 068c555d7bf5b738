"""positions: why a group stands where it stands; and positions kept elsewhere, translated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli.session import DEFAULT_PLAN, AsJson, PlanFile, session
from kmigrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kmigrate.cli.session import Session
    from kmigrate.model import Partition, Position


def positions(
    group: Annotated[str, typer.Argument(help="The consumer group; leave it out with --translate.")] = "",
    file: PlanFile = DEFAULT_PLAN,
    *,
    topic: Annotated[str, typer.Option("--topic", help="Only this topic.")] = "",
    translate: Annotated[
        Path | None,
        typer.Option("--translate", help="A CSV or JSON file of topic, partition, offset on the source."),
    ] = None,
    show_records: Annotated[
        bool, typer.Option("--show-records", help="Show keys, values and headers of the records around, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show why a group stands where it stands, on both sides. Changes nothing.

    --translate takes positions that are kept outside Kafka (by Flink, Spark, a database) to the target.
    """
    from kmigrate.cli import standing
    from kmigrate.cli.draw import say, show
    from kmigrate.manifests.lanes import forward_lanes
    from kmigrate.probes.standing import contents
    from kmigrate.probes.standing import standing as look

    if bool(group) == (translate is not None):
        raise UsageError(
            "positions takes a group, or --translate with a file", hint="for example: kmigrate positions my-group"
        )
    with session(file, as_json=as_json, read_only=True) as s:
        seen: Mapping[Partition, Position] = {}
        if translate is not None:
            seen = standing.translated(s.world, standing.read(translate), forward_lanes(s.migration))
            told, picture = standing.translated_json(seen), standing.translated_picture(seen)
        else:
            partitions, isolation = _partitions(s, group, topic), _isolation(s, group)
            found = look(s.world, group, partitions, forward_lanes(s.migration), isolation)
            full = contents(s.world, found) if show_records else {}
            told, picture = standing.standing_json(group, found, full), standing.standing_picture(group, found, full)
    if as_json:
        say(told)
    else:
        show(picture)
    standing.refuse_without_place(seen)


def _isolation(s: Session, group: str) -> str:
    """How the plan says that the group reads; committed records for one that no application reads with."""
    from kmigrate.probes.uncommitted import COMMITTED

    declared = (r.isolation for app in s.migration.applications for r in app.reads if r.group == group)
    return next(declared, COMMITTED)


def _partitions(s: Session, group: str, topic: str) -> Sequence[Partition]:
    """Every partition that the plan says the group reads, or that it holds on the source, of the plan's topics."""
    from kmigrate.model import Side

    declared = {name for app in s.migration.applications for r in app.reads if r.group == group for name in r.topics}
    held = {p.topic for p in s.world.groups(Side.SOURCE).held([group], stable=False)[group]}
    names = (declared | held) & set(s.migration.topics)
    if topic:
        names &= {topic}
    if not names:
        what = f" of topic {topic}" if topic else ""
        raise UsageError(
            f"group {group} holds no position{what} on the source, and no application of the plan reads with it",
            hint="kmigrate plan lists applications and groups",
        )
    topics = s.world.cluster(Side.SOURCE).topics(names)
    return [partition for each in topics.values() for partition in each.all()]
