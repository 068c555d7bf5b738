"""The digest by which a record is recognised on the other side."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterable

_PLAIN = 2
"""A format of `marshal` without references, so that equal values are equal bytes, whoever else holds them."""


def digest(
    timestamp: int | None, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]] = ()
) -> bytes:
    """Return 16 bytes over timestamp (ms), key, value and the ordered headers.

    The timestamp is None on both sides where the receiving one stamps records with a time of its own (LogAppendTime).

    Every part carries its kind and length, so no two records run together, and null differs from empty. MirrorMaker 2
    passes exactly these parts through (MirrorSourceTask.convertRecord). Digests are compared within one run and never
    kept: how the parts are laid out is the Python's.
    """
    parts = marshal.dumps((timestamp, key, value, *headers), _PLAIN)
    return hashlib.sha256(parts).digest()[:16]  # processors have instructions for it
