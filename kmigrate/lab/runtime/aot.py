"""AOT caches: a Java start that took seconds takes one when its classes were loaded and linked beforehand (JEP 514).

Trained once for each set of jars, Java and flags, by one broker and one Connect worker that are started and stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from kmigrate.errors import KmigrateError, PlatformError, StillUnderWay
from kmigrate.lab.runtime import cache
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.connect import ConnectRest, Worker, start_worker
from kmigrate.lab.runtime.java import BROKER, CONNECT, FORMAT, Jvm, check, major_version
from kmigrate.lab.runtime.kafka import ADMIN, PLAIN, PLAIN_LOGIN, ClusterLayout, KafkaCluster, Node, new_cluster_id
from kmigrate.lab.runtime.locks import exclusive
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import HOST, Ports
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.properties import jaas
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

_FIRST_JAVA = 25
_KINDS = (BROKER, CONNECT)
_STAMPS = "checked.json"
_DUMP_DEADLINE_MS = 180_000
_KEEP_MS = 30 * 24 * 3_600_000


def trained(jvm: Jvm, clock: Clock, reporter: Reporter) -> Jvm:
    """The same Jvm with AOT caches, trained first when they are missing or damaged; without them when that fails.

    Two labs at once: the second waits for the first. A failure is told as a note and costs only time at every start.
    """
    version = check(jvm.java)
    if major_version(version) < _FIRST_JAVA:
        reporter.note(f"Java {major_version(version)} knows no AOT caches: the lab starts more slowly")
        return jvm
    folder = cache.folder("aot", _key(jvm, version))
    with exclusive(folder / ".lock", what="AOT caches", reporter=reporter, clock=clock):
        if intact(folder):
            os.utime(folder / _STAMPS)
        else:
            _forget_old(folder.parent, clock.now_ms())
            try:
                _train(jvm, folder, clock, reporter)
            except (PlatformError, StillUnderWay, OSError) as error:
                told = error.message if isinstance(error, KmigrateError) else str(error)
                reporter.note(f"AOT caches could not be made, the lab starts more slowly: {told}")
                return jvm
    files = {kind: folder / f"{kind}.aot" for kind in _KINDS}
    return dataclasses.replace(jvm, aot={**files, FORMAT: files[BROKER]})


def _key(jvm: Jvm, version: str) -> str:
    """Java refuses a cache made by another build or for other jars (path, size, time), so all are in the name."""
    digest = hashlib.sha256(version.encode())
    for part in (jvm.java, jvm.java.stat().st_size, *jvm.command("Main", (), heap_mb=0)):
        digest.update(f"{part}\n".encode())
    for jar in jvm.classpath:
        digest.update(f"{jar.stat().st_size} {jar.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def intact(folder: Path) -> bool:
    """Whether every cache is the file that was trained; it is hashed again only when its size or time changed."""
    try:
        known = json.loads((folder / _STAMPS).read_bytes())
        return all(_same(folder / f"{kind}.aot", known[kind]) for kind in _KINDS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _forget_old(parent: Path, now_ms: int) -> None:
    """Remove caches of jars or Javas that no lab used for a month: they are 150 MB each."""
    for stamps in parent.glob(f"*/{_STAMPS}"):
        if now_ms - stamps.stat().st_mtime_ns // 1_000_000 > _KEEP_MS:
            shutil.rmtree(stamps.parent, ignore_errors=True)


def remember(folder: Path) -> None:
    """Note what the caches in the folder look like, so that `intact` knows them again."""
    part = folder / f"{_STAMPS}.part"
    part.write_text(json.dumps({kind: _describe(folder / f"{kind}.aot") for kind in _KINDS}))
    part.replace(folder / _STAMPS)


def _same(file: Path, known: Mapping[str, object]) -> bool:
    seen = file.stat()
    if seen.st_size != known["size"]:
        return False
    return seen.st_mtime_ns == known["time"] or _hash(file) == known["sha256"]


def _describe(file: Path) -> dict[str, object]:
    seen = file.stat()
    return {"size": seen.st_size, "time": seen.st_mtime_ns, "sha256": _hash(file)}


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _train(jvm: Jvm, folder: Path, clock: Clock, reporter: Reporter) -> None:
    reporter.progress("AOT caches", "training, once for this machine: about a minute")
    work = folder / "training"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    machine, ports = Machine(), Ports()
    try:
        bench = Bench(
            folder=work,
            machine=machine,
            ports=ports,
            jvm=dataclasses.replace(jvm, train={kind: work / f"{kind}.aot" for kind in _KINDS}),
            certificates=make_certificates(work, "training"),
            clock=clock,
            reporter=reporter,
        )
        _run_once(bench)
        for kind in _KINDS:
            (work / f"{kind}.aot").replace(folder / f"{kind}.aot")
        remember(folder)
    finally:
        machine.close()
        ports.close()
        shutil.rmtree(work, ignore_errors=True)


def _run_once(bench: Bench) -> None:
    """Start a broker and a worker, ask the worker something, end both; Java writes the caches as they end."""
    cluster = KafkaCluster(_layout(bench), bench)
    cluster.start()
    worker = _worker(cluster.layout, bench)
    start_worker(worker, bench)
    ConnectRest(worker.properties["listeners"]).get("/connector-plugins")
    _end(worker.name, CONNECT, bench)
    _end(cluster.layout.process(1), BROKER, bench)


def _end(process: str, kind: str, bench: Bench) -> None:
    """SIGTERM, then wait for the exit: the cache is complete only then."""
    machine, file = bench.machine, bench.folder / f"{kind}.aot"
    machine.terminate(process)

    def look() -> Ready[None] | NotYet:
        return NotYet(f"writing the cache of the {kind}") if machine.alive(process) else Ready(None)

    wait_until(
        look, what="AOT caches", clock=bench.clock, reporter=bench.reporter, deadline_ms=_DUMP_DEADLINE_MS, every_ms=100
    )
    if not file.exists():
        raise PlatformError(f"Java wrote no AOT cache for the {kind}")


def _layout(bench: Bench) -> ClusterLayout:
    internal, controller = bench.ports.take(2)
    return ClusterLayout(
        name="training",
        cluster_id=new_cluster_id(),
        folder=bench.folder,
        nodes=(Node(id=1, internal_port=internal, controller_port=controller),),
        certificates=bench.certificates,
        admin_password=secrets.token_urlsafe(24),
    )


def _worker(layout: ClusterLayout, bench: Bench) -> Worker:
    (port,) = bench.ports.take(1)
    login = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": PLAIN,
        "sasl.jaas.config": jaas(PLAIN_LOGIN, {"username": ADMIN, "password": layout.admin_password}),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(layout.certificates.ca),
    }
    topics = {f"{kind}.storage.topic": f"connect-{kind}" for kind in ("config", "offset", "status")}
    copies = {f"{kind}.storage.replication.factor": "1" for kind in ("config", "offset", "status")}
    converters = {
        f"{kind}.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"
        for kind in ("key", "value", "header")
    }
    properties = {
        "bootstrap.servers": layout.admin_config()["bootstrap.servers"],
        "group.id": "training",
        "listeners": f"http://{HOST}:{port}",
        "rest.advertised.host.name": HOST,
        "plugin.discovery": "service_load",
        "exactly.once.source.support": "enabled",
        **topics,
        **copies,
        **converters,
        **login,
        **{f"{part}.{key}": value for part in ("producer", "consumer", "admin") for key, value in login.items()},
    }
    return Worker(name="training-connect", folder=bench.folder, properties=properties)
