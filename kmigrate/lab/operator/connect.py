"""The connectors of one Connect group, by settings and states.

Source: AbstractConnectOperator.createOrUpdateConnector and maybeUpdateConnectorState (strimzi.md §3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from kmigrate.lab.operator.status import Rejected, mapping, objects, strings
from kmigrate.lab.runtime.connect import ConnectRest
from kmigrate.model import Json, JsonObject

_INITIAL = {"running": "RUNNING", "paused": "PAUSED", "stopped": "STOPPED"}
_TIMEOUT_MS = 10_000


class Connectors:
    """One look and one change per call; Transient means: again in a moment.

    What a change of state has asked for may not show yet: Connect answers before it is done (KIP-875).
    """

    def __init__(self, url: str) -> None:
        self._rest = ConnectRest(url, timeout_ms=_TIMEOUT_MS)

    def converge(self, wanted: Mapping[str, tuple[dict[str, str], str]]) -> dict[str, JsonObject]:
        """Delete, create, change and steer connectors; the raw status of each wanted one, as Connect has it now."""
        there = mapping(self._rest.get("/connectors?expand=info&expand=status"))
        self._delete(there.keys() - wanted.keys())
        for name, (settings, state) in wanted.items():
            if name not in there:
                self._create(name, settings, state)
            else:
                info, status = (mapping(mapping(there[name]).get(part)) for part in ("info", "status"))
                self._adapt(name, settings, state, mapping(info.get("config")), status)
        return {name: self.status(name) for name in wanted}

    def settle(self, name: str, settings: dict[str, str], state: str) -> None:
        """Create, change and steer one connector."""
        there = self._rest.get(f"{_path(name)}/config")
        if there is None:
            self._create(name, settings, state)
        else:
            self._adapt(name, settings, state, mapping(there), self.status(name))

    def keep(self, names: Iterable[str]) -> None:
        """Delete every other connector; offsets stay in their topics."""
        self._delete({*strings(self._rest.get("/connectors"))} - {*names})

    def delete(self, name: str) -> None:
        """Delete one; fine when there is none."""
        self._rest.delete(_path(name))

    def restart(self, name: str) -> None:
        """Start again what FAILED of one: itself, its tasks."""
        self._rest.post(f"{_path(name)}/restart?includeTasks=true&onlyFailed=true")

    def plugins(self) -> tuple[JsonObject, ...]:
        """What `status.connectorPlugins` holds."""
        return objects(self._rest.get("/connector-plugins"))

    def topics(self, name: str) -> tuple[str, ...]:
        """Those it has written or read since it was made, sorted."""
        told = mapping(self._rest.get(f"{_path(name)}/topics"))
        return tuple(sorted(strings(mapping(told.get(name)).get("topics"))))

    def offsets(self, name: str) -> Json:
        """Connect's `{"offsets": [{"partition", "offset"}]}`: the last source offsets copied, not the next ones."""
        return self._rest.get(f"{_path(name)}/offsets")

    def alter_offsets(self, name: str, offsets: Json) -> None:
        """Set them; Connect refuses unless the connector is STOPPED (PlatformError)."""
        self._rest.patch(f"{_path(name)}/offsets", offsets)

    def reset_offsets(self, name: str) -> None:
        """Forget them; Connect refuses unless the connector is STOPPED (PlatformError)."""
        self._rest.delete(f"{_path(name)}/offsets")

    def status(self, name: str) -> JsonObject:
        """As Connect has it now; a connector that was only just made may have none yet."""
        status = self._rest.get(f"{_path(name)}/status")
        return mapping(status) or {"name": name, "connector": {"state": "UNASSIGNED", "worker_id": ""}, "tasks": []}

    def _delete(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            self.delete(name)

    def _create(self, name: str, settings: dict[str, str], state: str) -> None:
        self._rest.post("/connectors", {"name": name, "config": settings, "initial_state": _INITIAL[state]})

    def _adapt(self, name: str, settings: dict[str, str], state: str, there: JsonObject, status: JsonObject) -> None:
        if there != settings:
            self._rest.put(f"{_path(name)}/config", settings)
        now = state_of(status)
        if state == "running" and now in ("PAUSED", "STOPPED"):
            self._rest.put(f"{_path(name)}/resume")
        elif state == "stopped" and now in ("RUNNING", "PAUSED", "FAILED"):
            self._rest.put(f"{_path(name)}/stop")
        elif state == "paused" and now in ("RUNNING", "STOPPED"):
            self._rest.put(f"{_path(name)}/pause")
        elif state == "paused" and now == "FAILED":
            raise Rejected("NoStackTraceThrowable", f"Connector {name} cannot be paused since it is in failed state.")


def state_of(status: JsonObject) -> str:
    """The connector's own state in Connect's raw status."""
    return str(mapping(status.get("connector")).get("state"))


def _path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"
