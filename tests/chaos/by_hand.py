"""A hand in Kubernetes: who turns the state of a lane with `kubectl edit`, and lets go of it later as they are told."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from kmigrate.adapters.kubernetes.connection import MERGE, REPLACE, Call, Connection
from kmigrate.adapters.kubernetes.contested import letting_go
from kmigrate.adapters.kubernetes.kinds import kind_of
from kmigrate.adapters.kubernetes.opening import connect
from kmigrate.adapters.kubernetes.refusals import Subject
from kmigrate.lab.compose import OPERATOR
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.plan_file import NAMESPACE
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import Json, JsonObject, Lane
from kmigrate.probes.lanes import connector_spec, lane_key, with_asked
from kmigrate.probes.set_by import only_by_others
from kmigrate.world import Key, Resource

EDITOR = "kubectl-edit"


@dataclass(frozen=True, slots=True)
class Hand:
    """Edits the resource of one lane under a name of its own."""

    connection: Connection
    lane: Lane

    @property
    def key(self) -> Key:
        return lane_key(self.lane, NAMESPACE)

    def turn(self) -> str:
        """Stop the lane if it is asked to run, else ask it to run; what it is asked now."""
        seen = self._seen()
        asked = STOPPED if self._asked(seen) == RUNNING else RUNNING
        self._edit(seen, asked)
        return asked

    def let_go(self, before: str) -> None:
        """As kmigrate's hint says, by its own command; put back first, unless kmigrate asked for the same meanwhile."""
        seen = self._seen()
        if only_by_others(seen, *self._place):
            self._edit(seen, before)
        command = letting_go(self._subject, self._seen().body, {EDITOR})
        if command:
            steps: list[Json] = json.loads(shlex.split(command)[-1])
            self._ask("PATCH", steps, REPLACE)

    @property
    def _place(self) -> tuple[str, ...]:
        return ("spec", "state") if self.lane.direction == "reverse" else ("spec", "mirrors")

    @property
    def _subject(self) -> Subject:
        return Subject(kind=kind_of(self.key.kind), namespace=self.key.namespace, name=self.key.name)

    def _asked(self, seen: Resource) -> str:
        spec = connector_spec(seen, self.lane)
        assert spec is not None, f"{self.key} has no lane {self.lane.name}"
        return str(spec.get("state", RUNNING))

    def _edit(self, seen: Resource, asked: str) -> None:
        self._ask("PATCH", {"spec": with_asked(seen, self.lane, {"state": asked})["spec"]}, MERGE)

    def _seen(self) -> Resource:
        return Resource(key=self.key, body=self._ask("GET"), generation=0, version="")

    def _ask(self, method: str, body: Json = None, content: str = MERGE) -> JsonObject:
        query = (("fieldManager", EDITOR),) if method == "PATCH" else ()
        return self.connection.ask(Call(method=method, subject=self._subject, query=query, body=body, content=content))


def turn(lab: LabFolder, lane: Lane) -> tuple[str, Callable[[], None]]:
    """Turn a lane's state; what it is asked now, and what lets go of it."""
    with _hand(lab, lane) as ours:
        now = ours.turn()

    def let_go() -> None:
        with _hand(lab, lane) as ours:
            ours.let_go(before=RUNNING if now == STOPPED else STOPPED)

    return now, let_go


@contextmanager
def _hand(lab: LabFolder, lane: Lane) -> Iterator[Hand]:
    """One that may edit every resource of the lab's Kubernetes."""
    kubeconfig = lab.kubernetes / f"{OPERATOR}.kubeconfig"
    with closing(connect("", str(kubeconfig))) as connection:
        yield Hand(connection, lane)
