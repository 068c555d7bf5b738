"""What becomes of words that nobody hears: on stderr nothing, on stdout the end of the command, with a code of its own.

A terminal that is gone (a dropped ssh), a pipe whose reader ended and a full disk must not end a move in its middle.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Self

from kmigrate.errors import PlatformError

NOBODY_READS = 141
"""As a shell tells of a program that SIGPIPE ended."""


class Out(io.TextIOWrapper):
    """A stream that remembers why it could not be written; no letter is a reason."""

    lost: OSError | None = None

    @classmethod
    def instead_of(cls, stream: io.TextIOWrapper) -> Self:
        """The same stream, which is used up; what is written goes out as early as before."""
        known = stream.encoding, stream.line_buffering, stream.write_through
        return cls(
            stream.detach(), encoding=known[0], errors="replace", line_buffering=known[1], write_through=known[2]
        )

    def write(self, text: str) -> int:
        """Say it; raises OSError where that is not possible."""
        try:
            return super().write(text)
        except OSError as error:
            self.lost = error
            raise

    def flush(self) -> None:
        """Let what was said go out; raises OSError where that is not possible."""
        try:
            super().flush()
        except OSError as error:
            self.lost = error
            raise


class Err(Out):
    """A stream whose words may be lost: nothing ends because of it."""

    def write(self, text: str) -> int:
        """Say it, if anybody listens."""
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Let what was said go out, if anybody listens."""
        try:
            super().flush()
        except OSError:
            return


def install() -> Out | None:
    """Take both streams into our hands; gives stdout, or None where it is none of the process's own."""
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = Err.instead_of(sys.stderr)
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return None
    sys.stdout = out = Out.instead_of(sys.stdout)
    return out


def ended(code: int, out: Out | None) -> int:
    """The exit code of a command that ends with `code`, once stdout has taken all, or never will."""
    lost = _lost(out)
    if lost is None:
        return code
    # Python would try once more at its end, and complain
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if isinstance(lost, BrokenPipeError):
        return code if code > 1 else NOBODY_READS
    sys.stderr.write(f"kmigrate: stdout cannot be written: {lost.strerror}\n")
    sys.stderr.write("  → make room, or send the output elsewhere, then type the same command again\n")
    return code if code > 1 else PlatformError.exit_code


def _lost(out: Out | None) -> OSError | None:
    try:
        if out is not None:
            out.flush()
    except OSError as error:
        return error
    return out.lost if out is not None else None
