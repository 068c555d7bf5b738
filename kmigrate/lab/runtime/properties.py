"""Java properties files and JAAS lines, written so that secrets survive and stay private."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kmigrate.errors import UsageError
from kmigrate.private import private_folder

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def properties_text(settings: Mapping[str, str]) -> str:
    """A properties file, ASCII, one setting per line, sorted (java.util.Properties.load)."""
    return "".join(f"{_key(name)}={_value(settings[name])}\n" for name in sorted(settings))


def _value(text: str) -> str:
    escaped = "".join(_ESCAPES.get(letter, letter if " " <= letter <= "~" else _unicode(letter)) for letter in text)
    return "\\" + escaped if escaped.startswith(" ") else escaped


def _key(text: str) -> str:
    return "".join("\\" + letter if letter in " :=#!" else letter for letter in _value(text))


def _unicode(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def jaas(login: str, options: Mapping[str, str]) -> str:
    """A JAAS line for one login module (org.apache.kafka.common.security.JaasConfig reads quoted values)."""
    return " ".join([login, "required", *(f'{name}="{_quoted(value)}"' for name, value in options.items())]) + ";"


def _quoted(text: str) -> str:
    if any(letter < " " for letter in text):
        raise UsageError("a user name or password holds a control character", hint="choose another password")
    return text.replace("\\", "\\\\").replace('"', '\\"')


def write_secret(path: Path, text: str) -> None:
    """Replace a file at once with mode 0600; readers see the old content or the new."""
    private_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
