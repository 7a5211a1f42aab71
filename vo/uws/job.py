"""The job of UWS 1.1 (2.1): its record, its phases, and the moves between them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from vo.errors import Problem, ReportedError, VOError
from vo.uws.report import RunReport

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID_LENGTH = 16


class Phase(StrEnum):
    """The phases of UWS 1.1 (2.1.3) that a job of ours can be in, and those that a filter may name."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    UNKNOWN = "UNKNOWN"
    HELD = "HELD"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"


SYNC_LANE = "sync"
"""The lane of jobs whose result goes to a waiting client and nowhere else; they are never started twice."""

ACTIVE = frozenset({Phase.PENDING, Phase.QUEUED, Phase.EXECUTING})
"""The phases in which WAIT blocks (UWS 1.1, 2.2.1.3)."""

MOVES: Mapping[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset({Phase.QUEUED, Phase.ABORTED, Phase.ERROR}),
    Phase.QUEUED: frozenset({Phase.EXECUTING, Phase.ABORTED, Phase.ERROR}),
    Phase.EXECUTING: frozenset({Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.QUEUED}),
}
"""The legal moves; a phase that is no key is final. EXECUTING → QUEUED is a lost worker's job, requeued."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """One entry of the result list (UWS 1.1, 2.2.2.3); `name` is its file in the result store."""

    id: str
    name: str
    mime_type: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file that came with the job's parameters; `name` is its file in the result store."""

    parameter: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class JobError:
    """The errorSummary (UWS 1.1, 2.2.2.5) and the body of /error; `kind` is transient or fatal.

    `problems` are the single faults of the query; `retry_after_s` says when a new attempt makes sense.
    """

    message: str
    kind: str = "fatal"
    code: str = "FatalFault"
    status: int = 500
    problems: tuple[Problem, ...] = ()
    retry_after_s: int | None = None

    @classmethod
    def of(cls, error: VOError) -> Self:
        """The summary of what a job failed by."""
        kind = "transient" if error.code == "TransientFault" else "fatal"
        return cls(str(error), kind, error.code, error.status, error.problems, error.retry_after_s)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """The error of which `dataclasses.asdict` became JSON."""
        return cls(**{**entry, "problems": tuple(Problem(**each) for each in entry.get("problems", ()))})

    def as_error(self) -> ReportedError:
        """The error to tell a client."""
        return ReportedError(
            self.message,
            code=self.code,
            status=self.status,
            problems=self.problems,
            retry_after_s=self.retry_after_s,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """One record. Times are aware and in UTC; `parameters` keeps every value as it was sent.

    `kind` names the entry of the table of job kinds, `lane` the queue it runs on; `account` is whose quotas
    and turns it uses. `attempt` counts the starts, so that a worker that lost its lease can no longer move
    the job; `losses` counts the workers that were lost with it. `queued` is when the client let it run;
    `report` is what its last run tells of itself.
    """

    id: str
    kind: str
    lane: str
    created: datetime
    destruction: datetime
    duration_s: int
    parameters: tuple[tuple[str, str], ...] = ()
    phase: Phase = Phase.PENDING
    owner: str | None = None
    run_id: str | None = None
    quote: datetime | None = None
    queued: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    attempt: int = 0
    results: tuple[JobResult, ...] = ()
    files: tuple[JobFile, ...] = ()
    error: JobError | None = None
    report: RunReport | None = None
    account: str = "anonymous"
    losses: int = 0

    @property
    def is_final(self) -> bool:
        """Whether no move leaves this phase."""
        return self.phase not in MOVES

    @property
    def deadline(self) -> datetime | None:
        """When executionDuration is used up; None: not started, or no limit (0; UWS 1.1, 2.1.4)."""
        if self.started is None or self.duration_s == 0:
            return None
        return self.started + timedelta(seconds=self.duration_s)


def new_job_id() -> str:
    """An identifier that is a legal path segment and cannot be guessed: 16 characters, 80 random bits.

    Its alphabet is that of base 32, so that it survives being read aloud or typed.
    """
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


def is_job_id(text: str) -> bool:
    """Whether `text` has the form of an identifier.

    >>> is_job_id(new_job_id()), is_job_id("state.sock")
    (True, False)
    """
    return len(text) == _ID_LENGTH and set(text) <= set(_ALPHABET)
