"""The program of a process that reads records for another one (see workers)."""

from __future__ import annotations

import gc
import signal
import sys
from multiprocessing.connection import Connection as Pipe

from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.workers import WorkerJob
from kmigrate.adapters.system import never_dumped
from kmigrate.errors import Interrupted, KmigrateError


def work(pipe: Pipe) -> None:
    """Do the jobs that are sent, all of one cluster, until nobody wants any more."""
    connection: Connection | None = None
    try:
        while True:
            job: WorkerJob = pipe.recv()
            connection = connection or Connection(job.login)
            _do(job, connection, pipe)
    except (EOFError, ConnectionError):
        return


def _do(job: WorkerJob, connection: Connection, pipe: Pipe) -> None:
    """Do one job; its last word is None, or the error."""
    try:
        for told in job.results(connection):
            pipe.send(told)
        pipe.send(None)
    except Interrupted:
        raise
    except KmigrateError as error:
        pipe.send(error)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us is told, and ends us
    never_dumped()
    gc.disable()  # messages hold no cycles; looking for some takes as long as reading
    work(Pipe(int(sys.argv[1])))
