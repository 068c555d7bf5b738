"""Applications that programs of their own stop, switch, start and look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from kmigrate.adapters.beside import beside
from kmigrate.errors import PlatformError, StillUnderWay, Transient
from kmigrate.model import CommandWorkload, Side
from kmigrate.private import private_folder
from kmigrate.world import WorkloadView

_LOOK_MS = 120_000
_HINT = "look at what it waits for, then run the same command again"

Settings = Mapping[str, str]
"""bootstrap, protocol, mechanism, username, password, ca: what a client needs to sign in."""


class CommandWorkloads:
    """The programs of one application (world.Workload).

    `switch` finds the new settings in the JSON file that KMIGRATE_SETTINGS names (mode 0600, removed afterwards) and
    the side in KMIGRATE_SIDE. `healthy` prints one JSON object, `{"running": bool, "bootstrap": "host:port"}`; its exit
    code says whether all is well and is not needed here. The programs of all workloads run side by side; one that
    outlives its deadline is killed.
    """

    def __init__(
        self, application: str, workloads: Sequence[CommandWorkload], settings: Callable[[Side], Settings], folder: Path
    ) -> None:
        self._name, self._workloads, self._settings, self._folder = application, workloads, settings, folder

    def look(self) -> WorkloadView:
        """Ask every program; running if one runs; no address while they point to different places (`switch` mends).

        Raises PlatformError naming all programs that are not there when one of them is a `healthy`.
        """
        missing = tuple(told for workload in self._workloads for told in self._missing(workload))
        if any(shutil.which(workload.healthy[0]) is None for workload in self._workloads):
            raise PlatformError("; ".join(missing), hint="correct its path in the plan file")
        views = beside(self._look, self._workloads)
        addresses = {view.bootstrap for view in views}
        return WorkloadView(
            running=any(view.running for view in views),
            bootstrap=addresses.pop() if len(addresses) == 1 else "",
            missing=missing,
        )

    def stop(self, deadline_ms: int) -> None:
        """Run every `stop`."""
        self._run([workload.stop for workload in self._workloads], "stop", deadline_ms)

    def start(self, deadline_ms: int) -> None:
        """Run every `start`."""
        self._forget()
        self._run([workload.start for workload in self._workloads], "start", deadline_ms)

    def switch(self, side: Side, deadline_ms: int) -> None:
        """Run every `switch` with the settings of that side."""
        private_folder(self._folder)
        self._forget()
        with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix="settings-", suffix=".json") as file:
            settings = self._settings(side)
            json.dump(dict(settings), file)
            file.flush()
            told = {"KMIGRATE_SETTINGS": file.name, "KMIGRATE_SIDE": str(side)}
            switches = [workload.switch for workload in self._workloads]
            self._run(switches, "switch", deadline_ms, told, secret=settings.get("password", ""))

    def _forget(self) -> None:
        """Remove settings that a killed run left lying; the journal's lock keeps all others out."""
        for left in self._folder.glob("settings-*.json"):
            left.unlink(missing_ok=True)

    def _missing(self, workload: CommandWorkload) -> Iterator[str]:
        """The programs that could not be run, found as subprocess.run finds them."""
        verbs = {"stop": workload.stop, "switch": workload.switch, "start": workload.start, "healthy": workload.healthy}
        for verb, argv in verbs.items():
            if shutil.which(argv[0]) is None:
                yield f"the {verb} program of {self._name} is not there or may not be run: {argv[0]}"

    def _look(self, workload: CommandWorkload) -> WorkloadView:
        try:
            answer = self._call(workload.healthy, "healthy", {}, _LOOK_MS).stdout
        except subprocess.TimeoutExpired as error:
            raise Transient(self._late("healthy", _LOOK_MS), hint=_HINT) from error
        try:
            seen = json.loads(answer)
            running, bootstrap = seen["running"], seen["bootstrap"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._strange(answer) from error
        if not isinstance(running, bool) or not isinstance(bootstrap, str):
            raise self._strange(answer)
        return WorkloadView(running=running, bootstrap=bootstrap)

    def _strange(self, answer: str) -> PlatformError:
        return PlatformError(
            f"the healthy program of {self._name} printed {answer.strip()[:200]!r}",
            hint='let it print one JSON object: {"running": true, "bootstrap": "host:port"}',
        )

    def _run(
        self,
        programs: Sequence[Sequence[str]],
        verb: str,
        deadline_ms: int,
        told: Mapping[str, str] | None = None,
        *,
        secret: str = "",
    ) -> None:
        """Run them side by side; each has the whole time. The `secret` is not repeated, whoever prints it."""
        beside(lambda argv: self._run_one(argv, verb, deadline_ms, told or {}, secret), programs)

    def _run_one(self, argv: Sequence[str], verb: str, deadline_ms: int, told: Mapping[str, str], secret: str) -> None:
        try:
            done = self._call(argv, verb, told, deadline_ms)
        except subprocess.TimeoutExpired as error:
            raise StillUnderWay(self._late(verb, deadline_ms), hint=_HINT) from error
        if done.returncode != 0:
            raise PlatformError(
                f"the {verb} program of {self._name} ended with {done.returncode}: {_last_words(done.stderr, secret)}",
                hint=f"see why by running it yourself: {' '.join(argv)}",
            )

    def _late(self, verb: str, deadline_ms: int) -> str:
        return f"the {verb} program of {self._name} did not end within {deadline_ms / 1000:.0f} s"

    def _call(
        self, argv: Sequence[str], verb: str, told: Mapping[str, str], deadline_ms: int
    ) -> subprocess.CompletedProcess[str]:
        """Raises TimeoutExpired, which whoever calls turns into what it means there."""
        # files, not pipes: a program that `start` leaves running keeps a pipe open, and we would wait for its end
        with (
            tempfile.TemporaryFile("w+", errors="replace") as out,
            tempfile.TemporaryFile("w+", errors="replace") as err,
        ):
            done = self._wait(argv, verb, told, deadline_ms, (out, err))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(argv, done, out.read(), err.read())

    def _wait(
        self,
        argv: Sequence[str],
        verb: str,
        told: Mapping[str, str],
        deadline_ms: int,
        into: tuple[IO[str], IO[str]],
    ) -> int:
        try:
            return subprocess.run(
                argv,
                env={**os.environ, **told},
                stdin=subprocess.DEVNULL,
                stdout=into[0],
                stderr=into[1],
                timeout=deadline_ms / 1000,
                check=False,
                process_group=0,  # Ctrl-C in the terminal is for us: a program half done is worse than one waited for
            ).returncode
        except OSError as error:
            raise PlatformError(
                f"the {verb} program of {self._name} cannot be run: {argv[0]}: {error.strerror}",
                hint="correct its path in the plan file",
            ) from error


def _last_words(said: str, secret: str) -> str:
    """The end of what a program printed, without the secret as it is and as JSON writes it."""
    for form in (secret, json.dumps(secret)[1:-1]) if secret else ():
        said = said.replace(form, "…")
    return said.strip()[-500:]
