"""One tree of errors; each knows its exit code, and says in `hint` what to type next.

KmigrateError
├── UsageError            2   the command line or the plan file is wrong
│   └── PlanFileError     2   one or many mistakes in a plan file, each with its line
├── Blocked               3   a human must act before this can go on
│   ├── Refused           3   an answer exists only by guessing, so there is none
│   └── TurnBack          3   the move must not go on; the engine takes it back
│       ├── Overrun       3   the pause would outgrow its budget
│       └── ForeignWrite  3   somebody whom the plan does not know writes what changes its owner
├── VerifyFailed          4   something was looked at and is not as it must be
├── NoWayBack             5   there is no way back from here
├── NotConfirmed          6   the gate was not confirmed
├── PlatformError         7   Kafka, Connect, a store or a program failed, after retries
│   ├── Transient         7   worth trying again; the only error that is retried
│   ├── Conflict          7   somebody else changed the resource first
│   └── Invalid           7   the platform refuses the resource as it is written
├── JournalError          8   the journal is busy, newer, damaged or of another migration
├── WentBack              9   the move turned back by itself
├── StillUnderWay        11   the time given was over before the work was
└── Interrupted         130   somebody pressed Ctrl-C, or sent SIGTERM (143) or SIGHUP (129)
"""

from __future__ import annotations

from collections.abc import Sequence


class KmigrateError(Exception):
    """What went wrong, in one sentence; `hint` says what to type next, `where` which step of which unit it was."""

    exit_code: int = 1
    where: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(KmigrateError):
    """The command line or the plan file is wrong."""

    exit_code = 2


class PlanFileError(UsageError):
    """All mistakes of a plan file at once; `mistakes` holds one line of text each."""

    def __init__(self, where: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{where}: {count}\n" + "\n".join(f"  {line}" for line in mistakes))
        self.hint = "nothing was touched; correct the file and run the same command again"


class Blocked(KmigrateError):
    """A human must act before this can go on."""

    exit_code = 3


class Refused(Blocked):
    """An answer exists only by guessing, so there is none."""


class TurnBack(Blocked):
    """The move must not go on, and nobody has worked on the other side yet; the engine takes it back.

    `held` says what to type next where that is not possible any more, and it holds instead.
    """

    def __init__(self, message: str, *, hint: str = "", held: str = "") -> None:
        super().__init__(message, hint=hint)
        self.held = held


class Overrun(TurnBack):
    """The pause, with the way back, would outgrow its budget."""


class ForeignWrite(TurnBack):
    """Somebody whom the plan does not know writes what changes its owner."""


class VerifyFailed(KmigrateError):
    """Something was looked at and is not as it must be."""

    exit_code = 4


class NoWayBack(KmigrateError):
    """There is no way back from here."""

    exit_code = 5


class NotConfirmed(KmigrateError):
    """The gate was not confirmed."""

    exit_code = 6


class PlatformError(KmigrateError):
    """Kafka, Connect, a store or a program failed, after retries."""

    exit_code = 7


class Transient(PlatformError):
    """Worth trying again; the only error that is retried."""


class Conflict(PlatformError):
    """Somebody else changed the resource first; whether that `passes`, so that another look and try may do."""

    passes: bool = True


class Invalid(PlatformError):
    """The platform refuses the resource as it is written; `problems` says each reason with its field."""

    def __init__(self, message: str, problems: Sequence[str] = (), *, hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"  {line}" for line in problems)]), hint=hint)


class JournalError(KmigrateError):
    """The journal is busy, newer, damaged or of another migration."""

    exit_code = 8


class WentBack(KmigrateError):
    """The move turned back by itself."""

    exit_code = 9


class StillUnderWay(KmigrateError):
    """The time given was over before the work was."""

    exit_code = 11


class Interrupted(KmigrateError):
    """Somebody pressed Ctrl-C (130), or sent SIGTERM (143) or SIGHUP (129: the terminal is gone)."""

    def __init__(self, signal_number: int = 2) -> None:
        super().__init__(
            "interrupted", hint="the same command goes on where it stopped; kmigrate status says what is true"
        )
        self.exit_code = 128 + signal_number
