"""How a lane's offsets are asked for and set on Strimzi: an annotation, and a ConfigMap (`strimzi.md` §3).

What is stored is the last offset that counts as copied; the lane goes on with the next one (`mirrormaker2.md` §2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from kmigrate.manifests.internal import MirrorNames
from kmigrate.model import Json, JsonObject, Lane, Partition, Target

ACTION = "strimzi.io/connector-offsets"
MIRROR_CONNECTOR = "strimzi.io/mirrormaker-connector"
LIST, ALTER = "list", "alter"
_LARGEST = 2**63 - 1


def file_name(lane: Lane) -> str:
    """The key of both ConfigMaps: a KafkaConnector's is fixed, a KafkaMirrorMaker2's names the connector."""
    return "offsets.json" if lane.direction == "reverse" else f"{lane.connector.replace('->', '--')}.json"


def asked(lane: Lane, action: str | None) -> dict[str, Json]:
    """What asks for `list` or `alter` on the lane's resource; None takes the wish back. Gone once it is fulfilled."""
    if lane.direction == "reverse":
        return {ACTION: action}
    return {ACTION: action, MIRROR_CONNECTOR: lane.connector if action else None}


def wanted_offsets(names: MirrorNames, lane: Lane, target: Target, last: Mapping[Partition, int]) -> JsonObject:
    """The ConfigMap that `alter` reads: the last offset copied by partition, none of them negative.

    A partition that begins at 0 is left out: it has no offset before (`lab.md`).
    """
    assert all(offset >= 0 for offset in last.values()), last
    offsets: list[Json] = [
        {
            "partition": {"cluster": lane.source_alias, "topic": partition.topic, "partition": partition.number},
            "offset": {"offset": offset},
        }
        for partition, offset in sorted(last.items())
    ]
    metadata: JsonObject = {"name": names.offsets_wanted(lane), "namespace": target.namespace}
    data: JsonObject = {file_name(lane): json.dumps({"offsets": offsets})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def listed_offsets(lane: Lane, text: str) -> dict[Partition, int]:
    """What `list` wrote under `file_name`, of this lane's own cluster and topics; the last offset copied by partition.

    Connect takes offsets of any cluster and topic, and keeps them: those of others say nothing of this lane. Raises
    ValueError, KeyError or TypeError when the text is not Connect's.
    """
    found: dict[Partition, int] = {}
    for one in _json(text)["offsets"]:
        where, offset = one["partition"], one["offset"]
        if where["cluster"] == lane.source_alias and where["topic"] in lane.topics and offset is not None:
            found[Partition(where["topic"], _whole(where["partition"]))] = _whole(offset["offset"])
    return found


def _json(text: str) -> dict[str, list[dict[str, dict[str, Json]]]]:
    try:
        told: dict[str, list[dict[str, dict[str, Json]]]] = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return told


def _whole(value: Json) -> int:
    if not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(f"{value!r} is no partition and no offset")
    return value
