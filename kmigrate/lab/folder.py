"""The folder of a lab: what lies where, and what `lab.json` says."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmigrate.errors import Blocked, PlatformError, UsageError
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.model import Json, JsonObject
from kmigrate.private import private_folder

ENVIRONMENT = "KMIGRATE_LAB"


@dataclass(frozen=True, slots=True)
class LabFolder:
    """Where a lab keeps what it makes; all of it has mode 0600 or 0700."""

    root: Path

    @property
    def marker(self) -> Path:
        """The file that says that the folder is a lab's; also the lock that the supervisor holds while it lives."""
        return self.root / ".kmigrate-lab"

    @property
    def state(self) -> Path:
        """What the supervisor says of itself: phase, progress, facts, processes."""
        return self.root / "lab.json"

    @property
    def log(self) -> Path:
        """What the supervisor prints; empty when all is well."""
        return self.root / "supervisor.log"

    @property
    def source(self) -> Path:
        """Settings, data and logs of the source cluster."""
        return self.root / "source"

    @property
    def operator(self) -> Path:
        """Settings, data and logs of the brokers and workers that the stand-in for the operator starts."""
        return self.root / "operator"

    @property
    def store(self) -> Path:
        """The resources of the target (a folder ResourceStore)."""
        return self.root / "store"

    @property
    def kubernetes(self) -> Path:
        """What etcd and the API server keep, with kubeconfig files, where the target's resources lie in Kubernetes."""
        return self.root / "kubernetes"

    @property
    def apps(self) -> Path:
        """One folder per application: command.json, desired, state.json, and what the application keeps there."""
        return self.root / "apps"

    @property
    def credentials(self) -> Path:
        """One file per user of the source: its password."""
        return self.root / "credentials"

    @property
    def certificates(self) -> Path:
        """The authority's and the servers' certificates of the source."""
        return self.root / "certificates"

    @property
    def extra(self) -> Path:
        """Whatever else is put into a lab, for example a plan file and its journal."""
        return self.root / "work"

    def made(self) -> tuple[Path, ...]:
        """Everything a lab may have made, the marker last."""
        clusters = (self.source, self.operator, self.store, self.kubernetes)
        return (
            *clusters,
            *(self.apps, self.credentials, self.certificates, self.extra),
            *(self.state, self.log, self.marker),
        )

    def read(self) -> JsonObject:
        """What `lab.json` says; empty when there is none. Raises Blocked when it is somebody else's."""
        try:
            found = json.loads(self.state.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except PermissionError as error:
            raise foreign(self.root) from error
        except ValueError as error:
            raise Blocked(
                f"{self.state} is damaged: {error}", hint=f"kmigrate lab down --folder {self.root}"
            ) from error
        return found if isinstance(found, dict) else {}

    def running(self) -> bool:
        """Whether a supervisor holds the folder; its death, however it came, ends that (flock(2))."""
        try:
            descriptor = os.open(self.marker, os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError as error:
            raise foreign(self.root) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def create(self) -> None:
        """Make the folder a lab's; raises UsageError when it cannot be written or holds something else."""
        try:
            private_folder(self.root)
            strangers = [] if self.marker.exists() else sorted(path.name for path in self.root.iterdir())
        except PermissionError as error:
            raise foreign(self.root) from error
        except OSError as error:
            raise _unusable(self.root, error.strerror or str(error)) from error
        if strangers:
            raise _unusable(self.root, f"it is no lab's folder and holds {strangers[0]}")
        if self.root.stat().st_uid != os.getuid():
            raise foreign(self.root)
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise _unusable(self.root, "it cannot be written")
        self.marker.touch(mode=0o600)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the folder's supervisor; raises Blocked when there is one."""
        descriptor = os.open(self.marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Blocked(f"a lab runs in {self.root} already", hint="kmigrate lab status") from error
        try:
            yield
        finally:
            os.close(descriptor)

    def write(self, state: Json) -> None:
        """Replace `lab.json` at once, mode 0600. Raises PlatformError when the disk is full."""
        try:
            write_secret(self.state, json.dumps(state, indent=1) + "\n")
        except OSError as error:
            raise PlatformError(f"{self.state} cannot be written: {error.strerror}", hint="free disk space") from error


def foreign(root: Path) -> Blocked:
    """The error for a folder of another user."""
    return Blocked(f"{root} belongs to another user", hint="choose another folder with --folder")


def _unusable(root: Path, reason: str) -> UsageError:
    return UsageError(f"the lab cannot use {root}: {reason}", hint="choose another folder with --folder")
