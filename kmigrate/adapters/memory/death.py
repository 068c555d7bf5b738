"""Where a process may be killed: every write of the world in memory passes here before and after."""

from __future__ import annotations

from dataclasses import dataclass


class Died(BaseException):
    """The process was killed here; no handler of `Exception` may survive it."""


@dataclass(slots=True)
class Death:
    """Kills at instant `at`, counted from 1 over all lives, so it kills once; -1 never kills."""

    at: int = -1
    seen: int = 0

    def pass_by(self) -> None:
        """Count an instant; raises Died when it is the one."""
        self.seen += 1
        if self.seen == self.at:
            raise Died
