"""An application's credential, tried at every broker."""

from dataclasses import replace
from uuid import uuid4

import pytest
from two_clusters import KMIGRATE, MIRROR, READER, TwoClusters

from kmigrate.adapters.kafka import KafkaGroups, Login
from kmigrate.adapters.kafka.trials import refused_at
from kmigrate.errors import PlatformError
from kmigrate.manifests.users import Rule

pytestmark = pytest.mark.kafka


def test_rights_are_told_from_missing_ones_on_both_mechanisms(two: TwoClusters) -> None:
    name = f"t-{uuid4().hex[:8]}"
    two.topic(name, 1)
    for one in (two.source, two.target):
        own = one.connection("cluster").login
        login = replace(own, username=READER, password=one.passwords[READER])
        two.until("allowed", lambda one=one, login=login: not any(_refused(one.bootstrap, login, name).values()))
        stranger = replace(own, username=MIRROR, password=one.passwords[MIRROR])
        found = _refused(one.bootstrap, stranger, name)
        assert all(found.values())
        assert found.keys() == {f"topic {name}", f"group g-{name}"}


def test_describing_alone_is_told_from_reading_and_writing(two: TwoClusters) -> None:
    """kmigrate may read and describe every topic and every group, and write none."""
    name = f"t-{uuid4().hex[:8]}"
    two.topic(name, 1)
    own = two.source.connection("cluster").login
    two.until("allowed to read", lambda: not any(refused_at(own.bootstrap, own, [("topic", name, "Read")]).values()))
    assert refused_at(own.bootstrap, own, [("topic", name, "Read"), ("topic", name, "Write")]) == {
        f"topic {name}": "Write is not allowed"
    }
    reader = replace(own, username=READER, password=two.source.passwords[READER])
    rule = (Rule(resource="group", name=f"g-{name}", operations=("Read",), type="deny"),)
    # a coordinator is there once somebody asked for one
    KafkaGroups(two.source.connection("cluster")).held([f"g-{name}"])
    two.source.allow(READER, rule)
    try:
        two.until("denied", lambda: any(_refused(own.bootstrap, reader, name).values()))
        assert _refused(own.bootstrap, reader, name) == {f"topic {name}": "", f"group g-{name}": "Read is not allowed"}
    finally:
        two.source.withdraw(READER, rule)


def test_a_wrong_password_is_told_as_such(two: TwoClusters) -> None:
    for one in (two.source, two.target):
        login = replace(one.connection("cluster").login, password="wrong")
        with pytest.raises(PlatformError, match=f"wrong password for {KMIGRATE}"):
            _refused(one.bootstrap, login, "any")


def _refused(broker: str, login: Login, name: str) -> dict[str, str]:
    return refused_at(
        broker, login, [("topic", name, "Read"), ("topic", name, "Write"), ("group", f"g-{name}", "Read")]
    )
