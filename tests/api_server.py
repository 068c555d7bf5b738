"""A real Kubernetes API server for tests, and what they do to it as its administrator."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmigrate.lab.kubernetes import ControlPlane, binary
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.process import Machine
from kmigrate.model import Json, JsonObject
from kmigrate.world import Reporter


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """A control plane that runs in `folder`."""

    plane: ControlPlane
    machine: Machine
    folder: Path

    def ask(self, path: str, body: Json = None, method: str = "", *, user: str = "admin") -> JsonObject:
        """One request, without kmigrate's own client; a refusal is answered by its Status. A list patches by steps."""
        patch = "json-patch" if isinstance(body, list) else "merge-patch"
        request = urllib.request.Request(
            self.plane.server + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method or ("GET" if body is None else "POST"),
            headers={"Content-Type": f"application/{patch}+json" if method == "PATCH" else "application/json"},
        )
        try:
            with urllib.request.urlopen(request, context=self._context(user), timeout=30) as answer:
                return parsed(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return parsed(error.read())

    def user(self, name: str, *rules: JsonObject, namespace: str) -> Path:
        """The kubeconfig of a user whom a Role of that namespace allows these rules."""
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        role: JsonObject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        who: JsonObject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
        self.ask(f"{rbac}/roles/{name}", method="DELETE")
        made = self.ask(f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
        assert made["kind"] == "Role", made
        self.ask(f"{rbac}/rolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [who]})
        return self.plane.kubeconfig(name, namespace=namespace)

    def namespace(self, name: str) -> str:
        """Make a namespace."""
        made = self.ask("/api/v1/namespaces", {"metadata": {"name": name}})
        assert made["kind"] == "Namespace", made
        return name

    def _context(self, user: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / f"{user}.pem")
        return context


def parsed(text: bytes) -> JsonObject:
    try:
        body: Json = json.loads(text)
    except ValueError:
        return {"kind": "Status", "message": text.decode(errors="replace")}
    assert isinstance(body, dict)
    return body


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """Start a control plane; it is down when the block ends. Raises NoGo where it was never built and cannot be."""
    machine, ports, clock, reporter = Machine(), Ports(), LabClock(), Reporter()
    try:
        program = binary(clock, reporter)
        plane = ControlPlane(program, folder, machine=machine, ports=ports, clock=clock, reporter=reporter)
        plane.start()
        yield ApiServer(plane=plane, machine=machine, folder=folder)
        plane.stop()
    finally:
        machine.close()
        ports.close()
