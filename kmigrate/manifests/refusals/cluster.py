"""Rules of a Kafka as a whole (`strimzi.md` §§1.2, 1.5, 2.2, 2.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kmigrate.manifests.refusals.bodies import Bodies, Rule, Told, belongs_to, items, name, whole
from kmigrate.model import JsonObject, part

VERSIONS = ("4.2.0", "4.2.1", "4.3.0", "4.3.1")
"""Of Kafka, that Strimzi 1.2 runs."""
_COPIES = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
)
_OWN = (
    "listeners",
    "advertised.",
    "broker.",
    "listener.",
    "host.name",
    "port",
    "inter.broker.listener.name",
    "sasl.",
    "ssl.",
    "security.",
    "password.",
    "log.dir",
    "authorizer.",
    "super.user",
    "node.id",
    "process.roles",
    "controller.",
    "metadata.log.dir",
    "zookeeper.",
    "prometheus.metrics.reporter.",
    "cordoned.log.dirs",
    "client.quota.callback.",
)
_ALLOWED = (
    "ssl.cipher.suites",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "sasl.server.max.receive.size",
    "broker.session.timeout.ms",
    "broker.heartbeat.interval.ms",
    "controller.quorum.election.backoff.max.ms",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms",
)
_OF_LISTENERS = ("connections.max.reauth.ms", "max.connections", "max.connection.creation.rate")
_KAFKA_ONLY = ("requestPercentage", "controllerMutationRate")
_STRIMZI_ONLY = ("excludedPrincipals", "minAvailableBytesPerVolume", "minAvailableRatioPerVolume")
_CRON_FIELDS = (6, 7)


def version(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Each Strimzi runs a few versions of Kafka."""
    asked = part(body, "spec", "kafka").get("version")
    if asked is not None and asked not in VERSIONS:
        yield Told("spec.kafka.version", f"Strimzi 1.2 does not run Kafka {asked}", f"use {', '.join(VERSIONS)}")


def config(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Settings that Strimzi makes itself; it would leave these out in silence."""
    for setting in part(body, "spec", "kafka", "config"):
        if setting.startswith(_OWN) and not _is_allowed(setting):
            told = "Strimzi sets it by itself and leaves this one out"
            yield Told(f"spec.kafka.config[{setting}]", told, "remove it; say listeners, sign-in and disks in the plan")


def _is_allowed(setting: str) -> bool:
    of_listener = setting.startswith("listener.name.") and setting.split(".", 3)[-1].startswith(_OF_LISTENERS)
    return setting in _ALLOWED or of_listener


def copies(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """No more copies than brokers."""
    settings = part(body, "spec", "kafka", "config")
    for setting in _COPIES:
        if whole(settings.get(setting)) > seen.brokers:
            told = f"{settings[setting]} copies and {seen.brokers} brokers"
            yield Told(f"spec.kafka.config[{setting}]", told, "ask for fewer copies, or for more brokers")


def cruise_control(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """It moves partitions between brokers."""
    if "cruiseControl" in part(body, "spec") and seen.brokers < 2:
        yield Told("spec.cruiseControl", "Cruise Control needs 2 brokers", "ask for 2 brokers, or cruiseControl: false")


def rack(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """A rule of the schema that only an API server looks at."""
    asked = part(body, "spec", "kafka").get("rack")
    needs = {"topology-label": "topologyKey", "environment-variable": "envVarName"}
    if isinstance(asked, Mapping):
        lacking = needs.get(str(asked.get("type", "topology-label")), "")
        if lacking and not asked.get(lacking):
            yield Told(f"spec.kafka.rack.{lacking}", "a rack needs to know where it is told", f"say {lacking}")


def quotas(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Two ways of limiting clients that exclude each other, and two limits of disks that do."""
    asked = part(body, "spec", "kafka", "quotas")
    others = {"kafka": _STRIMZI_ONLY, "strimzi": _KAFKA_ONLY}.get(str(asked.get("type")), ())
    for field in (each for each in others if each in asked):
        told = f"quotas of type {asked.get('type')} do not know it"
        yield Told(f"spec.kafka.quotas.{field}", told, "remove it, or choose the other type")
    if all(field in asked for field in _STRIMZI_ONLY[1:]):
        told = f"it stands beside {_STRIMZI_ONLY[1]}, and one excludes the other"
        yield Told(f"spec.kafka.quotas.{_STRIMZI_ONLY[2]}", told, "say one of the two")


def authority(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Who is renewed before it is made is renewed for ever."""
    for field in ("clusterCa", "clientsCa"):
        asked = part(body, "spec", field)
        if asked and whole(asked.get("renewalDays", 30)) >= whole(asked.get("validityDays", 365)):
            told = f"renewed {asked.get('renewalDays')} days before its end, and valid for {asked.get('validityDays')}"
            yield Told(f"spec.{field}.renewalDays", told, "let authority.renewalDays be less than validityDays")


def maintenance(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Times as Quartz writes them, with seconds."""
    for number, window in enumerate(items(part(body, "spec").get("maintenanceTimeWindows"))):
        if len(str(window).split()) not in _CRON_FIELDS:
            told = f"{window!r} is no time as Quartz writes it"
            yield Told(f"spec.maintenanceTimeWindows[{number}]", told, "write six fields, like '* * 1-4 ? * SUN *'")


def roles(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """A cluster has brokers and controllers."""
    ours = [part(pool, "spec") for pool in seen.of("KafkaNodePool") if belongs_to(pool) == name(body)]
    had = {role for pool in ours if whole(pool.get("replicas")) > 0 for role in items(pool.get("roles"))}
    for role in ("broker", "controller"):
        if role not in had:
            yield Told("spec.kafka", f"no pool with nodes has the role {role}", f"ask for one {role} at least")


KAFKA_RULES: Mapping[str, Rule] = {
    "kafka-version": version,
    "kafka-config": config,
    "kafka-copies": copies,
    "kafka-cruise-control": cruise_control,
    "kafka-rack": rack,
    "kafka-quotas": quotas,
    "kafka-authority": authority,
    "kafka-maintenance": maintenance,
    "kafka-roles": roles,
}
