"""Kafka clusters as processes: formatting, starting, killing, stopping. What they look like is in `layout`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.java import BROKER, FORMAT
from kmigrate.lab.runtime.layout import (
    ADMIN,
    PLAIN,
    PLAIN_LOGIN,
    SCRAM,
    SCRAM_LOGIN,
    ClusterLayout,
    Listener,
    Node,
    new_cluster_id,
    node_properties,
    sasl_config,
)
from kmigrate.lab.runtime.logs import died, size, wait_for_log
from kmigrate.lab.runtime.process import ProcessSpec
from kmigrate.lab.runtime.properties import properties_text, write_secret
from kmigrate.wait import NotYet, Ready, wait_until

__all__ = [
    "ADMIN",
    "PLAIN",
    "PLAIN_LOGIN",
    "SCRAM",
    "SCRAM_LOGIN",
    "ClusterLayout",
    "KafkaCluster",
    "Listener",
    "Node",
    "new_cluster_id",
    "node_properties",
    "sasl_config",
]

_START_DEADLINE_MS = 90_000


class KafkaCluster:
    """A cluster as running processes."""

    def __init__(self, layout: ClusterLayout, bench: Bench) -> None:
        self.layout = layout
        self._bench = bench

    def start(self) -> None:
        """Write settings, format once, start every node, wait until all have started; progress by node.

        Raises PlatformError with the cause from the log, StillUnderWay after 90 s.
        """
        self.write_settings()
        self._format()
        begun = [(node, self._launch(node)) for node in self.layout.nodes]
        for node, offset in begun:
            self._await(node, offset)

    def write_settings(self) -> None:
        """Write every node's settings anew; a running node reads them at its next start."""
        for node in self.layout.nodes:
            write_secret(self._settings(node), properties_text(node_properties(self.layout, node)))

    def start_node(self, node: int) -> None:
        """Start one node of a formatted cluster and wait until it has started."""
        chosen = next(one for one in self.layout.nodes if one.id == node)
        self._await(chosen, self._launch(chosen))

    def kill_node(self, node: int) -> None:
        """Kill a node without warning (SIGKILL)."""
        self._bench.machine.kill(self.layout.process(node))

    def alive(self) -> bool:
        """Whether every node's process runs."""
        return all(self._bench.machine.alive(name) for name in self._processes())

    def stop(self, grace_ms: int = 3_000) -> None:
        """End all nodes: SIGTERM, a short grace (a quorum that goes together cannot hand over leaders), SIGKILL."""
        self._bench.machine.stop_all(self._processes(), grace_ms=grace_ms)

    def _processes(self) -> tuple[str, ...]:
        return tuple(self.layout.process(node.id) for node in self.layout.nodes)

    def _settings(self, node: Node) -> Path:
        return self.layout.folder / f"node-{node.id}.properties"

    def _log(self, node: Node) -> Path:
        return self.layout.folder / f"node-{node.id}.log"

    def _launch(self, node: Node) -> int:
        """Start a node; returns where its new log begins."""
        log = self._log(node)
        offset = size(log)
        argv = self._bench.jvm.command(
            "kafka.Kafka",
            (str(self._settings(node)),),
            heap_mb=self.layout.heap_mb,
            kind=BROKER,
            temporary=self.layout.folder,
        )
        self._bench.machine.start(ProcessSpec(name=self.layout.process(node.id), argv=argv, log=log))
        return offset

    def _await(self, node: Node, offset: int) -> None:
        wait_for_log(
            machine=self._bench.machine,
            process=self.layout.process(node.id),
            log=self._log(node),
            start=offset,
            needle="Kafka Server started",
            clock=self._bench.clock,
            reporter=self._bench.reporter,
            deadline_ms=_START_DEADLINE_MS,
        )

    def _format(self) -> None:
        """Format the first node with Kafka's own tool and give the others copies of what it wrote (lab.md)."""
        first, *others = self.layout.nodes
        home = self.layout.folder / f"node-{first.id}"
        if not (home / "meta.properties").exists():
            self._run_storage_tool(first)
        for node in others:
            _copy_format(home, self.layout.folder / f"node-{node.id}", node.id)

    def _run_storage_tool(self, node: Node) -> None:
        name, log = f"{self.layout.name}-format", self.layout.folder / "format.log"
        args = ("format", "-t", self.layout.cluster_id, "-c", str(self._settings(node)))
        argv = self._bench.jvm.command("kafka.tools.StorageTool", args, heap_mb=128, kind=FORMAT)
        machine = self._bench.machine
        machine.start(ProcessSpec(name=name, argv=argv, log=log))

        def look() -> Ready[int | None] | NotYet:
            return NotYet("formatting") if machine.alive(name) else Ready(machine.exit_code(name))

        try:
            code = wait_until(
                look,
                what=self.layout.name,
                clock=self._bench.clock,
                reporter=self._bench.reporter,
                deadline_ms=_START_DEADLINE_MS,
            )
            if code != 0:
                raise died(name, log, 0, code)
        finally:
            machine.kill(name)
            machine.forget(name)


def _copy_format(home: Path, folder: Path, node: int) -> None:
    if (folder / "meta.properties").exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(home / "bootstrap.checkpoint", folder)
    text = (home / "meta.properties").read_text()
    text = re.sub(r"node\.id=\d+", f"node.id={node}", text)
    text = re.sub(r"directory\.id=.*", f"directory.id={new_cluster_id()}", text)
    (folder / "meta.properties").write_text(text)
