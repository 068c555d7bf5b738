"""What strikes, and how it passes: each fault tells whom it met, and what has to be done once it is over."""

from __future__ import annotations

import contextlib
import random
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
from by_hand import turn
from cases import Case, Missed
from clicks import TOPIC as CLICKS
from connect_groups import connectors, rests_by_name
from relay import Relay, Weather
from stage import SOURCE_BROKER, TARGET_BROKER, Stage

from kmigrate.lab.apps.audit import replace
from kmigrate.lab.kubernetes.plane import API_SERVER
from kmigrate.manifests.lanes import forward_lanes, reverse_lanes
from kmigrate.model import Side
from kmigrate.planfile import load
from kmigrate.wiring import open_world
from kmigrate.world import Reporter

LATE_S = 0.4
JUMP_S = 3_600
_CATCHES, _SENT_S, _WRITTEN_S = 20, 0.5, 0.3


@dataclass(frozen=True, slots=True)
class Struck:
    """Whom a fault met, and what ends it; `lasts` says that it goes on for a while before it is ended."""

    whom: str
    heal: Callable[[], None] = lambda: None
    lasts: bool = False


@dataclass(frozen=True, slots=True)
class Blow:
    """What a strike has at hand: the lab, the case, and kmigrate, frozen within the step."""

    stage: Stage
    case: Case
    kmigrate: subprocess.Popen[str]

    @property
    def chance(self) -> random.Random:
        return random.Random(f"blow {self.case.seed}")


def kill_kmigrate(blow: Blow) -> Struck:
    blow.kmigrate.kill()
    return Struck(f"kmigrate {blow.kmigrate.pid}")


def kill_connect(blow: Blow) -> Struck:
    """One of the workers; the stand-in starts it again."""
    return _kill(blow.stage, blow.chance.choice(blow.stage.workers()))


def kill_connect_in_transaction(blow: Blow) -> Struck:
    """The worker that copies to the target, between records and their commit: what it had open is left behind.

    The broker is frozen until the worker waits for its answer to records; it is frozen in turn, and the broker, let go,
    writes what it had sent. A commit that it had sent before ends the transaction: then once more.
    """
    (name,) = (each for each in blow.stage.workers() if "mirrormaker" in each)
    worker, broker = blow.stage.process(name), blow.stage.process(TARGET_BROKER)
    assert worker is not None, f"{name} is down already"
    assert broker is not None, f"{TARGET_BROKER} is down already"
    with _clicks_across(blow.stage) as is_open:
        for _ in range(_CATCHES):
            broker.suspend()
            time.sleep(_SENT_S)
            worker.suspend()
            broker.resume()
            time.sleep(_WRITTEN_S)
            if all(is_open() for _ in range(2)):
                worker.kill()
                return Struck(f"{name} {worker.pid}")
            worker.resume()
            time.sleep(_SENT_S)
    raise Missed(f"{blow.case}: no transaction was open in {_CATCHES} looks")


@contextlib.contextmanager
def _clicks_across(stage: Stage) -> Iterator[Callable[[], bool]]:
    """Asks whether a transaction is open in the copies of clicks, which nobody but that worker writes."""
    world = open_world(load(stage.desk.plan), Reporter())
    try:
        target = world.cluster(Side.TARGET)
        clicks = target.topics([CLICKS])[CLICKS].all()
        yield lambda: target.ends(clicks, committed=False) != target.ends(clicks)
    finally:
        world.close()


def kill_source_broker(blow: Blow) -> Struck:
    """On the source nobody but us starts it again, as it was."""
    stage = blow.stage
    return _kill_for_a_while(SOURCE_BROKER, stage.source_broker(), stage.lab.source / "node-1.log", stage.revived)


def kill_target_broker(blow: Blow) -> Struck:
    """The stand-in starts it again."""
    return _kill(blow.stage, TARGET_BROKER)


def kill_application(blow: Blow) -> Struck:
    """Who moves, where it runs; else any other. The lab starts it again where it is wished."""
    names = blow.stage.names("app-")
    first = f"app-{blow.case.app}"
    others = blow.chance.sample(sorted({*names} - {first}), len(names) - 1)
    return _kill(blow.stage, next(name for name in (first, *others) if blow.stage.process(name) is not None))


def disk_full(blow: Blow) -> Struck:
    """No file of kmigrate grows beyond the journal's size, and a few bytes more: the next line is torn."""
    most = blow.stage.desk.size() + blow.chance.choice((0, 40))
    resource.prlimit(blow.kmigrate.pid, resource.RLIMIT_FSIZE, (most, most))
    return Struck(f"journal at {most} bytes")


def clock_jumps(blow: Blow) -> Struck:
    """The clock of kmigrate's machine is an hour ahead, or behind, until the run is over; half of them die of it."""
    jump = blow.chance.choice((JUMP_S, -JUMP_S))
    replace(blow.stage.desk.jump, str(jump))
    dies = blow.chance.random() < 0.5
    if dies:
        blow.kmigrate.kill()
    return Struck(f"{jump:+} s" + (", and kmigrate is killed" if dies else ""))


