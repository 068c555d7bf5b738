"""The passwords of a lab, searched for in all that it leaves, and in the arguments of whatever runs."""

from __future__ import annotations

import json
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kmigrate.lab.folder import LabFolder

MAY_HOLD = (
    r"credentials/[^/]+",
    r"store/kafka/Secret/[^/]+\.json",
    r"source/node-\d+\.properties",
    r"operator/.*\.properties",
    r"operator/[^/]+/[^/]+/(secrets|mnt/[^/]+)/[^/]+/[^/]+",
    r"apps/[^/]+/(password|settings\.json)",
)
"""Where a password must be, since it is signed in with, handed out or asked for from there."""
_EVERY_S = 0.1


def passwords(lab: LabFolder) -> frozenset[bytes]:
    """Every password of the source's users, and of the target's that the operator made."""
    found = {file.read_bytes().strip() for file in lab.credentials.iterdir()}
    for file in (lab.store / "kafka" / "Secret").glob("*.json"):
        data = json.loads(file.read_bytes())["data"]
        found |= {str(data[key]).encode() for key in data if key == "password"}
    assert len(found) > 5
    return frozenset(found)


def holders(root: Path, secrets: Iterable[bytes]) -> frozenset[str]:
    """Every file below the root that holds one of the secrets, logs and the segments of topics included."""
    wanted = re.compile(b"|".join(map(re.escape, secrets)))
    files = (path for path in root.rglob("*") if path.is_file())
    return frozenset(str(path.relative_to(root)) for path in files if wanted.search(path.read_bytes()))


def strangers(paths: Iterable[str]) -> frozenset[str]:
    """Those of the files that have no business to hold a secret."""
    return frozenset(path for path in paths if not any(re.fullmatch(may, path) for may in MAY_HOLD))


def open_to_others(root: Path) -> frozenset[str]:
    """Files and folders that somebody else may read, write or enter."""
    every = (root, *root.rglob("*"))
    return frozenset(
        str(path) for path in every if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()
    )


@contextmanager
def arguments_seen() -> Iterator[set[bytes]]:
    """The arguments of every process that lived while the block ran, looked at ten times a second."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(_EVERY_S):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=look, name="arguments", daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
