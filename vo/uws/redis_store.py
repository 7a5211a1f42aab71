"""The job store of the service: a Redis hash a job, sorted sets for every list.

Keys:

    vo:job:<id>              hash of the fields of Job; `index` is the stem of the job's list keys
    vo:jobs:<kind>:<owner>:<PHASE>   sorted set of ids by creation time (microseconds)
    vo:destruction           sorted set of ids by destruction time
    vo:active                set of ids that are QUEUED or EXECUTING
    vo:lease:<id>            exists, with a time to live, while a worker has the job

A list reads one sorted set a phase, so that it costs what it shows and not what its owner has. The scripts
build key names from stored fields, which a single server allows and a Redis cluster does not.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from vo.errors import ConflictError, TransientError
from vo.uws.job import Job, JobError, JobResult, Phase
from vo.uws.report import RunReport, Stage
from vo.uws.store import (
    LISTED,
    RUNNABLE,
    ShortJob,
    illegal_change,
    illegal_move,
    origins,
    outlived_attempt,
    unknown_job,
)

PHASE_CHANNEL = "vo:phase"
"""Every move is published here as "<job id> <PHASE>"."""

_FIELDS = frozenset(field.name for field in dataclasses.fields(Job))
_DESTRUCTION = "vo:destruction"
_ACTIVE = "vo:active"

_CREATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local id, index, phase, created, destruction = unpack(ARGV, 1, 5)
redis.call('HSET', KEYS[1], 'index', index, unpack(ARGV, 6))
redis.call('ZADD', index .. phase, created, id)
redis.call('ZADD', 'vo:destruction', destruction, id)
if phase == 'QUEUED' or phase == 'EXECUTING' then redis.call('SADD', 'vo:active', id) end
return 1
"""

_MOVE = """
local id, to, from, attempt, lease_ms, destruction = unpack(ARGV, 1, 6)
local phase = redis.call('HGET', KEYS[1], 'phase')
if not phase then return {'unknown'} end
if from ~= '' and not string.find(from, ' ' .. phase .. ' ', 1, true) then return {'phase', phase} end
local current = redis.call('HGET', KEYS[1], 'attempt')
if attempt ~= '' and attempt ~= current then return {'attempt', current} end
if #ARGV > 6 then redis.call('HSET', KEYS[1], unpack(ARGV, 7)) end
if destruction ~= '' then redis.call('ZADD', 'vo:destruction', destruction, id) end
if to ~= '' then
    local index = redis.call('HGET', KEYS[1], 'index')
    local created = redis.call('ZSCORE', index .. phase, id)
    redis.call('HSET', KEYS[1], 'phase', to)
    redis.call('ZREM', index .. phase, id)
    redis.call('ZADD', index .. to, created, id)
    if to == 'EXECUTING' then
        redis.call('HINCRBY', KEYS[1], 'attempt', 1)
        redis.call('SET', 'vo:lease:' .. id, '1', 'PX', lease_ms)
    else
        redis.call('DEL', 'vo:lease:' .. id)
    end
    local active = to == 'QUEUED' or to == 'EXECUTING'
    redis.call(active and 'SADD' or 'SREM', 'vo:active', id)
    redis.call('PUBLISH', 'vo:phase', id .. ' ' .. to)
end
return {'done', redis.call('HGETALL', KEYS[1])}
"""

_DELETE = """
local id, job = ARGV[1], redis.call('HGETALL', KEYS[1])
if #job == 0 then return job end
local index, phase = unpack(redis.call('HMGET', KEYS[1], 'index', 'phase'))
redis.call('DEL', KEYS[1], 'vo:lease:' .. id)
redis.call('ZREM', index .. phase, id)
redis.call('ZREM', 'vo:destruction', id)
redis.call('SREM', 'vo:active', id)
if phase == 'PENDING' or phase == 'QUEUED' or phase == 'EXECUTING' then
    redis.call('PUBLISH', 'vo:phase', id .. ' ABORTED')
end
return job
"""

_RENEW = """
local phase, attempt = unpack(redis.call('HMGET', KEYS[1], 'phase', 'attempt'))
if phase ~= 'EXECUTING' or attempt ~= ARGV[2] then return 0 end
redis.call('SET', 'vo:lease:' .. ARGV[1], '1', 'PX', ARGV[3])
return 1
"""


