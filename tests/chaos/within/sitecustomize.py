"""What happens within one process of kmigrate: its wall clock jumps, and it freezes at a line of its journal.

It dies with the run that started it: one that is frozen would stay for ever.

The clock jumps by as many seconds as the file named by CHAOS_CLOCK says, once it is there. CHAOS_FREEZE names a line:
the process stops itself (SIGSTOP) so long after that line is on disk, so it is met however busy the machine is. Python
imports this by its name when it starts; whatever that process starts feels nothing of either.
"""

import ctypes
import json
import os
import signal
import threading
import time
from pathlib import Path

_file = os.environ.pop("CHAOS_CLOCK", "")
_line = os.environ.pop("CHAOS_FREEZE", "")
_true = time.time_ns
_to_disk = os.fsync
_met = threading.Event()
_WHEN_PARENT_DIES = 1  # PR_SET_PDEATHSIG, prctl(2)


def _jumped() -> int:
    try:
        return _true() + int(Path(_file).read_text()) * 1_000_000_000
    except FileNotFoundError:
        return _true()


def _fsync(file: int) -> None:
    _to_disk(file)
    if not _met.is_set() and _is_head(file) and _is_there():
        _met.set()
        if _wanted["delay_ms"]:
            later = threading.Timer(_wanted["delay_ms"] / 1_000, _freeze)
            later.daemon = True
            later.start()
        else:
            _freeze()


def _is_head(file: int) -> bool:
    """Whether this is written after each line, and last."""
    head = _journal.with_name("journal.head")
    return head.exists() and os.path.samestat(os.fstat(file), head.stat())


def _is_there() -> bool:
    with _journal.open("rb") as lines:
        lines.seek(_wanted["beyond"])
        new = lines.read().splitlines()
    last = json.loads(new[-1]) if new else {}
    return bool(new) and (last["step"], last["event"]) == (_wanted["step"], _wanted["event"])


def _freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


ctypes.CDLL(None).prctl(_WHEN_PARENT_DIES, signal.SIGKILL)
if _file:
    time.time_ns = _jumped
    time.time = lambda: _jumped() / 1_000_000_000
if _line:
    _wanted = json.loads(_line)
    _journal = Path(_wanted["journal"])
    os.fsync = _fsync
