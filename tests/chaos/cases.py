"""What a seed stands for: a fault, a step, a direction, an instant, who moves, and whether it goes on or back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

STEPS = (
    "ready",
    "stop-workloads",
    "fence-clients",
    "drain-mirror",
    "carry-positions",
    "hand-over-topics",
    "lift-fence",
    "switch-settings",
    "start-workloads",
    "turn-mirror",
    "soak",
)
FIRST = (
    "kill kmigrate",
    "kill Connect",
    "kill the source's broker",
    "kill the target's broker",
    "kill the application",
    "mirror to source gone",
    "mirror to source slow",
    "kmigrate to source gone",
    "kmigrate to source slow",
    "kmigrate to target gone",
    "kmigrate to target slow",
    "disk full",
    "clock jumps",
    "second operator",
    "operator stopped",
    "operator slow",
    "connector restarted",
)
ON_KUBERNETES = ("API server gone", "lane edited by hand")
"""Faults of a target whose resources are in Kubernetes."""
SEEDS_FROM = {
    0: FIRST,
    100_000: ("kill Connect in a transaction",),
    200_000: ON_KUBERNETES[:1],
    300_000: ON_KUBERNETES[1:],
}
"""Faults that came when runs of the first ones had been counted have seeds of their own, from here on."""
FAULTS = tuple(fault for faults in SEEDS_FROM.values() for fault in faults)
DIRECTIONS = ("cutover", "rollback")
ROUNDS = 10
"""How often it is tried to meet a step that was over when the fault came, on a machine that is quick."""
WRITER = "order-service"
READERS = ("search-indexer", "fraud-check", "trends")
"""Far behind, static, and KIP-848; each may move whatever side the others are on."""
_A_MINUTE_MS = 60_000
_OF_WRITERS = ("hand-over-topics", "turn-mirror")
_LONGEST_MS = {
    "ready": 400,
    "stop-workloads": 100,
    "fence-clients": 20,
    "drain-mirror": 150,
    "carry-positions": 30,
    "hand-over-topics": 500,
    "start-workloads": 300,
    "turn-mirror": 1_500,
    "soak": 800,
}
"""How long after its first line a step is surely under way still; the others are over at once."""


class Missed(Exception):
    """The fault did not hit the named step, or not under enough traffic: the run does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run: `fault` strikes `delay_ms` after the line `event` of `step`; then it goes `after` (on or back)."""

    seed: int
    fault: str
    step: str
    direction: str
    app: str
    event: str
    delay_ms: int
    after: str
    lasts_ms: int

    @property
    def pair(self) -> tuple[str, str, str]:
        """What the table counts runs by."""
        return self.fault, self.step, self.direction

    def __str__(self) -> str:
        when = f"{self.delay_ms} ms after {self.event} of {self.step}"
        return f"seed {self.seed}: {self.fault}, {when}, {self.direction} of {self.app}, then {self.after}"


def seeds(rounds: int = 1) -> Iterator[int]:
    """So many that each fault meets every step in both directions `rounds` times."""
    for begin, faults in SEEDS_FROM.items():
        yield from range(begin, begin + rounds * len(faults) * len(STEPS) * len(DIRECTIONS))


def another(of: Case) -> Case | None:
    """The same fault, step and direction at an instant of the next round; None after so many rounds."""
    begin = _begin(of.seed)
    around = len(SEEDS_FROM[begin]) * len(STEPS) * len(DIRECTIONS)
    return case(of.seed + around) if of.seed + around < begin + ROUNDS * around else None


def _begin(seed: int) -> int:
    return max(begin for begin in SEEDS_FROM if begin <= seed)


def case(seed: int) -> Case:
    """The same for the same seed; one of cutover and one of rollback follow each other, of the same fault and step."""
    begin = _begin(seed)
    faults = SEEDS_FROM[begin]
    pairs = list(product(faults, STEPS))
    random.Random(len(pairs)).shuffle(pairs)
    rest, way = divmod(seed - begin, len(DIRECTIONS))
    fault, step = pairs[rest % len(pairs)]
    chance = random.Random(seed)
    event = chance.choice(("STARTED", "APPLIED"))
    longest = _LONGEST_MS.get(step, 0) if event == "STARTED" else 0
    return Case(
        seed=seed,
        fault=fault,
        step=step,
        direction=DIRECTIONS[way],
        app=WRITER if step in _OF_WRITERS or chance.random() < 0.4 else chance.choice(READERS),
        event=event,
        delay_ms=chance.randint(0, longest),
        after=chance.choice(("on", "back")),
        lasts_ms=_A_MINUTE_MS if fault == "API server gone" else chance.choice((1_500, 4_000, 8_000)),
    )
