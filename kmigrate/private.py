"""Folders that are their owner's alone."""

from __future__ import annotations

from pathlib import Path


def private_folder(folder: Path) -> None:
    """Make `folder` and whatever is missing above it, mode 0700 however generous the umask is."""
    for path in reversed(folder.parents):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
