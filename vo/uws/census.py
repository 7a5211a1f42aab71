"""Jobs and workers in numbers, at one instant: what it costs does not grow with the number of jobs.

Keys, beside those of `vo.uws.redis_store`, whose scripts write the first two with every change of a job:

    vo:census:<kind>:<lane>:<PHASE>   sorted set of ids by the time in seconds at which they came there
    vo:ended                          hash: <kind>:<PHASE>, how many jobs ever ended so
    vo:workers:<lane>                 sorted set of "<worker>/<processes>" by the last sign of life

All times are those of Redis, so that the clocks of machines need not agree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from redis import Redis

from vo.uws.job import Phase
from vo.uws.kind import JobKind
from vo.uws.reachable import reachable

ALIVE_S = 15.0
"""Seconds for which a worker is taken for alive after a sign of life; it gives one every few seconds."""

LATELY_S = 3600.0
"""Seconds that count as recent for failures."""

COUNTED = (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED)
"""The phases that jobs of ours can be in."""

_BEAT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 86400)
"""

_OPEN_SHARDS = """
local time, count = redis.call('TIME'), 0
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    count = count + redis.call('ZCOUNT', 'vo:shards:' .. id .. ':left', '-inf', now)
end
return count
"""


@dataclass(frozen=True, slots=True)
class LaneCensus:
    """One lane: its jobs, the age of the one that waits longest, and its workers with all their processes.

    `shards` are those of executing jobs that nobody works on yet.
    `seen_s` is the time since the last sign of life of any worker, if there was one within a day.
    """

    name: str
    queued: int
    executing: int
    oldest_s: float | None
    workers: int
    processes: int
    seen_s: float | None
    shards: int = 0

    @property
    def active(self) -> int:
        """The jobs that want a worker or have one, and open shards: what the number of workers follows."""
        return self.queued + self.executing + self.shards


@dataclass(frozen=True, slots=True)
class Census:
    """All lanes; the jobs by kind and phase, those that ever ended, and the failures of the last hour."""

    lanes: tuple[LaneCensus, ...]
    jobs: Mapping[tuple[JobKind, Phase], int]
    ended: Mapping[tuple[str, Phase], int]
    failed_lately: int


class RedisCensus:
    """Counts what the scripts of the job store keep; `client` decodes its responses."""

    def __init__(self, client: Redis) -> None:
        self._redis: Any = client  # its annotations cannot say that responses are decoded
        self._beat = client.register_script(_BEAT)
        self._open_shards = client.register_script(_OPEN_SHARDS)

    def beat(self, lane: str, worker: str, processes: int) -> None:
        """Give a sign of life of a worker."""
        with reachable():
            self._beat([f"vo:workers:{lane}"], [f"{worker}/{processes}"])

    def take(self, kinds: Collection[JobKind]) -> Census:
        """Count the jobs of `kinds` and the workers of their lanes, in two exchanges with Redis."""
        lanes = sorted({kind.lane for kind in kinds})
        with reachable(), self._redis.pipeline() as snapshot:
            now = _seconds(self._redis.time())
            for kind, phase in product(kinds, COUNTED):
                snapshot.zcard(_key(kind, phase))
            for kind in kinds:
                snapshot.zrange(_key(kind, Phase.QUEUED), 0, 0, withscores=True)
            for kind in kinds:
                snapshot.zcount(_key(kind, Phase.ERROR), now - LATELY_S, "+inf")
            for lane in lanes:
                snapshot.zrange(f"vo:workers:{lane}", 0, -1, withscores=True)
            for lane in lanes:
                self._open_shards([f"vo:shards:open:{lane}"], client=snapshot)
            snapshot.hgetall("vo:ended")
            answers = iter(snapshot.execute())
        jobs = {pair: next(answers) for pair in product(kinds, COUNTED)}
        oldest = {kind: [now - since for _, since in next(answers)] for kind in kinds}
        failed = sum(next(answers) for _ in kinds)
        signs = {lane: [(name, now - seen) for name, seen in next(answers)] for lane in lanes}
        shards = {lane: next(answers) for lane in lanes}
        counted = tuple(
            replace(_lane(lane, jobs, oldest, signs[lane]), shards=shards[lane]) for lane in lanes
        )
        return Census(counted, jobs, _ended(next(answers)), failed)


def _lane(
    name: str,
    jobs: Mapping[tuple[JobKind, Phase], int],
    oldest: Mapping[JobKind, list[float]],
    signs: list[tuple[str, float]],
) -> LaneCensus:
    kinds = [kind for kind in oldest if kind.lane == name]
    alive = [int(worker.rpartition("/")[2]) for worker, age_s in signs if age_s < ALIVE_S]
    return LaneCensus(
        name,
        queued=sum(jobs[kind, Phase.QUEUED] for kind in kinds),
        executing=sum(jobs[kind, Phase.EXECUTING] for kind in kinds),
        oldest_s=max((max(0.0, age_s) for kind in kinds for age_s in oldest[kind]), default=None),
        workers=len(alive),
        processes=sum(alive),
        seen_s=min((max(0.0, age_s) for _, age_s in signs), default=None),
    )


def _ended(fields: Mapping[str, str]) -> Mapping[tuple[str, Phase], int]:
    pairs = ((name.rpartition(":"), count) for name, count in fields.items())
    return {(kind, Phase(phase)): int(count) for (kind, _, phase), count in pairs}


def _key(kind: JobKind, phase: Phase) -> str:
    return f"vo:census:{kind.name}:{kind.lane}:{phase}"


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1_000_000
