"""The shape of a plan file, as users write it. Field names are the keys of the file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Command = Annotated[list[Text], Field(min_length=1)]
Milliseconds = Annotated[str, StringConstraints(pattern=r"^[0-9]+(ms|s|m|h)$")]


class Part(BaseModel):
    """A mapping in which unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SecretKeyPart(Part):
    """A key of a Secret in the target's Kubernetes cluster."""

    namespace: Name
    name: Name
    key: Text


class ReferencePart(Part):
    """Where a secret lies: exactly one of the three."""

    env: Text | None = None
    file: Text | None = None
    secret: SecretKeyPart | None = None

    @model_validator(mode="after")
    def _one(self) -> ReferencePart:
        if sum(part is not None for part in (self.env, self.file, self.secret)) != 1:
            raise ValueError("say exactly one of env, file, secret")
        return self


class AuthPart(Part):
    """How somebody signs in; the password is never written here, only where it lies."""

    type: Literal["plain", "scram-sha-512"] = "plain"
    username: Text | ReferencePart
    password: ReferencePart


class SourceAuthPart(Part):
    """An application's own credential on the source."""

    username: Text | ReferencePart
    password: ReferencePart


class MetadataPart(Part):
    """Who this migration is."""

    name: Name


class SourcePart(Part):
    """The cluster that is left."""

    bootstrapServers: Text  # noqa: N815
    auth: AuthPart
    ca: Text | None = None


class KubernetesPart(Part):
    """Where the resources live."""

    namespace: Name


class ListenerPart(Part):
    """The listener that clients use."""

    name: Text


class ClusterPart(Part):
    """The Strimzi cluster."""

    name: Name
    listener: ListenerPart = ListenerPart(name="scram")


class TargetPart(Part):
    """The cluster that is entered."""

    platform: Literal["lab"]
    store: Text
    kubernetes: KubernetesPart
    cluster: ClusterPart


class TopicsPart(Part):
    """What is migrated."""

    include: Annotated[list[Text], Field(min_length=1)]


class ReadsPart(Part):
    """What an application reads with one group."""

    topics: Annotated[list[Text], Field(min_length=1)]
    group: Text
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"


class PrincipalPart(Part):
    """An identity of an application."""

    source: Text
    target: Name
    sourceAuth: SourceAuthPart | None = None  # noqa: N815
    auth: Literal["scram-sha-512"] = "scram-sha-512"


class WorkloadPart(Part):
    """Programs that stop, switch, start and look at an application."""

    kind: Literal["command"]
    stop: Command
    switch: Command
    start: Command
    healthy: Command


class ApplicationPart(Part):
    """What is stopped, switched and started together."""

    name: Name
    team: Text = "unknown"
    reads: list[ReadsPart] = []
    writes: list[Text] = []
    principals: Annotated[list[PrincipalPart], Field(min_length=1)]
    workloads: list[WorkloadPart] = []


class ForwardPart(Part):
    """The mirror's own credential on the source."""

    auth: AuthPart


class MirrorPart(Part):
    """The mirrors."""

    forward: ForwardPart


class PolicyPart(Part):
    """What may be risked."""

    maxPause: Milliseconds = "5m"  # noqa: N815
    minimumGrade: Literal["EXACT_PROVEN", "EXACT_MATCHED", "SAFE_LOWER_BOUND"] = "EXACT_MATCHED"  # noqa: N815


class JournalPart(Part):
    """Where the journal lies."""

    store: Text = "./.kmigrate"


class PlanPart(Part):
    """A whole plan file."""

    apiVersion: Literal["kmigrate/v1alpha1"]  # noqa: N815
    kind: Literal["Migration"]
    metadata: MetadataPart
    source: SourcePart
    target: TargetPart
    topics: TopicsPart
    applications: Annotated[list[ApplicationPart], Field(min_length=1)]
    mirror: MirrorPart
    policy: PolicyPart = PolicyPart()
    journal: JournalPart = JournalPart()
