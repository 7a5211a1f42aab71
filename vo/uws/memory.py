"""The job store of one process: for tests, and the plainest statement of what a store does."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from vo.errors import ConflictError
from vo.uws.job import ACTIVE, Job, Phase
from vo.uws.lanes import Lane
from vo.uws.store import (
    LISTED,
    RUNNABLE,
    ShortJob,
    illegal_change,
    illegal_move,
    no_room,
    origins,
    outlived_attempt,
    unknown_job,
)

Listener = Callable[[str, Phase], None]


class MemoryJobStore:
    """A dict of jobs behind a lock."""

    def __init__(self, *, lease_s: float = 20, lanes: Mapping[str, Lane] = MappingProxyType({})) -> None:
        self._jobs: dict[str, Job] = {}
        self._leases: dict[str, float] = {}
        self._lease_s = lease_s
        self._lanes = lanes
        self._turn = 0
        self._places: dict[str, int] = {}
        self._turns: dict[tuple[str, str], int] = {}
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the id and new phase at every move; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def create(self, job: Job) -> None:
        """Keep a new job."""
        with self._lock:
            if job.id in self._jobs:
                raise ConflictError(f"There is a job {job.id} already.")
            if job.phase is Phase.QUEUED:
                self._queue(job)
            self._jobs[job.id] = job

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with self._lock:
            if job_id not in self._jobs:
                raise unknown_job(job_id)
            return self._jobs[job_id]

    def move(
        self,
        job_id: str,
        to: Phase,
        *,
        frm: Collection[Phase] | None = None,
        attempt: int | None = None,
        **changes: Any,
    ) -> Job:
        """Compare-and-set of the phase with all that changes with it."""
        with self._lock:
            job = self.get(job_id)
            if job.phase not in origins(to, frm):
                raise illegal_move(job_id, job.phase, to)
            if attempt is not None and attempt != job.attempt:
                raise outlived_attempt(job_id, attempt, job.attempt)
            if to is Phase.QUEUED:
                self._queue(job)
            self._leases.pop(job_id, None)
            if to is Phase.EXECUTING:
                changes["attempt"] = job.attempt + 1
                self._leases[job_id] = time.monotonic() + self._lease_s
            moved = self._jobs[job_id] = replace(job, phase=to, **changes)
        self._tell(job_id, to)
        return moved

    def _queue(self, job: Job) -> None:
        """Give the job its place in the line of its account: at the end, or in front if it had begun."""
        lane = self._lanes.get(job.lane, Lane(job.lane))
        waiting = [other.account for other in self._waiting(job.lane)]
        mine = waiting.count(job.account)
        if job.phase is Phase.EXECUTING:
            self._places[job.id] = 0
        elif lane.account_queued and mine >= lane.account_queued:
            raise no_room(lane, "quota", mine, 1.0)
        elif lane.queued and len(waiting) >= lane.queued:
            raise no_room(lane, "full", len(waiting), 1.0)
        else:
            self._turn += 1
            self._places[job.id] = self._turn
        if not mine:
            self._turns[job.lane, job.account] = self._places[job.id]

    def _waiting(self, lane: str) -> tuple[Job, ...]:
        return tuple(job for job in self.active() if (job.phase, job.lane) == (Phase.QUEUED, lane))

    def _room(self, lane: str) -> Counter[str]:
        """How many jobs each account with waiting jobs may start now."""
        most = self._lanes[lane].account_running if lane in self._lanes else 0
        waiting = Counter(job.account for job in self._waiting(lane))
        running = Counter(
            job.account for job in self.active() if (job.phase, job.lane) == (Phase.EXECUTING, lane)
        )
        return Counter(
            {name: min(count, most - running[name]) if most else count for name, count in waiting.items()}
        )

    def claim(self, lane: str, **changes: Any) -> Job | None:
        """Start the next job of `lane`, if there is one that may start."""
        with self._lock:
            ready = [name for name, count in self._room(lane).items() if count > 0]
            if not ready:
                return None
            account = min(ready, key=lambda name: self._turns[lane, name])
            mine = [job for job in self._waiting(lane) if job.account == account]
            self._turn += 1
            self._turns[lane, account] = self._turn
            first = min(mine, key=lambda job: self._places[job.id])
            return self.move(first.id, Phase.EXECUTING, **changes)

    def waiting(self, lane: str) -> int:
        """How many jobs of `lane` are QUEUED."""
        with self._lock:
            return len(self._waiting(lane))

    def runnable(self, lane: str) -> int:
        """How many waiting jobs of `lane` claims could start now."""
        with self._lock:
            return (+self._room(lane)).total()

    def recount(self) -> int:
        """Nothing is derived here that could disagree."""
        return 0

    def change(
        self,
        job_id: str,
        *,
        frm: Collection[Phase] | None = None,
        attempt: int | None = None,
        **changes: Any,
    ) -> Job:
        """Compare-and-set of other fields."""
        with self._lock:
            job = self.get(job_id)
            if frm is not None and job.phase not in frm:
                raise illegal_change(job_id, job.phase, frm)
            if attempt is not None and attempt != job.attempt:
                raise outlived_attempt(job_id, attempt, job.attempt)
            changed = self._jobs[job_id] = replace(job, **changes)
            return changed

    def list(
        self,
        *,
        kind: str,
        owner: str | None,
        phases: Collection[Phase] = (),
        after: datetime | None = None,
        last: int | None = None,
    ) -> tuple[ShortJob, ...]:
        """The jobs of `owner` that pass every filter, newest first."""
        wanted = frozenset(phases) or LISTED
        with self._lock:
            found = [
                job
                for job in self._jobs.values()
                if (job.kind, job.owner) == (kind, owner)
                and job.phase in wanted
                and (after is None or job.created > after)
            ]
        found.sort(key=lambda job: (job.created, job.id), reverse=True)
        return tuple(ShortJob(job.id, job.phase, job.created, job.owner, job.run_id) for job in found[:last])

    def delete(self, job_id: str) -> Job:
        """Forget the job and return it as it was."""
        with self._lock:
            job = self.get(job_id)
            del self._jobs[job_id]
            self._leases.pop(job_id, None)
        if job.phase in ACTIVE:
            self._tell(job_id, Phase.ABORTED)
        return job

    def expired(self, now: datetime) -> tuple[str, ...]:
        """The ids of jobs whose destruction time has come."""
        with self._lock:
            return tuple(job.id for job in self._jobs.values() if job.destruction <= now)

    def active(self) -> tuple[Job, ...]:
        """The jobs that are QUEUED or EXECUTING, oldest first."""
        with self._lock:
            found = [job for job in self._jobs.values() if job.phase in RUNNABLE]
        return tuple(sorted(found, key=lambda job: (job.created, job.id)))

    def renew_lease(self, job_id: str, attempt: int, ttl_s: float) -> bool:
        """Whether the worker of `attempt` still has the job."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or (job.phase, job.attempt) != (Phase.EXECUTING, attempt):
                return False
            self._leases[job_id] = time.monotonic() + ttl_s
            return True

    def is_lost(self, job_id: str) -> bool:
        """Whether the job is EXECUTING and its worker has been silent for longer than its lease."""
        return job_id in {job.id for job in self.lease_lost()}

    def lease_lost(self) -> tuple[Job, ...]:
        """The EXECUTING jobs whose worker has been silent for longer than its lease."""
        with self._lock:
            now = time.monotonic()
            return tuple(
                job
                for job in self.active()
                if job.phase is Phase.EXECUTING and self._leases.get(job.id, 0.0) <= now
            )

    def _tell(self, job_id: str, phase: Phase) -> None:
        for listener in tuple(self._listeners):
            listener(job_id, phase)
