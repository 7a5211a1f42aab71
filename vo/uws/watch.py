"""WAIT: requests that sleep until a job changes its phase (UWS 1.1, 2.2.1.3)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from redis import asyncio as aioredis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from vo.errors import TransientError
from vo.log import logger
from vo.uws.job import Phase
from vo.uws.memory import MemoryJobStore
from vo.uws.redis_store import PHASE_CHANNEL
from vo.uws.store import JobStore

WAITS_PER_ASKER = 100
"""Requests of one asker that may wait at once; those beyond are answered at once."""

WAITS_IN_ALL = 5000
"""Requests that may wait at once in this process."""

RECHECK_S = 5.0
"""Seconds after which a waiter looks at the job itself, whatever became of the messages."""

_BACKOFF_S = (0.1, 5.0)

log = logger(__name__)


class JobWatch(Protocol):
    """What lets a request wait for a job without asking again and again."""

    async def wait_for_change(
        self, job_id: str, phase: Phase, timeout_s: float, *, asker: str | None = None
    ) -> None:
        """Return when the job is no longer in `phase`, or after `timeout_s`.

        Or at once, when `asker` has too many requests waiting. A change between the caller's reading of
        the job and this call is seen.
        """
        ...

    @property
    def waiting(self) -> int:
        """How many requests wait here now."""
        ...

    def dismiss(self) -> None:
        """Let all who wait go, and nobody wait any more: the process is about to end."""
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class RedisJobWatch:
    """Hears of phases over one subscription a process, opened when the first request waits."""

    def __init__(self, url: str, store: JobStore) -> None:
        self._redis = aioredis.Redis.from_url(url, decode_responses=True)
        self._store = store
        self._sleepers = Sleepers()
        self._subscribed = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def wait_for_change(
        self, job_id: str, phase: Phase, timeout_s: float, *, asker: str | None = None
    ) -> None:
        """Return when the job is no longer in `phase`, or after `timeout_s`."""
        with self._sleepers.bed(job_id, asker) as wake, suppress(TimeoutError):
            if wake is None:
                return
            async with asyncio.timeout(timeout_s):
                self._listen_from_now()
                await self._subscribed.wait()
                await self._sleepers.until_changed(self._store, job_id, phase, wake)

    def _listen_from_now(self) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Keep the subscription, through any failure of Redis."""
        pause_s, longest_s = _BACKOFF_S
        while True:
            try:
                await self._hear()
            except (RedisError, OSError) as error:
                log.warning("the subscription to phases was lost", error=str(error))
            pause_s = _BACKOFF_S[0] if self._subscribed.is_set() else min(2 * pause_s, longest_s)
            self._subscribed.clear()
            await asyncio.sleep(pause_s)

    async def _hear(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(PHASE_CHANNEL)
            async for message in channel.listen():
                if message["type"] == "subscribe":  # also after a silent reconnection
                    self._subscribed.set()
                    self._sleepers.wake_all()
                else:
                    self._sleepers.wake(message["data"].partition(" ")[0])

    @property
    def waiting(self) -> int:
        """How many requests wait here now."""
        return self._sleepers.count

    def dismiss(self) -> None:
        """Let all who wait go, and nobody wait any more."""
        self._sleepers.dismiss()

    async def close(self) -> None:
        """End the subscription and give the connection back."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._redis.aclose()


class MemoryJobWatch:
    """The same over a MemoryJobStore."""

    def __init__(self, store: MemoryJobStore) -> None:
        self._store = store
        self._sleepers = Sleepers()

    async def wait_for_change(
        self, job_id: str, phase: Phase, timeout_s: float, *, asker: str | None = None
    ) -> None:
        """Return when the job is no longer in `phase`, or after `timeout_s`."""
        with self._sleepers.bed(job_id, asker) as wake, suppress(TimeoutError):
            if wake is None:
                return
            with self._hearing(asyncio.get_running_loop()):
                async with asyncio.timeout(timeout_s):
                    await self._sleepers.until_changed(self._store, job_id, phase, wake)

    @contextmanager
    def _hearing(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        def hear(job_id: str, _: Phase) -> None:
            loop.call_soon_threadsafe(self._sleepers.wake, job_id)

        unsubscribe = self._store.subscribe(hear)
        try:
            yield
        finally:
            unsubscribe()

    @property
    def waiting(self) -> int:
        """How many requests wait here now."""
        return self._sleepers.count

    def dismiss(self) -> None:
        """Let all who wait go, and nobody wait any more."""
        self._sleepers.dismiss()

    async def close(self) -> None:
        """Nothing to give back."""


class Sleepers:
    """Who waits for which job, in one event loop; at most so many an asker and in all."""

    def __init__(self, per_asker: int = WAITS_PER_ASKER, in_all: int = WAITS_IN_ALL) -> None:
        self._per_asker = per_asker
        self._in_all = in_all
        self._beds: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._askers: Counter[str | None] = Counter()
        self._is_dismissed = False

    @property
    def count(self) -> int:
        """How many there are."""
        return self._askers.total()

    @contextmanager
    def bed(self, job_id: str, asker: str | None) -> Iterator[asyncio.Event | None]:
        """An event that is set whenever the job changes; None when there is no room."""
        is_full = self._askers[asker] >= self._per_asker or self._askers.total() >= self._in_all
        if is_full or self._is_dismissed:
            yield None
            return
        wake = asyncio.Event()
        self._askers[asker] += 1
        self._beds[job_id].add(wake)
        try:
            yield wake
        finally:
            self._askers -= Counter([asker])  # forgets who has none left
            self._beds[job_id].discard(wake)
            if not self._beds[job_id]:
                del self._beds[job_id]

    def wake(self, job_id: str) -> None:
        """Wake whoever waits for the job."""
        for event in self._beds.get(job_id, ()):
            event.set()

    def wake_all(self) -> None:
        """Wake everybody, to look for themselves."""
        for job_id in self._beds:
            self.wake(job_id)

    def dismiss(self) -> None:
        """Wake everybody for good."""
        self._is_dismissed = True
        self.wake_all()

    async def until_changed(self, store: JobStore, job_id: str, phase: Phase, wake: asyncio.Event) -> None:
        """Sleep until the job is no longer in `phase`, or everybody is dismissed."""
        # The sleeper is known before the phase is read, so that no change falls between the two.
        while not self._is_dismissed and await run_in_threadpool(_phase, store, job_id, phase) == phase:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), RECHECK_S)
            wake.clear()


def _phase(store: JobStore, job_id: str, last_seen: Phase) -> Phase:
    try:
        return store.get(job_id).phase
    except TransientError:  # a store that restarts ends no wait
        return last_seen
