"""What is fuzzed: every place at which bytes come in that somebody else wrote, and what must come of them."""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memory_estate import Estate, migration
from walking import crossing, plan_of, walk

from kmigrate.adapters.claims import CLAIM, LINE, Holder, read_kept
from kmigrate.adapters.connect_records import read_offset, read_state
from kmigrate.adapters.folder import FolderStore
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.kafka import describing, offsets
from kmigrate.adapters.kafka.coordinators import Coordinators, Told
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.wire import Answer, read_answer
from kmigrate.adapters.kept_syncs import Known, keep, load
from kmigrate.adapters.memory import MemoryClock
from kmigrate.adapters.mirror_status import once, trouble
from kmigrate.cli import gate
from kmigrate.cli.standing import read as read_positions
from kmigrate.engine import checkpoints, moved, where
from kmigrate.errors import JournalError, KmigrateError, PlanFileError, PlatformError, UsageError
from kmigrate.history import table
from kmigrate.journal import Journal
from kmigrate.manifests.lane_offsets import listed_offsets, wanted_offsets
from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.model import Partition, Side, Sync
from kmigrate.planfile import load as load_plan
from kmigrate.positions import SyncIndex, read_checkpoint, read_sync
from kmigrate.probes.lanes import lane_key
from kmigrate.probes.resources import unready
from kmigrate.story import as_begun, story

_ROOT = Path(__file__).parents[2]
(_LANE,) = forward_lanes(migration())


@dataclass(frozen=True)
class Target:
    """Bytes in; anything raised breaks the law. Where a target takes several parts, `CUT` stands between them."""

    seeds: Callable[[], Iterable[bytes]]
    run: Callable[[bytes], object]


CUT = b"\n--\n"


def _must(holds: bool, told: str) -> None:
    if not holds:
        raise AssertionError(told)


def plan_file(data: bytes) -> str:
    """A Migration, which can be told as a story, or one error of our tree, each mistake with its line."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kmigrate.yaml"
        file.write_bytes(data)
        try:
            story(load_plan(file, look_up=True))
        except PlanFileError as error:
            lines = [each.startswith(("line ", "and ")) for each in error.mistakes]
            _must(bool(lines) and all(lines), str(error.mistakes))
            return "mistakes"
        except UsageError as error:
            _must("larger than" in error.message or error.message.startswith("line "), error.message)
            return "refused"
    return "a migration"


def _plans() -> Iterable[bytes]:
    yield from (file.read_bytes() for file in sorted((_ROOT / "plans").glob("*.yaml")))
    yield from (file.read_bytes() for file in sorted((_ROOT / "tests" / "planfile" / "bad").glob("*.yaml"))[::12])


def journal_folder(data: bytes) -> str:
    """Lines under their own head, so that only what is in them can be refused."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journal.jsonl").write_bytes(data)
        lines = data.split(b"\n")[:-1]
        last = hashlib.sha256(lines[-1] if lines else b"").hexdigest()
        (folder / "journal.head").write_text(f"{len(lines):012d} {last}\n")
        return _journal(folder)


def journal_chained(data: bytes) -> str:
    """Lines of somebody who knows how they are chained: whatever stands in them is read."""
    last, lines = "0" * 64, []
    for line in data.split(b"\n")[:-1]:
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError):
            raw = None
        told = json.dumps({**raw, "prev": last, "n": len(lines) + 1}).encode() if isinstance(raw, dict) else line
        lines.append(told)
        last = hashlib.sha256(told).hexdigest()
    return journal_folder(b"".join(line + b"\n" for line in lines))


