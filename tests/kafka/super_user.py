"""The source of a lab as its super user sees it."""

from __future__ import annotations

import json
from pathlib import Path

from kmigrate.lab.folder import LabFolder
from kmigrate.lab.operator.admin import ClusterAdmin
from kmigrate.lab.runtime.layout import PLAIN, sasl_config


def super_user(lab: LabFolder) -> ClusterAdmin:
    """Signed in at the source; everything is allowed."""
    source = json.loads(lab.state.read_text())["facts"]["source"]
    user = source["admin"]
    signed = sasl_config(PLAIN, user["username"], Path(user["password_file"]).read_text(), Path(source["ca"]))
    return ClusterAdmin({"bootstrap.servers": user["bootstrap"], **signed})
