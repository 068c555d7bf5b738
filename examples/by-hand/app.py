"""A writer and a reader of one's own, to try a migration by hand on `kmigrate lab up --empty`.

python app.py LAB estate      make the topic `readings` and the rights of both on the source
python app.py LAB plan        print a plan file for them, to be written beside the lab's folder
python app.py LAB writer      write numbered records until it is stopped (SIGTERM)
python app.py LAB reader      what `start` runs: read, note down every record, commit
python app.py LAB stop | switch | start | healthy     what the migration plan calls for the reader
python app.py LAB check       compare what was acknowledged to the writer with what the reader noted down
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

TOPIC, PARTITIONS, GROUP = "readings", 3, "averages"
ADMIN, WRITER, READER = "lab-admin", "sa-writer", "sa-reader"
PLAN = """\
apiVersion: kmigrate/v1alpha1
kind: Migration
metadata: {{name: by-hand}}
source:
  bootstrapServers: {bootstrap}
  auth: {{type: plain, username: sa-kmigrate, password: {{file: {lab}/credentials/sa-kmigrate}}}}
  ca: {ca}
target:
  platform: lab
  store: {lab}/store
  kubernetes: {{namespace: kafka}}
  cluster: {{name: shop, listener: {{name: scram}}}}
topics: {{include: [readings]}}
applications:
  - name: sensors
    writes: [readings]
    principals: [{{source: 'User:sa-writer', target: sensors}}]
  - name: averages
    reads: [{{topics: [readings], group: averages}}]
    principals:
      - source: User:sa-reader
        sourceAuth: {{username: sa-reader, password: {{file: {lab}/credentials/sa-reader}}}}
        target: averages
    workloads:
      - kind: command
        stop: [{me}, stop]
        switch: [{me}, switch]
        start: [{me}, start]
        healthy: [{me}, healthy]
mirror:
  forward:
    auth: {{type: plain, username: sa-mirror-forward, password: {{file: {lab}/credentials/sa-mirror-forward}}}}
policy: {{maxPause: 1m, soak: 5s}}
"""
going = True


def settings_of(lab: Path, user: str) -> dict[str, str]:
    """How a user signs in to the source, from the lab's own facts."""
    source = json.loads((lab / "lab.json").read_text())["facts"]["source"]
    password = (lab / "credentials" / user).read_text()
    return {
        "bootstrap": source["admin"]["bootstrap"] if user == ADMIN else source["bootstrap"],
        "protocol": "SASL_SSL",
        "mechanism": "PLAIN",
        "username": user,
        "password": password,
        "ca": Path(source["ca"]).read_text(),
    }


def client(settings: dict[str, str]) -> dict[str, str]:
    """The same in librdkafka's names."""
    return {
        "bootstrap.servers": settings["bootstrap"],
        "security.protocol": settings["protocol"],
        "sasl.mechanism": settings["mechanism"],
        "sasl.username": settings["username"],
        "sasl.password": settings["password"],
        "ssl.ca.pem": settings["ca"],
    }


def estate(lab: Path, home: Path) -> None:
    """Topic, rights, and the reader's settings."""
    admin = AdminClient(client(settings_of(lab, ADMIN)))
    for future in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)]).values():
        future.result(30)
    wanted = [
        (WRITER, ResourceType.TOPIC, TOPIC, AclOperation.WRITE),
        (READER, ResourceType.TOPIC, TOPIC, AclOperation.READ),
        (READER, ResourceType.GROUP, GROUP, AclOperation.READ),
    ]
    rules = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{who}", "*", operation, AclPermissionType.ALLOW)
        for who, kind, name, operation in wanted
    ]
    for future in admin.create_acls(rules).values():
        future.result(30)
    home.mkdir(exist_ok=True, mode=0o700)
    write(home / "settings.json", json.dumps(settings_of(lab, READER)))


def plan(lab: Path, _home: Path) -> None:
    """What `kmigrate init` drafts, with its open places filled in."""
    source = json.loads((lab / "lab.json").read_text())["facts"]["source"]
    me = f"{sys.executable}, {Path(__file__).resolve()}, {lab}"
    tell(PLAN.format(bootstrap=source["bootstrap"], ca=source["ca"], lab=lab, me=me))


