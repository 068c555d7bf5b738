"""What is derived from a KafkaMirrorMaker2 (rules 27 and 29, pure)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kmigrate.lab.operator.connectors import (
    KnownSecrets,
    client_settings,
    connector_name,
    connector_settings,
    mirrors,
    worker_properties,
)
from kmigrate.lab.operator.status import Rejected, mapping
from kmigrate.manifests.internal import MirrorNames
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.model import JsonObject, Lane, Target

TARGET = Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram")
LANE = Lane(name="1", direction="forward", source_alias="cc-1", target_alias="strimzi", topics=("a.b", "c"))
READS = Endpoint(bootstrap="pkc:9092", mechanism="plain", username="KEY", password=("cc", "secret"))
WRITES = Endpoint(
    bootstrap="here:9094", mechanism="scram-sha-512", username="fwd", password=("fwd", "pw"), ca=("ca", "ca.crt")
)
SECRETS = KnownSecrets(
    {"cc": {"secret": 'a"b\\c'}, "fwd": {"pw": "w"}, "ca": {"ca.crt": "PEM", "old.crt": "OLD", "k": ""}}
)


def spec() -> JsonObject:
    body = mirror_maker(MirrorNames(group="fwd"), [LANE], TARGET, reads_from=READS, writes_to=WRITES)
    return mapping(body["spec"])


def moved(bootstrap: str) -> str:
    return f"moved-{bootstrap}"


def test_rule_27_a_worker_serves_the_target_and_its_clients_sign_in_alike() -> None:
    settings = worker_properties(spec(), SECRETS, rest_port=8083, resolve=moved)
    assert settings["bootstrap.servers"] == "moved-here:9094"
    assert settings["group.id"] == "fwd"
    assert settings["offset.storage.topic"] == "fwd-offsets"
    assert settings["exactly.once.source.support"] == "enabled"
    assert settings["listeners"] == "http://127.0.0.1:8083"
    for prefix in ("", "producer.", "consumer.", "admin."):
        assert settings[f"{prefix}security.protocol"] == "SASL_SSL"
        assert settings[f"{prefix}ssl.truststore.certificates"] == "PEM"
        assert 'username="fwd" password="w"' in settings[f"{prefix}sasl.jaas.config"]
    assert "producer.bootstrap.servers" not in settings


def test_rule_27_what_belongs_to_the_operator_is_left_out_of_a_workers_settings() -> None:
    target = mapping(spec()["target"])
    config = {**mapping(target["config"]), "group.id": "other", "ssl.protocol": "x", "rest.port": 1, "task.x": True}
    settings = worker_properties({**spec(), "target": {**target, "config": config}}, SECRETS, rest_port=1)
    assert settings["group.id"] == "fwd"
    assert "ssl.protocol" not in settings
    assert "rest.port" not in settings
    assert settings["task.x"] == "true"


def test_rule_27_a_connector_gets_both_clusters_its_list_and_its_own_settings() -> None:
    (mirror,) = mirrors(spec())
    settings = connector_settings(spec(), mirror, SECRETS, resolve=moved)
    assert settings["name"] == connector_name(spec(), mirror) == LANE.connector
    assert settings["connector.class"] == "org.apache.kafka.connect.mirror.MirrorSourceConnector"
    assert settings["tasks.max"] == "1"
    assert settings["topics"] == r"a\.b,c"
    assert settings["source.cluster.alias"] == "cc-1"
    assert settings["source.cluster.bootstrap.servers"] == "moved-pkc:9092"
    assert settings["source.cluster.sasl.mechanism"] == "PLAIN"
    assert settings["target.cluster.alias"] == "strimzi"
    assert settings["target.cluster.sasl.mechanism"] == "SCRAM-SHA-512"
    assert settings["offsets.storage.topic"] == "fwd-offsets-1"


def test_an_empty_list_of_certificates_trusts_the_public_authorities() -> None:
    settings = client_settings(mapping(mirrors(spec())[0]["source"]), SECRETS)
    assert settings["security.protocol"] == "SASL_SSL"
    assert not [name for name in settings if name.startswith("ssl.")]


def test_a_password_with_quotes_stays_one_value_of_the_login_line() -> None:
    settings = client_settings(mapping(mirrors(spec())[0]["source"]), SECRETS)
    assert settings["sasl.jaas.config"].endswith(r'password="a\"b\\c";')


def test_a_pattern_takes_every_certificate_that_fits() -> None:
    cluster = {"bootstrapServers": "x:1", "tls": {"trustedCertificates": [{"secretName": "ca", "pattern": "*.crt"}]}}
    settings = client_settings(cluster, SECRETS)
    assert settings["ssl.truststore.certificates"] == "PEM\nOLD"
    assert settings["security.protocol"] == "SSL"


@pytest.mark.parametrize(
    ("values", "message"),
    [({}, "Secret cc not found"), ({"cc": {"other": "x"}}, r"key\(s\) \[secret\] are missing in Secret cc")],
)
def test_rule_29_a_missing_secret_or_key_is_refused(values: Mapping[str, Mapping[str, str]], message: str) -> None:
    with pytest.raises(Rejected, match=message) as refused:
        client_settings(mapping(mirrors(spec())[0]["source"]), KnownSecrets(values))
    assert refused.value.reason == "InvalidConfigurationException"
