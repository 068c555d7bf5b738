"""Words that nobody hears, or that cannot be written: no step ends because of them; a command says it by its code."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from kmigrate.cli.draw import JsonReporter, TerminalReporter

KMIGRATE = (sys.executable, "-m", "kmigrate")


@contextlib.contextmanager
def nobody() -> Iterator[IO[str]]:
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    with contextlib.suppress(BrokenPipeError), os.fdopen(write, "w", buffering=1) as stream:
        yield stream


@contextlib.contextmanager
def full() -> Iterator[IO[str]]:
    with contextlib.suppress(OSError), Path("/dev/full").open("w", buffering=1) as stream:
        yield stream


@pytest.mark.parametrize("stream", [nobody, full])
def test_what_nobody_reads_of_a_step_in_json_ends_no_step(
    stream: type[contextlib.AbstractContextManager[IO[str]]],
) -> None:
    with stream() as out, contextlib.redirect_stdout(out):
        JsonReporter().note("the lane is asked to stop")


def test_what_nobody_reads_of_a_step_ends_no_step() -> None:
    with nobody() as err, contextlib.redirect_stderr(err):
        told = TerminalReporter()
        told.note("the lane is asked to stop")
        told.step_done("cutover/app#1", "ready", {})


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("schema", "plan"), ("explain", "3"), ("--help",)])
def test_a_command_whose_output_nobody_reads_ends_with_141_and_no_word(words: tuple[str, ...], unbuffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with nobody() as out:
        done = subprocess.run([*KMIGRATE, *words], stdout=out, stderr=subprocess.PIPE, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_told_in_words(unbuffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with full() as out:
        done = subprocess.run(
            [*KMIGRATE, "schema", "plan"], stdout=out, stderr=subprocess.PIPE, text=True, check=False, env=env
        )
    assert done.returncode == 7
    assert done.stderr.splitlines()[0] == "kmigrate: stdout cannot be written: No space left on device"
    assert "defect" not in done.stderr


@pytest.mark.parametrize("stream", [nobody, full])
@pytest.mark.parametrize(("words", "code"), [(("explain", "nonsense"), 2), (("explain", "3"), 0)])
def test_an_error_that_nobody_hears_keeps_its_code(
    words: tuple[str, ...], code: int, stream: type[contextlib.AbstractContextManager[IO[str]]]
) -> None:
    with stream() as err:
        done = subprocess.run([*KMIGRATE, *words], stdout=subprocess.DEVNULL, stderr=err, check=False)
    assert done.returncode == code


def test_letters_that_the_terminal_does_not_know_are_replaced() -> None:
    call = (
        "import sys; from kmigrate.cli import streams; streams.install(); print('3 → 4'); print('→', file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, check=False, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"3 ? 4\n", b"?\n")