def journal_head(data: bytes) -> str:
    """A journal that is whole, and whatever head."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journal.jsonl").write_bytes(_lines()[0])
        (folder / "journal.head").write_bytes(data)
        return _journal(folder)


def _journal(folder: Path) -> str:
    try:
        journal = Journal(JournalFile(folder, "reader", read_only=True), MemoryClock(), "reader", "shop")
    except JournalError as error:
        _must(bool(error.hint), error.message)
        return "refused"
    plan = plan_of()
    try:
        as_begun(migration(), journal)
        table(journal.entries, {each.entry: each.name for each in checkpoints(plan, journal)})
        _must(all(where(journal, name) in Side for name in moved(journal)), "nowhere")
        gate.warning(journal)
    except JournalError:
        return "refused"
    return "a journal"


@cache
def _lines() -> tuple[bytes, ...]:
    estate = Estate()
    written = crossing(estate)
    walk(estate, written, ("cutover", "rollback"))
    first, last = written.written[:60], written.written[-40:]
    return tuple("".join(f"{line}\n" for line in lines).encode() for lines in (first, last))


def _heads() -> Iterable[bytes]:
    first = _lines()[0].split(b"\n")[:-1]
    yield f"{len(first):012d} {hashlib.sha256(first[-1]).hexdigest()}\n".encode()
    yield b"\n"


def syncs(data: bytes) -> object:
    """Offset syncs and checkpoints: read, or None; an index takes whatever was read."""
    parts = data.split(CUT)
    index = SyncIndex()
    for key, value in itertools.pairwise(parts):
        told = read_sync(key, value)
        if told is not None:
            index.add(told[1])
            index.bracket(told[1].original)
            index.bracket(told[1].copy, by_copy=True, skip=1)
        read_checkpoint(key, value)
    rising = list(index)
    assert all(a.original < b.original and a.copy < b.copy for a, b in itertools.pairwise(rising)), rising
    return len(index)


def _syncs() -> Iterable[bytes]:
    key = struct.pack(">h6si", 6, b"orders", 3)
    values = [struct.pack(">qq", at, at + 7) for at in (5, 9, 7, 2**62)]
    yield CUT.join(part for value in values for part in (key, value))
    group = struct.pack(">h2sh6si", 2, b"gr", 6, b"orders", 1)
    yield CUT.join((group, struct.pack(">hqqh1s", 0, 5, 6, 1, b"m")))


def kept_index(data: bytes) -> object:
    """Syncs kept in a file: what was kept, or None."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syncs.index"
        path.write_bytes(data)
        known = load(path)
        return None if known is None else [len(each) for each in known.syncs.values()]


def kept_chained(data: bytes) -> object:
    """The same with the digest that belongs to it."""
    head, _, body = data.partition(b"\n")
    try:
        told = json.loads(head)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    told.pop("digest", None)
    digest = hashlib.blake2b(json.dumps(told).encode() + body, digest_size=16).hexdigest()
    return kept_index(json.dumps({**told, "digest": digest}).encode() + b"\n" + body)


def _kept() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path, index = Path(folder) / "syncs.index", SyncIndex()
        for at in range(4):
            index.add(Sync(at * 10, at * 11))
        keep(path, Known(topic_id="id", next={0: 9}, syncs={Partition("orders", 0): index}))
        yield path.read_bytes()


def connect_records(data: bytes) -> object:
    """Records of Connect's own topics: what they tell, or None."""
    parts = data.split(CUT)
    key, value = parts[0], parts[1] if len(parts) > 1 else None
    read_state(key, value)
    return read_offset(key, value, "c")


def _records() -> Iterable[bytes]:
    key = json.dumps(["c", {"cluster": "source", "partition": 0, "topic": "orders"}]).encode()
    yield CUT.join((key, b'{"offset":12}'))
    yield key
    yield CUT.join((b"status-task-c-0", json.dumps({"state": "RUNNING", "trace": None, "worker_id": "w"}).encode()))


def config_map(data: bytes) -> object:
    """A lane's offsets as its operator lists them."""
    try:
        return listed_offsets(_LANE, data.decode(errors="replace"))
    except (ValueError, KeyError, TypeError):
        return "refused"


def _maps() -> Iterable[bytes]:
    (topic,) = _LANE.topics
    body = wanted_offsets(FORWARD, _LANE, migration().target, {Partition(topic, 0): 5, Partition(topic, 1): 0})
    yield from (str(text).encode() for text in body["data"].values())


def ledger(data: bytes) -> object:
    """Records of the ledger topic: lines and a claim that can be told, or a JournalError."""
    parts = data.split(CUT)
    records = [(key, value or None) for key, value in zip(parts[::2], parts[1::2], strict=False)]
    try:
        kept = read_kept(records)
    except JournalError as error:
        _must(bool(error.hint), error.message)
        return "refused"
    return f"{kept.holder} {len(kept.lines)}"


def _ledger() -> Iterable[bytes]:
    claim = Holder(who="me@here pid 1", place="here:/x:1", since=1_700_000_000_000)
    yield CUT.join((CLAIM, claim.written().encode(), LINE + b"0000000001", b'{"v":1}', LINE + b"0000000001", b""))


def wire(data: bytes) -> object:
    """Answers of a broker, or of whoever listens at its address: read, or an error of our tree or of the line."""
    login = Login(name="source", bootstrap="b:1", username="u", password="p", mechanism="PLAIN")
    try:
        return read_answer(Answer(data), "b:1", login)
    except (KmigrateError, OSError) as error:
        return type(error).__name__


class Echo(Coordinators):
    """Whatever is asked, the same is answered."""

    def __init__(self, data: bytes) -> None:
        super().__init__(Login(name="source", bootstrap="b:1", username="u", password="p", mechanism="PLAIN"))
        self._data = data

    def ask(self, broker: str, api: int, version: int, body: bytes, *, flexible: bool = False) -> Answer:
        return Answer(self._data)

    def _coordinator(self, group: str) -> str:
        return "b:1"


