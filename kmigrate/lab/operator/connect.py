"""The connectors of one Connect group: exactly those of the spec, with its settings and states.

Source: AbstractConnectOperator.createOrUpdateConnector and maybeUpdateConnectorState (strimzi.md §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from kmigrate.lab.operator.status import Rejected, mapping, objects
from kmigrate.lab.runtime.connect import ConnectRest
from kmigrate.model import Json, JsonObject

_INITIAL = {"running": "RUNNING", "paused": "PAUSED", "stopped": "STOPPED"}
_TIMEOUT_MS = 10_000


class Connectors:
    """One look and one change per call; Transient means: again in a moment."""

    def __init__(self, url: str) -> None:
        self._rest = ConnectRest(url, timeout_ms=_TIMEOUT_MS)

    def converge(self, wanted: Mapping[str, tuple[dict[str, str], str]]) -> dict[str, JsonObject]:
        """Delete, create, change and steer connectors; the raw status of each wanted one, as Connect has it now.

        What a state change has asked for may not show yet: Connect answers before it is done (KIP-875).
        """
        there = mapping(self._rest.get("/connectors?expand=info&expand=status"))
        for name in sorted(there.keys() - wanted.keys()):
            self._rest.delete(_path(name))
        for name, (settings, state) in wanted.items():
            if name not in there:
                self._create(name, settings, state)
            else:
                self._adapt(name, settings, state, mapping(there[name]))
        return {name: self._status(name) for name in wanted}

    def plugins(self) -> tuple[JsonObject, ...]:
        """What `status.connectorPlugins` holds."""
        return objects(self._rest.get("/connector-plugins"))

    def offsets(self, name: str) -> Json:
        """Connect's `{"offsets": [{"partition", "offset"}]}`: the last source offsets copied, not the next ones."""
        return self._rest.get(f"{_path(name)}/offsets")

    def alter_offsets(self, name: str, offsets: Json) -> None:
        """Set them; Connect refuses unless the connector is STOPPED (PlatformError)."""
        self._rest.patch(f"{_path(name)}/offsets", offsets)

    def _create(self, name: str, settings: dict[str, str], state: str) -> None:
        self._rest.post("/connectors", {"name": name, "config": settings, "initial_state": _INITIAL[state]})

    def _adapt(self, name: str, settings: dict[str, str], state: str, there: JsonObject) -> None:
        if mapping(mapping(there.get("info")).get("config")) != settings:
            self._rest.put(f"{_path(name)}/config", settings)
        now = str(mapping(mapping(there.get("status")).get("connector")).get("state"))
        if state == "running" and now in ("PAUSED", "STOPPED"):
            self._rest.put(f"{_path(name)}/resume")
        elif state == "stopped" and now in ("RUNNING", "PAUSED", "FAILED"):
            self._rest.put(f"{_path(name)}/stop")
        elif state == "paused" and now == "RUNNING":
            self._rest.put(f"{_path(name)}/pause")
        elif state == "paused" and now == "FAILED":
            raise Rejected("ConnectRestException", f"connector {name} is FAILED and cannot be paused")

    def _status(self, name: str) -> JsonObject:
        """A connector that was only just made may have none yet."""
        status = self._rest.get(f"{_path(name)}/status")
        return mapping(status) or {"name": name, "connector": {"state": "UNASSIGNED", "worker_id": ""}, "tasks": []}


def _path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"
