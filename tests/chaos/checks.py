"""What must hold after each run, looked at from outside: applications, content, fences, connectors, processes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from connect_groups import connectors, rests
from stage import Stage, await_none

from kmigrate.cli import views
from kmigrate.cli.pictures import status_json
from kmigrate.cli.session import bind, session
from kmigrate.cli.verify import Looked, compare_content, look_again
from kmigrate.errors import Transient
from kmigrate.lab import compose, shop
from kmigrate.lab.auditor.audit import ApplicationAudit, Cluster, Verdict, audit
from kmigrate.lab.auditor.kafka_log import KafkaLog, client_settings
from kmigrate.lab.operator.status import mapping, objects, strings
from kmigrate.lab.plan_file import NAMESPACE
from kmigrate.manifests.lanes import forward_lanes, reverse_lanes
from kmigrate.model import Json
from kmigrate.planfile import load
from kmigrate.world import Key

COUNTS = ("lost", "redelivered", "out_of_order", "unexplained", "audit_gaps", "missing_written", "resurrected")
Status = dict[str, Any]


def check(stage: Stage, app: str, side: str) -> dict[str, Json]:
    """Everything but the auditor; raises AssertionError with what is wrong."""
    stage.await_healthy()
    status, compared = looked(stage, app)
    standing = next(each for each in status["applications"] if each["name"] == app)
    assert (standing["side"], standing["running"]) == (side, "yes"), standing
    newest = [unit for unit in status["units"] if unit["name"].partition("/")[2].partition("#")[0] == app][-1]
    assert newest["state"] in ("sealed", "went back"), f"half done: {newest}"
    shown = fences(stage, status)
    running = lanes(stage, status)
    await_none(stage.desk.left_over, "every process of kmigrate to end", 40)
    return {"fences": shown, "lanes": running, "content": compared}


def looked(stage: Stage, app: str = "", deadline_s: int = 60) -> tuple[Status, str]:
    """What `status --json` and `verify --full [--app A]` say, looked at in this process, which starts only once.

    Right after a fault something may still not be to be looked at; what is wrong stays wrong.
    """
    until = time.monotonic() + deadline_s
    while True:
        status, seen = _look(stage, app)
        wrong = [each for unit in seen for each in unit.wrong]
        if not wrong:
            return status, " ".join(unit.told for unit in seen if unit.told)
        assert all(each.unknown for each in wrong), wrong
        assert time.monotonic() < until, wrong
        time.sleep(1)


def _look(stage: Stage, app: str) -> tuple[Status, tuple[Looked, ...]]:
    with session(stage.desk.plan, as_json=True, read_only=True, quiet=True) as s:
        bind(s, read_only=True)
        told = json.loads(json.dumps(status_json(views.look(s.migration, s.plan, s.journal, s.world))))
        return told, (*look_again(s.plan, s.journal, s.world, app), compare_content(s, app))


def fences(stage: Stage, status: Status) -> int:
    """Every denial that stands on either side is one that status shows; how many those are."""
    shown = {denied for fence in status["fences"] for denied in fence["denied"]}
    assert not any(fence["unknown"] for fence in status["fences"]), status["fences"]
    there = denied_on_source(stage) | denied_on_target(stage)
    assert there == shown, f"stand and are not shown: {there - shown}; shown and do not stand: {shown - there}"
    return len(there)


def denied_on_source(stage: Stage) -> set[str]:
    acls = [acl for acl in stage.source_admin().acls() if not acl.allow]
    return {f"{acl.operation} on {acl.resource} {acl.name} to {acl.principal}" for acl in acls}


def denied_on_target(stage: Stage) -> set[str]:
    found = set()
    with compose.resources(stage.lab) as store:
        users = store.list("KafkaUser", NAMESPACE)
    for user in users:
        for acl in objects(mapping(user.spec.get("authorization")).get("acls")):
            thing = mapping(acl["resource"])
            told = f"on {thing['type']} {thing.get('name')} to User:{user.key.name}"
            found |= {f"{word} {told}" for word in strings(acl["operations"]) if acl.get("type") == "deny"}
    return found


def lanes(stage: Stage, status: Status) -> list[str]:
    """The connectors that run are those of the lanes in force, none FAILED, and there is none that is of no lane."""
    migration = load(stage.desk.plan)
    every = {lane.name: lane for lane in (*forward_lanes(migration), *reverse_lanes(migration))}
    wanted = {every[told["lane"]].connector for told in status["lag"]}
    known = {lane.connector for lane in every.values()}

    def wrong() -> str:
        try:
            there = {name: state for rest in rests(stage) for name, state in connectors(rest).items()}
        except Transient as error:
            return error.message
        running = {name for name, state in there.items() if state != "STOPPED"}
        ours = set(there) - {name for name in there if "MirrorCheckpoint" in name}
        failed = {name for name, state in there.items() if state == "FAILED"}
        well = running == wanted and ours <= known and not failed
        return "" if well else f"run: {sorted(running)}; failed: {sorted(failed)}; wanted: {sorted(wanted)}"

    await_none(wrong, "only the lanes of the ledger to run")
    return sorted(wanted)


def audited(stage: Stage) -> Verdict:
    """Ask the auditor, who reads the applications' files and both logs past the relays."""
    facts = stage.facts
    with compose.resources(stage.lab) as store:
        told, secret = facts["source"], store.get(Key("Secret", NAMESPACE, compose.AUDITOR))
    assert secret is not None
    ca = Path(told["ca"]).read_text()
    password = (stage.lab.credentials / shop.KMIGRATE).read_text()
    source = (told["bootstrap"], ca, ("PLAIN", shop.KMIGRATE, password))
    across = facts["target"]["listeners"][0]
    entered = (across["bootstrapServers"], "".join(across["certificates"]))
    login = ("SCRAM-SHA-512", compose.AUDITOR, str(secret.data["password"]))
    homes = sorted(home for home in stage.lab.apps.iterdir() if (home / "audit").is_dir())
    logs = [KafkaLog(client_settings(*source)), KafkaLog(client_settings(*entered, login))]
    addresses = ((told["bootstrap"], told["relay"]), (entered[0],))
    clusters = [
        Cluster(name=name, log=log, addresses=known)
        for name, log, known in zip(("source", "target"), logs, addresses, strict=True)
    ]
    try:
        return audit(homes, clusters)
    finally:
        for log in logs:
            log.close()


def counted(verdict: Verdict) -> dict[str, dict[str, int]]:
    """Per application whatever is not zero, and per partition that differs; empty when all is as it must be."""
    apps = {app.name: nonzero(app) for app in verdict.applications if not app.clean}
    logs = {f"{each.topic}/{each.partition}": vars_of(each) for each in verdict.differences if not each.clean}
    return {**apps, **logs}


def nonzero(app: ApplicationAudit) -> dict[str, int]:
    return {name: getattr(app, name) for name in COUNTS if getattr(app, name)} | {"uncovered": len(app.uncovered)}


def vars_of(difference: object) -> dict[str, int]:
    names = ("missing", "extra", "swapped", "changed")
    return {name: getattr(difference, name) for name in names if getattr(difference, name)}
