"""What the pages of errors, grades and exit codes say: title, what it is, why it matters, the way out."""

from __future__ import annotations

Told = tuple[str, str, str, str]

_AGAIN = "Type the same command again: it looks anew and goes on where it stopped."

_INTERRUPTED = (
    "If a move was under way its application may stand still: the message says so, and `kmigrate status` too.",
    "On: type the same command again. Back: `kmigrate rollback --app APP`.",
)

ERRORS: dict[str, Told] = {
    "UsageError": (
        "The command line or the plan file is wrong",
        "An option, a file name or an environment variable is not what it must be.",
        "Nothing was touched; nothing was looked at either.",
        "Do what the hint says and type the command again.",
    ),
    "PlanFileError": (
        "The plan file has mistakes",
        "Every mistake is listed at once, with its line, what was found and what is allowed.",
        "kmigrate does not begin with a plan that it would have to guess at.",
        "Correct the file. `kmigrate schema plan` prints its JSON Schema; editors check against it while you type.",
    ),
    "Blocked": (
        "A human must act before this can go on",
        "A condition does not hold, and it is not kmigrate's to make it hold.",
        "To go on would mean to guess, to overwrite what somebody else owns, or to leave the way back.",
        "Do what the hint says, then type the same command again. What was done so far stays and is in the journal.",
    ),
    "Refused": (
        "An answer exists only by guessing",
        "A position could not be found on the other side, or was found more than once.",
        "A guessed position loses records or gives them twice. kmigrate never commits one.",
        "Wait until the mirror has copied more and try again; `kmigrate status` shows how far it is. If the records "
        "around the position are gone on one side, the application has to move with another position by hand.",
    ),
    "TurnBack": (
        "The move must not go on",
        "Something was met from which a move goes back by itself: its pause runs out, or a foreign record came.",
        "Until the application has begun on the other side going back is undo, and loses nothing.",
        "Read what was met: the move's own message names it.",
    ),
    "ForeignWrite": (
        "Somebody whom the plan does not know writes what changes its owner",
        "The writers of the plan are stopped and fenced, and a record came all the same: a client with a credential "
        "that the plan forgot. It is named with topic, partition, offset and time, and so is who may write there.",
        "What is written on the side that was left after the hand-over would stand there alone.",
        "Until the application has begun on the other side the move goes back by itself, and the mirror copies that "
        "record like any other. Find the client among those that are named, add it to the plan or take its right "
        "away, then try again. Later the move holds: `kmigrate explain KM-FOREIGN-WRITE`.",
    ),
    "Overrun": (
        "The pause would outgrow its budget",
        "The time the application has stood still, with the predicted way back, reached policy.maxPause.",
        "A pause is promised to be short; going back must still fit into it.",
        "Unless policy.onOverrun says otherwise the move goes back by itself. Find what took the time in "
        "`kmigrate history`, then try again, or raise policy.maxPause.",
    ),
    "VerifyFailed": (
        "Something was looked at and is not as it must be",
        "A step did its work, looked at the result, and found something else.",
        "Done means looked at. The unit is not sealed, so nothing builds on it.",
        f"Look at what is named. {_AGAIN}",
    ),
    "NoWayBack": (
        "There is no way back from here",
        "What is asked would need something that is gone: records, a credential, or a cluster.",
        "Rollback looks at the whole way first, so nothing was changed.",
        "Read which step has no way back and why; `kmigrate history` shows the checkpoints that can be reached.",
    ),
    "NotConfirmed": (
        "The gate was not confirmed",
        "The question before a unit was not answered with yes, or there was no terminal to ask it on.",
        "No unit starts without a human's word.",
        "Type the command again and answer, or give --yes where no terminal is.",
    ),
    "PlatformError": (
        "A platform failed",
        "Kafka, Connect, the store of resources or one of your programs failed, also after it was tried again.",
        "kmigrate cannot tell whether the last change was made; it will look when it runs again.",
        f"Mend what is named. {_AGAIN}",
    ),
    "Transient": (
        "A platform did not answer",
        "A call timed out or met a broker in transition; it was tried again several times.",
        "Nothing is known to be wrong, only not to be right.",
        _AGAIN,
    ),
    "Conflict": (
        "Somebody else changed the resource first",
        "Between looking at a resource and writing it, another client wrote it.",
        "Two hands on one resource overwrite each other; GitOps tools are the usual second hand.",
        "Find out who wrote it, and make it stop for the migration. Then type the same command again.",
    ),
    "Invalid": (
        "The platform refuses a resource",
        "A resource does not fit the definition that is installed; each reason is listed with its field.",
        "Versions of Strimzi other than the supported ones have other fields.",
        "Look at the operator's version, and at what the plan says about the fields that are named.",
    ),
    "JournalError": (
        "The journal cannot be used",
        "Another kmigrate holds it, it was written by a newer version or for another migration, or it is damaged.",
        "The journal says what was done. Two hands on it, or a changed line, and nobody knows what is true.",
        "Let the other one end; use the newer version; correct journal.store. A damaged journal is put back from a "
        "copy, never edited.",
    ),
    "WentBack": (
        "The move turned back by itself",
        "The pause was about to outgrow policy.maxPause, or somebody whom the plan does not know wrote what "
        "was to change its owner; so every step was undone in reverse order.",
        "The application runs where it ran before; no record was lost or given twice.",
        "Find what took the time in `kmigrate history`, or the writer that is named; then try again, it is a new "
        "attempt.",
    ),
    "StillUnderWay": (
        "The time was over before the work was",
        "A wait reached its deadline, or the call its --timeout.",
        "What was begun goes on: a mirror copies, an operator works. Nothing was undone.",
        f"`kmigrate status` shows how far it is. {_AGAIN}",
    ),
    "Interrupted": (
        "Somebody stopped kmigrate",
        "Ctrl-C, SIGTERM or SIGHUP (the terminal is gone) came. The write in flight is finished and in the journal.",
        *_INTERRUPTED,
    ),
}

