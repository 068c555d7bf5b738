"""A small coverage-guided fuzzer: bytes that reach new lines are kept and changed further; the same seed, the same run.

What an example may cost is bound: by lines of kmigrate that it runs, and by how much the process grows.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeAlias

import kmigrate

Target = Callable[[bytes], object]
Trace: TypeAlias = Callable[[FrameType, str, object], "Trace | None"]

MOST_LINES = 2_000_000
MOST_GROWTH_KB = 65_536
_LONGEST = 4_096
_MOST_S = 30
_OURS = f"{Path(kmigrate.__file__).parent}/"
_ODD = (
    *(b"", b"\0", b"-1", b"1e999", b"NaN", b"null", b"{}", b"[]", b'""', b"\xff", b"\xed\xa0\x80", b"\\ud800"),
    *(b"9" * 30, b"9" * 5_000, b"[" * 3_000, b"- " * 3_000),
)


class TooMuch(AssertionError):
    """One example took more work, or more memory, than any may."""


@dataclass(frozen=True)
class Find:
    """Bytes that break the law, and how."""

    data: bytes
    why: str


@dataclass
class Run:
    """What a run counted; `grown_kb` is how much the process grew after its first hundred examples."""

    executions: int = 0
    lines: set[tuple[str, int]] = field(default_factory=set)
    corpus: list[bytes] = field(default_factory=list)
    finds: list[Find] = field(default_factory=list)
    most_lines: int = 0
    grown_kb: int = 0


def fuzz(target: Target, seeds: Sequence[bytes], *, seed: int, goes_on: Callable[[Run], bool]) -> Run:
    """Run the seeds, then what becomes of them, for as long as `goes_on` says; one find for each place it was made."""
    run, chance, known = Run(), random.Random(seed), set[str]()
    signal.signal(signal.SIGPROF, _too_long)
    began_kb = 0
    for data in _examples(run, seeds, chance):
        why, lines, count = _one(target, data)
        run.executions += 1
        run.most_lines = max(run.most_lines, count)
        if why and why not in known:
            known.add(why)
            run.finds.append(Find(data, why))
        if not lines <= run.lines:
            run.lines |= lines
            run.corpus.append(data)
        if run.executions == 100:
            began_kb = peak_kb()
        run.grown_kb = peak_kb() - began_kb if began_kb else 0
        if not goes_on(run):
            break
    return run


def peak_kb() -> int:
    """The most memory that the process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _examples(run: Run, seeds: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    yield from seeds
    while True:
        data = chance.choice(run.corpus or list(seeds))
        for _ in range(chance.choice((1, 1, 2, 4, 8))):
            data = _changed(data, run.corpus or list(seeds), chance)
        yield data[:_LONGEST] if len(data) > 4 * _LONGEST else data


def _changed(data: bytes, corpus: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    to = min(len(data), at + chance.choice((1, 1, 2, 8, 40)))
    way = chance.randrange(7)
    if way == 0 and data:
        at = min(at, len(data) - 1)
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if way == 1:
        return data[:at] + data[to:]
    if way == 2:
        return data[:at] + data[at:to] * chance.choice((2, 3, 50)) + data[to:]
    if way == 3:
        return data[:at] + chance.choice(_ODD) + data[to:]
    if way == 4:
        other = chance.choice(corpus)
        begin = chance.randrange(len(other) + 1)
        return data[:at] + other[begin : begin + chance.choice((4, 30, 200))] + data[to:]
    if way == 5:
        return data[:at] + chance.randbytes(to - at) + data[to:]
    return _word_changed(data, corpus, chance)


def _word_changed(data: bytes, corpus: Sequence[bytes], chance: random.Random) -> bytes:
    """One word or value between separators becomes another one, or something odd."""
    words = data.split(b" ")
    others = chance.choice(corpus).split(b" ")
    words[chance.randrange(len(words))] = chance.choice((*_ODD, chance.choice(others)))
    return b" ".join(words)


def _one(target: Target, data: bytes) -> tuple[str, set[tuple[str, int]], int]:
    """Run one example: why it breaks the law, empty when it does not; lines of kmigrate it reached, and ran in all."""
    reached: set[tuple[str, int]] = set()
    count, before = 0, peak_kb()

    def trace(frame: FrameType, event: str, _: object) -> Trace | None:
        nonlocal count
        name = frame.f_code.co_filename
        if not name.startswith(_OURS):
            return None
        if event == "line":
            count += 1
            reached.add((name, frame.f_lineno))
            if count > MOST_LINES:
                raise TooMuch(f"more than {MOST_LINES} lines")
        return trace

    signal.setitimer(signal.ITIMER_PROF, _MOST_S)
    sys.settrace(trace)
    try:
        target(data)
    except Exception as error:
        sys.settrace(None)
        return f"{type(error).__name__} at {_place(error)}: {str(error)[:200]}", reached, count
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = peak_kb() - before
    return (f"TooMuch: grew by {grown} kB" if grown > MOST_GROWTH_KB else ""), reached, count


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooMuch(f"more than {_MOST_S} s of the processor, outside of kmigrate")


def _place(error: BaseException) -> str:
    """The innermost line of kmigrate, else of the target."""
    found, at = "?", error.__traceback__
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        if name.startswith(_OURS) or found == "?":
            found = f"{name.removeprefix(_OURS)}:{at.tb_lineno}"
        at = at.tb_next
    return found
