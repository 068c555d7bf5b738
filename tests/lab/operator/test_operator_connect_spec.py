"""What is derived from a KafkaConnect and a KafkaConnector (rules 39, 41, 44 and 45, pure)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmigrate.errors import Transient
from kmigrate.lab.operator.connect_spec import Mount, below, connect_properties, mounts, plain_settings
from kmigrate.lab.operator.connectors import KnownSecrets
from kmigrate.lab.operator.kafkaconnector import condition_of
from kmigrate.lab.operator.status import Rejected, mapping
from kmigrate.manifests.lanes import REVERSE, reverse_of
from kmigrate.manifests.mirror import Endpoint
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.model import Json, JsonObject, Lane, Target

TARGET = Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram")
LANE = reverse_of(Lane(name="1", direction="forward", source_alias="cc-1", target_alias="strimzi", topics=("a.b", "c")))
READS = Endpoint(
    bootstrap="here:9094", mechanism="scram-sha-512", username="rev", password=("rev", "pw"), ca=("ca", "ca.crt")
)
WRITES = Endpoint(bootstrap="pkc:9092", mechanism="plain", username="KEY", password=("cc", "secret"))
SECRETS = KnownSecrets({"rev": {"pw": "w"}, "ca": {"ca.crt": "PEM"}})


def spec() -> JsonObject:
    return mapping(reverse_connect(REVERSE, TARGET, reads_from=READS, writes_to=WRITES)["spec"])


def connector(**more: Json) -> JsonObject:
    body = reverse_lane(REVERSE, LANE, TARGET, reads_from=READS, writes_to=WRITES)
    return {**mapping(body["spec"]), **more}


def moved(bootstrap: str) -> str:
    return f"moved-{bootstrap}"


def test_rule_39_a_worker_has_the_group_and_topics_of_its_spec_and_signs_in_like_its_clients() -> None:
    settings = connect_properties(spec(), SECRETS, resolve=moved)
    assert settings["bootstrap.servers"] == "moved-here:9094"
    assert settings["group.id"] == "kmigrate-reverse"
    assert settings["offset.storage.topic"] == "kmigrate-reverse-offsets"
    assert settings["exactly.once.source.support"] == "enabled"
    for prefix in ("", "producer.", "consumer.", "admin."):
        assert 'username="rev" password="w"' in settings[f"{prefix}sasl.jaas.config"]


def test_rule_39_records_are_json_unless_somebody_says_otherwise() -> None:
    assert connect_properties(spec(), SECRETS)["value.converter"] == "org.apache.kafka.connect.json.JsonConverter"
    config = {**mapping(spec()["config"]), "value.converter": "Other"}
    assert connect_properties({**spec(), "config": config}, SECRETS)["value.converter"] == "Other"


def test_rule_39_the_operators_own_source_of_secrets_stands_beside_the_users() -> None:
    assert connect_properties(spec(), SECRETS)["config.providers"] == "mounted,strimzisecrets"
    config = {name: value for name, value in mapping(spec()["config"]).items() if "providers" not in name}
    assert connect_properties({**spec(), "config": config}, SECRETS)["config.providers"] == "strimzisecrets"


@pytest.mark.parametrize("field", ["build", "image", "plugins", "rack"])
def test_rule_39_what_the_stand_in_does_nothing_for_is_refused(field: str) -> None:
    with pytest.raises(Rejected, match=rf"spec\.{field}"):
        connect_properties({**spec(), field: {}}, SECRETS)


def test_rule_41_the_secrets_that_are_mounted_and_the_keys_of_each() -> None:
    assert mounts(spec()) == (
        Mount(path="/mnt/kmigrate/ca", secret="ca", files={"ca.crt": "ca.crt"}),
        Mount(path="/mnt/kmigrate/cc", secret="cc", files={"secret": "secret"}),
        Mount(path="/mnt/kmigrate/rev", secret="rev", files={"pw": "pw"}),
    )


def test_rule_41_a_volume_without_a_choice_of_keys_has_them_all() -> None:
    assert mounts(mounting("/mnt/x", {"secret": {"secretName": "s"}})) == (
        Mount(path="/mnt/x", secret="s", files=None),
    )


def mounting(path: str, volume: JsonObject) -> JsonObject:
    wanted = {"name": "v", "mountPath": path}
    return {"template": {"pod": {"volumes": [{"name": "v", **volume}]}, "connectContainer": {"volumeMounts": [wanted]}}}


@pytest.mark.parametrize(
    ("path", "volume", "message"),
    [
        ("/opt/x", {"secret": {"secretName": "s"}}, "Should start with /mnt"),
        ("/mnt/x", {"configMap": {"name": "m"}}, "mounts Secrets only"),
    ],
)
def test_rule_41_mounts_elsewhere_and_of_other_kinds_are_refused(path: str, volume: JsonObject, message: str) -> None:
    with pytest.raises(Rejected, match=message) as refused:
        mounts(mounting(path, volume))
    assert refused.value.reason == "InvalidResourceException"


def test_rule_41_paths_below_mnt_are_those_of_this_machine_wherever_they_stand_and_others_stay() -> None:
    here = below(Path("/lab"))
    assert here("/mnt/a") == "/lab/mnt/a"
    assert here('password="${mounted:/mnt/a:key}";') == 'password="${mounted:/lab/mnt/a:key}";'
    assert here("/mnt,/mnt/b") == "/lab/mnt,/lab/mnt/b"
    for other in ("/mntx/a", "/opt/mnt/a", "mnt", "a/mnt/b"):
        assert here(other) == other
    config = connect_properties(spec(), SECRETS, here=here)
    assert config["config.providers.mounted.param.allowed.paths"] == "/lab/mnt/kmigrate"


def test_rule_45_a_connector_gets_its_settings_with_addresses_and_paths_that_can_be_reached() -> None:
    settings = plain_settings(LANE.connector, connector(), resolve=moved, here=below(Path("/lab")))
    assert settings["name"] == "kmigrate-1-reverse"
    assert settings["connector.class"] == "org.apache.kafka.connect.mirror.MirrorSourceConnector"
    assert settings["tasks.max"] == "1"
    assert settings["source.cluster.bootstrap.servers"] == "moved-here:9094"
    assert settings["producer.override.bootstrap.servers"] == "moved-pkc:9092"
    assert "${mounted:/lab/mnt/kmigrate/cc:secret}" in settings["producer.override.sasl.jaas.config"]


def test_rule_45_what_belongs_to_the_operator_is_left_out_of_a_connectors_settings() -> None:
    theirs = {"name": "x", "connector.class": "y", "tasks.max": 9, "connector.plugin.version": "1", "own": True}
    settings = plain_settings("mine", {"class": "c", "config": theirs})
    assert settings == {"name": "mine", "connector.class": "c", "own": "true"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"version": "1"}, r"nothing for spec\.version"),
        ({"config": {"a": "${strimzisecrets:kafka/cc:secret}"}}, "may read no Secrets but those"),
    ],
)
def test_rule_45_what_the_stand_in_cannot_do_is_refused(more: JsonObject, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        plain_settings("mine", connector(**more))


def test_rule_45_an_address_that_nobody_answers_at_is_tried_again() -> None:
    def nobody(_: str) -> str:
        raise Transient("nobody answers", hint="")

    with pytest.raises(Transient):
        plain_settings("mine", connector(), resolve=nobody)


@pytest.mark.parametrize(
    ("state", "tasks", "message"),
    [
        ("FAILED", [], "Connector has failed, see connectorStatus for more details."),
        ("RUNNING", ["FAILED", "RUNNING", "FAILED"], "The following tasks have failed: 0, 2, see connectorStatus"),
    ],
)
def test_rule_46_a_failed_connector_or_task_is_not_ready(state: str, tasks: list[str], message: str) -> None:
    told = condition_of(status(state, tasks))
    assert (told.type, told.status, told.reason) == ("NotReady", "True", "Throwable")
    assert told.message.startswith(message)


def test_rule_46_a_connector_without_a_failed_task_is_ready() -> None:
    assert condition_of(status("RUNNING", ["RUNNING", "UNASSIGNED"])).type == "Ready"
    assert condition_of(status("STOPPED", [])).type == "Ready"


def status(state: str, tasks: list[str]) -> JsonObject:
    return {"connector": {"state": state}, "tasks": [{"id": n, "state": each} for n, each in enumerate(tasks)]}
