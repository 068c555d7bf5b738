"""One run: an application in its place, kmigrate at work, the fault, on or back, and everything looked at."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import checks
from cases import Case, Missed
from commands import Ended, Frozen, end, words_of
from stage import Stage
from strikes import STRIKES, Blow, Struck

from kmigrate.model import Json

RATE_MS = 5_000
LEAST_RATE, LEAST_PARTITIONS = 500, 6
TRIES = 12
SAID = 300
AGAIN_S = 2.0
SIDE = {"cutover": "target", "rollback": "source"}
OTHER = {"cutover": "rollback", "rollback": "cutover"}
GOES_ON = (3, 7, 9)
"""What a command may end with while the fault is still felt: blocked, a platform that fails, went back by itself."""
NAMED = {"lane edited by hand": (4,)}
"""And what was found in the soak: who put a lane back had not seen that kmigrate wanted it to stand still by then."""


@dataclass(frozen=True, slots=True)
class Strike:
    """The fault as it was: whom it met, the journal's last line then, what the command ended with, and when it was."""

    whom: str
    last_line: str
    ended: int
    said: str
    at: float
    rate: int
    partitions: int


def run(stage: Stage, case: Case) -> dict[str, Json]:
    """What to write down of the run; raises Missed, AssertionError with what is wrong."""
    began = time.monotonic()
    bring(stage, case.app, OTHER[case.direction])
    brought = time.monotonic()
    try:
        strike = struck(stage, case)
        ended = [] if strike.ended == 0 and case.after == "on" else finish(stage, case)
    finally:
        stage.desk.jump.unlink(missing_ok=True)
    over = time.monotonic()
    side = SIDE[case.direction] if case.after == "on" else SIDE[OTHER[case.direction]]
    seen = checks.check(stage, case.app, side)
    spent = {"bring": brought - began, "strike": strike.at - brought, "end": over - strike.at}
    return {
        "whom": strike.whom,
        "last_line": strike.last_line,
        "ended": strike.ended,
        "said": strike.said,
        "then": [each.code for each in ended],
        "rate": strike.rate,
        "partitions": strike.partitions,
        "recovery_ms": round((over - strike.at) * 1_000),
        "spent_s": {name: round(s) for name, s in (spent | {"check": time.monotonic() - over}).items()},
        **seen,
    }


def bring(stage: Stage, app: str, direction: str) -> None:
    """Have the application where the run begins, by a calm move where it is not."""
    if stage.desk.side(app) != SIDE[direction]:
        calm = stage.desk.move(direction, app)
        assert calm.code == 0, f"in calm weather: {calm}"
    stage.await_healthy()


def struck(stage: Stage, case: Case) -> Strike:
    """Begin, strike within the step, let it go on until it ends, and let the fault pass."""
    words = words_of(case.direction, case.app)
    frozen = Frozen.begin(stage.desk, words, case.step, case.event, case.delay_ms)
    if not frozen.within(case.step):
        frozen.running.send_signal(signal.SIGCONT)
        end(frozen.running, *words)
        raise Missed(f"{case}: the step was over")
    last = _told(stage.desk.lines(frozen.offset)[-1])
    try:
        blow = STRIKES[case.fault](Blow(stage, case, frozen.running))
    except Exception:
        frozen.running.send_signal(signal.SIGCONT)
        end(frozen.running, *words)
        raise
    finally:
        at, now_ms = time.monotonic(), time.time_ns() // 1_000_000
        frozen.running.send_signal(signal.SIGCONT)
    with _passing(blow, case.lasts_ms):
        ended = end(frozen.running, *words)
    assert ended.code in (0, -signal.SIGKILL, *goes_on(case)), f"{blow.whom}: {ended}"
    written = traffic(stage, now_ms - RATE_MS, now_ms)
    rate = round(sum(written.values()) * 1_000 / RATE_MS)
    partitions = touched(stage, now_ms - RATE_MS, now_ms)
    if rate < LEAST_RATE or partitions < LEAST_PARTITIONS:
        raise Missed(f"{case}: {rate} records/s over {partitions} partitions only")
    said = " ".join(ended.err.replace(str(stage.lab.root), "LAB").split())[:SAID] if ended.code else ""
    return Strike(blow.whom, last, ended.code, said, at, rate, partitions)


