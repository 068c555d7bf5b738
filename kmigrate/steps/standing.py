"""What is put back when an attempt of a phase is undone: the shape it found, never what moves have changed since.

A phase that is done again keeps what was there before: the mirror with the states of its lanes, users with their
fences. Moves go on changing both, so those parts stay as they are now, or as who owns the topics has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kmigrate.manifests.mirror import RESET, RUNNING
from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.manifests.users import acls_of, keeping_denials, with_acls, written_or_described
from kmigrate.model import JsonObject, Lane, Migration, Target, part
from kmigrate.probes.arming import withheld
from kmigrate.probes.lanes import connector_spec, lane_key, with_asked, with_setting
from kmigrate.probes.resources import key_of
from kmigrate.steps.lanes import asked_reset, asked_state
from kmigrate.world import Resource, World


def as_lanes_stand(world: World, target: Target, body: JsonObject, lanes: Iterable[Lane]) -> JsonObject:
    """A mirror's resource as it was, each lane with the state and the beginning that it is asked now.

    Stopped where the resource has gone meanwhile: nobody knows what its lane has copied.
    """
    was = Resource(key=key_of(body), body=body, generation=0, version="")
    for lane in lanes:
        spec = connector_spec(was, lane) if lane_key(lane, target.namespace) == was.key else None
        if spec is not None:
            was = replace(was, body=_as_asked(world, target, was, lane, spec))
    return was.body


def _as_asked(world: World, target: Target, was: Resource, lane: Lane, spec: JsonObject) -> JsonObject:
    state, begins = asked_state(world, target, lane), asked_reset(world, target, lane)
    if spec.get("state", RUNNING) != state:
        was = replace(was, body=with_asked(was, lane, {"state": state}))
    if begins and part(spec, "config").get(RESET) != begins:
        was = replace(was, body=with_setting(was, lane, RESET, begins))
    return was.body


def as_rights_stand(world: World, migration: Migration, body: JsonObject) -> JsonObject:
    """A KafkaUser as it was, with the denials that stand now; the forward mirror writes what the source owns now."""
    key, spec = key_of(body), part(body, "spec")
    acls = [acl for acl in acls_of(spec) if acl.get("type") != "deny"]
    if key.name == MIRROR_USER:
        kept = withheld(world, migration)
        acls = [written_or_described(acl, migration.topics, kept) for acl in acls]
    stored = world.resources.get(key)
    return keeping_denials({**body, "spec": with_acls(spec, acls)}, stored.spec if stored is not None else spec)
