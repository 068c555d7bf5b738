"""A writer moved and taken back on a real lab: both mirrors started by hand in its soak, and both logs afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from two_clusters import Figures
from typist import Typist, before_the_first_move

from kmigrate.lab import compose, shop
from kmigrate.lab.apps import control as apps
from kmigrate.lab.auditor.kafka_log import KafkaLog, client_settings
from kmigrate.lab.auditor.lines import lines, snapshot
from kmigrate.lab.auditor.log import LogRecord, copies
from kmigrate.lab.walk import Walk
from kmigrate.manifests.lanes import forward_lanes, other_way
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import Lane, Partition, Side
from kmigrate.positions import Seam
from kmigrate.probes.ownership import SEAMS, read_seams
from kmigrate.probes.unmarked import records_after
from kmigrate.world import Key

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

APP, STAYS, TOPIC = "storefront", "order-service", "orders"
MOVES = {"cutover": ("apply", "--phase", "cutover", "--app", APP), "rollback": ("rollback", "--app", APP)}
SOAK = "25s"


class Hand(Typist):
    """Edits the lab's resources behind kmigrate's back, and reads both logs."""

    def facts(self, way: str) -> Mapping[str, object]:
        """What the newest attempt of a move has left in the journal so far."""
        told: dict[str, object] = {}
        path = self.walk.folder.extra / ".kmigrate" / "journal.jsonl"
        for line in map(json.loads, path.read_text().splitlines()):
            if line["unit"].startswith(f"{way}/{APP}#") and line["event"] == "FACT":
                told |= line["data"]
        return told

    def lane(self, side: Side) -> Lane:
        """The lane of the topic that copies to that side."""
        (lane,) = (lane for lane in forward_lanes(self.walk.migration) if TOPIC in lane.topics)
        return lane if side is Side.TARGET else other_way(lane)

    def failed(self, lane: Lane) -> list[str]:
        return [word for word in self.walk.world.mirror.trouble(lane) if "FAILED" in word]

    def end(self, side: Side) -> int:
        cluster = self.walk.world.cluster(side)
        return sum(log.end for log in cluster.ranges(cluster.topics([TOPIC])[TOPIC].all()).values())

    def sent(self) -> Counter[str]:
        """How often the application set out to write a record, by identity: that is in its file before it is sent."""
        told = lines(snapshot(self.walk.folder.apps / APP))
        return Counter(line.id for line in told if line.event == "produced")

    def logs(self, side: Side, seams: Mapping[Partition, Seam]) -> Mapping[Partition, Sequence[LogRecord]]:
        """Every committed record of the topic from the seams on."""
        with reading(self.walk, side) as log:
            return {
                p: tuple(record for record in log.read(p.topic, p.number) if record.offset >= seam.at(side))
                for p, seam in seams.items()
            }


@contextmanager
def reading(walk: Walk, side: Side) -> Iterator[KafkaLog]:
    """Sign in as somebody who only reads."""
    if side is Side.SOURCE:
        source = walk.migration.source
        login = ("PLAIN", shop.KMIGRATE, (walk.folder.credentials / shop.KMIGRATE).read_text())
        where, ca = source.bootstrap, Path(str(source.ca)).read_text()
    else:
        kafka, users = Key("Kafka", "kafka", "shop"), Key("Secret", "kafka", compose.AUDITOR)
        trust = Key("Secret", "kafka", "shop-cluster-ca-cert")
        found, secret, authority = (walk.world.resources.get(key) for key in (kafka, users, trust))
        assert found is not None
        assert secret is not None
        assert authority is not None
        where, ca = found.status["listeners"][0]["bootstrapServers"], str(authority.data["ca.crt"])
        login = ("SCRAM-SHA-512", compose.AUDITOR, str(secret.data["password"]))
    log = KafkaLog(client_settings(where, ca, login))
    try:
        yield log
    finally:
        log.close()


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    """A lab whose readers of orders stay, with everything done that comes before the first move."""
    with before_the_first_move(tmp_path_factory.mktemp("after") / "lab", stay=TOPIC, soak=SOAK) as walk:
        yield Hand(walk)


@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_a_mirror_started_by_hand_in_a_soak_adds_nothing_where_the_topic_is_owned_and_is_named(
    hand: Hand, way: str, figures: Figures
) -> None:
    owner = Side.TARGET if way == "cutover" else Side.SOURCE
    wrong = hand.lane(owner)
    moving = hand.begin(*MOVES[way], "--yes")
    hand.until("the soak to begin", lambda: "soak_began_ms" in hand.facts(way) or moving.poll() is not None)
    hand.ask(wrong, RUNNING)
    _, told = moving.communicate(timeout=200)
    assert moving.returncode == 4, told
    assert f"lane {wrong.name} must stand still and was started" in " ".join(told.split())
    hand.until(f"{wrong.name} to fail", lambda: hand.failed(wrong))
    before = hand.end(owner)
    hand.until("more to be written", lambda: hand.end(owner) > before + 500)
    (why,) = hand.failed(wrong)
    assert "Not authorized to access topics" in why
    assert any(why in word for word in troubles(hand))
    added = strangers(hand, owner, read_seams(hand.facts(way)[SEAMS]))
    assert added == Counter()
    hand.ask(wrong, STOPPED)
    hand.until(f"{wrong.name} to stand", lambda: not hand.failed(wrong) and not hand.walk.world.mirror.tasks(wrong))
    hand.done(*MOVES[way], "--yes")
    assert not troubles(hand)
    figures(owner=owner, wrong_lane=why[:160], records_added=added.total(), written_since=hand.end(owner) - before)


def troubles(hand: Hand) -> list[str]:
    """What status says is wrong with lanes."""
    return [word for lane in json.loads(hand.done("status", "--json"))["lag"] for word in lane["trouble"]]


def strangers(hand: Hand, owner: Side, seams: Mapping[Partition, Seam]) -> Counter[str]:
    """Records on the owner's side since the hand-over that the application did not write, and those once too often."""
    found = Counter(record.identity for log in hand.logs(owner, seams).values() for record in log)
    sent = hand.sent()  # after the log, so that it holds whatever stands there
    return Counter({name: count - sent[name] for name, count in found.items() if count > sent[name]})


