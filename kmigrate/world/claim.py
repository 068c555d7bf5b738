"""Who works on a migration, for all to see."""

from __future__ import annotations

from typing import Protocol


class Claim(Protocol):
    """The claim on a migration and the copy of its journal, both on the target (design §4.13)."""

    def whole(self) -> bool:
        """Whether every line of this journal is on the target too."""
        ...

    def removed(self) -> int | None:
        """How many last lines were written from this journal's folder and are not in it any more; None without a copy.

        Lines that another folder wrote are none of them.
        """
        ...

    def holder(self) -> str:
        """Who works on the migration now, by the target's word; empty for nobody, or where there is no claim yet."""
        ...

    def take(self) -> None:
        """Claim the migration and copy every line; from here on none is written that is not copied. Twice equals once.

        Raises JournalError when somebody else has claimed it, Blocked while there is no topic to hold it.
        """
        ...

    def leave(self) -> None:
        """Give the claim up; from here on lines are kept on this disk alone. Twice equals once."""
        ...
