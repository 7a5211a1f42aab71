"""Shards: one stage of a job at a time in pieces of work, taken by any worker of its lane that has time.

The worker that has the job opens a stage, works on shards itself, and waits for those that others took. A
shard is taken for as long as a lease, which whoever works on it renews; what a lost worker had is taken
again. Keys:

    vo:shards:<job id>        hash: stage, attempt, error, and the token of whoever has a shard
    vo:shards:<job id>:left   sorted set of the shards to do, by the time from which each may be taken
    vo:shards:<job id>:done   hash: how many shards each worker has done
    vo:shards:open:<lane>     sorted set of the jobs with an open stage, by the turn at which one was helped
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Event, Thread
from typing import Any, Protocol

from redis import Redis

from vo.errors import CancelledError, TransientError
from vo.log import logger
from vo.uws import shard_scripts as scripts
from vo.uws.job import Job, JobError
from vo.uws.reachable import reachable
from vo.uws.run import Run, worker_name

POLL_S = 0.05
"""Seconds between two looks at the shards that others work on."""

MOST_CALLS = 64
"""Helpers that are called for a stage at the most."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Shard:
    """A piece of the stage of a job, in the hands of whoever has the token."""

    job_id: str
    attempt: int
    stage: str
    name: str
    token: str


@dataclass(frozen=True, slots=True)
class Left:
    """How much of a stage is left to do, and what went wrong in one of its shards."""

    count: int
    error: JobError | None = None


class Queue(Protocol):
    """What calls workers."""

    def call(self, lane: str) -> None:
        """Have a worker of the lane look for something to do."""
        ...


class ShardTable:
    """The shards of all jobs in Redis; `client` decodes its responses."""

    def __init__(self, client: Redis, *, lease_s: float) -> None:
        self._redis: Any = client  # its annotations cannot say that responses are decoded
        self._lease_s = lease_s
        self._lease_ms = int(lease_s * 1000)
        self._open = client.register_script(scripts.OPEN)
        self._take = client.register_script(scripts.TAKE)
        self._renew = client.register_script(scripts.RENEW)
        self._finish = client.register_script(scripts.FINISH)
        self._fail = client.register_script(scripts.FAIL)
        self._close = client.register_script(scripts.CLOSE)
        self._can_help = client.register_script(scripts.CAN_HELP)

    def open(self, job: Job, stage: str, names: Sequence[str]) -> None:
        """Let the shards `names` be taken, in their order; a stage that was open before is forgotten."""
        with reachable():
            self._open([], [job.id, job.lane, job.attempt, stage, *names])

    def take(self, job: Job) -> Shard | None:
        """A shard of the open stage of `job`; None: others have all that is left."""
        return self._taken([job.lane, secrets.token_hex(8), self._lease_ms, job.id])

    def take_any(self, lane: str) -> Shard | None:
        """A shard of any job on `lane`, whose jobs are helped in turns; None: there is none to take."""
        return self._taken([lane, secrets.token_hex(8), self._lease_ms])

    def _taken(self, arguments: list[Any]) -> Shard | None:
        with reachable():
            found = self._take([], arguments)
        if not found:
            return None
        job_id, attempt, stage, name = found
        return Shard(job_id, int(attempt), stage, name, arguments[1])

    def can_help(self, lane: str) -> bool:
        """Whether a shard on `lane` could be taken now."""
        with reachable():
            return bool(self._can_help([], [lane]))

    def finish(self, shard: Shard) -> bool:
        """Note that the shard is done, no matter who has it now; False: it is not wanted any more."""
        with reachable():
            return bool(self._finish([], [*_guards(shard), shard.name, worker_name()]))

    def give_back(self, shard: Shard) -> None:
        """Let others have the shard at once."""
        with reachable():
            self._renew([], [*_guards(shard), shard.name, shard.token, 0])

    def fail(self, shard: Shard, error: JobError) -> None:
        """Tell the worker that has the job what went wrong in the shard."""
        with reachable():
            self._fail([], [*_guards(shard), json.dumps(asdict(error))])

    def left(self, job: Job) -> Left:
        """What is left of the open stage of `job`; CancelledError: the job is with another, or has ended."""
        with reachable(), self._redis.pipeline() as both:
            both.zcard(f"vo:shards:{job.id}:left").hmget(f"vo:shards:{job.id}", "attempt", "error")
            count, (attempt, error) = both.execute()
        if attempt != str(job.attempt):
            raise CancelledError("The job was aborted.")
        return Left(int(count), None if error is None else JobError.from_json(json.loads(error)))

    def workers(self, job: Job) -> dict[str, int]:
        """How many shards of the job each worker has done so far, in this attempt and those before it."""
        with reachable():
            return {
                name: int(count) for name, count in self._redis.hgetall(f"vo:shards:{job.id}:done").items()
            }

    def close(self, job_id: str, lane: str) -> None:
        """Forget all that is known of the shards of a job."""
        with reachable():
            self._close([], [job_id, lane])

    def jobs(self, lane: str) -> tuple[str, ...]:
        """The jobs with an open stage on `lane`."""
        with reachable():
            return tuple(self._redis.zrange(f"vo:shards:open:{lane}", 0, -1))

    @contextmanager
    def held(self, shard: Shard) -> Iterator[None]:
        """Keep the lease of the shard as long as the block takes, from a second thread."""
        done = Event()
        thread = Thread(target=self._keep, args=(shard, done), name="shard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _keep(self, shard: Shard, done: Event) -> None:
        while not done.wait(self._lease_s / 4):
            try:
                with reachable():
                    self._renew([], [*_guards(shard), shard.name, shard.token, self._lease_ms])
            except TransientError as error:
                log.warning("the lease of a shard is not renewed", shard=shard.name, error=str(error))


def work_off(
    run: Run,
    table: ShardTable,
    queue: Queue,
    stage: str,
    names: Sequence[str],
    work: Callable[[Shard], None],
) -> None:
    """Have all shards of a stage done, by `work` here and by whoever helps; returns when all are."""
    if not names:
        return
    table.open(run.job, stage, names)
    for _ in range(min(len(names) - 1, MOST_CALLS)):
        queue.call(run.job.lane)
    run.count(lambda: len(names) - left.count, unit=f"shards of {stage}", total=len(names))
    left, pause = Left(len(names)), Event()
    while left.count:
        run.check()
        shard = table.take(run.job)
        if shard is None:
            pause.wait(POLL_S)
        else:
            with table.held(shard):
                work(shard)
            table.finish(shard)
        left = table.left(run.job)
        if left.error is not None:
            raise left.error.as_error()


def _guards(shard: Shard) -> list[Any]:
    return [shard.job_id, shard.attempt, shard.stage]
