"""The watch over a running job: it keeps the lease, finds reasons to stop, and sees to it that it stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from time import monotonic

import psutil

from vo.errors import (
    CancelledError,
    ConflictError,
    LeaseLostError,
    NotFoundError,
    RestartError,
    TimeLimitError,
    UsageError,
    VOError,
)
from vo.log import logger
from vo.uws.job import Job, Phase
from vo.uws.lanes import Lane
from vo.uws.pool import Seat
from vo.uws.run import Run
from vo.uws.services import Services

WATCH_S = 0.25
"""Seconds between two looks at a job: an abort reaches the statement within this."""

TELL_S = 1.0
"""Seconds between two times that a run tells how far it has come."""

_MIB = 1 << 20

log = logger(__name__)


@dataclass(frozen=True)
class Guard:
    """What is watched, for whom, and within which limits.

    `is_wanted` tells whether somebody still waits for the result; `give_up` ends a job that does not stop,
    with its process. `has_job` is False for who helps with a job that another worker has, and tells of.
    """

    run: Run
    services: Services
    lane: Lane
    seat: Seat
    is_wanted: Callable[[], bool]
    give_up: Callable[[], None]
    has_job: bool = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch from a second thread while the block runs."""
        done = threading.Event()
        thread = threading.Thread(
            target=copy_context().run, args=(self._watch, done), name="guard", daemon=True
        )
        self.seat.beat()
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.seat.rest()

    def _watch(self, done: threading.Event) -> None:
        began = renewed = told = monotonic()
        job, lease_s = self.run.job, self.services.config.lease_s
        while not done.wait(WATCH_S):
            self.seat.beat()
            try:
                job = self.services.store.get(job.id)
                if monotonic() - renewed > lease_s / 4:
                    if self.has_job:
                        self.services.store.renew_lease(job.id, self.run.job.attempt, lease_s)
                    renewed = monotonic()
                reason = self._taken_away(job)
                if reason is None and self.has_job and monotonic() - told > TELL_S:
                    keep_report(self.run, self.services, Phase.EXECUTING)
                    told = monotonic()
            except NotFoundError:
                reason = CancelledError("The job was deleted.")
            except VOError as error:
                log.warning("the guard of the job cannot see it", error=str(error))
                reason = _lease_over(monotonic() - renewed, lease_s)
            reason = reason or self._used_up(job, monotonic() - began)
            if reason is not None:
                self.run.stop(reason)
            if self.run.stopping_s > self.services.config.stop_grace_s:
                self.give_up()

    def _taken_away(self, job: Job) -> VOError | None:
        """Why nobody wants the result of this attempt any more."""
        if job.phase is not Phase.EXECUTING or job.attempt != self.run.job.attempt:
            return CancelledError("The job was aborted.")
        return None if self.is_wanted() else CancelledError("The client left.")

    def _used_up(self, job: Job, elapsed_s: float) -> VOError | None:
        """Which limit the run has reached; the time is that of a clock that nobody sets."""
        if self.seat.is_draining:
            return RestartError("The worker of this job is being restarted.", hint="Run it again.")
        limits = [seconds for seconds in (job.duration_s, self.lane.longest_s) if seconds]
        if limits and elapsed_s > min(limits):
            return TimeLimitError(
                f"The job used up its {min(limits)} seconds.",
                hint="Narrow the query, or run it under /tap/async with a longer executionDuration.",
            )
        if self.lane.memory_mb and psutil.Process().memory_info().rss > self.lane.memory_mb * _MIB:
            return UsageError(
                f"The job needs more than the {self.lane.memory_mb:,} MB of memory that one may use.",
                hint="Select fewer columns, narrow the WHERE clause, or drop ORDER BY.",
            )
        return None


def keep_report(run: Run, services: Services, phase: Phase) -> None:
    """Keep how far the run has come, if the job is in `phase` and has not been given to another worker."""
    with suppress(ConflictError, NotFoundError):
        services.store.change(run.job.id, frm={phase}, attempt=run.job.attempt, report=run.report)


def _lease_over(silent_s: float, lease_s: float) -> VOError | None:
    """A worker that could not renew its lease must take it for granted that another has the job."""
    if silent_s > lease_s:
        return LeaseLostError("The worker lost touch with the job store.", hint="Run the job again.")
    return None