@contextlib.contextmanager
def _passing(blow: Struck, lasts_ms: int) -> Iterator[None]:
    """The fault passes by itself after its time, whatever kmigrate does meanwhile."""
    failed: list[BaseException] = []

    def heal() -> None:
        try:
            blow.heal()
        except BaseException as error:
            failed.append(error)

    passing = threading.Timer(lasts_ms / 1_000 if blow.lasts else 0, heal)
    passing.start()
    try:
        yield
    finally:
        passing.join()
    if failed:
        raise failed[0]


def finish(stage: Stage, case: Case) -> list[Ended]:
    """Go on, or back, until a command ends well; each command that did not is in the list before it."""
    target = case.direction if case.after == "on" else OTHER[case.direction]
    ended: list[Ended] = []
    while len(ended) < TRIES:
        ended.append(stage.desk.move(target, case.app))
        last = ended[-1]
        if last.code == 0:
            return ended
        assert last.code in goes_on(case), f"{last}"
        if "is half done" in last.err and target == "cutover":
            ended.append(stage.desk.move("rollback", case.app))
        time.sleep(AGAIN_S)
    raise AssertionError(f"does not end well: {[each.code for each in ended]}: {ended[-1]}")


def goes_on(case: Case) -> tuple[int, ...]:
    """What a command of that run may end with."""
    return (*GOES_ON, *NAMED.get(case.fault, ()))


def traffic(stage: Stage, begin_ms: int, end_ms: int) -> Mapping[str, int]:
    """Records acknowledged or committed within that time, by application, as their own files tell."""
    found: Counter[str] = Counter()
    for home in stage.lab.apps.iterdir():
        for file in (home / "audit").glob("*.jsonl"):
            if file.stat().st_mtime_ns // 1_000_000 >= begin_ms:
                found[home.name] += _written(file, begin_ms, end_ms)
    return found


def _written(file: Path, begin_ms: int, end_ms: int) -> int:
    count, open_ones = 0, Counter[int]()
    for line in _tail(file, begin_ms - 10_000):
        if line["event"] == "produced" and line.get("tx") is not None:
            open_ones[line["tx"]] += 1
        within = begin_ms <= line["at"] < end_ms
        if line["event"] == "acked":
            count += within
        elif line["event"] == "committed" and line.get("tx") is not None:
            count += within * open_ones.pop(line["tx"], 0)
    return count


def _tail(file: Path, since_ms: int) -> Iterator[dict]:
    """The lines since then; what comes before is passed over in halves."""
    with file.open("rb") as lines:
        size = file.stat().st_size
        back = 1 << 20
        while back < size:
            lines.seek(size - back)
            lines.readline()
            first = lines.readline()
            if first.endswith(b"\n") and json.loads(first)["at"] < since_ms:
                break
            back *= 2
        lines.seek(max(0, size - back))
        if back < size:
            lines.readline()
        for text in lines:
            if text.endswith(b"\n"):
                yield json.loads(text)


def touched(stage: Stage, begin_ms: int, end_ms: int) -> int:
    """Over how many partitions the applications' records went within that time, as writers and readers noted."""
    found: set[tuple[str, int]] = set()
    for home in stage.lab.apps.iterdir():
        for file in sorted((home / "audit").glob("*.jsonl"))[-2:]:
            lines = (line for line in _tail(file, begin_ms) if begin_ms <= line["at"] < end_ms)
            found |= {(line["topic"], line["partition"]) for line in lines if line["event"] in ("processed", "acked")}
    return len(found)


def _told(line: dict) -> str:
    return f"{line['event']} {line['step'] or ', '.join(line['data'] or {})}"
