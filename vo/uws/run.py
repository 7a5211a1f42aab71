"""One run of a job in a worker: what the code that does the work may know, must obey, and tells."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from vo.errors import VOError
from vo.uws.job import Job
from vo.uws.report import FIRST_ROW, RunReport, Stage


class Run:
    """The job, the way to stop it, and what it tells of itself.

    The guard calls `stop` with the reason; the work registers what can be stopped with `on_start` and
    calls `check` between its steps. It names its steps with `enter`; `report` may be read at any time, from
    any thread.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._lock = threading.Lock()
        self._reason: VOError | None = None
        self._stopped_at: float | None = None
        self._cancel: Callable[[], None] | None = None
        self._report = RunReport(worker=worker_name(), attempt=job.attempt, timings=_queued(job))
        self._done: Callable[[], int] | None = None
        self._began = self._entered = monotonic()

    @property
    def reason(self) -> VOError | None:
        """Why the run has to stop; None while it may go on."""
        return self._reason

    @property
    def stopping_s(self) -> float:
        """How many seconds ago it was told to stop; 0: it was not."""
        return 0.0 if self._stopped_at is None else monotonic() - self._stopped_at

    def on_start(self, cancel: Callable[[], None]) -> None:
        """Register what stops the statement that begins now; a run already stopped stops it at once."""
        with self._lock:
            self._cancel = cancel
        self.check()

    def stop(self, reason: VOError) -> None:
        """Stop the run; may be called again, for a statement that began after the first call."""
        with self._lock:
            self._reason = self._reason or reason
            self._stopped_at = self._stopped_at or monotonic()
            cancel = self._cancel
        if cancel is not None:
            cancel()

    def check(self) -> None:
        """Raise the reason if the run has to stop."""
        if self._reason is not None:
            raise self._reason

    @property
    def report(self) -> RunReport:
        """How far the run has come; once it is over, what it did."""
        done = self._done
        return self._report if done is None else replace(self._report, done=done())

    def enter(self, stage: Stage) -> None:
        """Begin a stage, which ends the one before."""
        self._report = replace(self._report, stage=stage, timings=self._timings())
        self._entered = monotonic()

    def reach_first_row(self) -> None:
        """Take the time at which the first rows were there."""
        taken = (FIRST_ROW, _rounded(monotonic() - self._began))
        self._report = replace(self._report, timings=(*self._report.timings, taken))

    def count(self, done: Callable[[], int], *, unit: str = "rows", total: int | None = None) -> None:
        """Let `done` tell from now on how many units are done; it is called from other threads."""
        self._done = done
        self.note(unit=unit, total=total)

    def note(self, **facts: Any) -> None:
        """Keep facts for the record, by the names of the fields of RunReport."""
        self._report = replace(self._report, **facts)

    def finish(self) -> RunReport:
        """The report of a run that is over: its stage is the last one that it entered."""
        self._report = replace(self.report, timings=self._timings())
        self._done = None
        return self._report

    def _timings(self) -> tuple[tuple[str, float], ...]:
        stage = self._report.stage
        if stage is Stage.QUEUED:  # known from the record, and over
            return self._report.timings
        return (*self._report.timings, (stage.value, _rounded(monotonic() - self._entered)))


def worker_name() -> str:
    """The machine and the process that this is."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _queued(job: Job) -> tuple[tuple[str, float], ...]:
    if job.queued is None or job.started is None:
        return ()
    # Two machines may have taken the times, whose clocks need not agree.
    return ((Stage.QUEUED.value, _rounded(max(0.0, (job.started - job.queued).total_seconds()))),)


def _rounded(seconds: float) -> float:
    return round(seconds, 4)
