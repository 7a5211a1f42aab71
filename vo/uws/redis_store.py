"""The job store of the service: a Redis hash a job, sorted sets for every list.

Keys:

    vo:job:<id>                      hash of the fields of Job, and of the stems of the keys that name it
    vo:jobs:<kind>:<owner>:<PHASE>   sorted set of ids by creation time (microseconds)
    vo:destruction                   sorted set of ids by destruction time
    vo:active                        set of ids that are QUEUED or EXECUTING
    vo:lease:<id>                    exists, with a time to live, while a worker has the job
    vo:waiting:<lane>                sorted set of QUEUED ids by the turn at which they came
    vo:line:<lane>:<account>         the same of one account
    vo:ring:<lane>                   sorted set of the accounts with QUEUED jobs by their last turn
    vo:running:<lane>:<account>      sorted set of EXECUTING ids
    vo:turn                          counts arrivals and starts, so that no clock decides whose turn it is
    vo:pace:<lane>                   hash: the time of the latest start, the usual gap between two

A list reads one sorted set a phase, so that it costs what it shows and not what its owner has. There is no
counter that could drift: what is counted are members of sets. The scripts build key names from stored
fields, which a single server allows and a Redis cluster does not.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from redis import Redis

from vo.errors import ConflictError
from vo.uws import scripts
from vo.uws.job import Job, Phase
from vo.uws.lanes import Lane
from vo.uws.reachable import reachable
from vo.uws.record import FIELDS, decoded, encoded, pairs, values
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

PHASE_CHANNEL = "vo:phase"
"""Every move is published here as "<job id> <PHASE>"."""

_DESTRUCTION = "vo:destruction"
_ACTIVE = "vo:active"
_SETS = ("waiting", "line", "ring", "running")


class RedisJobStore:
    """Jobs in Redis 6.2 or newer; `client` decodes its responses."""

    def __init__(
        self, client: Redis, *, lease_s: float = 20, lanes: Mapping[str, Lane] = MappingProxyType({})
    ) -> None:
        self._redis: Any = client  # its annotations cannot say that responses are decoded
        self._lease_ms = int(lease_s * 1000)
        self._lanes = lanes
        self._limits = json.dumps({lane.name: (lane.queued, lane.account_queued) for lane in lanes.values()})
        self._create = client.register_script(scripts.CREATE)
        self._move = client.register_script(scripts.MOVE)
        self._claim = client.register_script(scripts.CLAIM)
        self._runnable = client.register_script(scripts.RUNNABLE)
        self._delete = client.register_script(scripts.DELETE)
        self._renew = client.register_script(scripts.RENEW)
        self._recount = client.register_script(scripts.RECOUNT)

    def create(self, job: Job) -> None:
        """Keep a new job."""
        stems = (_index(job.kind, job.owner), f"{job.lane}:{job.account}")
        times = (_micros(job.created), _micros(job.destruction))
        fields = encoded({name: getattr(job, name) for name in FIELDS})
        with reachable():
            verdict, *answer = self._create(
                [_key(job.id)], [job.id, *stems, job.phase, *times, self._limits, *fields]
            )
        if verdict == "exists":
            raise ConflictError(f"There is a job {job.id} already.")
        self._raise_if_no_room(verdict, answer)

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with reachable():
            fields = self._redis.hgetall(_key(job_id))
        if not fields:
            raise unknown_job(job_id)
        return decoded(fields)

    def move(
        self,
        job_id: str,
        to: Phase,
        *,
        frm: Collection[Phase] | None = None,
        attempt: int | None = None,
        **changes: Any,
    ) -> Job:
        """Compare-and-set of the phase with all that changes with it, in one script."""
        verdict, answer = self._compare_and_set(job_id, to, origins(to, frm), attempt, changes)
        if verdict == "phase":
            raise illegal_move(job_id, Phase(answer), to)
        if verdict == "attempt":
            raise outlived_attempt(job_id, attempt or 0, int(answer))
        return decoded(pairs(answer))

    def change(
        self,
        job_id: str,
        *,
        frm: Collection[Phase] | None = None,
        attempt: int | None = None,
        **changes: Any,
    ) -> Job:
        """Compare-and-set of other fields."""
        verdict, answer = self._compare_and_set(job_id, None, frm, attempt, changes)
        if verdict == "phase":
            raise illegal_change(job_id, Phase(answer), frm or ())
        if verdict == "attempt":
            raise outlived_attempt(job_id, attempt or 0, int(answer))
        return decoded(pairs(answer))

    def _compare_and_set(
        self,
        job_id: str,
        to: Phase | None,
        frm: Collection[Phase] | None,
        attempt: int | None,
        changes: Mapping[str, Any],
    ) -> tuple[str, Any]:
        allowed = "" if frm is None else f" {' '.join(frm)} "
        destruction = _micros(changes["destruction"]) if "destruction" in changes else ""
        guards = [job_id, to or "", allowed, "" if attempt is None else attempt, self._lease_ms, destruction]
        with reachable():
            verdict, *answer = self._move([_key(job_id)], [*guards, self._limits, *encoded(changes)])
        if verdict == "unknown":
            raise unknown_job(job_id)
        self._raise_if_no_room(verdict, answer)
        return verdict, answer[0]

    def _raise_if_no_room(self, verdict: str, answer: Sequence[Any]) -> None:
        if verdict in ("full", "quota"):
            lane, waiting, gap_s = answer
            raise no_room(self._lanes[lane], verdict, waiting, float(gap_s))

    def claim(self, lane: str, **changes: Any) -> Job | None:
        """Start the next job of `lane`, if there is one that may start."""
        with reachable():
            fields = self._claim([], [lane, self._account_running(lane), self._lease_ms, *encoded(changes)])
        return decoded(pairs(fields)) if fields else None

    def waiting(self, lane: str) -> int:
        """How many jobs of `lane` are QUEUED."""
        with reachable():
            return int(self._redis.zcard(f"vo:waiting:{lane}"))

    def runnable(self, lane: str) -> int:
        """How many waiting jobs of `lane` claims could start now."""
        with reachable():
            return int(self._runnable([], [lane, self._account_running(lane)]))

    def _account_running(self, lane: str) -> int:
        return self._lanes[lane].account_running if lane in self._lanes else 0

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
        oldest = "-inf" if after is None else f"({_micros(after)}"
        with reachable(), self._redis.pipeline() as snapshot:
            for phase in wanted:
                snapshot.zrevrangebyscore(
                    _index(kind, owner) + phase,
                    "+inf",
                    oldest,
                    start=0,
                    num=-1 if last is None else last,
                    withscores=True,
                )
            ranked = [(score, job_id) for answer in snapshot.execute() for job_id, score in answer]
        ids = [job_id for _, job_id in sorted(ranked, reverse=True)[:last]]
        return tuple(job for job in self._short(ids) if job.phase in wanted)

    def _short(self, ids: Collection[str]) -> Iterator[ShortJob]:
        names = [field.name for field in dataclasses.fields(ShortJob)]
        with reachable(), self._redis.pipeline(transaction=False) as lines:
            for job_id in ids:
                lines.hmget(_key(job_id), names)
            rows = lines.execute()
        for row in rows:
            if row[0] is not None:  # else deleted since its id was read
                yield ShortJob(**values(dict(zip(names, row, strict=True))))

    def delete(self, job_id: str) -> Job:
        """Forget the job and return it as it was."""
        with reachable():
            fields = self._delete([_key(job_id)], [job_id])
        if not fields:
            raise unknown_job(job_id)
        return decoded(pairs(fields))

    def expired(self, now: datetime) -> tuple[str, ...]:
        """The ids of jobs whose destruction time has come."""
        with reachable():
            return tuple(self._redis.zrangebyscore(_DESTRUCTION, "-inf", _micros(now)))

    def active(self) -> tuple[Job, ...]:
        """The jobs that are QUEUED or EXECUTING, oldest first."""
        with reachable(), self._redis.pipeline(transaction=False) as lines:
            for job_id in self._redis.smembers(_ACTIVE):
                lines.hgetall(_key(job_id))
            jobs = [decoded(fields) for fields in lines.execute() if fields]
        runnable = [job for job in jobs if job.phase in RUNNABLE]
        return tuple(sorted(runnable, key=lambda job: (job.created, job.id)))

    def renew_lease(self, job_id: str, attempt: int, ttl_s: float) -> bool:
        """Whether the worker of `attempt` still has the job."""
        with reachable():
            return bool(self._renew([_key(job_id)], [job_id, attempt, int(ttl_s * 1000)]))

    def is_lost(self, job_id: str) -> bool:
        """Whether the job is EXECUTING and its worker has been silent for longer than its lease."""
        with reachable(), self._redis.pipeline() as both:
            both.hget(_key(job_id), "phase").exists(f"vo:lease:{job_id}")
            phase, has_lease = both.execute()
        return phase == Phase.EXECUTING and not has_lease

    def lease_lost(self) -> tuple[Job, ...]:
        """The EXECUTING jobs whose worker has been silent for longer than its lease."""
        running = [job for job in self.active() if job.phase is Phase.EXECUTING]
        if not running:
            return ()
        with reachable():
            leases = self._redis.mget([f"vo:lease:{job.id}" for job in running])
        return tuple(job for job, lease in zip(running, leases, strict=True) if lease is None)

    def recount(self) -> int:
        """Compare the sets of the lanes with the jobs, and mend them."""
        with reachable():
            missing = [key.removeprefix(_key("")) for key in self._unknown_actives()]
            sets = [key for stem in _SETS for key in self._redis.scan_iter(f"vo:{stem}:*", count=1000)]
            return int(self._recount(sets, missing))

    def _unknown_actives(self) -> Iterator[str]:
        known = {_key(job_id) for job_id in self._redis.smembers(_ACTIVE)}
        keys = (key for key in self._redis.scan_iter(_key("*"), count=1000) if key not in known)
        while chunk := tuple(islice(keys, 1000)):
            with self._redis.pipeline(transaction=False) as lines:
                for key in chunk:
                    lines.hget(key, "phase")
                phases = lines.execute()
            yield from (key for key, phase in zip(chunk, phases, strict=True) if phase in RUNNABLE)


def _key(job_id: str) -> str:
    return f"vo:job:{job_id}"


def _index(kind: str, owner: str | None) -> str:
    return f"vo:jobs:{kind}:{'anonymous' if owner is None else 'user:' + owner}:"


def _micros(time: datetime) -> int:
    # Whole microseconds up to the year 2255 are exact in the double that is a score.
    return round(time.timestamp() * 1_000_000)
