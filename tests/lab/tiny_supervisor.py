"""A supervisor whose parts are `sleep` processes: what the tests of `lab up`, `status` and `down` start."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.board import Board
from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.process import ProcessSpec
from kmigrate.lab.supervisor import Options, Part, main
from kmigrate.world import Clock, Reporter


class Sleeper:
    """`TINY_FAULT` says what goes wrong: start, tick, or `slow` for a start that never ends."""

    def __init__(self, name: str, options: Options, bench: Bench, board: Board) -> None:
        self._name, self._folder, self._bench, self._board = name, options.folder, bench, board
        self._fault = os.environ.get("TINY_FAULT", "")

    def start(self) -> None:
        self._bench.reporter.note(f"{self._name} comes")
        log = self._folder.source / f"{self._name}.log"
        self._bench.machine.start(ProcessSpec(name=self._name, argv=("sleep", "1000"), log=log))
        self._board.publish(self._name, {"bootstrap": "127.0.0.1:9"})
        if self._fault == "start":
            raise PlatformError("the second broker did not start", hint="look at it")
        while self._fault == "slow":
            self._bench.reporter.progress(self._name, "still starting")
            self._bench.clock.sleep(20)

    def tick(self) -> None:
        if self._fault == "tick":
            raise ValueError("oops")

    def stop(self) -> None:
        with (self._folder.root.parent / "stopped").open("a") as file:
            file.write(f"{self._name}\n")
        self._bench.machine.stop(self._name)


def parts(options: Options, bench: Bench, board: Board) -> Sequence[Part]:
    return tuple(Sleeper(name, options, bench, board) for name in ("source", "second"))


def no_java(_clock: Clock, _reporter: Reporter) -> Jvm:
    return Jvm(java=Path("/no-java"), classpath=())


if __name__ == "__main__":
    sys.exit(main(composition=parts, jvm=no_java))
