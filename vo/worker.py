"""The Celery worker: its application, its one task, and how a lane is run."""

from __future__ import annotations

import logging
import warnings
from contextlib import ExitStack
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_process_init, worker_process_shutdown

from vo.config import Config
from vo.context import Context, open_context
from vo.jobs import run_job
from vo.lifeline import end_with_parent
from vo.tap.schema import describe
from vo.uws.job import SYNC_LANE
from vo.uws.queue import TASK, celery_app
from vo.votable import warm_up

TASKS_PER_PROCESS = 2_000
"""Jobs after which a pool process is replaced, against slow growth of its memory."""


class _Process:
    """The context of a pool process, opened in that process: no connection survives a fork."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = ExitStack()
        self._context: Context | None = None

    def context(self) -> Context:
        if self._context is None:
            self._context = self._stack.enter_context(open_context(self._config, describe))
        return self._context

    def start(self, **_signal: Any) -> None:
        """Open the databases before the first job comes, not with it; end with the pool."""
        end_with_parent()
        self.context().database.catalog()

    def stop(self, **_signal: Any) -> None:
        self._stack.close()


def worker_app(config: Config) -> Celery:
    """The Celery application of the workers, with the task that runs a job."""
    app = celery_app(config.state_url)
    process = _Process(config)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]  # Celery has no annotations
    def run(job_id: str) -> None:
        run_job(job_id, process.context())

    worker_process_init.connect(process.start, weak=False)
    worker_process_shutdown.connect(process.stop, weak=False)
    return app


def run_worker(config: Config, lanes: tuple[str, ...]) -> None:
    """Run the jobs of `lanes` in this process's pool until it is told to stop."""
    # Celery warns of workers run by root because of pickle, which ours do not accept.
    warnings.simplefilter("ignore", SecurityWarning)
    for chatty in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    warm_up()  # before the pool is forked, which then shares the compiled code
    processes = config.sync_workers if lanes == (SYNC_LANE,) else config.query_workers
    worker_app(config).Worker(
        queues=lanes,
        concurrency=processes,
        pool="prefork",
        hostname=f"{'-'.join(lanes)}@%h",
        loglevel=config.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        max_tasks_per_child=TASKS_PER_PROCESS,
        optimization="fair",
    ).start()
