"""The user's cache: jars, AOT caches, generated schemas. Safe to delete when no lab runs."""

from __future__ import annotations

import os
from pathlib import Path

from kmigrate.errors import UsageError
from kmigrate.private import private_folder


def folder(*parts: str) -> Path:
    """A folder in the cache, made if need be: KMIGRATE_CACHE, else XDG_CACHE_HOME/kmigrate, else ~/.cache/kmigrate.

    Raises UsageError when it cannot be made or written.
    """
    place = root().joinpath(*parts)
    try:
        private_folder(place)  # others who may write here could change what we run
    except OSError as error:
        raise _refused(place, error.strerror or str(error)) from error
    if not os.access(place, os.W_OK | os.X_OK):
        raise _refused(place, "it cannot be written")
    return place


def root() -> Path:
    """Where the cache lies; it need not exist."""
    own = os.environ.get("KMIGRATE_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kmigrate"


def _refused(place: Path, reason: str) -> UsageError:
    return UsageError(
        f"the cache folder {place} cannot be used: {reason}", hint="set KMIGRATE_CACHE to a folder that you can write"
    )
