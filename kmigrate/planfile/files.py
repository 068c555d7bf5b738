"""Files and folders that a plan file refers to: why one is not what it must be, in words; what is in it is not told."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from kmigrate.errors import UsageError

_MOST_BYTES = 10_000_000
_BEGIN = b"-----BEGIN CERTIFICATE-----"


def authority(file: str) -> str:
    """The PEM text of a certificate authority, empty for no file; raises UsageError for a file that is none."""
    why = no_authority(Path(file)) if file else ""
    if why:
        raise UsageError(f"the certificate authority of the source: {why}", hint="correct source.ca, or --ca of init")
    return Path(file).read_text(encoding="ascii") if file else ""


def no_authority(file: Path) -> str:
    """Why a file is no certificate authority in PEM; empty when it is one."""
    why, data = _read(file)
    if why:
        return why
    if not data.isascii():
        if _BEGIN not in data:
            der = f"openssl x509 -inform der -in {file} -out ca.pem"
            return f"{file} is no PEM text; if it is a certificate in DER, make it one: {der}"
        line = next(number for number, text in enumerate(data.split(b"\n"), 1) if not text.isascii())
        return f"{file} is not plain ASCII in its line {line}; keep only what stands from BEGIN to END CERTIFICATE"
    if _BEGIN not in data:
        return f"{file} holds no certificate; it must have lines from BEGIN CERTIFICATE to END CERTIFICATE"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii"))
    except ssl.SSLError as error:
        return f"{file} holds a certificate that cannot be read ({error.reason or error}); put the whole one there"
    return ""


def no_secret(file: Path) -> str:
    """Why a file holds no secret; empty when it holds one."""
    why, data = _read(file)
    if why:
        return why
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # not chained: this error carries the bytes that it could not read
        return f"{file} is no UTF-8 text; put the secret there, and nothing else"
    return "" if text.strip() else f"{file} is empty; put the secret there"


def no_folder(folder: Path) -> str:
    """Why a folder could not be there or be made; empty when it could. Nothing is made."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return "" if nearest.is_dir() else f"{nearest} is no folder; name a folder, or a place where one can be made"


def _read(file: Path) -> tuple[str, bytes]:
    try:
        if not file.is_file():
            return f"there is no file {file}", b""
        if file.stat().st_size > _MOST_BYTES:
            return f"{file} is larger than {_MOST_BYTES // 1_000_000} MB", b""
        return "", file.read_bytes()
    except PermissionError:
        return f"the file {file} cannot be read by this user", b""
    except OSError as error:
        return f"the file {file} cannot be read: {error.strerror}", b""
