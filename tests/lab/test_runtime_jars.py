"""Fetching pinned jars: checksums, resuming, mirrors, no network, two at once. The repository is a local server."""

import base64
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kmigrate.errors import PlatformError, UsageError
from kmigrate.lab.runtime import cache
from kmigrate.lab.runtime.jars import KAFKA_LOCK, fetch, read_lock
from kmigrate.lab.runtime.repository import find_repository
from kmigrate.world import Reporter

JARS = {f"part-{number}": os.urandom(200_000 + number) for number in range(5)}


@dataclass
class Repo:
    """A Maven repository on the loopback address; `wrong` gives other bytes, `cut` ends after half, once."""

    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[str | None] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)


@pytest.fixture
def repo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repo]:
    state = Repo()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[-3]
            state.asked.append((name, self.headers["Range"]))
            state.headers.append(self.headers["Authorization"])
            if name not in JARS:
                self.send_error(404)
                return
            body = bytes(len(JARS[name])) if name in state.wrong else JARS[name]
            start = int((self.headers["Range"] or "bytes=0-")[6:-1])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if name in state.cut:
                state.cut.remove(name)
                self.wfile.write(body[start : len(body) // 2])
                self.close_connection = True
            else:
                self.wfile.write(body[start:])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("KMIGRATE_MAVEN_REPO", state.url)
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    rows = [f"org.x {name} 1 {hashlib.sha256(body).hexdigest()} {len(body)}\n" for name, body in JARS.items()]
    path = tmp_path / "jars.lock"
    path.write_text("".join(rows))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "jars"
    path.mkdir()
    return path


class Listener(Reporter):
    def __init__(self) -> None:
        self.told: list[str] = []

    def progress(self, what: str, detail: str) -> None:
        self.told.append(f"{what}: {detail}")


def test_jars_are_fetched_once_with_progress_and_come_sorted(repo: Repo, lock: Path, folder: Path) -> None:
    listener = Listener()
    first = fetch(lock, folder, listener)
    assert [path.read_bytes() for path in first] == list(JARS.values())
    assert list(first) == sorted(first)
    assert fetch(lock, folder, Reporter()) == first
    assert len(repo.asked) == len(JARS)
    assert listener.told[-1].endswith("5 of 5, 1.0 of 1.0 MB")


def test_a_wrong_checksum_names_the_jar_and_keeps_nothing_of_it(repo: Repo, lock: Path, folder: Path) -> None:
    repo.wrong.add("part-3")
    with pytest.raises(PlatformError, match=r"part-3-1\.jar from .* wrong checksum") as caught:
        fetch(lock, folder, Reporter())
    assert "KMIGRATE_MAVEN_REPO" in caught.value.hint
    assert not list(folder.glob("part-3*"))


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(repo: Repo, lock: Path, folder: Path) -> None:
    repo.cut.add("part-1")
    assert len(fetch(lock, folder, Reporter())) == len(JARS)
    assert [seen for name, seen in repo.asked if name == "part-1"] == [None, "bytes=100000-"]


def test_a_jar_that_was_damaged_or_cut_short_is_fetched_again(repo: Repo, lock: Path, folder: Path) -> None:
    fetch(lock, folder, Reporter())
    (folder / "part-0-1.jar").write_bytes(bytes(len(JARS["part-0"])))
    (folder / "part-2-1.jar").write_bytes(b"short")
    repo.asked.clear()
    fetch(lock, folder, Reporter())
    assert sorted(name for name, _ in repo.asked) == ["part-0", "part-2"]
    assert (folder / "part-0-1.jar").read_bytes() == JARS["part-0"]


def test_jars_in_the_cache_need_no_network(
    repo: Repo, lock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(lock, folder, Reporter())
    monkeypatch.setenv("KMIGRATE_MAVEN_REPO", "http://127.0.0.1:1")
    assert len(fetch(lock, folder, Reporter())) == len(JARS)


def test_a_cold_cache_without_network_is_one_sentence_with_a_way_out(
    lock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMIGRATE_MAVEN_REPO", "http://127.0.0.1:1")
    with pytest.raises(PlatformError, match=r"not in the cache and http://127.0.0.1:1 cannot be reached") as caught:
        fetch(lock, folder, Reporter())
    assert "HTTPS_PROXY" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_repository_without_the_jar_is_told_with_its_answer(repo: Repo, lock: Path, folder: Path) -> None:
    lock.write_text("org.x unknown 1 00 5\n")
    with pytest.raises(PlatformError, match=r"does not give org/x/unknown/1/unknown-1.jar: 404"):
        fetch(lock, folder, Reporter())
    assert len(repo.asked) == 1


FETCH = """
import resource, sys
from pathlib import Path
from kmigrate.errors import PlatformError
from kmigrate.lab.runtime.jars import fetch
from kmigrate.world import Reporter
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    fetch(Path(sys.argv[1]), Path(sys.argv[2]), Reporter())
except PlatformError as error:
    sys.exit(error.message)
"""


def test_two_processes_at_once_fetch_each_jar_once(repo: Repo, lock: Path, folder: Path) -> None:
    argv = (sys.executable, "-c", FETCH, str(lock), str(folder))
    both = [subprocess.Popen(argv) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert len(repo.asked) == len(JARS)


def test_a_full_disk_is_told_as_such(repo: Repo, lock: Path, folder: Path) -> None:
    argv = (sys.executable, "-c", FETCH, str(lock), str(folder), "100000")
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "cannot be written: File too large" in ended.stderr


def test_the_mirror_of_settings_xml_is_used_with_its_credentials(
    repo: Repo, lock: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KMIGRATE_MAVEN_REPO")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REPO_WORD", "pass:word")
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text(
        f"""<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">
        <servers><server><id>m</id><username>u</username><password>${{env.REPO_WORD}}</password></server></servers>
        <mirrors><mirror><id>not</id><mirrorOf>*,!central</mirrorOf><url>http://127.0.0.1:1</url></mirror>
        <mirror><id>m</id><mirrorOf>central</mirrorOf><url>{repo.url}/</url></mirror></mirrors></settings>"""
    )
    fetch(lock, folder, Reporter())
    assert set(repo.headers) == {"Basic " + base64.b64encode(b"u:pass:word").decode()}


def test_a_broken_settings_xml_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMIGRATE_MAVEN_REPO", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text("<settings>")
    with pytest.raises(UsageError, match=r"settings\.xml cannot be read"):
        find_repository()


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KMIGRATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UsageError, match=r"cache folder .* cannot be used"):
        cache.folder("jars")


def test_the_lock_of_kafka_names_every_jar_once_with_a_whole_checksum() -> None:
    jars = read_lock(KAFKA_LOCK)
    assert len(jars) == len({jar.file for jar in jars}) == 97
    assert {len(jar.sha256) for jar in jars} == {64}
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {"4.3.1"}