GRADES: dict[str, Told] = {
    "EXACT_PROVEN": (
        "Proven exact",
        "The records around the position correspond one to one on both sides.",
        "Nothing is lost, nothing given twice, and the correspondence itself is the proof.",
        "Nothing to do.",
    ),
    "EXACT_MATCHED": (
        "Matched exactly",
        "The last record before the position was found on the other side, once, and its neighbours agree.",
        "Nothing is lost, nothing given twice. This is the lowest grade that goes on by default.",
        "Nothing to do; policy.minimumGrade: EXACT_PROVEN asks for more.",
    ),
    "SAFE_LOWER_BOUND": (
        "A safe lower bound",
        "The position skips no record and may repeat at most the number that is printed with it.",
        "Fine for a reader to whom a record given twice does no harm; wrong for one that counts money.",
        "Set policy.minimumGrade: SAFE_LOWER_BOUND if the application can bear repetition.",
    ),
    "REFUSED": (
        "No position",
        "No position could be found without guessing; the reason is printed beside it.",
        "A guess loses records or gives them twice, so the move does not go on.",
        "Read the reason. Most often the mirror has not yet copied far enough, and the next attempt succeeds.",
    ),
}

EXITS: dict[str, Told] = {
    "0": ("Exit code 0", "Done, or nothing to do.", "Everything that is claimed was looked at.", "Nothing to do."),
    "1": (
        "Exit code 1",
        "A defect in kmigrate. The message says where the traceback lies and what is true.",
        "The journal is written before each change, so what was done is known.",
        "Report it with the traceback. The same command goes on where it stopped.",
    ),
    "2": ("Exit code 2", "The command line or the plan file is wrong.", "Nothing was touched.", "Correct it."),
    "3": (
        "Exit code 3",
        "Blocked: a human must act. From `plan`: a red flag is undecided, an edit of the plan file is refused, or it "
        "is known beforehand that a move would stand still for longer than policy.maxPause.",
        "What is missing is not kmigrate's to decide.",
        "Do what the hint says, then type the same command again.",
    ),
    "4": (
        "Exit code 4",
        "A verification failed: something is not as it must be.",
        "The unit is not sealed.",
        "Look at what is named, then type the same command again.",
    ),
    "5": (
        "Exit code 5",
        "There is no way back from here.",
        "Nothing was changed by asking.",
        "`kmigrate history` shows which checkpoints can be reached.",
    ),
    "6": ("Exit code 6", "The gate was not confirmed.", "Nothing was started.", "Answer it, or give --yes."),
    "7": (
        "Exit code 7",
        "A platform failed, also after it was tried again. From `plan` and `status`: the source or the target did not "
        "answer, and everything else is shown. Or stdout could not be written, as on a full disk.",
        "The last change may or may not have been made; the next run looks.",
        "Mend what is named, then type the same command again.",
    ),
    "8": (
        "Exit code 8",
        "The journal is busy, newer, damaged or of another migration.",
        "Without it nobody knows what was done.",
        "Read the message: it says who holds it, or which line is wrong.",
    ),
    "9": (
        "Exit code 9",
        "The move went back by itself.",
        "The application runs where it ran before.",
        "Do what the message says: find what took the time, or the writer that it names; then try again.",
    ),
    "10": (
        "Exit code 10",
        "`plan --detailed-exitcode` found changes to make, and nothing that blocks them.",
        "It is no failure: scripts tell by it that there is something to apply.",
        "`kmigrate apply` for the phase that is named.",
    ),
    "11": (
        "Exit code 11",
        "Still under way: the time given was over before the work was.",
        "What was begun goes on.",
        "Look at `kmigrate status`, then type the same command again.",
    ),
    "129": ("Exit code 129", "Interrupted by SIGHUP: its terminal is gone, as by a dropped ssh.", *_INTERRUPTED),
    "130": ("Exit code 130", "Interrupted by Ctrl-C.", *_INTERRUPTED),
    "141": (
        "Exit code 141",
        "Whoever read stdout has ended, as `head` does, so nobody heard the rest.",
        "No step ends because of it: what was under way was done, and the journal tells it.",
        "`kmigrate status` says what is true. Type the same command again to see it all.",
    ),
    "143": ("Exit code 143", "Interrupted by SIGTERM.", *_INTERRUPTED),
}
