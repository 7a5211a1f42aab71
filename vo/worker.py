"""The Celery worker of a lane: its application, its one task, its processes, and how it ends."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from billiard import current_process
from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)
from redis import Redis

from vo import forest, regions, tiling, votable
from vo.config import Config
from vo.context import Context, open_context
from vo.errors import TransientError, VOError
from vo.images import loops
from vo.jobs import call_if_needed, run_next
from vo.lifeline import end_with_parent
from vo.log import logger
from vo.tap.schema import describe
from vo.uws.census import RedisCensus
from vo.uws.lanes import Lane, lanes
from vo.uws.pool import Pool, Seat
from vo.uws.queue import TASK, JobQueue, celery_app
from vo.uws.run import worker_name

TASKS_PER_PROCESS = 2_000
"""Jobs after which a pool process is replaced, against slow growth of its memory."""

CHECK_S = 1.0
"""Seconds between two looks of the worker at its processes."""

BEAT_S = 5.0
"""Seconds between two signs of life of the worker."""

DEAF_S = 60.0
"""Seconds for which calls may wait in a lane before a worker with a free process is no longer alive."""

log = logger(__name__)


class _Process:
    """The context of a pool process, opened in that process: no connection survives a fork."""

    def __init__(self, config: Config, lane: Lane, pool: Pool) -> None:
        limited = lane.memory_mb > 0  # 0 is no limit of the lane's own
        self._config = replace(config, duckdb_memory=f"{lane.database_mb}MB") if limited else config
        self._lane = lane
        self._pool = pool
        self._stack = ExitStack()
        self._context: Context | None = None
        self._seat: Seat | None = None

    def start(self, **_signal: Any) -> None:
        """Open the databases before the first job comes, not with it; end with the pool.

        The call that a process before this one had taken may have died with it: it is made again.
        """
        end_with_parent()
        self._seat = self._pool.seat(current_process().index)
        self._context = self._stack.enter_context(open_context(self._config, describe))
        self._context.database.catalog()
        with suppress(VOError):
            call_if_needed(self._lane.name, self._context)

    def run_next(self) -> None:
        """Run one job, or none; a job store out of reach costs the call and not the worker."""
        if self._context is None or self._seat is None:
            raise RuntimeError("The pool process was not started.")
        self._pool.hear()
        try:
            run_next(self._lane, self._context, self._seat)
        except VOError as error:
            log.warning("a call came to nothing", lane=self._lane.name, error=str(error))
        finally:
            self._pool.hear()  # it was not free until now

    def stop(self, **_signal: Any) -> None:
        """Give everything back."""
        self._stack.close()


class _Keeper:
    """Looks after the processes from outside: ends those that hang, and has all of them end in time."""

    def __init__(self, config: Config, lane: Lane, pool: Pool) -> None:
        self._config = config
        self._lane = lane
        self._pool = pool

    def start(self, **_signal: Any) -> None:
        """Look at the processes as long as the worker lives."""
        for name, work in (("keeper", self._watch), ("pulse", self._beat)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def shut_down(self, **_signal: Any) -> None:
        """Let short jobs finish; after that, hand back the rest."""
        timer = threading.Timer(self._config.drain_s, self._pool.drain)
        timer.daemon = True
        timer.start()

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(CHECK_S):
            for pid in self._pool.silent(self._config.lease_s):
                log.error("a process was not seen for as long as its lease; it is ended", process=pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _beat(self) -> None:
        """Give signs of life; a Redis that hangs must not keep the other thread from its work."""
        pause = threading.Event()
        with (
            Redis.from_url(self._config.state_url, decode_responses=True) as state,
            closing(JobQueue(celery_app(self._config.state_url), state)) as queue,
        ):
            census = RedisCensus(state)
            while True:
                try:
                    census.beat(self._lane.name, worker_name(), self._lane.workers)
                    self._touch(calls=queue.depth(self._lane.name))
                except TransientError as error:
                    log.debug("no sign of life can be given", error=str(error))
                    self._touch(calls=0)  # a restart would not bring Redis back
                pause.wait(BEAT_S)

    def _touch(self, *, calls: int) -> None:
        """Touch the file of a worker that is alive: one whose connection was lost unnoticed hears no call."""
        if calls == 0:
            self._pool.hear()  # there was none to hear
        if self._pool.is_deaf(DEAF_S):
            log.error("calls wait in the lane, and this worker hears none", lane=self._lane.name, calls=calls)
        elif self._config.alive_file:
            Path(self._config.alive_file).touch()


def worker_app(config: Config, lane: Lane) -> Celery:
    """The Celery application of the workers of a lane, with the task that runs a job."""
    app = celery_app(config.state_url)
    pool = Pool(lane.workers)
    process, keeper = _Process(config, lane, pool), _Keeper(config, lane, pool)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]  # Celery has no annotations
    def run(_lane: str) -> None:
        process.run_next()

    worker_process_init.connect(process.start, weak=False)
    worker_process_shutdown.connect(process.stop, weak=False)
    worker_ready.connect(keeper.start, weak=False)
    worker_shutting_down.connect(keeper.shut_down, weak=False)
    return app


def _keep_logging(**_signal: Any) -> None:
    """Who listens to the signal of Celery answers for logging; `vo.log` has seen to it."""


def warm_up() -> None:
    """Have all compiled loops ready."""
    forest.warm_up()
    loops.warm_up()
    tiling.warm_up()
    regions.warm_up()
    votable.warm_up()


def run_worker(config: Config, lane_name: str) -> None:
    """Run the jobs of a lane in this process's pool until it is told to stop."""
    # Celery warns of workers run by root because of pickle, which ours do not accept.
    warnings.simplefilter("ignore", SecurityWarning)
    setup_logging.connect(_keep_logging, weak=False)
    warm_up()  # before the pool is forked, which then shares the compiled code
    gc.freeze()  # forks share what the collector does not touch
    lane = lanes(config)[lane_name]
    worker_app(config, lane).Worker(
        queues=(lane.name,),
        concurrency=lane.workers,
        pool="prefork",
        hostname=f"{lane.name}@%h",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        max_tasks_per_child=TASKS_PER_PROCESS,
        max_memory_per_child=lane.memory_mb * 1024 or None,
        optimization="fair",
    ).start()
