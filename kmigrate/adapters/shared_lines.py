"""A journal on disk that is copied to the target, where the claim on the migration lies too (design §4.13).

A line is on disk first, then on the target, and counts once it is on both. What the target refuses, since another
kmigrate has claimed the migration, is taken off the disk again. Where the target cannot be reached, only lines that
undo something may stand on the disk alone: on the worst night the way back must not need the side that is away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kmigrate.adapters.claims import Fenced, Holder, Kept, LedgerTopic
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.errors import Blocked, JournalError, KmigrateError, PlatformError, Transient, UsageError
from kmigrate.journal import follow_one_another

FindTopic = Callable[[], LedgerTopic | None]
"""The ledger topic; None while there is none."""
Tell = Callable[[str], None]
_LOST = (
    "what it could not know: what was undone while the target could not be reached, and to where a human was told to"
    " point an application; kmigrate status asks the world"
)
_COPY_ANEW = (
    "nothing was changed. Remove the ledger's KafkaTopic: the next command says how to put it back, and then fills it"
    " from this folder's journal"
)


@dataclass(frozen=True, kw_only=True)
class SeenLines:
    """A journal that is only looked at: this folder's lines, or the target's where it has more of them."""

    local: JournalFile
    topic: FindTopic

    def lines(self) -> Iterator[str]:
        """Every line, oldest first; this folder's alone while the target does not answer or lets nobody in."""
        here = list(self.local.lines())
        try:
            there = _there(self.topic())
        except (PlatformError, Blocked, UsageError):
            return iter(here)
        _alike(here, there)
        return iter(here if len(here) >= len(there) else there)

    def append(self, line: str) -> None:
        """Refuse: whoever looks writes nothing."""
        raise AssertionError("a journal opened to read is never written")

    def whole(self) -> bool:
        """Whether every line of this folder is on the target."""
        return _whole(self.topic(), self.local)

    def removed(self) -> int | None:
        """Whoever claimed the migration last had every line in its folder."""
        return _removed(self.topic(), self.local)

    def holder(self) -> str:
        """Who claimed the migration and goes on."""
        return _holder(self.topic())

    def take(self) -> None:
        """Refuse, as `append` does."""
        self.append("")

    leave = take

    def close(self) -> None:
        """Close the files."""
        self.local.close()


@dataclass(kw_only=True)
class SharedLines:
    """A folder's lines (journal.Lines) with its claim (world.Claim).

    `us` is this process. `alone` is asked of each line whether it may stand without its copy. `take_over`: claim the
    migration also from a process that may still be at work. `tell` is told what a human should know.
    """

    local: JournalFile
    topic: FindTopic
    us: Holder
    alone: Callable[[str], bool]
    tell: Tell
    take_over: bool = False
    _joined: bool = field(default=False, init=False)
    _claimed: LedgerTopic | None = field(default=None, init=False)
    _away: KmigrateError | None = field(default=None, init=False)
    _fenced: JournalError | None = field(default=None, init=False)

    def lines(self) -> Iterator[str]:
        """Every line, oldest first, once this folder and the target agree on them."""
        if not self._joined:
            self._joined = True
            self._join()
        return self.local.lines()

    def append(self, line: str) -> None:
        """Write one line, here and there.

        Raises Transient when it is here and nobody can say whether it is there; JournalError, and it is neither here
        nor there, when another kmigrate has taken over.
        """
        if self._fenced is not None:
            raise self._fenced
        alone = self.alone(line)
        if self._away is not None and not alone:
            told = "nothing was begun after the last line of the journal"
            refused = PlatformError(self._away.message, hint=f"{told}. {self._away.hint}".strip())
            refused.where = self._away.where or "the ledger on the target"
            raise refused
        self.local.append(line)
        if self._claimed is not None and self._away is None:
            self._copy(self._claimed, line, alone=alone)

    def whole(self) -> bool:
        """Whether every line of this folder is on the target."""
        return _whole(self._claimed or self.topic(), self.local)

    def removed(self) -> int | None:
        """Nothing is missing once it is claimed: it was brought back."""
        return _removed(self._claimed or self.topic(), self.local)

    def holder(self) -> str:
        """Who claimed the migration and goes on."""
        return _holder(self._claimed or self.topic())

    @property
    def here_alone(self) -> bool:
        """Whether there was no ledger topic to join, and the target would have told of one."""
        return self._claimed is None and self._away is None

    def take(self) -> None:
        """Claim the migration, and bring both sides to the same lines."""
        if self._claimed is not None:
            return
        found = self.topic()
        if found is None:
            raise Blocked("the target has no ledger topic yet", hint="run `kmigrate apply --phase provision`")
        self._refuse(found.read().holder)
        self._agree(found, found.fence())
        found.claim(self.us)
        self._claimed, self._away = found, None

    def leave(self) -> None:
        """Give the claim up; the topic may go."""
        if self._claimed is not None:
            self._claimed.close()
            self._claimed = None

    def close(self) -> None:
        """Say on the target that this process has ended, and give the folder free; raises nothing: the work is done."""
        try:
            self._give_back()
            self.leave()
        except (JournalError, PlatformError) as error:
            self.tell(f"the claim on the target could not be given back: {error.message}")
        finally:
            self.local.close()

    def miss(self, why: KmigrateError) -> None:
        """Go on without the target: from here on only what undoes is written."""
        self._away = why
        self.tell(
            f"the ledger on the target cannot be reached, so no other kmigrate is kept out: {why.message}."
            " What undoes goes on by this folder's journal; all else waits"
        )

    def _give_back(self) -> None:
        if self._claimed is None or self._away is not None:
            return
        try:
            self._claimed.claim(self.us.done)
        except Fenced as error:
            self.tell(_taken_over(self._claimed, self.us, error).message)
            self._claimed = None

    def _join(self) -> None:
        try:
            if self.topic() is not None:
                self.take()
        except (PlatformError, Blocked) as error:
            self.miss(error)

    def _copy(self, topic: LedgerTopic, line: str, *, alone: bool) -> None:
        try:
            topic.append(self.local.count, line)
        except Fenced as error:
            self.local.take_back()
            self._claimed, self._fenced = None, _taken_over(topic, self.us, error)
            raise self._fenced from error
        except Transient as error:
            self._away = error
            if not alone:
                raise

    def _refuse(self, holder: Holder | None) -> None:
        """Refuse while another folder's process may be at work; one of our own folder is dead: we hold its lock."""
        if holder is None or not holder.working or holder.place == self.us.place or self.take_over:
            return
        raise JournalError(
            f"another kmigrate works on this migration: {holder}",
            hint="wait until it ends. If you know that it is dead: the same command with --take-over; what that one"
            " still tries fails at its next line",
        )

    def _agree(self, topic: LedgerTopic, kept: Kept) -> None:
        """Bring to either side what only the other one has; raises JournalError where they part."""
        here, there = list(self.local.lines()), _in_order(kept)
        _alike(here, there)
        for line in there[len(here) :]:
            self.local.append(line)
        for number, line in enumerate(here[len(there) :], len(there) + 1):
            topic.append(number, line)
        more = len(there) - len(here)
        if more > 0 and not here:
            self.tell(f"this folder had no journal: its {more} lines were brought back from the target; {_LOST}")
        elif more > 0:
            self.tell(f"{more} lines that were written from another folder were brought here from the target")


