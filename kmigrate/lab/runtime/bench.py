"""What every part of a lab is handed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.pki import Certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.process import Machine
from kmigrate.world import Clock, Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Tools and place: `folder` is the lab's folder (mode 0700); a part keeps its files in a subfolder of its own."""

    folder: Path
    machine: Machine
    ports: Ports
    jvm: Jvm
    certificates: Certificates
    clock: Clock
    reporter: Reporter
