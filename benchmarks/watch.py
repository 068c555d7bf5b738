"""What a fresh process of a benchmark and those it started take: memory at its highest, and processor time."""

from __future__ import annotations

import resource
import threading

import psutil


class Memory(threading.Thread):
    """Watches this process and those it started; `most` is in MB of resident bytes, looked at every 50 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.over = 0.0, threading.Event()

    def run(self) -> None:
        """Count until it is over."""
        me = psutil.Process()
        while not self.over.wait(0.05):
            self.most = max(self.most, sum(map(_resident, (me, *me.children()))) / 1e6)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def processor() -> float:
    """Seconds of processor that this process took so far, and those it started that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)
