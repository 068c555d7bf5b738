"""The resources, the Secrets, the mirror and the clock of the laws' estate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from law_logs import LawCluster, Watch

from kmigrate.model import JsonObject, Lane, Partition, SecretRef, Side, Sync
from kmigrate.positions import SyncIndex
from kmigrate.world import Event, Key, Resource


@dataclass(slots=True)
class LawStore:
    """Resources in a dictionary."""

    told: Watch
    kept: dict[Key, Resource] = field(default_factory=dict)
    news: bool = False

    def apply(self, body: JsonObject) -> Resource:
        key, old = key_of(body), self.kept.get(key_of(body))
        if old is not None and {**old.body, "status": None} == {**body, "status": None}:
            return old
        self.told.write(f"{key}")
        self.seed({**body, "status": old.status if old else {}}, old.generation + 1 if old else 1)
        self.told.pass_by()
        return self.kept[key]

    def seed(self, body: JsonObject, generation: int = 1) -> None:
        key, self.news = key_of(body), True
        self.kept[key] = Resource(key=key, body=body, generation=generation, version=str(generation))

    def get(self, key: Key) -> Resource | None:
        return self.kept.get(key)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        return tuple(r for k, r in sorted(self.kept.items(), key=str) if (k.kind, k.namespace) == (kind, namespace))

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        return tuple(r for k, r in sorted(self.kept.items(), key=str) if k.kind == kind)

    def delete(self, key: Key) -> bool:
        self.told.write(f"{key} removed", differs=key in self.kept)
        gone, self.news = self.kept.pop(key, None) is not None, True
        self.told.pass_by()
        return gone

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        old = self.kept[key]
        self.kept[key] = Resource(key=key, body={**old.body, "status": status}, generation=old.generation, version="s")
        return self.kept[key]

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        return iter(())


def key_of(body: JsonObject) -> Key:
    metadata = body["metadata"]
    assert isinstance(metadata, Mapping)
    return Key(str(body["kind"]), str(metadata["namespace"]), str(metadata["name"]))


@dataclass(slots=True)
class LawSecrets:
    """References in a dictionary; the secret itself is not needed."""

    watch: Watch
    kept: dict[tuple[str, str], SecretRef] = field(default_factory=dict)

    def exists(self, name: str) -> bool:
        return any(kept == name for kept, _ in self.kept)

    def stored(self, name: str, key: str, reference: SecretRef) -> bool:
        return self.kept.get((name, key)) == reference

    def store(self, name: str, key: str, reference: SecretRef) -> None:
        self.watch.write(f"Secret {name}", differs=not self.stored(name, key, reference))
        self.kept[name, key] = reference
        self.watch.pass_by()

    def remove(self, name: str) -> None:
        self.watch.write(f"Secret {name} removed", differs=self.exists(name))
        self.kept = {place: ref for place, ref in self.kept.items() if place[0] != name}
        self.watch.pass_by()


@dataclass(slots=True)
class LawMirror:
    """Copies a few records per turn, a marker after each batch; knows the last source offset copied."""

    runs: bool = False
    last: dict[Partition, int] = field(default_factory=dict)
    marks: dict[Partition, SyncIndex] = field(default_factory=dict)

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        return {p: at for p, at in self.last.items() if p.topic in lane.topics}

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        return {p: index for p, index in self.marks.items() if p.topic in lane.topics}

    def tasks(self, lane: Lane) -> int:
        return int(self.runs)

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        return ()

    def work(self, clusters: Mapping[Side, LawCluster]) -> None:
        for partition, log in clusters[Side.SOURCE].logs.items() if self.runs else ():
            to = clusters[Side.TARGET].logs.get(partition)
            batch = log.visible(self.last.get(partition, -1) + 1)[:9] if to is not None else []
            for each in batch:
                assert each.record is not None
                assert to is not None
                to.put(each.record.timestamp, each.record.digest, each.number)
                self.last[partition] = each.offset
            if batch and to is not None:
                told = Sync(self.last[partition], len(to.entries) - 1)
                self.marks.setdefault(partition, SyncIndex()).add(told)
                to.mark()


@dataclass(slots=True)
class LawClock:
    """Time that passes only when somebody sleeps; then everybody else works."""

    work: Callable[[], None] = lambda: None
    now: int = 1_000_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now

    def sleep(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.work()