def groups(data: bytes) -> object:
    """What coordinators answer about groups, or whoever listens there: read, or refused by Kafka's codes."""
    at, told = Echo(data), []
    for ask in (
        lambda: describing.describe(at, ["g"]),
        lambda: offsets.committed(at, {"g": None}),
        lambda: offsets.commit(at, "g", {Partition("t", 0): 1}),
        lambda: describing.delete(at, "g"),
    ):
        try:
            told.append(ask())
        except (KmigrateError, OSError, Told) as error:
            told.append(type(error).__name__)
    return told


def _group_answers() -> Iterable[bytes]:
    classic = b"\2g\7Stable\1\1\2" + b"\2m\0\7member\2h\3md\4ass\0" + struct.pack(">i", -1) + b"\0"
    yield struct.pack(">i", 0) + b"\2" + struct.pack(">h", 0) + classic + b"\0"
    assigned = b"\2" + b"u" * 16 + b"\2t\3" + struct.pack(">ii", 1, 2) + b"\0\0"
    member = b"\2m\0\0" + struct.pack(">i", 3) + b"\7member\2h\2\2t\0" + assigned + assigned + b"\0"
    consumer = b"\0\2g\7Stable" + struct.pack(">ii", 4, 4) + b"\1\2" + member + struct.pack(">i", -1) + b"\0"
    yield struct.pack(">i", 0) + b"\2" + struct.pack(">h", 0) + consumer + b"\0"
    yield struct.pack(">i", 0) + b"\2\2g\2\2t\2" + struct.pack(">iqiBhb", 3, 7, -1, 0, 0, 0) + b"\0" + b"\0\0\0\0"


def _answers() -> Iterable[bytes]:
    resource = struct.pack(">bh6sb", 2, 6, b"orders", 3) + struct.pack(">i", 1)
    acl = struct.pack(">h6sh1sbb", 6, b"User:a", 1, b"*", 4, 2)
    yield struct.pack(">iihhi", 1, 0, 0, -1, 1) + resource + acl
    yield struct.pack(">iihh", 1, 0, 31, -1)


def positions_file(data: bytes) -> object:
    """Positions that are kept elsewhere: offsets that a log can have, or one error."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "positions"
        file.write_bytes(data)
        try:
            found = read_positions(file)
        except UsageError as error:
            _must(bool(error.hint), error.message)
            return "refused"
    _must(all(0 <= at < 2**63 and p.number < 2**31 for p, at in found.items()), str(found))
    return len(found)


def _positions() -> Iterable[bytes]:
    yield b"topic,partition,offset\norders,0,12\norders,1,7\n"
    yield json.dumps([{"topic": "orders", "partition": 0, "offset": 12}]).encode()
    yield json.dumps({"positions": [{"topic": "orders", "partition": 1, "offset": 0}]}).encode()


def resource_file(data: bytes) -> object:
    """A resource in the store's folder, which anybody may edit, and what is read from it; or a PlatformError."""
    with tempfile.TemporaryDirectory() as name:
        key = lane_key(_LANE, "kafka")
        place = Path(name) / key.namespace / key.kind
        place.mkdir(parents=True)
        (place / f"{key.name}.json").write_bytes(data)
        store = FolderStore(Path(name), MemoryClock())
        try:
            found = store.get(key)
            _must(found is not None, "it is there")
            listed = store.list(key.kind, key.namespace)
        except PlatformError as error:
            _must(bool(error.hint), error.message)
            return "refused"
        told = trouble(store, key.namespace, _LANE, lambda _side, _names: ())
        return [*map(unready, listed), *told, once(store, key.namespace, _LANE)]


def _resources() -> Iterable[bytes]:
    estate = Estate()
    crossing(estate)
    found = estate.store.get(lane_key(_LANE, "kafka"))
    assert found is not None
    yield json.dumps(found.body).encode()


TARGETS = {
    "plan-file": Target(_plans, plan_file),
    "journal": Target(_lines, journal_folder),
    "journal-chained": Target(_lines, journal_chained),
    "journal-head": Target(_heads, journal_head),
    "syncs": Target(_syncs, syncs),
    "kept-syncs": Target(_kept, kept_index),
    "kept-syncs-chained": Target(_kept, kept_chained),
    "connect": Target(_records, connect_records),
    "config-map": Target(_maps, config_map),
    "ledger": Target(_ledger, ledger),
    "wire": Target(_answers, wire),
    "groups": Target(_group_answers, groups),
    "positions-file": Target(_positions, positions_file),
    "resource-file": Target(_resources, resource_file),
}
