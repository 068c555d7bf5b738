"""The program of a process that reads records for another one (see workers)."""

from __future__ import annotations

import gc
import signal
import sys
from multiprocessing.connection import Connection as Pipe

from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.workers import Job
from kmigrate.errors import Interrupted, KmigrateError


def work(pipe: Pipe) -> None:
    """Do the one job that is sent; the last word is None, or the error."""
    job: Job = pipe.recv()
    connection = Connection(job.login)
    try:
        for told in job.results(connection):
            pipe.send(told)
        pipe.send(None)
    except Interrupted:
        raise
    except KmigrateError as error:
        pipe.send(error)
    except BrokenPipeError:
        return  # nobody wants to know any more


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us is told, and ends us
    gc.disable()  # messages hold no cycles; looking for some takes as long as reading
    work(Pipe(int(sys.argv[1])))
