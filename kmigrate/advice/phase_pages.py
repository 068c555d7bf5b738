"""What the pages of phases and of their steps say: title, what it does, what holds afterwards, the way on and back."""

from __future__ import annotations

from collections.abc import Mapping

_NOTHING = "It changes nothing, so there is nothing to take back."

PHASES: Mapping[str, tuple[str, str, str, str]] = {
    "assess": (
        "Everything on the source is known",
        "It reads the source: topics, groups, rights and who holds them, and compares that with the plan file.",
        "It is sealed once every topic, group and principal is known and assigned, excluded or accepted by name.",
        "Where a red flag blocks, decide on it in the plan file: `kmigrate explain ID` of the flag says how. "
        "It changes nothing. On: `kmigrate apply --phase provision`.",
    ),
    "provision": (
        "The target is made ready",
        "It makes the cluster where there is none, the users with just their rights, the claim on the migration, the "
        "topics, and on the source what a mirror back needs; then it tries the applications' own credentials.",
        "The lanes are fixed from here on: which topics are mirrored together does not change any more.",
        "On: `kmigrate apply --phase replicate`. Back: `kmigrate rollback --to assess`, which removes what was made.",
    ),
    "replicate": (
        "The mirror runs and has caught up",
        "It starts the lanes from the source to the target, makes those of the way back, stopped, and waits.",
        "The source is only read. What expires there before it is copied is told.",
        "On: `kmigrate apply --phase rehearse`; `kmigrate status --watch` shows how far it is. Back: "
        "`kmigrate rollback --to provision`, which removes the mirrors.",
    ),
    "rehearse": (
        "Content and positions are proven beforehand",
        "It compares every record on both sides, and translates the positions of every group without committing one.",
        "What would keep a move from being exact is met here, while nobody stands still.",
        "On: `kmigrate apply --phase cutover --app APP`. It changes nothing.",
    ),
    "cutover": (
        "An application moves from the source to the target",
        "The applications that must switch together are stopped, fenced, carried over and started, step by step; "
        "`kmigrate plan` shows the steps and how long they will stand still.",
        "Until `start-workloads` was begun going back is undo and loses nothing; from then on it is a move of its own.",
        "On: `kmigrate apply --phase cutover --app APP`, also after it was cut short. Back: "
        "`kmigrate rollback --app APP`. Each step has a page: `kmigrate explain stop-workloads`, and so on.",
    ),
    "rollback": (
        "An application moves from the target back to the source",
        "The same steps as those of a cutover, with the sides exchanged; what was written on the target is copied back "
        "before positions are carried.",
        "It is as exact as the way out. What the target has and the source cannot get is told before anything is "
        "touched.",
        "On: `kmigrate rollback --app APP`, also after it was cut short. Forward again, once it is back: "
        "`kmigrate apply --phase cutover --app APP`.",
    ),
    "decommission": (
        "The source is left for good",
        "It proves that nobody uses the source any more, stops every lane, and lets the target delete as the source "
        "did.",
        "This is the one-way door: afterwards no application can go back, so it asks twice.",
        "Where it says who is still there, move or stop them first. It revokes no key on the source: "
        "what `prove-idle` tells names those to revoke.",
    ),
}

