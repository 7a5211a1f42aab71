"""`vo worker` with kinds of jobs that tests need: short, long, stubborn, and holding the interpreter's lock.

    python odd_worker.py LANE

Each start is a line in the file that VO_TEST_STARTS names.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable

from vo import jobs, worker
from vo.config import Config
from vo.context import Context
from vo.log import configure
from vo.uws.job import JobResult
from vo.uws.run import Run
from vo.uws.sink import Sink

RESULT = JobResult("result", "result.txt", "text/plain")


def _nap(seconds: float, run: Run) -> None:
    """Sleep, as one who obeys."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run.check()
        time.sleep(0.01)


def _sulk(seconds: float, _run: Run) -> None:
    """Sleep and hear nothing."""
    time.sleep(seconds)


def _seize(seconds: float, _run: Run) -> None:
    """Sleep and let no other thread of the process run."""
    ctypes.PyDLL(None).sleep(int(seconds))


def _kind(work: Callable[[float, Run], None]) -> jobs.Execute:
    def execute(run: Run, _context: Context, sink: Sink) -> tuple[JobResult, ...]:
        job = run.job
        starts = os.open(os.environ["VO_TEST_STARTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(starts, f"{job.id} {job.attempt} {os.getpid()}\n".encode())
        os.close(starts)
        work(float(dict(job.parameters)["SECONDS"]), run)
        return (sink.deliver(RESULT, [b"done"], tells_errors=False),)

    return execute


KINDS = {"nap": _kind(_nap), "sulk": _kind(_sulk), "seize": _kind(_seize)}

if __name__ == "__main__":
    jobs.KINDS = {**jobs.KINDS, **KINDS}
    worker.warm_up = lambda: None  # nothing is written here that needs compiled code
    config = Config.from_env()
    configure(config.log_level, config.log_format)
    worker.run_worker(config, sys.argv[1])
