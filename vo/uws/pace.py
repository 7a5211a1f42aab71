"""How long jobs of a kind have run of late, and what that says of one that waits or runs (UWS 1.1, 2.1.6)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError

from vo.log import logger
from vo.uws.job import Job, Phase

KEPT = 50
"""Runs of a kind that are remembered, the latest ones."""

ENOUGH = 3
"""Runs below which nothing is predicted."""

log = logger(__name__)


class Pace(Protocol):
    """What is remembered of the runs that went well; losing it loses quotes and nothing else."""

    def note(self, kind: str, seconds: float) -> None:
        """Remember how long a job of `kind` ran."""
        ...

    def recent(self, kind: str) -> Sequence[float]:
        """The seconds of the latest runs."""
        ...


class MemoryPace:
    """The runs of one process."""

    def __init__(self) -> None:
        self._runs: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def note(self, kind: str, seconds: float) -> None:
        """Remember how long a job of `kind` ran."""
        self._runs[kind].append(seconds)

    def recent(self, kind: str) -> Sequence[float]:
        """The seconds of the latest runs."""
        return tuple(self._runs[kind])


class RedisPace:
    """The runs of all workers: a list a kind, `vo:runs:<kind>`; `client` decodes its responses."""

    def __init__(self, client: Redis) -> None:
        self._redis: Any = client  # its annotations cannot say that responses are decoded

    def note(self, kind: str, seconds: float) -> None:
        """Remember how long a job of `kind` ran."""
        try:
            with self._redis.pipeline() as both:
                both.lpush(f"vo:runs:{kind}", f"{seconds:.3f}").ltrim(
                    f"vo:runs:{kind}", 0, KEPT - 1
                ).execute()
        except RedisError as error:
            log.warning("the time of a run is not remembered", error=str(error))

    def recent(self, kind: str) -> Sequence[float]:
        """The seconds of the latest runs; none when they cannot be had, as no quote is worth an error."""
        try:
            return tuple(float(text) for text in self._redis.lrange(f"vo:runs:{kind}", 0, -1))
        except RedisError:
            return ()


def expected_end(
    job: Job, recent: Sequence[float], *, waiting: int, workers: int, now: datetime
) -> datetime | None:
    """When the job is likely to be done; None: that is not known, or it is over.

    `waiting` jobs stand in the queue of `workers` processes. Those ahead take their mean time each, the job
    itself the median; one that runs already has outlived the shorter runs, so only longer ones count.
    """
    if len(recent) < ENOUGH:
        return None
    match job.phase:
        case Phase.PENDING | Phase.QUEUED:
            ahead = waiting - (job.phase is Phase.QUEUED)
            wait_s = fmean(recent) * max(0, ahead) / max(1, workers)
            return now + timedelta(seconds=wait_s + median(recent))
        case Phase.EXECUTING if job.started is not None:
            ran_s = (now - job.started).total_seconds()
            longer = [seconds for seconds in recent if seconds > ran_s]
            return job.started + timedelta(seconds=median(longer)) if longer else None
    return None