STEPS: Mapping[str, tuple[str, str, str, str]] = {
    "take-inventory": (
        "Look at everything on the source (assess)",
        "It lists topics, groups, rights and principals, and raises a red flag for each that nobody has decided on.",
        "Whatever the plan file forgets would be left behind, or write where nobody may write any more.",
        f"Decide on each flag in the plan file. {_NOTHING}",
    ),
    "foresee-refusals": (
        "See what the operator would refuse (provision)",
        "It looks at all that is about to be applied by the rules that Strimzi's operator has and no schema knows.",
        "The operator says so only later, as NotReady, or leaves a setting out in silence.",
        f"Correct the fields that are named in the plan file. {_NOTHING}",
    ),
    "find-cluster": (
        "Find the target cluster, or make it (provision)",
        "It waits until the target's Kafka is Ready and says where it listens; it makes one where there is none.",
        "A cluster that somebody else made is taken as it is.",
        "Back: it is removed if it was made here; a namespace that was made stays, with all that others put there.",
    ),
    "create-users": (
        "Create the users (provision)",
        "It makes a KafkaUser with just its rights for every application, for each mirror and for kmigrate itself.",
        "An application's user takes over from the source's ACLs what the plan does not speak of, once.",
        "Back: users that were not there are removed, the others get their rights back.",
    ),
    "claim-migration": (
        "Claim the migration, and copy the journal (provision)",
        "It makes a topic on the target that holds the claim and a copy of the journal.",
        "From here on nobody else can work on the migration at the same time, and a lost journal folder is no loss.",
        "Back: the topic is removed if it was made here; this folder's journal stays.",
    ),
    "create-topics": (
        "Create the topics (provision)",
        "It makes every topic of the plan as the source has it, and the mirrors' own, before they run.",
        "Nobody else creates topics: a mirror that did would choose their settings itself. The lanes are fixed here.",
        "Back: topics that were not there are removed while they hold only copies; records that stand on the target "
        "alone keep them.",
    ),
    "prepare-source": (
        "Make on the source what the mirror back needs (provision)",
        "It makes one small topic for each lane of the way back, and grants the mirror back the rights to see topics.",
        "It may write none of the topics that the source owns: that right comes with the hand-over.",
        "Back: the topics and rights that were not there are removed.",
    ),
    "start-bridge": (
        "Start the bridge to HTTP (provision)",
        "It makes the KafkaBridge that the plan asks for, and waits until it is Ready.",
        "It signs in as one of the plan's users.",
        "Back: it is removed, or what was there is put back.",
    ),
    "try-access": (
        "Try it with the applications' own credentials (provision)",
        "It signs in at every broker of the target with each application's credential and looks at its topics.",
        "A credential or an address that does not work is found while nobody stands still.",
        f"Mend what is named, then type the same command again. {_NOTHING}",
    ),
    "store-logins": (
        "Give the mirror its credential for the source (replicate)",
        "It puts the mirrors' credentials, and the authority that they trust, into Secrets beside them.",
        "The plan file only refers to secrets; the mirrors need them in their namespace.",
        "Back: Secrets that were not there are removed.",
    ),
    "start-mirror": (
        "Start the mirror (replicate)",
        "It makes the KafkaMirrorMaker2 with every lane from the source to the target, running.",
        "The source is only read.",
        "Back: it is removed, or what was there is put back.",
    ),
    "prepare-reverse": (
        "Make the mirror back, stopped (replicate)",
        "It makes the workers of the mirror back and a connector for each lane, stopped until a topic is handed over.",
        "Made inside of a pause it would take too long.",
        "Do not start these lanes by hand. Back: they are removed, or what was there is put back.",
    ),
    "catch-up": (
        "Wait until the mirror has caught up (replicate)",
        "It waits until everything that stood on the source when it began stands on the target.",
        "A lane that stands still or has a failed task is told, with the right that it lacks where that is why.",
        f"`kmigrate status --watch` shows how far it is. {_NOTHING}",
    ),
    "guard-retention": (
        "See that nothing expires before it is copied (replicate)",
        "It compares the retention of each topic on the source with how fast the mirror was.",
        "What expires before it is copied is lost to the target.",
        f"Raise the retention on the source, or make the mirror faster. {_NOTHING}",
    ),
    "prove-content": (
        "Prove that the content is equal on both sides (rehearse)",
        "It reads both logs and compares them, record by record.",
        "Positions are found by the records around them, so these have to be the same.",
        f"`kmigrate verify --full` compares again. {_NOTHING}",
    ),
    "try-positions": (
        "Translate every position without committing it (rehearse)",
        "It works out, for every group that can move, where it would go on on the target, and with which grade.",
        "A position that would be refused is met here, while nobody stands still.",
        f"`kmigrate positions GROUP` shows each with what it rests on. {_NOTHING}",
    ),
    "prove-idle": (
        "Prove that nobody uses the source any more (decommission)",
        "It looks for applications, members of groups and logs that grow on the source.",
        "Whoever still works there would be left alone with it.",
        f"Move or stop each that is named. {_NOTHING}",
    ),
    "stop-lanes": (
        "Stop the mirror for good (decommission)",
        "It asks every lane to be stopped, and removes none.",
        "What is written on the source from here on is copied by nobody.",
        "This is one-way: there is no going back from here.",
    ),
    "release-retention": (
        "Let the target delete again as the source did (decommission)",
        "It gives the topics of the target back what was held off while a way back was promised.",
        "What retention takes on the target from here on does not come back.",
        "This is one-way: there is no going back from here.",
    ),
}
