"""The shape of a plan file, as users write it. Field names are the keys of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from kmigrate.planfile.shapes import (
    BOOTSTRAP_PATTERN,
    ENV_PATTERN,
    PRINCIPAL_PATTERN,
    Command,
    Milliseconds,
    Name,
    Part,
    Text,
)
from kmigrate.planfile.target_schema import Target


class SecretKeyPart(Part):
    """A key of a Secret in the target's Kubernetes cluster."""

    namespace: Name
    name: Name
    key: Text


class ReferencePart(Part):
    """Where a secret lies: exactly one of the three."""

    env: Annotated[str, StringConstraints(pattern=ENV_PATTERN)] | None = None
    file: Text | None = None
    secret: SecretKeyPart | None = None

    @model_validator(mode="after")
    def _one(self) -> ReferencePart:
        if sum(part is not None for part in (self.env, self.file, self.secret)) != 1:
            raise ValueError("say exactly one of env, file, secret")
        return self


def _text_or_mapping(value: object) -> str:
    return "<mapping>" if isinstance(value, Mapping | BaseModel) else "<text>"


Username = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[ReferencePart, Tag("<mapping>")], Discriminator(_text_or_mapping)
]


Mechanism = Literal["plain", "scram-sha-512"]


class AuthPart(Part):
    """How kmigrate signs in to the source; the password is never written here, only where it lies."""

    type: Mechanism = "plain"
    username: Username
    password: ReferencePart


class SourceAuthPart(Part):
    """A credential of an application or of the mirror on the source; `type` is that of `source.auth` where not said."""

    type: Mechanism | None = None
    username: Username
    password: ReferencePart


class MetadataPart(Part):
    """Who this migration is."""

    name: Name


class SourcePart(Part):
    """The cluster that is left; `ca` is a PEM file for a private certificate authority.

    `principal` is what ACLs call kmigrate there, where that is not the user name: `User:sa-…` on Confluent Cloud.
    """

    bootstrapServers: Annotated[str, StringConstraints(pattern=BOOTSTRAP_PATTERN)]  # noqa: N815
    auth: AuthPart
    principal: Annotated[str, StringConstraints(pattern=PRINCIPAL_PATTERN)] | None = None
    ca: Text | None = None


class PatternPart(Part):
    """Names by a regular expression that matches the whole name."""

    pattern: Text

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is no regular expression: {error.msg} at character {error.pos}") from error
        return text


NameOrPattern = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[PatternPart, Tag("<mapping>")], Discriminator(_text_or_mapping)
]


class OverridePart(Part):
    """Settings that a topic gets on the target instead of those it has on the source."""

    config: Annotated[dict[Text, str | int | float | bool], Field(min_length=1)]


_NAMES = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
"""What is taken of `include`: a pattern there is read, to be refused in words of its own, and not published."""


class TopicsPart(Part):
    """What is migrated, what is left behind by name, and what is set otherwise on the target."""

    include: Annotated[list[NameOrPattern], Field(min_length=1), WithJsonSchema(_NAMES)]
    exclude: list[NameOrPattern] = Field(default=[])
    overrides: dict[Text, OverridePart] = Field(default={})


class ReadsPart(Part):
    """What an application reads with one group; `mayStay` lets it read on the source after its topics' writers left."""

    topics: Annotated[list[Text], Field(min_length=1)]
    group: Text
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    sessionTimeout: Milliseconds = "0ms"  # noqa: N815
    mayStay: bool = False  # noqa: N815


class TargetPasswordPart(Part):
    """A key of a Secret in the target's namespace."""

    name: Name
    key: Text


class PrincipalPart(Part):
    """An identity of an application; `sourceAuth` is needed to come back, and to try that a fence holds.

    `targetPassword` is a Secret in the target's namespace with the password to have there; else one is made.
    """

    source: Annotated[str, StringConstraints(pattern=PRINCIPAL_PATTERN)]
    target: Name
    sourceAuth: SourceAuthPart | None = None  # noqa: N815
    targetPassword: TargetPasswordPart | None = None  # noqa: N815
    auth: Literal["scram-sha-512"] = "scram-sha-512"


class CommandPart(Part):
    """Programs that stop, switch, start and look at an application."""

    kind: Literal["command"]
    stop: Command
    switch: Command
    start: Command
    healthy: Command


class ManualPart(Part):
    """Instances that a human stops, points elsewhere and starts when told; `note` says who, or how."""

    kind: Literal["manual"]
    note: str = ""


def _kind(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return f"<{kind}>" if kind in ("command", "manual") else None


WorkloadPart = Annotated[
    Annotated[CommandPart, Tag("<command>")] | Annotated[ManualPart, Tag("<manual>")], Discriminator(_kind)
]


class ApplicationPart(Part):
    """What is stopped, switched and started together."""

    name: Name
    team: Text = "unknown"
    reads: list[ReadsPart] = Field(default=[])
    writes: list[Text] = Field(default=[])
    transactionalIds: list[Text] = Field(default=[])  # noqa: N815
    principals: Annotated[list[PrincipalPart], Field(min_length=1)]
    workloads: list[WorkloadPart] = Field(default=[])


class ForwardPart(Part):
    """The mirror's own credential on the source; `principal` is what ACLs call it, where that is not the user name."""

    auth: SourceAuthPart
    principal: Annotated[str, StringConstraints(pattern=PRINCIPAL_PATTERN)] | None = None


class ReversePart(Part):
    """The credential on the source of the mirror back, a principal of its own: ownership is told by its rights.

    `principal` is what ACLs call it, where that is not the user name: `User:sa-…` on Confluent Cloud.
    """

    auth: SourceAuthPart
    principal: Annotated[str, StringConstraints(pattern=PRINCIPAL_PATTERN)] | None = None


class MirrorPart(Part):
    """The mirrors; `lanes` is the largest number of them that copy side by side, `reverse` the way back of writers."""

    forward: ForwardPart
    reverse: ReversePart | None = None
    lanes: Annotated[int, Field(ge=1, le=64)] = 8


class AcceptPart(Part):
    """A red flag that a human takes on: its id, what it is about, and why."""

    id: Annotated[str, StringConstraints(min_length=1)]
    subject: Text
    reason: Text


class PolicyPart(Part):
    """What may be risked; `onOverrun` says what happens once a pause would outgrow `maxPause`."""

    maxPause: Milliseconds = "5m"  # noqa: N815
    minimumGrade: Literal["EXACT_PROVEN", "EXACT_MATCHED", "SAFE_LOWER_BOUND"] = "EXACT_MATCHED"  # noqa: N815
    onOverrun: Literal["turn-back", "hold"] = "turn-back"  # noqa: N815
    soak: Milliseconds = "10m"


class JournalPart(Part):
    """Where the journal lies."""

    store: Text = "./.kmigrate"


class PlanPart(Part):
    """A whole plan file."""

    apiVersion: Literal["kmigrate/v1alpha1"]  # noqa: N815
    kind: Literal["Migration"]
    metadata: MetadataPart
    source: SourcePart
    target: Target
    topics: TopicsPart
    applications: Annotated[list[ApplicationPart], Field(min_length=1)]
    mirror: MirrorPart
    accept: list[AcceptPart] = Field(default=[])
    policy: PolicyPart = PolicyPart()
    journal: JournalPart = JournalPart()
