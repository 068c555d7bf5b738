"""Chaos by hand: `./dev python tests/chaos/run.py --count N --seed S` adds N runs to the table, from seed S on.

One lab stays up for all of them. A run is written down once the auditor has found nothing after it (every
`--audit-every` runs). What fails is told with its seed, which replays it: `--seed S --count 1`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import checks
import one_run
import table
from cases import (
    FAULTS,
    ON_KUBERNETES,
    ROUNDS,
    Case,
    Missed,
    another,
    case,
    seeds,
)
from stage import Stage, staged

from kmigrate.lab.folder import LabFolder

IN_A_FOLDER = tuple(fault for fault in FAULTS if fault not in ON_KUBERNETES)
PHASES = ("assess", "provision", "replicate", "rehearse")
FIRST = ("ml-features", "billing", "notifier")
"""They read what order-service writes, so they go before it, and stay: readers that live through all of it."""


@dataclass
class Session:
    """Runs on one lab; `kept` are those that wait for the auditor, `count` takes those that he has let pass."""

    stage: Stage
    commit: str
    count: Callable[[list[dict]], None]
    kept: list[dict] = field(default_factory=list)
    counted: list[dict] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def run(self, wanted: Case) -> bool:
        """One run; what misses is told and does not count: False."""
        began = time.monotonic()
        try:
            told = one_run.run(self.stage, wanted)
        except Missed as missed:
            self.missed.append(str(missed))
            self.stage.await_healthy()
            say(f"  missed: {missed}")
            return False
        where = {"kubernetes": True} if self.stage.lab.kubernetes.exists() else {}
        self.kept.append(table.row(wanted, self.commit, {**told, **where}))
        shown = {name: told[name] for name in ("whom", "last_line", "ended", "said", "then", "rate", "spent_s")}
        say(f"  {wanted}: {shown} in {time.monotonic() - began:.0f} s")
        return True

    def audit(self) -> None:
        """What was kept counts, if nothing is wrong."""
        began = time.monotonic()
        _, alike = checks.looked(self.stage)
        verdict = checks.audited(self.stage)
        wrong = checks.counted(verdict)
        examples = [text for app in verdict.applications for text in app.examples]
        seeds = [row["seed"] for row in self.kept]
        assert not wrong, f"after seeds {seeds}: {wrong}\n{examples}"
        rows = [{**row, "zeros": True} for row in self.kept]
        self.counted += rows
        self.count(rows)
        say(f"  audit of {seeds}: all zeros; {alike}; {time.monotonic() - began:.0f} s")
        self.kept.clear()


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def session(
    folder: LabFolder, commit: str, count: Callable[[list[dict]], None], *, kubernetes: bool = False
) -> Iterator[Session]:
    """A lab with everything up to the first move of who moves in the runs."""
    with staged(folder, kubernetes=kubernetes) as stage:
        for phase in PHASES:
            done = stage.desk.run("apply", "--phase", phase, "--yes", "--json")
            assert done.code == 0, f"{done}"
        for app in FIRST:
            done = stage.desk.move("cutover", app)
            assert done.code == 0, f"{done}"
        yield Session(stage, commit, count)


def easiest(stage: Stage, left: Sequence[Case]) -> Case:
    """One whose application stands where it begins, so that hardly any calm move is needed; else the first."""
    fits = (each for each in left if stage.desk.side(each.app) != one_run.SIDE[each.direction])
    return next(fits, left[0])


def run_all(at: Session, wanted: Sequence[Case], *, audit_every: int, until: float, retry: bool = False) -> list[Case]:
    """Every run, also after one that failed, as long as its application can be brought home; those that failed.

    With `retry`, one that missed is followed by another of the same fault, step and direction.
    """
    failed: list[Case] = []
    left = list(wanted)
    while left and time.monotonic() < until:
        chosen = easiest(at.stage, left)
        left.remove(chosen)
        try:
            met = at.run(chosen)
        except Exception:
            failed.append(chosen)
            say(f"FAILED: {chosen}\n{traceback.format_exc()}")
            if not home(at.stage, chosen):
                break
        else:
            later = None if met or not retry else another(chosen)
            left += [later] if later else []
        if len(at.kept) >= audit_every:
            at.audit()
    if at.kept:
        at.audit()
    return failed


def cut(at: Session, seeds: Sequence[int], *, minutes: float, least: int) -> dict[str, list]:
    """Those of the seeds that can be begun within so many minutes, all audited at the end; what came of them.

    At least so many count, also on a slow machine.
    """
    failed = run_all(at, list(map(case, seeds)), audit_every=len(seeds), until=time.monotonic() + minutes * 60)
    assert not failed
    counted = [row["seed"] for row in at.counted]
    assert len(counted) == len(set(counted)) >= least, f"counted {counted}, missed {at.missed}"
    left = sorted(set(seeds) - set(counted))
    return {"seeds_counted": counted, "not_begun_or_missed": left, "missed": at.missed}


def home(stage: Stage, failed: Case) -> bool:
    """Whether the application of a run that failed can be brought back; where not, this lab is of no use any more."""
    try:
        one_run.finish(stage, replace(failed, after="on", direction="rollback"))
    except AssertionError:
        say(f"  it cannot be brought home:\n{traceback.format_exc()}")
        return False
    return True


def commit_of() -> str:
    here = Path(__file__).parent
    words = ("git", "-C", str(here), "rev-parse", "--short=9", "HEAD")
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=-1, help="the first; by default the first that the table lacks")
    parser.add_argument("--again", type=int, nargs="+", default=(), help="these very seeds, and no others")
    parser.add_argument("--fault", choices=FAULTS, action="append", help="only runs of this fault; may come again")
    parser.add_argument("--minutes", type=float, default=60, help="begin no run after so long")
    parser.add_argument("--audit-every", type=int, default=10)
    parser.add_argument(
        "--kubernetes", action="store_true", help="the target's resources in a Kubernetes of the lab's own"
    )
    parser.add_argument("--folder", type=Path, default=Path(".kmigrate-chaos"))
    given = parser.parse_args()
    faults = given.fault or (FAULTS if given.kubernetes else IN_A_FOLDER)
    wanted = [case(seed) for seed in given.again] or chosen_cases(given.seed, given.count, faults)
    if not given.kubernetes and any(each.fault in ON_KUBERNETES for each in wanted):
        parser.error(f"{', '.join(ON_KUBERNETES)}: only with --kubernetes")
    until = time.monotonic() + given.minutes * 60
    with session(LabFolder(given.folder.absolute()), commit_of(), table.write, kubernetes=given.kubernetes) as at:
        failed = run_all(at, wanted, audit_every=given.audit_every, until=until, retry=not given.again)
    say(f"{len(at.counted)} runs counted, {len(at.missed)} missed, {len(failed)} failed")
    for each in failed:
        say(f"FAILED: {each}")
    return 1 if failed else 0


def chosen_cases(seed: int, count: int, faults: Sequence[str]) -> list[Case]:
    """From that seed on; without one, those whose (fault, step, direction) the table does not have.

    The rarest faults come first; where all were met, the seeds of the next rounds.
    """
    if seed >= 0:
        found = map(case, itertools.count(seed))
        return list(itertools.islice((each for each in found if each.fault in faults), count))
    met = table.pairs(table.read())
    done = {row["seed"] for row in table.read()}
    left = [each for each in map(case, seeds(ROUNDS)) if each.seed not in done and each.fault in faults]
    of_fault = Counter({fault: sum(met[pair] for pair in met if pair[0] == fault) for fault in faults})
    chosen: list[Case] = []
    while left and len(chosen) < count:
        rarest = min(left, key=lambda each: (met[each.pair], of_fault[each.fault], each.seed))
        left.remove(rarest)
        met[rarest.pair] += 1
        of_fault[rarest.fault] += 1
        chosen.append(rarest)
    return chosen


if __name__ == "__main__":
    sys.exit(main())
