"""Where the bytes of a result go: to the client that waits, or into the result store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from vo.uws.job import JobError, JobResult
from vo.uws.relay import Head, RelayWriter
from vo.uws.results import ResultStore
from vo.uws.run import Run

Headers = Callable[[], Mapping[str, str]]
"""What gives the header of an answer further fields."""


def no_headers() -> Mapping[str, str]:
    """None."""
    return {}


class Sink(Protocol):
    """What a job's work writes its results to, blind to who reads them."""

    def deliver(
        self,
        result: JobResult,
        blocks: Iterable[bytes],
        *,
        tells_errors: bool,
        headers: Headers = no_headers,
    ) -> JobResult:
        """Pass on all `blocks` as `result`, and return it with its size, which may be known before.

        `tells_errors`: an error among the blocks is told inside them before it is raised. `headers` is asked
        once, when the first block is there.
        """
        ...

    def is_wanted(self) -> bool:
        """Whether there is somebody for whom the result is made."""
        ...

    def end(self, error: JobError | None) -> None:
        """Say that the job is over, and how."""
        ...


class FileSink:
    """Results into files of the job's directory."""

    def __init__(self, run: Run, store: ResultStore) -> None:
        self._run = run
        self._store = store

    def deliver(
        self,
        result: JobResult,
        blocks: Iterable[bytes],
        *,
        tells_errors: bool,  # noqa: ARG002  a file with an error is not kept
        headers: Headers = no_headers,  # noqa: ARG002  the job's record has what they say
    ) -> JobResult:
        """Write the file; it appears whole or not at all."""
        size = 0
        job = self._run.job
        with self._store.create(job.id, job.attempt, result.name) as file:
            for block in blocks:
                self._run.check()
                size += file.write(block)
                self._run.note(bytes=size)
        return JobResult(result.id, result.name, result.mime_type, size)

    def is_wanted(self) -> bool:
        """Always: who deletes the job says so."""
        return True

    def end(self, error: JobError | None) -> None:
        """Nothing to say: the job's record tells it."""


class RelaySink:
    """The one result of a sync job, to the web process that holds its client."""

    def __init__(self, relay: RelayWriter) -> None:
        self._relay = relay

    def deliver(
        self,
        result: JobResult,
        blocks: Iterable[bytes],
        *,
        tells_errors: bool,
        headers: Headers = no_headers,
    ) -> JobResult:
        """Relay the blocks; the head goes out with the first, so that an early error has its own status."""
        is_open = False
        for block in blocks:
            if not is_open:
                self._relay.open(Head(result.mime_type, result.name, tells_errors, headers(), result.size))
                is_open = True
            self._relay.write(block)
        return JobResult(result.id, result.name, result.mime_type, self._relay.bytes)

    def is_wanted(self) -> bool:
        """While the web process says that its client is there."""
        return self._relay.has_reader()

    def end(self, error: JobError | None) -> None:
        """End the relay."""
        self._relay.close(error)
