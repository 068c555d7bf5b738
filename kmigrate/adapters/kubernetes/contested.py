"""Fields that somebody set past us by hand, and how their owner lets go of them. Pure.

Who edits a field takes it over (`metadata.managedFields`, operation Update) and keeps it, also once its value is as
before. An entry taken out leaves every value as it is, and whoever applies next may set it (kubernetes.io, Server-Side
Apply, Transferring ownership).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection

from kmigrate.adapters.kubernetes.refusals import Contested, Subject
from kmigrate.adapters.stored import mapping, objects
from kmigrate.model import Json, JsonObject
from kmigrate.world import FIELD_MANAGER


def tell_way_out(error: Contested, subject: Subject, live: JsonObject | None) -> None:
    """Add the command to the hint that lets go of what was set by hand, where something was."""
    command = letting_go(subject, live or {}, error.managers)
    if command:
        error.hint = (
            f"{error.hint}; what was set by hand, as with kubectl edit, is let go of by this, and changes no value. "
            f"Then run the same command again:\n{command}"
        )


def letting_go(subject: Subject, live: JsonObject, managers: Collection[str]) -> str:
    """The kubectl command that takes these managers' entries out, if they are still there; empty where none updates.

    Who applies (GitOps) would set it anew a moment later, so such entries are left.
    """
    entries = objects(mapping(live.get("metadata")).get("managedFields"))
    held = [
        (f"/metadata/managedFields/{at}", str(entry.get("manager")))
        for at, entry in enumerate(entries)
        if entry.get("manager") in managers and entry.get("operation") == "Update" and not entry.get("subresource")
    ]
    if not held:
        return ""
    still: list[Json] = [{"op": "test", "path": f"{path}/manager", "value": name} for path, name in held]
    gone: list[Json] = [{"op": "remove", "path": path} for path, _ in reversed(held)]
    if len(held) == len(entries):  # an empty list is taken for none given, and nothing is let go of
        to_us: dict[str, Json] = {"manager": FIELD_MANAGER, "operation": "Apply"}
        first, _ = held[0]
        gone[-1:] = [{"op": "replace", "path": f"{first}/{name}", "value": value} for name, value in to_us.items()]
    patch = json.dumps([*still, *gone], separators=(",", ":"))
    place = f"-n {subject.namespace} " if subject.namespace else ""
    return f"kubectl {place}patch {subject.kind.resource} {subject.name} --type=json -p {shlex.quote(patch)}"