def writer(lab: Path, home: Path) -> None:
    """Twenty records a second into every partition; only what was acknowledged counts as written."""
    stop_when_told()
    producer = Producer({**client(settings_of(lab, WRITER)), "enable.idempotence": True, "linger.ms": 5})
    with (home / "written").open("a", buffering=1) as noted:

        def acknowledged(error: object, message: object) -> None:
            assert error is None, error
            noted.write(f"{message.partition()} {message.value().decode()}\n")

        number = 0
        while going:
            for partition in range(PARTITIONS):
                producer.produce(TOPIC, str(number), partition=partition, on_delivery=acknowledged)
            number += 1
            producer.poll(0)
            time.sleep(0.05)
        producer.flush(30)


def reader(home: Path) -> None:
    """Note down first, commit afterwards; a clean stop commits what was noted down."""
    stop_when_told()
    settings = json.loads((home / "settings.json").read_text())
    wanted = {"group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**client(settings), **wanted, "isolation.level": "read_committed"})
    consumer.subscribe([TOPIC])
    with (home / "read").open("a", buffering=1) as noted:
        while going:
            batch = [message for message in consumer.consume(100, 0.2) if message.error() is None]
            for message in batch:
                noted.write(f"{message.partition()} {message.value().decode()}\n")
            if batch:
                consumer.commit(asynchronous=False)
    consumer.close()


def start(lab: Path, home: Path) -> None:
    """Start the reader unless it runs."""
    if pid(home) is None:
        me = [sys.executable, str(Path(__file__).resolve()), str(lab), "reader"]
        with (home / "log").open("a") as log:
            began = subprocess.Popen(me, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        write(home / "pid", str(began.pid))


def stop(home: Path) -> None:
    """Stop the reader and wait until it is gone."""
    running = pid(home)
    if running is not None:
        os.kill(running, signal.SIGTERM)
    while pid(home) is not None:
        time.sleep(0.02)


def switch(home: Path) -> None:
    """Take over the settings that kmigrate hands us."""
    shutil.copyfile(os.environ["KMIGRATE_SETTINGS"], home / "settings.json.new")
    (home / "settings.json.new").replace(home / "settings.json")


def healthy(home: Path) -> None:
    """Say whether it runs, and where to."""
    bootstrap = json.loads((home / "settings.json").read_text())["bootstrap"]
    tell(json.dumps({"running": pid(home) is not None, "bootstrap": bootstrap}))


def check(home: Path) -> None:
    """Every acknowledged record once, in order."""
    written, read = ((home / name).read_text().split("\n")[:-1] for name in ("written", "read"))
    counts = Counter(read)
    lost = sum(counts[line] == 0 for line in written)
    twice = sum(count - 1 for count in counts.values())
    last: dict[str, int] = {}
    disorder = 0
    for partition, number in map(str.split, read):
        disorder += int(number) < last.get(partition, -1)
        last[partition] = int(number)
    tell(f"{len(written)} written, {len(read)} read: {lost} lost, {twice} twice, {disorder} out of order")
    sys.exit(4 if lost or twice or disorder else 0)


def pid(home: Path) -> int | None:
    """The process that `start` began, as long as it lives."""
    try:
        number = int((home / "pid").read_text())
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else number


def write(path: Path, text: str) -> None:
    """Mode 0600, and never half."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").chmod(0o600)
    path.with_suffix(".new").replace(path)


def stop_when_told() -> None:
    """SIGTERM ends the loops after the batch in hand."""

    def told(_number: int, _frame: object) -> None:
        global going  # noqa: PLW0603
        going = False

    signal.signal(signal.SIGTERM, told)


def tell(text: str) -> None:
    """Onto stdout."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Do what the second word says."""
    lab, word = Path(sys.argv[1]).resolve(), sys.argv[2]
    home = lab.parent / f"{lab.name}-by-hand"
    with_lab = {"estate": estate, "plan": plan, "writer": writer, "start": start}
    alone = {"reader": reader, "stop": stop, "switch": switch, "healthy": healthy, "check": check}
    if word in with_lab:
        with_lab[word](lab, home)
    else:
        alone[word](home)


if __name__ == "__main__":
    main()
