"""Where jars come from: KMIGRATE_MAVEN_REPO, a mirror of central in ~/.m2/settings.xml, else Maven Central."""

from __future__ import annotations

import base64
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from kmigrate.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A Maven repository: address without a slash at its end, and the Authorization header it wants, or ""."""

    url: str
    authorization: str = ""


def find_repository() -> Repository:
    """The repository to fetch from; raises UsageError when settings.xml cannot be read."""
    own = os.environ.get("KMIGRATE_MAVEN_REPO")
    if own:
        return Repository(url=own.rstrip("/"))
    settings = Path.home() / ".m2" / "settings.xml"
    found = _mirror(settings) if settings.exists() else None
    return found or _central()


def _central() -> Repository:
    # imported here because jgo costs half a second and 20 MB, and a warm cache never asks
    from jgo.constants import MAVEN_CENTRAL_URL

    return Repository(url=MAVEN_CENTRAL_URL.rstrip("/"))


def _mirror(settings: Path) -> Repository | None:
    try:
        text = re.sub(r'\sxmlns="[^"]+"', "", settings.read_text(), count=1)
        root = ET.fromstring(text)  # noqa: S314 - the user's own file
    except (OSError, ET.ParseError) as error:
        raise UsageError(
            f"{settings} cannot be read: {error}", hint="correct it, or set KMIGRATE_MAVEN_REPO to a repository"
        ) from error
    for mirror in root.iter("mirror"):
        if _serves_central(mirror):
            url = _expand(mirror.findtext("url")).rstrip("/")
            return Repository(url=url, authorization=_authorization(root, mirror.findtext("id") or ""))
    return None


def _serves_central(mirror: ET.Element) -> bool:
    of = [part.strip() for part in (mirror.findtext("mirrorOf") or "").split(",")]
    if mirror.findtext("blocked") == "true" or "!central" in of:
        return False
    return bool({"*", "central", "external:*"} & set(of))


def _authorization(root: ET.Element, server_id: str) -> str:
    for server in root.iter("server"):
        user = _expand(server.findtext("username"))
        if server.findtext("id") == server_id and user:
            pair = f"{user}:{_expand(server.findtext('password'))}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
    return ""


def _expand(text: str | None) -> str:
    return re.sub(r"\$\{env\.(\w+)\}", lambda match: os.environ.get(match[1], ""), text or "").strip()