def _there(topic: LedgerTopic | None) -> list[str]:
    return _in_order(topic.read()) if topic is not None else []


def _in_order(kept: Kept) -> list[str]:
    numbers = range(1, len(kept.lines) + 1)
    missing = next((number for number in numbers if number not in kept.lines), 0)
    if missing:
        raise JournalError(
            f"the ledger on the target has {len(kept.lines)} lines, and line {missing} is not among them",
            hint=f"somebody removed records from the ledger topic. {_COPY_ANEW}",
        )
    return [kept.lines[number] for number in numbers]


def _alike(here: Sequence[str], there: Sequence[str]) -> None:
    parted = next((at for at, (ours, theirs) in enumerate(zip(here, there, strict=False), 1) if ours != theirs), 0)
    if parted:
        raise _parted(parted, whole_here=follow_one_another(here), whole_there=follow_one_another(there))


def _parted(number: int, *, whole_here: bool, whole_there: bool) -> JournalError:
    """Who is to be believed, where only one side's lines still follow one another."""
    away = (
        "nothing was changed. Move this folder's journal away and run the same command again: it takes up what is on"
        " the target"
    )
    if whole_there and not whole_here:
        told = f"line {number} of this folder's journal was edited, removed or moved: the copy on the target is whole"
        return JournalError(told, hint=away)
    if whole_here and not whole_there:
        told = f"line {number} of the ledger on the target was edited: this folder's journal is whole"
        return JournalError(told, hint=_COPY_ANEW)
    return JournalError(
        f"this folder's journal and the ledger on the target part at line {number}: another kmigrate went on there, or"
        " one of them was edited",
        hint=f"{away}. What only this folder did is in the lines from there on",
    )


def _whole(topic: LedgerTopic | None, local: JournalFile) -> bool:
    here = list(local.lines())  # first: another process may write on, here and then there
    kept = topic.read() if topic is not None else Kept()
    return kept.holder is not None and _in_order(kept)[: len(here)] == here


def _removed(topic: LedgerTopic | None, local: JournalFile) -> int | None:
    kept = topic.read() if topic is not None else Kept()
    if kept.holder is None:
        return None
    here = len(list(local.lines()))  # last: another process may write on, here and then there
    return max(0, len(kept.lines) - here) if kept.holder.place == local.place else 0


def _holder(topic: LedgerTopic | None) -> str:
    holder = topic.read().holder if topic is not None else None
    return str(holder) if holder is not None and holder.working else ""


def _taken_over(topic: LedgerTopic, us: Holder, error: Fenced) -> JournalError:
    """Say who it was; before the new claim is written that is not known, and brokers end transactions, too."""
    try:
        now = topic.read().holder
    except PlatformError:
        now = None
    if now is None or now == us:
        told = "the target takes no more lines from this process: another kmigrate is taking this migration over, or"
        still = f"{told} this process stood still for a minute. Nothing was begun after that ({error.message})"
        return JournalError(
            still, hint="kmigrate status shows who works on it; if nobody does, run the same command again"
        )
    told = f"another kmigrate has taken this migration over: {now}. Nothing was begun here after that"
    return JournalError(told, hint="leave it to that one; kmigrate status shows what is true")
