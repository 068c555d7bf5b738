"""The command lines of a control plane that only this machine, and there only who has a certificate, may speak to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kmigrate.lab.runtime.ports import HOST
from kmigrate.model import JsonObject

CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
)
"""With the whole list the first service account comes seconds later; there is no kubelet for most of them anyway."""


AUDIT_POLICY, AUDIT_LOG = "audit.json", "audit.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Ports, and files in PEM: key and certificate of one owner are in ONE file; `etcd_*` are of an authority apart."""

    folder: Path
    etcd_port: int
    peer_port: int
    port: int

    def file(self, name: str) -> Path:
        """A file of that name."""
        return self.folder / name

    @property
    def etcd(self) -> str:
        """Where etcd answers."""
        return f"https://{HOST}:{self.etcd_port}"

    @property
    def server(self) -> str:
        """Where the API server answers."""
        return f"https://{HOST}:{self.port}"


def etcd(places: Places) -> tuple[str, ...]:
    """Nobody signs in but the holders of certificates of etcd's own authority: there lie all Secrets in the clear."""
    own, authority, peer = places.file("etcd.pem"), places.file("etcd-ca.pem"), f"https://{HOST}:{places.peer_port}"
    return (
        "etcd",
        "--name=lab",
        f"--data-dir={places.file('etcd')}",
        f"--listen-client-urls={places.etcd}",
        f"--advertise-client-urls={places.etcd}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        *(f"--{kind}-file={own}" for kind in ("cert", "key", "peer-cert", "peer-key")),
        *(f"--{kind}trusted-ca-file={authority}" for kind in ("", "peer-")),
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def api_server(places: Places) -> tuple[str, ...]:
    """RBAC on, nobody anonymous."""
    own, etcd_client, accounts = (places.file(f"{name}.pem") for name in ("api-server", "etcd-client", "accounts"))
    return (
        "kube-apiserver",
        f"--etcd-servers={places.etcd}",
        f"--etcd-cafile={places.file('etcd-ca.pem')}",
        f"--etcd-certfile={etcd_client}",
        f"--etcd-keyfile={etcd_client}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={places.port}",
        f"--tls-cert-file={own}",
        f"--tls-private-key-file={own}",
        f"--cert-dir={places.folder}",
        f"--client-ca-file={places.file('ca.pem')}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={accounts}",
        f"--service-account-signing-key-file={accounts}",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        f"--audit-policy-file={places.file(AUDIT_POLICY)}",
        f"--audit-log-path={places.file(AUDIT_LOG)}",
        "--audit-log-mode=blocking",
    )


def audit_policy(user: str) -> JsonObject:
    """What one user asked for, and how it was answered, is written down: without bodies, once it is over."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "users": [user]}, {"level": "None"}],
    }


def controller_manager(places: Places, kubeconfig: Path, controllers: tuple[str, ...]) -> tuple[str, ...]:
    """It listens nowhere."""
    return (
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(controllers)}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={places.file('accounts.pem')}",
        f"--root-ca-file={places.file('ca.pem')}",
    )
