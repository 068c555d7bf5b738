"""Kubeconfig files: where an API server is, and who calls."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from kmigrate.lab.runtime.pki import Issued
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.model import Json

CONTEXT = "lab"


def write_kubeconfig(path: Path, *, server: str, authority: str, user: str, issued: Issued, namespace: str) -> None:
    """Write one context, `lab`, of a user who signs in with a certificate; mode 0600."""
    cluster: Json = {"server": server, "certificate-authority-data": _base64(authority)}
    certificate: Json = {
        "client-certificate-data": _base64(issued.certificate),
        "client-key-data": _base64(issued.key),
    }
    config: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": certificate}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": namespace}}],
    }
    write_secret(path, json.dumps(config, indent=1))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
