"""The order of a move that hands topics over, there and back (design §4.2): what must come before what.

The mirror's right to write is taken once all is copied: from the target's mirror while its lane stops, since that takes
its operator a while, from the mirror back once the seam is on disk. Either is gone before anybody starts.
"""

from __future__ import annotations

import pytest
from law_diary import kept, owner_of
from law_watch import watch_of

from kmigrate.model import Side

ORDER = (
    "VERIFIED stop-workloads",
    "VERIFIED fence-clients",
    "FACT bounds",
    "FACT drained",
    "FACT last",
    "{feeding}",
    "{fact}",
    "{asked}",
    "STARTED hand-over-topics",
    "FACT seams",
    "{taken}",
    "VERIFIED hand-over-topics",
    "VERIFIED lift-fence",
    "VERIFIED switch-settings",
    "STARTED start-workloads",
    "FACT begun_ms",
    "start of checkout",
    "VERIFIED start-workloads",
    "STARTED turn-mirror",
    "FACT armed",
    "{turned}",
    "VERIFIED turn-mirror",
    "STARTED soak",
)
THERE = {
    "feeding": "KafkaMirrorMaker2 kafka/kmigrate-forward",
    "fact": "FACT taking",
    "asked": "KafkaUser kafka/kmigrate-mirror",
    "taken": "",
    "turned": "KafkaConnector kafka/kmigrate-lane-1-reverse",
}
BACK = {
    "feeding": THERE["turned"],
    "fact": "",
    "asked": "",
    "taken": "right of the mirror back lifted on the source: Write topic orders",
    "turned": THERE["feeding"],
}


@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_nothing_of_a_hand_over_comes_before_what_it_relies_on(way: str) -> None:
    walk, diary = kept()
    for command in ("cutover checkout", "rollback checkout")[: 1 + (way == "rollback")]:
        diary.pages.clear()
        walk.type(command)
    assert owner_of(walk) is (Side.TARGET if way == "cutover" else Side.SOURCE)
    names = THERE if way == "cutover" else BACK
    at = 0
    for wanted in filter(None, (each.format(**names) for each in ORDER)):
        assert wanted in diary.pages[at:], f"{wanted} does not come after {diary.pages[at - 1]}"
        at = diary.pages.index(wanted, at) + 1
    assert diary.pages.count("start of checkout") == 1
    assert watch_of(walk.estate).unruly == []


@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_what_relies_on_something_comes_only_once_and_not_before(way: str) -> None:
    walk, diary = kept()
    walk.type("cutover checkout")
    if way == "rollback":
        diary.pages.clear()
        walk.type("rollback checkout")
    pages = diary.pages
    assert pages.index("FACT drained") > pages.index("VERIFIED fence-clients")
    assert pages.index("FACT bounds") > pages.index("VERIFIED stop-workloads")
    assert pages.index("FACT seams") > pages.index("VERIFIED drain-mirror")
    assert pages.index("start of checkout") > pages.index("VERIFIED lift-fence") > pages.index("FACT seams")
    assert pages.index("FACT armed") > pages.index("VERIFIED start-workloads")
