"""The least rights as commands: those that a migration needs, and those that are missing when something fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kmigrate.cli.gate import TimeIsUp
from kmigrate.errors import (
    Blocked,
    KmigrateError,
    PlatformError,
    StillUnderWay,
    Transient,
    UsageError,
    VerifyFailed,
    WentBack,
)
from kmigrate.manifests.granting import commands, grouped
from kmigrate.manifests.rights import PHASES, Need, needs
from kmigrate.manifests.roles import roles
from kmigrate.model import Json, JsonObject, Migration, part
from kmigrate.probes.lacking import lacking
from kmigrate.world import World

_GRANT = "grant it:"
_TOLD = (Blocked, VerifyFailed, WentBack, PlatformError, StillUnderWay, TimeIsUp)


def chosen(phase: str) -> tuple[str, ...]:
    """The phase that was named, or all; raises UsageError for one that there is not."""
    if phase and phase not in PHASES:
        raise UsageError(f"there is no phase {phase!r}", hint=f"--phase takes one of: {', '.join(PHASES)}")
    return (phase,) if phase else PHASES


def rights_text(migration: Migration, phases: Iterable[str]) -> str:
    """A script: what is to be granted beforehand as commands, what kmigrate grants by itself as remarks."""
    chosen = tuple(phases)
    found = needs(migration, chosen)
    lines = [line for by_hand in (True, False) for line in _part(migration, found, by_hand=by_hand)]
    return "\n".join((*_in_kubernetes(migration, chosen), *lines))


def rights_json(migration: Migration, phases: Iterable[str]) -> JsonObject:
    """One object: every right with who needs it, where, in which phases, and the commands that grant it."""
    chosen = tuple(phases)
    found = grouped(needs(migration, chosen))
    told: dict[str, Json] = {"migration": migration.name, "rights": [_told(migration, each) for each in found]}
    return {**told, "roles": list(roles(migration, chosen))} if migration.target.in_kubernetes else told


def lacking_text(migration: Migration, missing: Iterable[Need]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is missing in words, with the commands that grant it."""
    for some in grouped(missing):
        told = f"{_sentence(some)} (for {', '.join(some[0].phases)})"
        yield told, commands(migration, some)


def telling(error: KmigrateError, world: World, migration: Migration) -> None:
    """Have an error say which of the least rights are missing for what it stopped in, by ACLs, if any are."""
    if isinstance(error, Transient) or not isinstance(error, _TOLD):
        return  # another look would take its time where a cluster is away, and clients may be standing still
    if not error.where and not error.hint.startswith(_GRANT):
        return  # what a command refuses before any step, as a phase that is not done yet
    phase = error.where.partition(",")[0].partition("/")[0].partition("#")[0]
    missing = lacking(world, migration, (phase,) if phase in PHASES else PHASES).needs
    if missing:
        granting = "; ".join(commands(migration, missing))
        other = "" if error.hint.startswith(_GRANT) else error.hint
        error.hint = "\n  ".join(each for each in (f"a right is missing; grant it: {granting}", other) if each)


def _in_kubernetes(migration: Migration, phases: tuple[str, ...]) -> Iterator[str]:
    """The roles as one command, and the commands that give them to somebody, who is for a human to fill in."""
    if not migration.target.in_kubernetes:
        return
    import yaml

    context = f"kubectl --context {migration.target.context}"
    found = roles(migration, phases)
    yield f"# kmigrate in Kubernetes: {', '.join(phases)}"
    yield f"{context} apply -f - <<'ROLES'"
    yield yaml.safe_dump_all(found, sort_keys=False, default_flow_style=None, width=120).rstrip()
    yield "ROLES"
    for role in found:
        kind, place = str(role["kind"]).lower(), part(role, "metadata")
        where = f" --namespace {place['namespace']}" if "namespace" in place else ""
        name = place["name"]
        yield f"{context} create {kind}binding {name}{where} --{kind} {name} --user USER"


def _part(migration: Migration, found: Iterable[Need], *, by_hand: bool) -> Iterator[str]:
    for some in grouped(need for need in found if need.made is not by_hand):
        yield f"# {_sentence(some)}: {', '.join(some[0].phases)}"
        yield from commands(migration, some) if by_hand else ()


def _sentence(some: tuple[Need, ...]) -> str:
    one = some[0]
    what = ", ".join(need.right.operation for need in some)
    place = "the cluster" if one.right.resource == "cluster" else f"{one.right.resource} {one.right.name}"
    begins = "…" if one.right.pattern == "prefix" else ""
    by = " (kmigrate grants it)" if one.made else ""
    return f"{one.who} ({one.right.principal}) on the {one.side}: {what} on {place}{begins}{by}"


def _told(migration: Migration, some: tuple[Need, ...]) -> Json:
    one = some[0]
    return {
        "side": str(one.side),
        "who": one.who,
        "principal": one.right.principal,
        "resource": one.right.resource,
        "name": one.right.name,
        "pattern": one.right.pattern,
        "operations": [need.right.operation for need in some],
        "phases": list(one.phases),
        "grantedByKmigrate": one.made,
        "commands": list(commands(migration, some)),
    }
