"""Pinned jars from a Maven repository, checked by sha256, kept in the user's cache."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmigrate.errors import Interrupted, PlatformError
from kmigrate.lab.runtime.locks import exclusive
from kmigrate.lab.runtime.repository import Repository, find_repository
from kmigrate.world import Reporter

KAFKA_VERSION = "4.3.1"
KAFKA_LOCK = Path(__file__).with_name(f"jars-{KAFKA_VERSION}.lock")
_THREADS = 8
_TRIES = 3
_TIMEOUT_S = 60
_BLOCK = 1 << 16
_CHECKED = "checked.json"
# an AOT cache refuses jars whose time changed, so a jar fetched again must look the same
_JAR_TIME = 1_577_836_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """A pinned jar; `size` in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Its path in a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"


def read_lock(lock: Path) -> tuple[Jar, ...]:
    """The jars of a lock file: one line `group artifact version sha256 size` each."""
    rows = [line.split() for line in lock.read_text().splitlines() if line.strip()]
    return tuple(
        Jar(group=group, artifact=artifact, version=version, sha256=digest, size=int(size))
        for group, artifact, version, digest, size in rows
    )


def fetch(lock: Path, folder: Path, reporter: Reporter) -> tuple[Path, ...]:
    """The jars of a lock file in `folder` (for example `cache.folder("jars", "kafka-4.3.1")`), sorted by path.

    What is missing or damaged is fetched by eight threads with progress; what is there needs no network. Two
    processes may call it at once: the second waits. Raises PlatformError for a wrong checksum, no network, no disk.
    """
    jars = read_lock(lock)
    with exclusive(folder / ".lock", what="the jars", reporter=reporter):
        missing = _missing(jars, folder)
        if missing:
            _download(missing, folder, find_repository(), reporter)
            _missing(jars, folder)
    return tuple(sorted(folder / jar.file for jar in jars))


def _missing(jars: Sequence[Jar], folder: Path) -> tuple[Jar, ...]:
    """Those not there as pinned; a jar is hashed once, afterwards its size and time must stay as they were."""
    known = _stamps(folder)
    good: dict[str, list[int]] = {}
    for jar in jars:
        stamp = _stamp(folder / jar.file)
        whole = stamp is not None and stamp[0] == jar.size
        if stamp is not None and whole and (known.get(jar.sha256) == stamp or _hash(folder / jar.file) == jar.sha256):
            good[jar.sha256] = stamp
    if good != known:
        _replace(folder / _CHECKED, json.dumps(good).encode())
    return tuple(jar for jar in jars if jar.sha256 not in good)


def _stamps(folder: Path) -> dict[str, list[int]]:
    try:
        found = json.loads((folder / _CHECKED).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def _stamp(path: Path) -> list[int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return [seen.st_size, seen.st_mtime_ns]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(jars: Sequence[Jar], folder: Path, repository: Repository, reporter: Reporter) -> None:
    total = sum(jar.size for jar in jars)
    stop = threading.Event()
    done = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        tasks = {pool.submit(_fetch_one, jar, folder, repository, stop): jar for jar in jars}
        try:
            for count, task in enumerate(as_completed(tasks), 1):
                task.result()
                done += tasks[task].size
                detail = f"{count} of {len(jars)}, {done / 1e6:.1f} of {total / 1e6:.1f} MB"
                reporter.progress("fetching jars", detail)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch_one(jar: Jar, folder: Path, repository: Repository, stop: threading.Event) -> None:
    part = folder / f"{jar.file}.part"
    for attempt in range(1, _TRIES + 1):
        try:
            _receive(jar, part, repository, stop)
            break
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR or attempt == _TRIES:
                raise _refused(jar, repository, error) from error
        except (OSError, http.client.HTTPException) as error:
            if attempt == _TRIES:
                raise _no_network(jar, repository, error) from error
        stop.wait(attempt)
    if _hash(part) != jar.sha256:
        part.unlink()
        raise PlatformError(
            f"{jar.file} from {repository.url} has a wrong checksum: it is not the jar that was pinned",
            hint="ask who runs that repository, or set KMIGRATE_MAVEN_REPO to another; nothing of it was kept",
        )
    os.utime(part, (_JAR_TIME, _JAR_TIME))
    part.replace(folder / jar.file)


def _receive(jar: Jar, part: Path, repository: Repository, stop: threading.Event) -> None:
    """Fetch what is not in `part` yet; a server that does not know ranges sends it all again."""
    have = part.stat().st_size if part.exists() else 0
    have = have if have < jar.size else 0
    request = urllib.request.Request(f"{repository.url}/{jar.path}", headers={"User-Agent": "kmigrate"})  # noqa: S310
    if repository.authorization:
        request.add_unredirected_header("Authorization", repository.authorization)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the address is the user's
        goes_on = have and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        _save(iter(lambda: answer.read(_BLOCK), b""), part, "ab" if goes_on else "wb", stop)
    if part.stat().st_size < jar.size:
        raise ConnectionError(f"cut off after {part.stat().st_size} of {jar.size} bytes")


def _save(blocks: Iterator[bytes], part: Path, mode: str, stop: threading.Event) -> None:
    with _disk(part):
        file = part.open(mode, buffering=0)
    with file:
        for block in blocks:
            if stop.is_set():
                raise Interrupted
            with _disk(part):
                file.write(block)


@contextmanager
def _disk(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlatformError(
            f"{part} cannot be written: {error.strerror}", hint="free disk space, or set KMIGRATE_CACHE"
        ) from error


def _refused(jar: Jar, repository: Repository, error: urllib.error.HTTPError) -> PlatformError:
    return PlatformError(
        f"{repository.url} does not give {jar.path}: {error.code} {error.reason}",
        hint="set KMIGRATE_MAVEN_REPO to a repository that has it (a mirror of Maven Central)",
    )


def _no_network(jar: Jar, repository: Repository, error: Exception) -> PlatformError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return PlatformError(
        f"{jar.file} is not in the cache and {repository.url} cannot be reached: {reason}",
        hint="connect to the network once (HTTPS_PROXY is honoured), or set KMIGRATE_MAVEN_REPO to a mirror",
    )


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