def second_operator(blow: Blow) -> Struck:
    """Somebody types the same, here or on another laptop, while the first is at work: refused."""
    desk = blow.stage.desk if blow.chance.random() < 0.5 else blow.stage.desk.another("laptop")
    refused = desk.move(blow.case.direction, blow.case.app)
    assert refused.code == 8, f"the second operator: {refused}"
    return Struck(f"at {desk.plan.stem}")


def operator_stopped(blow: Blow) -> Struck:
    """The stand-in hangs, and with it all that starts and stops applications."""
    supervisor = blow.stage.supervisor
    supervisor.suspend()
    return Struck(f"supervisor {supervisor.pid}", supervisor.resume, lasts=True)


def operator_slow(blow: Blow) -> Struck:
    """The stand-in works a tenth of the time."""
    supervisor, over = blow.stage.supervisor, threading.Event()

    def hold_up() -> None:
        while not over.wait(0.05):
            supervisor.suspend()
            over.wait(0.45)
            supervisor.resume()

    holding = threading.Thread(target=hold_up, daemon=True)
    holding.start()

    def release() -> None:
        over.set()
        holding.join(10)

    return Struck(f"supervisor {supervisor.pid}", release, lasts=True)


def connector_restarted(blow: Blow) -> Struck:
    """Any connector that is there, with its tasks, over Connect's own interface."""
    found = [(rest, name) for rest in rests_by_name(blow.stage) for name in connectors(rest)]
    rest, name = blow.chance.choice(sorted(found, key=lambda each: each[1]))
    rest.post(f"/connectors/{quote(name, safe='')}/restart?includeTasks=true")
    return Struck(name)


def api_server_gone(blow: Blow) -> Struck:
    """Kubernetes refuses every connection; what is stored stays with etcd, and it is started again as it was."""
    stage = blow.stage
    return _kill_for_a_while(API_SERVER, stage.api_server(), stage.lab.kubernetes / f"{API_SERVER}.log", stage.servers)


def lane_edited(blow: Blow) -> Struck:
    """Somebody turns the state of a lane that has to do with who moves, there or back, and lets go of it again."""
    migration = load(blow.stage.desk.plan)
    app = migration.application(blow.case.app)
    topics = {*app.topics_read, *app.writes}
    every = (*forward_lanes(migration), *reverse_lanes(migration))
    lane = blow.chance.choice([lane for lane in every if not topics.isdisjoint(lane.topics)])
    now, let_go = turn(blow.stage.lab, lane)
    return Struck(f"{lane.connector} {now}", let_go, lasts=True)


def network(relay: str, who: str, *, gone: bool) -> Callable[[Blow], Struck]:
    """Between one side and kmigrate, or the workers, nothing passes for a while; or all of it comes late."""

    def strike(blow: Blow) -> Struck:
        between: Relay = getattr(blow.stage, relay)

        def of() -> set[int]:
            return _family(blow.kmigrate.pid) if who == "kmigrate" else _pids(blow.stage, blow.stage.workers())

        between.set(Weather(of=of, gone=gone, late_s=0.0 if gone else LATE_S))

        def clear() -> None:
            between.set(Weather())

        return Struck(f"{who}, processes {sorted(of())}", clear, lasts=True)

    return strike


STRIKES: dict[str, Callable[[Blow], Struck]] = {
    "kill kmigrate": kill_kmigrate,
    "kill Connect": kill_connect,
    "kill Connect in a transaction": kill_connect_in_transaction,
    "kill the source's broker": kill_source_broker,
    "kill the target's broker": kill_target_broker,
    "kill the application": kill_application,
    "mirror to source gone": network("source", "mirror", gone=True),
    "mirror to source slow": network("source", "mirror", gone=False),
    "kmigrate to source gone": network("source", "kmigrate", gone=True),
    "kmigrate to source slow": network("source", "kmigrate", gone=False),
    "kmigrate to target gone": network("target", "kmigrate", gone=True),
    "kmigrate to target slow": network("target", "kmigrate", gone=False),
    "disk full": disk_full,
    "clock jumps": clock_jumps,
    "second operator": second_operator,
    "operator stopped": operator_stopped,
    "operator slow": operator_slow,
    "connector restarted": connector_restarted,
    "API server gone": api_server_gone,
    "lane edited by hand": lane_edited,
}


def _kill(stage: Stage, name: str) -> Struck:
    process = stage.process(name)
    assert process is not None, f"{name} is down already"
    process.kill()
    return Struck(f"{name} {process.pid}")


def _kill_for_a_while(name: str, process: psutil.Process, log: Path, again: list[subprocess.Popen[bytes]]) -> Struck:
    """Whom its lab does not start again is started as it was, and kept in `again`."""
    words, here, around = process.cmdline(), process.cwd(), process.environ()
    process.kill()
    process.wait(10)

    def heal() -> None:
        with log.open("ab") as output:
            again.append(subprocess.Popen(words, cwd=here, env=around, stdout=output, stderr=output))

    return Struck(f"{name} {process.pid}", heal, lasts=True)


def _family(pid: int) -> set[int]:
    """A process with all that it has started."""
    try:
        process = psutil.Process(pid)
        return {pid, *(child.pid for child in process.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def _pids(stage: Stage, names: list[str]) -> set[int]:
    return {process.pid for name in names if (process := stage.process(name)) is not None}
