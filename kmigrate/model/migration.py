"""What the plan file says, checked: frozen values, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kmigrate.model.cluster import ClusterSpec
from kmigrate.model.facts import Grade, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret lies; never the secret. One of `env`, `file`, or `name` + `key` in the target's namespace."""

    env: str = ""
    file: str = ""
    name: str = ""
    key: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        if self.env:
            return f"env {self.env}"
        return f"file {self.file}" if self.file else f"Secret {self.namespace}/{self.name}[{self.key}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How somebody signs in: SASL mechanism family, who, and where the password lies.

    `principal` (`User:…`) is what ACLs call them, where that is not the user name: on Confluent Cloud one signs in with
    an API key, and ACLs name its service account.
    """

    type: str
    username: str | SecretRef
    password: SecretRef
    principal: str = ""

    def __repr__(self) -> str:
        """As it was before there were principals, where none is said: units keep the digest of what they are told."""
        told = f"Auth(type={self.type!r}, username={self.username!r}, password={self.password!r}"
        return f"{told}, principal={self.principal!r})" if self.principal else f"{told})"

    @property
    def known_as(self) -> str | None:
        """What ACLs call them, `User:…`; None where neither that nor the user name is written out."""
        if self.principal or not isinstance(self.username, str):
            return self.principal or None
        return f"User:{self.username}"

    @property
    def mechanism(self) -> str:
        """As SASL spells it: PLAIN or SCRAM-SHA-512."""
        return self.type.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The cluster that is left; `ca` is a PEM file for a private certificate authority, empty for the public ones."""

    bootstrap: str
    auth: Auth
    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cluster that is entered: a Strimzi cluster, described by resources in a namespace.

    They lie in the folder `store` of a lab, or in Kubernetes, which is reached by `context` (empty: the current one) of
    the file `kubeconfig` (empty: where kubectl looks). `spec` is the cluster that the plan asks for; None where it is
    taken as it is.
    """

    platform: str
    store: str
    namespace: str
    cluster: str
    listener: str
    context: str = ""
    kubeconfig: str = ""
    spec: ClusterSpec | None = None

    @property
    def in_kubernetes(self) -> bool:
        """Whether its resources lie on an API server."""
        return self.platform == "strimzi"

    def __repr__(self) -> str:
        """As it was before there was Kubernetes, where no cluster is asked for: units keep the digest of what they are
        told. A context is the name that one machine has for the place."""
        told = f"Target(platform={self.platform!r}, store={self.store!r}, namespace={self.namespace!r}"
        told = f"{told}, cluster={self.cluster!r}, listener={self.listener!r}"
        return f"{told}, spec={self.spec!r})" if self.spec else f"{told})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What an application reads with one group; `session_timeout_ms` is 0 where the plan does not say it.

    `may_stay` exempts it by name from the rule that readers move no later than the writers of their topics.
    """

    group: str
    topics: tuple[str, ...]
    isolation: str = "read_committed"
    session_timeout_ms: int = 0
    may_stay: bool = False


def by_group(every: Iterable[Reads]) -> dict[str, Reads]:
    """Each group once, sorted, with all the topics that anybody reads with it.

    Whoever waits for a group waits for its longest session, and what one reads with uncommitted records counts as read
    so by all.
    """
    shared: dict[str, list[Reads]] = {}
    for reads in every:
        shared.setdefault(reads.group, []).append(reads)
    return {group: of[0] if len(of) == 1 else _as_one(group, of) for group, of in sorted(shared.items())}


