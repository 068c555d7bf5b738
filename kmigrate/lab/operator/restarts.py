"""Connectors and tasks that FAILED, started again where their resource asks for it (`autoRestart`).

Source: io.strimzi.operator.cluster.operator.assembly.AbstractConnectOperator (autoRestartFailedConnectorAndTasks,
shouldAutoRestart, shouldResetAutoRestartStatus); `strimzi.md` §3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from kmigrate.lab.operator.connect import state_of
from kmigrate.lab.operator.status import mapping, objects, whole
from kmigrate.model import JsonObject
from kmigrate.world import Clock

_MOST_MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """When to start again; a minute of it (ms) is as long as half of the interval, as it is where Strimzi runs."""

    clock: Clock
    minute_ms: Callable[[], int]

    def after(
        self, spec: JsonObject, status: JsonObject, before: JsonObject, restart: Callable[[], None]
    ) -> JsonObject:
        """Call `restart` where something FAILED and it is due; what the resource tells of its restarts from now on.

        After n of them the next waits n * n + n minutes, and they count anew once it was well for as long.
        """
        asked = mapping(spec.get("autoRestart"))
        if not asked.get("enabled"):
            return {}
        count, now = whole(before.get("count"), 0), self.clock.now_ms()
        rested = now - _ms(before) >= min(_MOST_MINUTES, count * count + count) * self.minute_ms()
        if not failed(status):
            return {} if rested else before
        if not rested or ("maxRestarts" in asked and count >= whole(asked["maxRestarts"], 0)):
            return before
        restart()
        at = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds")
        return {"count": count + 1, "lastRestartTimestamp": at.replace("+00:00", "Z")}


def failed(status: JsonObject) -> bool:
    """Whether a connector or any of its tasks FAILED, by Connect's own status."""
    return "FAILED" in (state_of(status), *(str(task.get("state")) for task in objects(status.get("tasks"))))


def _ms(before: JsonObject) -> int:
    """When it was restarted last; long ago where it never was."""
    told = before.get("lastRestartTimestamp")
    return round(datetime.fromisoformat(str(told)).timestamp() * 1000) if told else 0
