"""A first plan file from what the source answers: what can be seen is filled in, what a human must decide is marked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kmigrate.advice import Inventory, SeenGroup
from kmigrate.model import GroupKind, Right

MARK = "DECIDE"
"""Stands in every comment at which a human must decide or fill in; without them the file is ready to be checked."""

_NAME = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guess:
    """What one principal seems to be: the groups it may read with, the topics it may write."""

    name: str
    principal: str
    reads: tuple[tuple[str, tuple[str, ...]], ...]
    writes: tuple[str, ...]


def draft(
    source_bootstrap: str,
    inventory: Inventory,
    *,
    name: str = "my-migration",
    ours: Iterable[str] = (),
    ca: str = "",
) -> str:
    """YAML text that `load` takes once the marked places are decided: topics, and an application per principal.

    Applications come from literal ACLs and from the positions that groups hold; where ACLs could not be listed every
    group becomes one. `ours` are principals (`User:name`) that are kmigrate's or the mirror's, `ca` is a PEM file.
    """
    topics = [topic for topic in inventory.user_topics if not _is_of_streams(topic)]
    guesses = tuple(_guesses(inventory, frozenset(ours), frozenset(topics)))
    left = sorted(set(_groups(inventory, topics)) - {group for guess in guesses for group, _ in guess.reads})
    alone = (
        _Guess(name=_plain(group), principal="", reads=((group, held),), writes=())
        for group, held in _of(left, inventory, topics)
    )
    guesses = (*guesses, *alone)
    return "\n".join(
        [
            *_head(source_bootstrap, inventory, name, ca),
            *_topics(topics, inventory),
            *_applications(_apart(guesses), topics),
            *_tail(inventory),
        ]
    )


def _head(bootstrap: str, inventory: Inventory, name: str, ca: str) -> Iterator[str]:
    yield f"# Drafted from cluster {inventory.cluster_id}: {len(inventory.user_topics)} topics,"
    yield f"# {len(inventory.groups)} groups, {_counted(inventory)}. Look for {MARK}, then type: kmigrate plan"
    yield "apiVersion: kmigrate/v1alpha1"
    yield "kind: Migration"
    yield f"metadata: {{name: {_text(_plain(name))}}}"
    yield "source:"
    yield f"  bootstrapServers: {_text(bootstrap)}"
    yield "  auth: {type: plain, username: {env: SOURCE_KEY}, password: {env: SOURCE_SECRET}}"
    yield from (f"  ca: {_text(ca)}",) if ca else ()
    yield "target:"
    yield f"  platform: lab                        # {MARK}: where the resources of the target lie"
    yield "  store: ./store"
    yield "  kubernetes: {namespace: kafka}"
    yield "  cluster: {name: target, listener: {name: scram}}"


def _counted(inventory: Inventory) -> str:
    if inventory.rights is None:
        return "principals not checked (its ACLs could not be listed)"
    return f"{len(inventory.principals)} principals"


def _topics(topics: Sequence[str], inventory: Inventory) -> Iterator[str]:
    yield "topics:"
    if topics:
        yield f"  include:                             # {MARK}: move to exclude what stays behind"
        yield from (f"    - {_text(name)}" for name in topics)
    else:
        yield f"  include: [topic]                     # {MARK}: none was seen; name what is to be moved"
    streams = [name for name in inventory.user_topics if _is_of_streams(name)]
    if streams:
        yield "  exclude:                             # these are Kafka Streams' own"
        yield from (f"    - {_text(name)}" for name in streams)


def _applications(guesses: Sequence[_Guess], topics: Sequence[str]) -> Iterator[str]:
    yield f"applications:                          # {MARK}: one per program that is stopped and started as one"
    for guess in guesses:
        yield from _application(guess)
    if not guesses:
        topic = topics[0] if topics else "topic"
        yield from _application(_Guess(name="my-app", principal="", reads=(("my-group", (topic,)),), writes=()))


def _application(guess: _Guess) -> Iterator[str]:
    yield f"  - name: {_text(guess.name)}"
    yield f"    team: unknown                      # {MARK}"
    if guess.reads:
        yield "    reads:"
    for group, topics in guess.reads:
        yield f"      - {{topics: {_list(topics)}, group: {_text(group)}}}  # {MARK}: isolation, if read_uncommitted"
    if guess.writes:
        yield f"    writes: {_list(guess.writes)}"
    asked = "" if guess.principal else f"  # {MARK}: who signs in"
    who = _text(guess.principal or "User:unknown")
    yield f"    principals: [{{source: {who}, target: {_text(guess.name)}}}]{asked}"
    yield f"    workloads: []                      # {MARK}: how it is stopped, switched and started"


def _tail(inventory: Inventory) -> Iterator[str]:
    yield "mirror:"
    yield f"  forward:                             # {MARK}: a principal that may read every topic"
    yield "    auth: {type: plain, username: {env: MIRROR_KEY}, password: {env: MIRROR_SECRET}}"
    yield f"  # reverse:                           # {MARK}: for writers, a principal of its own without any right"
    yield "  #   auth: {type: plain, username: BACK_KEY, password: {env: BACK_SECRET}}"
    yield "  #   principal: User:sa-…             # what ACLs call it, where they do not say the user name"
    accepts = list(_accepts(inventory))
    if accepts:
        yield f"accept:                                # {MARK}: each stays on the source; say why"
        yield from accepts
    yield "policy: {maxPause: 5m, minimumGrade: EXACT_MATCHED}"
    yield "journal: {store: ./.kmigrate}"
    yield ""


def _accepts(inventory: Inventory) -> Iterator[str]:
    for name, seen in sorted(inventory.groups.items()):
        kind = _cannot_move(name, seen, inventory)
        if kind and seen.in_use:
            yield f"  - {{id: {kind}, subject: {_text(name)}, reason: {MARK}}}"


def _guesses(inventory: Inventory, ours: frozenset[str], topics: frozenset[str]) -> Iterator[_Guess]:
    groups = _groups(inventory, topics)
    taken: set[str] = set()  # a group stands in one application; a second principal of it is for a human to add
    for principal in inventory.principals:
        if principal in ours or principal == "User:*":
            continue
        rights = [right for right in inventory.rights or () if right.principal == principal and right.type == "allow"]
        mine = [group for group in groups if group not in taken and _may(rights, "group", group, "Read")]
        writes = tuple(topic for topic in sorted(topics) if _may(rights, "topic", topic, "Write"))
        taken.update(mine)
        if mine or writes:
            reads = tuple(_of(mine, inventory, topics))
            yield _Guess(name=_plain(principal.removeprefix("User:")), principal=principal, reads=reads, writes=writes)


def _may(rights: Iterable[Right], resource: str, name: str, operation: str) -> bool:
    """By a literal or prefixed right of its own; `*` says nothing about whose a thing is."""
    return any(
        right.resource == resource
        and right.operation in (operation, "All")
        and (right.name == name or (right.pattern == "prefix" and name.startswith(right.name)))
        for right in rights
    )


def _groups(inventory: Inventory, topics: Iterable[str]) -> tuple[str, ...]:
    """Groups that can be moved and hold a position in a topic that is."""
    known = frozenset(topics)
    return tuple(
        name
        for name, seen in sorted(inventory.groups.items())
        if not _cannot_move(name, seen, inventory) and known & set(seen.topics)
    )


def _of(groups: Iterable[str], inventory: Inventory, topics: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    known = frozenset(topics)
    return ((group, tuple(t for t in inventory.groups[group].topics if t in known)) for group in groups)


def _cannot_move(name: str, seen: SeenGroup, inventory: Inventory) -> str:
    if seen.group.kind is GroupKind.SHARE:
        return "KM-GROUP-SHARE"
    own = any(topic.startswith(f"{name}-") and _is_of_streams(topic) for topic in inventory.topics)
    return "KM-GROUP-STREAMS" if own or seen.group.kind is GroupKind.STREAMS else ""


def _is_of_streams(topic: str) -> bool:
    return topic.endswith(("-changelog", "-repartition"))


def _apart(guesses: Iterable[_Guess]) -> tuple[_Guess, ...]:
    """The same with names that differ, sorted."""
    made: dict[str, _Guess] = {}
    for guess in guesses:
        name, number = guess.name, 2
        while name in made:
            name, number = f"{guess.name[: _NAME - 4]}-{number}", number + 1
        made[name] = _Guess(name=name, principal=guess.principal, reads=guess.reads, writes=guess.writes)
    return tuple(made[name] for name in sorted(made))


def _plain(text: str) -> str:
    """A name as the plan file and Kubernetes take it."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_NAME].strip("-")
    return plain if plain and not plain.isdigit() else f"app-{plain}".strip("-")[:_NAME].strip("-")


def _text(text: str) -> str:
    return json.dumps(text)  # a JSON string is a YAML string


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(_text(name) for name in names)}]"
