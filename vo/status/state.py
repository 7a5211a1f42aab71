"""What there is to know of the running service, gathered anew for each request."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from vo.context import Context
from vo.errors import TransientError, VOError
from vo.uws.census import Census, RedisCensus
from vo.uws.kind import JobKind
from vo.uws.tally import RedisTally, Totals
from vo.watch.streams import WatchNumbers, watches

PATIENCE_S = 2.0
"""Seconds that Redis has to answer: who asks how it is doing wants to know that it does not."""

SILENT_S = 60.0
"""Seconds after which nobody is taken to look after a watch whose rows wait."""

FULL = 0.05
"""The free part of the results disk below which it is told as a problem."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes free and in all, on a disk or in a server; nothing in all is no limit."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Status:
    """The service at one moment; what could not be found out is None and told in `problems`."""

    up_since: datetime
    now: datetime
    release: str | None
    census: Census | None
    totals: Totals | None
    waiting: int
    results: Space | None
    relay_bytes: int | None
    problems: tuple[str, ...]
    watches: tuple[WatchNumbers, ...] = ()

    @property
    def uptime_s(self) -> int:
        """Seconds since the web server started."""
        return int((self.now - self.up_since).total_seconds())

    @property
    def word(self) -> str:
        """`down` when no query can be answered, `degraded` when some part is missing, else `ok`."""
        if None in (self.census, self.relay_bytes, self.release):
            return "down"
        return "degraded" if self.problems else "ok"


class Observer:
    """Looks at a service through connections of its own, which do not wait long."""

    def __init__(self, context: Context, kinds: Collection[JobKind]) -> None:
        state = _impatient(context.config.state_url, decode_responses=True)
        self._relay: Any = _impatient(context.config.relay_url, decode_responses=False)
        self._context = context
        self._kinds = tuple(kinds)
        self._census = RedisCensus(state)
        self._tally = RedisTally(state)
        self._up_since = datetime.now(UTC)
        self._state = state

    def look(self) -> Status:
        """The service as it is now; a part that does not answer costs that part."""
        problems: list[str] = []
        census, totals = self._counts(problems)
        results, relay_bytes = self._space(problems), self._relay_bytes(problems)
        release = self._release(problems)
        return Status(
            up_since=self._up_since,
            now=datetime.now(UTC),
            release=release,
            census=census,
            totals=totals,
            waiting=self._context.watch.waiting,
            results=results,
            relay_bytes=relay_bytes,
            problems=tuple(problems),
            watches=self._watches(problems) if census is not None else (),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._state.close()
        self._relay.close()

    def _counts(self, problems: list[str]) -> tuple[Census | None, Totals | None]:
        try:
            census, totals = self._census.take(self._kinds), self._tally.totals()
        except TransientError:
            problems.append("The job store does not answer.")
            return None, None
        problems.extend(f"No worker of the lane {name} is alive." for name in _deserted(census))
        return census, totals

    def _watches(self, problems: list[str]) -> tuple[WatchNumbers, ...]:
        try:
            found = watches(self._state)
        except TransientError:
            return ()
        silent = (watch.name for watch in found if watch.waiting and (watch.seen_s or SILENT_S) >= SILENT_S)
        problems.extend(f"Nobody scores the rows of the watch {name}." for name in silent)
        return found

    def _space(self, problems: list[str]) -> Space | None:
        try:
            usage = shutil.disk_usage(_existing(self._context.config.results_dir))
        except OSError:
            problems.append("The directory of results cannot be read.")
            return None
        if usage.free < FULL * usage.total:
            problems.append("The disk of results is almost full.")
        return Space(usage.free, usage.total)

    def _relay_bytes(self, problems: list[str]) -> int | None:
        try:
            return int(self._relay.info("memory")["used_memory"])
        except RedisError:
            problems.append("The relay does not answer.")
            return None

    def _release(self, problems: list[str]) -> str | None:
        try:
            return self._context.database.catalog().release
        except VOError:
            problems.append("The database does not answer.")
            return None


def _impatient(url: str, *, decode_responses: bool) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=decode_responses,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )


def _deserted(census: Census) -> Iterator[str]:
    return (lane.name for lane in census.lanes if lane.workers == 0)


def _existing(path: Path) -> Path:
    """The path, or the nearest above it that is there: the first job makes the directory of results."""
    return next((each for each in (path, *path.parents) if each.exists()), path)
