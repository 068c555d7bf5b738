"""Whom the fence on the source never catches, as the world is wired; no cluster is asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from kmigrate.errors import Blocked
from kmigrate.model import Auth, Denial, Migration, SecretRef, Side, Source, Target
from kmigrate.wiring import LiveWorld, open_world
from kmigrate.world import Reporter

_TARGET = Target(platform="lab", store="", namespace="kafka", cluster="prod", listener="scram")


def _world(folder: Path) -> LiveWorld:
    password = folder / "password"
    password.write_text("secret")
    own = Auth(type="plain", username="kmigrate", password=SecretRef(file=str(password)))
    migration = Migration(
        name="spared",
        source=Source(bootstrap="127.0.0.1:1", auth=own),
        target=replace(_TARGET, store=str(folder)),
        topics=(),
        applications=(),
        mirror_auth=replace(own, username="mirror"),
    )
    return open_world(migration, Reporter())


@pytest.mark.parametrize("user", ["kmigrate", "mirror", "*"])
def test_neither_kmigrate_nor_the_mirror_is_denied_on_the_source(tmp_path: Path, user: str) -> None:
    denial = Denial(principal=f"User:{user}", resource="group", name="g", operation="Read")
    with pytest.raises(Blocked, match="is not denied anything"):
        _world(tmp_path).fence(Side.SOURCE).deny([denial])