class RedisJobStore:
    """Jobs in Redis 6.2 or newer; `client` decodes its responses."""

    def __init__(self, client: Redis, *, lease_s: float = 20) -> None:
        self._redis: Any = client  # its annotations cannot say that responses are decoded
        self._lease_ms = int(lease_s * 1000)
        self._create = client.register_script(_CREATE)
        self._move = client.register_script(_MOVE)
        self._delete = client.register_script(_DELETE)
        self._renew = client.register_script(_RENEW)

    def create(self, job: Job) -> None:
        """Keep a new job."""
        arguments = (job.id, _index(job.kind, job.owner), job.phase, _micros(job.created))
        fields = _encoded({name: getattr(job, name) for name in _FIELDS})
        with _reachable():
            kept = self._create([_key(job.id)], [*arguments, _micros(job.destruction), *fields])
        if not kept:
            raise ConflictError(f"There is a job {job.id} already.")

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with _reachable():
            fields = self._redis.hgetall(_key(job_id))
        if not fields:
            raise unknown_job(job_id)
        return _decoded(fields)

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
        return _decoded(_pairs(answer))

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
        return _decoded(_pairs(answer))

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
        with _reachable():
            verdict, *answer = self._move([_key(job_id)], [*guards, *_encoded(changes)])
        if verdict == "unknown":
            raise unknown_job(job_id)
        return verdict, answer[0]

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
        with _reachable(), self._redis.pipeline() as snapshot:
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
        with _reachable(), self._redis.pipeline(transaction=False) as lines:
            for job_id in ids:
                lines.hmget(_key(job_id), names)
            rows = lines.execute()
        for row in rows:
            if row[0] is not None:  # else deleted since its id was read
                yield ShortJob(**_values(dict(zip(names, row, strict=True))))

    def delete(self, job_id: str) -> Job:
        """Forget the job and return it as it was."""
        with _reachable():
            fields = self._delete([_key(job_id)], [job_id])
        if not fields:
            raise unknown_job(job_id)
        return _decoded(_pairs(fields))

    def expired(self, now: datetime) -> tuple[str, ...]:
        """The ids of jobs whose destruction time has come."""
        with _reachable():
            return tuple(self._redis.zrangebyscore(_DESTRUCTION, "-inf", _micros(now)))

    def active(self) -> tuple[Job, ...]:
        """The jobs that are QUEUED or EXECUTING, oldest first."""
        with _reachable(), self._redis.pipeline(transaction=False) as lines:
            for job_id in self._redis.smembers(_ACTIVE):
                lines.hgetall(_key(job_id))
            jobs = [_decoded(fields) for fields in lines.execute() if fields]
        runnable = [job for job in jobs if job.phase in RUNNABLE]
        return tuple(sorted(runnable, key=lambda job: (job.created, job.id)))

    def renew_lease(self, job_id: str, attempt: int, ttl_s: float) -> bool:
        """Whether the worker of `attempt` still has the job."""
        with _reachable():
            return bool(self._renew([_key(job_id)], [job_id, attempt, int(ttl_s * 1000)]))

    def lease_lost(self) -> tuple[Job, ...]:
        """The EXECUTING jobs whose worker has been silent for longer than its lease."""
        running = [job for job in self.active() if job.phase is Phase.EXECUTING]
        if not running:
            return ()
        with _reachable():
            leases = self._redis.mget([f"vo:lease:{job.id}" for job in running])
        return tuple(job for job, lease in zip(running, leases, strict=True) if lease is None)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise TransientError("The job store does not answer.", hint="Try again in a moment.") from error


def _key(job_id: str) -> str:
    return f"vo:job:{job_id}"


def _index(kind: str, owner: str | None) -> str:
    return f"vo:jobs:{kind}:{'anonymous' if owner is None else 'user:' + owner}:"


def _micros(time: datetime) -> int:
    # Whole microseconds up to the year 2255 are exact in the double that is a score.
    return round(time.timestamp() * 1_000_000)


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _encoded(fields: Mapping[str, Any]) -> Iterator[str]:
    """Names and values in turn: JSON, but for the phase, which the scripts compare."""
    for name, value in fields.items():
        if name not in _FIELDS:
            raise TypeError(f"A job has no field {name!r}.")
        yield name
        yield value if name == "phase" else json.dumps(value, default=_as_json)


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, JobResult | JobError | RunReport):
        return dataclasses.asdict(value)
    raise TypeError(f"{value!r} cannot be kept in a job.")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _names_and_values(pairs: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(pair) for pair in pairs)


def _report(*, stage: str, timings: list[list[Any]], **fields: Any) -> RunReport:
    return RunReport(stage=Stage(stage), timings=tuple((name, taken) for name, taken in timings), **fields)


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "created": _instant,
    "destruction": _instant,
    "quote": _instant,
    "queued": _instant,
    "started": _instant,
    "ended": _instant,
    "parameters": _names_and_values,
    "results": lambda entries: tuple(JobResult(**entry) for entry in entries),
    "error": lambda entry: None if entry is None else JobError.from_json(entry),
    "report": lambda entry: None if entry is None else _report(**entry),
}


def _values(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a hash, or of part of one, as values of Job."""
    return {
        name: Phase(text) if name == "phase" else _DECODERS.get(name, lambda value: value)(json.loads(text))
        for name, text in fields.items()
    }


def _decoded(fields: Mapping[str, str]) -> Job:
    return Job(**_values({name: text for name, text in fields.items() if name != "index"}))
