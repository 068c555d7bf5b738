"""`python -m kmigrate.lab.auditor FOLDER CLUSTERS.json [--settled]`: print the verdict as one JSON object.

FOLDER holds one folder per application. CLUSTERS.json is a list, the source first:
[{"name": "source", "addresses": ["HOST:PORT", ...], "client": {librdkafka's settings to sign in}}, ...].
Exit codes: 0 clean, 1 not clean, 2 wrong usage.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from kmigrate.lab.auditor.audit import Cluster, audit
from kmigrate.lab.auditor.kafka_log import KafkaLog


def main(argv: list[str]) -> int:
    """Read both files' worth of facts, audit, print."""
    if len(argv) not in (2, 3) or argv[2:] not in ([], ["--settled"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    clusters = [
        Cluster(name=raw["name"], log=KafkaLog(raw["client"]), addresses=tuple(raw["addresses"]))
        for raw in json.loads(Path(argv[1]).read_text())
    ]
    folders = sorted(path for path in Path(argv[0]).iterdir() if (path / "audit").is_dir())
    verdict = audit(folders, clusters, settled=len(argv) == 3)
    sys.stdout.write(json.dumps({"clean": verdict.clean, **dataclasses.asdict(verdict)}) + "\n")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
