"""The digest by which a record is recognised on the other side."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

_ABSENT = struct.pack(">q", -1)


def digest(
    timestamp: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]] = ()
) -> bytes:
    """Return 16 bytes over timestamp (ms), key, value and the ordered headers.

    Every part carries its length, so no two records run together; null (length -1) differs from empty (length 0).
    MirrorMaker 2 passes exactly these parts through (MirrorSourceTask.convertRecord).
    """
    state = hashlib.blake2b(struct.pack(">q", timestamp), digest_size=16)
    _add(state, key)
    _add(state, value)
    for name, content in headers:
        _add(state, name.encode())
        _add(state, content)
    return state.digest()


def _add(state: hashlib.blake2b, part: bytes | None) -> None:
    if part is None:
        state.update(_ABSENT)
    else:
        state.update(struct.pack(">q", len(part)))
        state.update(part)
