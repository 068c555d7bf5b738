"""What the pages of a move's states say: what is true while it stands there, and how to get out without kmigrate.

A state is called like the step that was begun last. `APP`, `TOPIC` and `GROUP` stand for the names in question; the
commands that lift fences have all names filled in where `kmigrate status` prints them.
"""

from __future__ import annotations

from collections.abc import Mapping

_BACK_BY_HAND = (
    "Without kmigrate, back:\n"
    "  1. Lift the fences on the side that was left: `kmigrate status` printed the commands.\n"
    "  2. Give the mirror that was stopped its right again: Write on TOPIC (to the target: in the KafkaUser"
    " kmigrate-mirror; to the source: kafka-acls.sh --add --allow-principal User:MIRROR --operation Write --topic"
    " TOPIC), and take the same right from the mirror of the other direction.\n"
    "  3. Set `state: running` again at its lane (KafkaMirrorMaker2 kmigrate-forward, spec.mirrors[].sourceConnector;"
    " KafkaConnector of the lane for the way back).\n"
    "  4. Start APP with its old settings. Its positions there are where it stopped.\n"
    "`kmigrate rollback --app APP` afterwards looks first and does only what is left."
)
_NOTHING_WRITTEN = (
    "No record was written on the side being entered, so the side that was left still has everything: going back loses"
    " nothing, and needs no mirror."
)
_FORWARD_BY_HAND = (
    "Without kmigrate, on: start APP with the settings of the side being entered (address, user and Secret are those"
    " `kmigrate plan` tells); its positions are committed there, for every partition. Do not start it on the side that"
    " was left: what it writes there nobody copies any more."
)
_BOTH = "With kmigrate, on: the same command again. Back: `kmigrate rollback --app APP`."

STATES: Mapping[str, tuple[str, str, str, str]] = {
    "ready": (
        "APP works where it worked; everything that its move needs is looked at",
        "Both sides, the mirror, the credentials at every broker, the rights, the positions and the predicted pause are"
        " looked at, right before APP is stopped. Nothing is changed.",
        "Whatever stands in the way is met here, while APP still works.",
        f"Do what the message says. {_BOTH} Without kmigrate there is nothing to do: APP runs as it did.",
    ),
    "stop-workloads": (
        "APP is being stopped on the side being left",
        "The pause runs from here on. Its instances are stopped, its groups are waited for until they are Empty, and"
        " its transactional ids are taken over, so that a forgotten instance cannot write with them any more.",
        _NOTHING_WRITTEN + " No fence stands yet, and no position was committed.",
        f"{_BOTH} Without kmigrate, back: start APP with its old settings.",
    ),
    "fence-clients": (
        "APP stands still and is denied the side being left",
        "Its principals are denied to read with its groups and, of topics that the move writes, to write; every broker"
        " is asked until it refuses them.",
        _NOTHING_WRITTEN + " No position was committed.",
        f"{_BOTH} Without kmigrate, back: lift the fences on the side being left (`kmigrate status` prints the"
        " commands), then start APP with its old settings.",
    ),
    "drain-mirror": (
        "APP stands still until all that it had read, and written, is copied",
        "Its instances are stopped, its groups are Empty, and clients are denied on the side being left. The mirror is"
        " waited for until it has copied the last record that each group had read and, of topics that the move"
        " writes, everything up to their end; then a lane whose topics are handed over is asked to stop.",
        _NOTHING_WRITTEN + " Nothing was committed on the side being entered.",
        f"{_BOTH} What is behind, and why, `kmigrate status` tells per lane. Without kmigrate, back: lift the fences"
        " on the side that was left (`kmigrate status` printed the commands), set `state: running` again at a lane that"
        " was asked to stop, and start APP with its old settings.",
    ),
    "carry-positions": (
        "APP stands still while its groups' positions are translated and committed",
        "All that its groups had read is copied. For each partition the position on the side being entered is worked"
        " out, written down with its evidence, committed to GROUP there, which is Empty, and read back.",
        "On the side being left nothing is changed: GROUP stands there where it stood. On the side being entered it"
        " may hold positions of some partitions or of all; nobody reads from them before the move goes on.",
        f"{_BOTH} `kmigrate positions GROUP` shows each position and what it rests on. Without kmigrate, back: lift the"
        " fences on the side that was left, set `state: running` again at a lane that was asked to stop, and start"
        " APP with its old settings; positions that stay on the other side are put over by the next attempt.",
    ),
    "hand-over-topics": (
        "APP stands still while its topics change their owner",
        "Clients are denied on the side being left, and all that was written there is copied. The lane that fed the"
        " side being entered was asked to stop; once it has, both ends are read again, the ledger gets the seam (the"
        " two offsets of each partition at which the owner changes), then the mirror that wrote until now loses"
        " its right; the one the other way gets its own only once it is armed.",
        _NOTHING_WRITTEN,
        f"{_BOTH}\n{_BACK_BY_HAND}",
    ),
    "lift-fence": (
        "APP stands still; the side being entered lets it in again",
        "The seam is on disk, and no mirror may write the topics on either side. What an earlier attempt had"
        " denied APP on the side being entered is removed. Clients are still denied on the side being left.",
        _NOTHING_WRITTEN,
        f"{_BOTH}\n{_BACK_BY_HAND}",
    ),
    "switch-settings": (
        "APP stands still and is pointed at the side being entered",
        "Address, credentials, trust and mechanism are being written into its settings; it may have either, or, with"
        " several workloads, some of each. None of its instances runs.",
        _NOTHING_WRITTEN,
        f"{_BOTH}\n{_BACK_BY_HAND}\nPoint every workload at the side that was left before step 4.",
    ),
    "start-workloads": (
        "APP starts on the side being entered",
        "From here on it may have written and committed there: by going back what it wrote has to be copied back, so"
        " going back is a move of its own and no undo. Its topics are owned by the side being entered; no mirror may"
        " write them there.",
        "Until the lane the other way runs, what is written now is on one side only. It is not lost: the lane begins"
        " at the seam, whenever it is started, within the retention of its topics.",
        f"{_BOTH}\n{_FORWARD_BY_HAND}",
    ),
    "turn-mirror": (
        "APP works; the lane the other way is set to the seam and started",
        "The application runs on the side it was moved to. The lane that feeds the side that was left is stopped, gets"
        " the offsets of the seam, is read back, gets its right to write, and is started. Nobody waits for it"
        " but readers that stayed.",
        "While it stands still the way back is not fed, and readers that stayed get nothing new. Nothing is lost"
        " within the retention of the topics.",
        "With kmigrate: the same command again. Without it: leave the lane stopped. Started by hand before it"
        " was armed its task FAILS, since it has no right to write yet; with that right and other offsets it would copy"
        " records again or leave some out; started in the other direction its task FAILS, since it has"
        " no right to write there. Never grant that right while APP runs on this side.",
    ),
    "soak": (
        "APP works and is watched",
        "Everything is done; both sides are compared from the seam on for the soak time. Clients stay denied on the"
        " side that was left.",
        "Whoever still writes where APP wrote before (a forgotten instance, a job with an old credential) is found"
        " here: its records are on one side only. Then the move holds: `kmigrate explain KM-FOREIGN-WRITE`.",
        f"{_BOTH} Without kmigrate there is nothing to do: the application runs. Leave the fences on the side that was"
        " left; they are what keeps forgotten clients out.",
    ),
}