def test_verify_names_a_mirror_that_was_started_once_the_move_was_sealed(hand: Hand) -> None:
    wrong = hand.lane(Side.SOURCE)
    hand.ask(wrong, RUNNING)
    hand.until(f"{wrong.name} to fail", lambda: hand.failed(wrong))
    code, told, _ = hand.run("verify", "--app", APP)
    assert code == 4, told
    assert f"stop lane {wrong.name}" in " ".join(told.split())
    assert f"lane {wrong.name} must stand still and was started" in " ".join(told.split())
    hand.ask(wrong, STOPPED)
    hand.until(f"{wrong.name} to stand", lambda: not hand.failed(wrong) and not hand.walk.world.mirror.tasks(wrong))
    hand.done("verify", "--app", APP)


def test_after_the_way_back_both_logs_are_equal_from_the_hand_over_on(hand: Hand, figures: Figures) -> None:
    apps.steer(hand.walk.folder.apps / APP, "stopped")
    seams = read_seams(hand.facts("cutover")[SEAMS])
    ends = hand.end(Side.SOURCE)

    def equal() -> bool:
        here, there = (hand.logs(side, seams) for side in Side)
        return {p: len(log) for p, log in here.items()} == {p: len(log) for p, log in there.items()}

    hand.until("the last copies", equal)
    here, there = (hand.logs(side, seams) for side in Side)
    for partition, log in here.items():
        assert [(r.identity, r.digest) for r in log] == [(r.identity, r.digest) for r in there[partition]], partition
    # the whole of the target's log: whatever was copied before the hand-over was not copied again
    start = {p: Seam(owner=Side.SOURCE, source=0, target=0) for p in seams}
    doubled = Counter(record.identity for log in hand.logs(Side.TARGET, start).values() for record in log)
    assert [name for name, count in doubled.items() if count > copies(name)] == []
    assert hand.end(Side.SOURCE) == ends
    figures(partitions=len(here), records_equal=sum(map(len, here.values())), copied_again=0)


def test_a_reader_that_stayed_throughout_has_no_gap_and_nothing_twice(hand: Hand, figures: Figures) -> None:
    group, cluster = STAYS, hand.walk.world.cluster(Side.SOURCE)
    every = cluster.topics([TOPIC])[TOPIC].all()

    def has_read_all() -> bool:
        """Records count: behind the last one a marker of a transaction may lie, which no position passes."""
        held = hand.walk.world.groups(Side.SOURCE).positions({group: every}, stable=False)[group]
        return not any(records_after(cluster, {p: at or 0 for p, at in held.items()}).values())

    hand.until(f"{STAYS} to have read all", has_read_all)
    verdict = hand.walk.audit()
    counted = {app.name: (app.lost, app.redelivered, app.out_of_order, app.audit_gaps) for app in verdict.applications}
    assert counted == dict.fromkeys(counted, (0, 0, 0, 0))
    stayed = next(app for app in verdict.applications if app.name == STAYS)
    assert (stayed.switches, stayed.behind) == ((), 0)
    moved = next(app for app in verdict.applications if app.name == APP)
    assert len(moved.switches) == 2
    assert (moved.missing_written, moved.resurrected) == (0, 0)
    assert all(entry.clean for entry in verdict.differences if entry.topic == TOPIC)
    figures(processed_by_who_stayed=stayed.processed, lost_redelivered_out_of_order_gaps=counted)
