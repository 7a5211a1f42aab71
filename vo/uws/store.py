"""Where jobs are kept: what every store promises, and the rules that both of ours share.

A job changes in one way only: compare-and-set on its phase, together with everything that becomes true
with the new phase. Whoever loses a race is told so by ConflictError and has changed nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vo.errors import ConflictError, NotFoundError, QueueFullError, QuotaError, TransientError
from vo.uws.job import MOVES, Job, Phase
from vo.uws.lanes import Lane

RUNNABLE = frozenset({Phase.QUEUED, Phase.EXECUTING})
"""The phases in which a job waits for a worker or has one."""

LISTED = frozenset(Phase) - {Phase.ARCHIVED}
"""What a list shows when no phase is asked for (UWS 1.1, 2.2.2.1)."""


@dataclass(frozen=True, slots=True)
class ShortJob:
    """What a job list tells of a job: the ShortJobDescription of UWS 1.1 (2.2.2.1)."""

    id: str
    phase: Phase
    created: datetime
    owner: str | None = None
    run_id: str | None = None


class JobStore(Protocol):
    """All jobs, safe to use from many threads and processes.

    Unknown ids are NotFoundError; a store that cannot be reached is TransientError.
    """

    def create(self, job: Job) -> None:
        """Keep a new job; one that is QUEUED from the start is refused as by `move`."""
        ...

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        ...

    def move(
        self,
        job_id: str,
        to: Phase,
        *,
        frm: Collection[Phase] | None = None,
        attempt: int | None = None,
        **changes: Any,
    ) -> Job:
        """Change the phase and, in the same instant, the fields in `changes`; then tell who watches.

        Refused with ConflictError where MOVES does not allow it, where the phase is not in `frm`, or where
        the job has been started again since `attempt`. A move to EXECUTING counts `attempt` up by one and
        starts the lease; any other gives the lease back. A move from PENDING to QUEUED is refused with
        QueueFullError or QuotaError where as many wait as may; one from EXECUTING goes first in its line.
        """
        ...

    def claim(self, lane: str, **changes: Any) -> Job | None:
        """Start the next job of `lane`: QUEUED to EXECUTING, with the fields in `changes`.

        The accounts with waiting jobs take turns, each with its jobs in the order they came; who runs as
        many as the lane allows an account is passed over. None: there is none that may start.
        """
        ...

    def waiting(self, lane: str) -> int:
        """How many jobs of `lane` are QUEUED."""
        ...

    def runnable(self, lane: str) -> int:
        """How many waiting jobs of `lane` claims could start now, were there workers for all."""
        ...

    def recount(self) -> int:
        """Make everything that is derived from the jobs agree with them; how many entries did not."""
        ...

    def change(
        self,
        job_id: str,
        *,
        frm: Collection[Phase] | None = None,
        attempt: int | None = None,
        **changes: Any,
    ) -> Job:
        """Change fields other than the phase; ConflictError as for `move`."""
        ...

    def list(
        self,
        *,
        kind: str,
        owner: str | None,
        phases: Collection[Phase] = (),
        after: datetime | None = None,
        last: int | None = None,
    ) -> tuple[ShortJob, ...]:
        """The jobs of `owner`, newest first: in any of `phases`, created later than `after`, at most `last`.

        No phases: all but ARCHIVED. The filters are AND-ed (UWS 1.1, 2.2.2.1).
        """
        ...

    def delete(self, job_id: str) -> Job:
        """Forget the job and return it as it was; whoever waits for it is told ABORTED."""
        ...

    def expired(self, now: datetime) -> tuple[str, ...]:
        """The ids of jobs whose destruction time has come."""
        ...

    def active(self) -> tuple[Job, ...]:
        """The jobs that are QUEUED or EXECUTING, oldest first."""
        ...

    def renew_lease(self, job_id: str, attempt: int, ttl_s: float) -> bool:
        """Whether the worker of `attempt` still has the job; if so it keeps it for `ttl_s` more seconds."""
        ...

    def is_lost(self, job_id: str) -> bool:
        """Whether the job is EXECUTING and its worker has been silent for longer than its lease."""
        ...

    def lease_lost(self) -> tuple[Job, ...]:
        """The EXECUTING jobs whose worker has been silent for longer than its lease."""
        ...


def origins(to: Phase, frm: Collection[Phase] | None = None) -> frozenset[Phase]:
    """The phases from which `to` can be reached, of those in `frm` where given.

    >>> sorted(origins(Phase.ABORTED))
    [<Phase.EXECUTING: 'EXECUTING'>, <Phase.PENDING: 'PENDING'>, <Phase.QUEUED: 'QUEUED'>]
    """
    legal = frozenset(phase for phase, targets in MOVES.items() if to in targets)
    return legal if frm is None else legal & frozenset(frm)


def unknown_job(job_id: str) -> NotFoundError:
    """The answer to an id that no job has."""
    return NotFoundError(
        f"There is no job {job_id!r}.", hint="It may have passed its destruction time, or been deleted."
    )


def illegal_move(job_id: str, phase: Phase, to: Phase) -> ConflictError:
    """The refusal of a move, with the ways that are open.

    >>> print(illegal_move("j1", Phase.COMPLETED, Phase.QUEUED))
    Job j1 is COMPLETED and cannot become QUEUED. COMPLETED is final.
    """
    return ConflictError(f"Job {job_id} is {phase} and cannot become {to}.", hint=_ways_on(phase))


def illegal_change(job_id: str, phase: Phase, frm: Iterable[Phase]) -> ConflictError:
    """The refusal of a change that is possible in the phases `frm` only."""
    return ConflictError(
        f"Job {job_id} is {phase}; this can be changed only while it is {' or '.join(sorted(frm))}."
    )


def no_room(lane: Lane, verdict: str, waiting: int, gap_s: float) -> TransientError:
    """The refusal to queue one more job: the lane is "full", or the account's "quota" is used up.

    `gap_s` is the usual time between two starts; there is some room when a tenth of those who wait started.

    >>> print(no_room(Lane("query", account_queued=20), "quota", 20, 4.0))
    20 jobs of yours wait on the lane query, as many as one owner may have there. Come back in 8 seconds.
    """
    retry_after_s = min(max(math.ceil(gap_s * waiting / 10), 5), 600)
    whose, most = ("of yours ", "one owner may have there") if verdict == "quota" else ("", "may wait there")
    return (QuotaError if verdict == "quota" else QueueFullError)(
        f"{waiting:,} jobs {whose}wait on the lane {lane.name}, as many as {most}.",
        hint=f"Come back in {retry_after_s} seconds.",
        retry_after_s=retry_after_s,
    )


def outlived_attempt(job_id: str, attempt: int, current: int) -> ConflictError:
    """The refusal of a worker whose job was given to another."""
    return ConflictError(f"Attempt {attempt} of job {job_id} is over: attempt {current} has taken its place.")


def _ways_on(phase: Phase) -> str:
    targets = MOVES.get(phase)
    if targets is None:
        return f"{phase} is final."
    return f"From {phase} it can become {', '.join(sorted(targets))}."