def _as_one(group: str, shared: Sequence[Reads]) -> Reads:
    committed = all(reads.isolation == "read_committed" for reads in shared)
    return Reads(
        group=group,
        topics=tuple(sorted({topic for reads in shared for topic in reads.topics})),
        isolation="read_committed" if committed else "read_uncommitted",
        session_timeout_ms=max(reads.session_timeout_ms for reads in shared),
        may_stay=all(reads.may_stay for reads in shared),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An identity of an application on both sides; `source_auth` is for switching back, and for trying a fence.

    `password` is a Secret in the target's namespace with the password that it gets there; None: the operator makes one.
    """

    source: str
    target: str
    source_auth: Auth | None = None
    password: SecretRef | None = None

    def on(self, side: Side) -> str:
        """What the ACLs of that side call it, `User:…`."""
        name = self.source if side is Side.SOURCE else self.target
        return f"User:{name.removeprefix('User:')}"

    def __repr__(self) -> str:
        """As it was before there were given passwords, where none is: units keep the digest of what they are told."""
        told = f"Principal(source={self.source!r}, target={self.target!r}, source_auth={self.source_auth!r}"
        return f"{told}, password={self.password!r})" if self.password else f"{told})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandWorkload:
    """Programs that stop, switch, start and look at an application that Kubernetes does not run."""

    stop: tuple[str, ...]
    switch: tuple[str, ...]
    start: tuple[str, ...]
    healthy: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualWorkload:
    """Instances that a human stops, points elsewhere and starts when told; `note` says who, or how."""

    note: str = ""


ARMED = "armed"
"""The fact that lanes were armed: by lane and partition the offset from which on it copies."""
TOGETHER = "+"
"""Between the names of applications that move as one; no name of one application holds it."""

Workloads: TypeAlias = "tuple[CommandWorkload | ManualWorkload, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is stopped, switched and started together."""

    name: str
    team: str
    reads: tuple[Reads, ...]
    writes: tuple[str, ...]
    principals: tuple[Principal, ...]
    workloads: Workloads
    transactional_ids: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """Its own name; of several that move as one (`waves.together`), theirs."""
        return tuple(self.name.split(TOGETHER))

    @property
    def topics_read(self) -> tuple[str, ...]:
        """Every topic any of its groups reads, once, sorted."""
        return tuple(sorted({topic for reads in self.reads for topic in reads.topics}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A mirror with a fixed alias, connector name and explicit topic list."""

    name: str
    direction: str
    source_alias: str
    target_alias: str
    topics: tuple[str, ...]

    @property
    def connector(self) -> str:
        """What Connect calls it.

        Forward as the Strimzi operator names the connectors of a KafkaMirrorMaker2 (KafkaMirrorMaker2Connectors,
        `strimzi.md` §2.6), reverse like its KafkaConnector.
        """
        if self.direction == "reverse":
            return f"kmigrate-{self.name}"
        return f"{self.source_alias}->{self.target_alias}.MirrorSourceConnector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be risked: times in milliseconds, the lowest grade a move may go on with.

    `turn_back` says what happens once the pause, with the way back, would outgrow `max_pause_ms`: go back, or hold.
    """

    max_pause_ms: int = 300_000
    minimum_grade: Grade = Grade.EXACT_MATCHED
    drain_deadline_ms: int = 120_000
    turn_back: bool = True
    soak_ms: int = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A red flag that a human took on: its id, what it is about, and why."""

    id: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A plan file, checked: references between its parts hold."""

    name: str
    source: Source
    target: Target
    topics: tuple[str, ...]
    applications: tuple[Application, ...]
    mirror_auth: Auth
    policy: Policy = Policy()
    journal: str = ".kmigrate"
    lanes: int = 8
    exclude: tuple[str, ...] = ()
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    accept: tuple[Accepted, ...] = ()
    lane_topics: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    """The topics of each lane by its number; all in one where none is told. Fixed once a mirror is made for them."""
    reverse_auth: Auth | None = field(default=None, repr=False)
    """Who copies back to the source, None where nobody does; steps that make it say so themselves, so that the units of
    a plan without it are told as they always were."""

    @property
    def way_back(self) -> bool:
        """Whether there is a mirror back, without which what writers wrote could not return."""
        return self.reverse_auth is not None

    def excludes(self, topic: str) -> bool:
        """Whether a topic is left behind by name; `exclude` holds regular expressions that match whole names."""
        return any(re.fullmatch(pattern, topic) for pattern in self.exclude)

    def accepted(self, flag: str) -> frozenset[str]:
        """What a human accepted under that id, by subject."""
        return frozenset(each.subject for each in self.accept if each.id == flag)

    def application(self, name: str) -> Application:
        """The application of that name; KeyError if there is none."""
        return {app.name: app for app in self.applications}[name]
