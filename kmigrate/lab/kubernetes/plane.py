"""The control plane as running processes; they end with the machine that owns them, however that ends."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from kmigrate.lab.kubernetes import flags
from kmigrate.lab.kubernetes.kubeconfig import write_kubeconfig
from kmigrate.lab.runtime.logs import died, size
from kmigrate.lab.runtime.pki import Authority, Issued, new_pair
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.process import Machine, ProcessSpec
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.private import private_folder
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

ETCD, API_SERVER, CONTROLLER_MANAGER = "etcd", "kube-apiserver", "kube-controller-manager"
AUDITED = "kmigrate"
"""The user of whom the API server writes down what was asked."""
_DEADLINE_MS = 90_000
_ANSWER_S = 5
_GRACE_MS = 10_000
_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class ControlPlane:
    """etcd, kube-apiserver with RBAC, kube-controller-manager; on the loopback address and free ports.

    What etcd holds stays in `folder` over `stop` and another `start`; ports, certificates and kubeconfig files are new
    at every start.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        *,
        machine: Machine,
        ports: Ports,
        clock: Clock,
        reporter: Reporter,
        controllers: tuple[str, ...] = flags.CONTROLLERS,
    ) -> None:
        self._program, self._machine = program, machine
        self._clock, self._reporter, self._controllers = clock, reporter, controllers
        etcd_port, peer_port, port = ports.take(3)
        self._places = flags.Places(folder=folder.absolute(), etcd_port=etcd_port, peer_port=peer_port, port=port)
        self._authority = Authority("kubernetes-ca")

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self._places.server

    @property
    def admin(self) -> Path:
        """The kubeconfig of somebody who may do everything; there once `start` has begun."""
        return self._kubeconfig("admin")

    def start(self) -> None:
        """Start all three, one after the other; returns when the API server is ready and the controllers work.

        Raises PlatformError with the cause from the log, StillUnderWay after 90 s for each.
        """
        private_folder(self._places.folder)
        self._write_certificates()
        write_secret(self._places.file(flags.AUDIT_POLICY), json.dumps(flags.audit_policy(AUDITED)))
        self.start_etcd()
        self.start_api_server()
        manager = self.kubeconfig("system:kube-controller-manager")
        arguments = flags.controller_manager(self._places, manager, self._controllers)
        self._start(CONTROLLER_MANAGER, arguments, self.server + _ACCOUNT, "admin")

    def start_etcd(self) -> None:
        """Start etcd (again) and wait until it is healthy."""
        self._start(ETCD, flags.etcd(self._places), f"{self._places.etcd}/health", "etcd-client")

    def start_api_server(self) -> None:
        """Start the API server (again) at its address and wait until it is ready."""
        self._start(API_SERVER, flags.api_server(self._places), f"{self.server}/readyz", "admin")

    def kill_api_server(self) -> None:
        """Kill the API server without warning (SIGKILL); what it had accepted is in etcd."""
        self._machine.kill(API_SERVER)

    def alive(self) -> bool:
        """Whether all three run."""
        return all(self._machine.alive(name) for name in (ETCD, API_SERVER, CONTROLLER_MANAGER))

    def stop(self, grace_ms: int = _GRACE_MS) -> None:
        """End all three, etcd last: SIGTERM, and SIGKILL for one that has not ended within the grace."""
        self._machine.stop_all((CONTROLLER_MANAGER, API_SERVER), grace_ms=grace_ms)
        self._machine.stop(ETCD, grace_ms=grace_ms)

    def kubeconfig(self, user: str, groups: tuple[str, ...] = (), *, namespace: str = "default") -> Path:
        """Make a kubeconfig (0600) for a user of that name, who may do what RBAC allows; another replaces it."""
        issued = self._authority.issue(user, groups)
        path = self._kubeconfig(user.rpartition(":")[2])
        authority = self._authority.certificate
        write_kubeconfig(path, server=self.server, authority=authority, user=user, issued=issued, namespace=namespace)
        return path

    def _kubeconfig(self, name: str) -> Path:
        return self._places.file(f"{name}.kubeconfig")

    def _write_certificates(self) -> None:
        etcd = Authority("etcd-ca")
        for name, authority in (("ca", self._authority), ("etcd-ca", etcd)):
            write_secret(self._places.file(f"{name}.pem"), authority.certificate)
        self._write("etcd", etcd.issue("etcd"))
        self._write("etcd-client", etcd.issue("kube-apiserver"))
        self._write("api-server", self._authority.issue("kube-apiserver"))
        self._write("admin", self._authority.issue("admin", ["system:masters"]))
        self.kubeconfig("admin", ("system:masters",))
        accounts = self._places.file("accounts.pem")
        if not accounts.exists():  # a token outlives the API server that gave it
            write_secret(accounts, new_pair())

    def _write(self, name: str, issued: Issued) -> None:
        write_secret(self._places.file(f"{name}.pem"), issued.key + issued.certificate)

    def _start(self, name: str, arguments: tuple[str, ...], address: str, caller: str) -> None:
        log = self._places.file(f"{name}.log")
        start, context = size(log), self._context(caller)
        self._machine.start(ProcessSpec(name=name, argv=(str(self._program), *arguments), log=log))

        def look() -> Ready[None] | NotYet:
            if not self._machine.alive(name):
                raise died(name, log, start, self._machine.exit_code(name))
            return Ready(None) if _answers(address, context) else NotYet("starting")

        wait_until(
            look, what=name, clock=self._clock, reporter=self._reporter, deadline_ms=_DEADLINE_MS, slowest_ms=100
        )

    def _context(self, caller: str) -> ssl.SSLContext:
        authority = "etcd-ca" if caller == "etcd-client" else "ca"
        context = ssl.create_default_context(cafile=str(self._places.file(f"{authority}.pem")))
        context.load_cert_chain(self._places.file(f"{caller}.pem"))
        return context


def _answers(address: str, context: ssl.SSLContext) -> bool:
    """Whether 200 came; what else may come while something starts is told by its log."""
    try:
        with urllib.request.urlopen(address, context=context, timeout=_ANSWER_S) as answer:  # noqa: S310 - our own
            return bool(answer.status == http.HTTPStatus.OK)
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, http.client.HTTPException):
        pass
    return False
