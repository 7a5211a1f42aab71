"""One run of a job in a worker: what the code that does the work may know and must obey."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vo.errors import VOError
from vo.uws.job import Job


class Run:
    """The job, and the way to stop it.

    The watcher calls `stop` with the reason; the work registers what can be stopped with `on_start` and
    calls `check` between its steps.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.facts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._reason: VOError | None = None
        self._cancel: Callable[[], None] | None = None

    @property
    def reason(self) -> VOError | None:
        """Why the run has to stop; None while it may go on."""
        return self._reason

    def on_start(self, cancel: Callable[[], None]) -> None:
        """Register what stops the statement that begins now; a run already stopped stops it at once."""
        with self._lock:
            self._cancel = cancel
        self.check()

    def stop(self, reason: VOError) -> None:
        """Stop the run; may be called again, for a statement that began after the first call."""
        with self._lock:
            self._reason = self._reason or reason
            cancel = self._cancel
        if cancel is not None:
            cancel()

    def check(self) -> None:
        """Raise the reason if the run has to stop."""
        if self._reason is not None:
            raise self._reason

    def note(self, name: str, value: str) -> None:
        """Keep a fact for the job's record, such as the SQL that was sent to the database."""
        self.facts[name] = value
