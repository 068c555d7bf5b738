"""What of fences only a real cluster shows; the rest is tests/contract/test_fence.py."""

from uuid import uuid4

import pytest
from two_clusters import KMIGRATE, READER, TwoClusters

from kmigrate.adapters.fence import AclFence, listed_everywhere
from kmigrate.errors import Blocked
from kmigrate.manifests.users import Rule
from kmigrate.model import Denial

pytestmark = pytest.mark.kafka


def test_who_may_not_write_acls_is_told_the_command_that_grants_it(two: TwoClusters) -> None:
    fence = AclFence(connection=two.source.connection("source"), spared=frozenset())
    denial = Denial(principal=f"User:{READER}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")
    with pytest.raises(Blocked) as refused:
        fence.deny([denial])
    assert f"--allow-principal User:{KMIGRATE} --operation Alter --cluster" in str(refused.value.hint)
    assert fence.standing([denial]) == frozenset()


def test_every_broker_of_a_scram_target_is_asked(two: TwoClusters) -> None:
    denial = Denial(principal=f"User:{READER}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")
    rule = (Rule(resource="group", name=denial.name, operations=("Read",), type="deny"),)
    two.target.allow(READER, rule)
    connection = two.target.connection("target")
    two.until("listed", lambda: denial in listed_everywhere(connection, [denial]))
