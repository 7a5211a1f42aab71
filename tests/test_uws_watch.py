"""WAIT ends when the job changes, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgi import JOBS, ROOT, Results, Service
from contracts.job_store import a_job
from redis import Redis

from vo.config import Config
from vo.dali import Params
from vo.errors import NotFoundError, UsageError
from vo.uws import watch
from vo.uws.endpoints import wait_seconds
from vo.uws.job import ACTIVE, Phase
from vo.uws.memory import MemoryJobStore
from vo.uws.redis_store import RedisJobStore
from vo.uws.store import JobStore
from vo.uws.watch import JobWatch, MemoryJobWatch, RedisJobWatch, Sleepers

PATIENCE_S = 30
"""Seconds after which a wait that should have ended is a failure; every test ends long before."""


@dataclass
class Scene:
    """A store with its watch, and a way to cut their connection."""

    store: JobStore
    watch: JobWatch
    cut: Callable[[], Any] = lambda: None

    async def asleep(self, count: int = 1) -> None:
        """Return when so many requests are waiting."""
        sleepers = self.watch._sleepers
        while sleepers._askers.total() < count:  # noqa: ASYNC110  nothing tells of it but the count
            await asyncio.sleep(0.005)


@pytest.fixture(params=["memory", "redis"])
def play(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    """Run a scenario in an event loop of its own, on either store; no waiter looks up by itself."""
    monkeypatch.setattr(watch, "RECHECK_S", 1000.0)

    def run(scenario: Callable[[Scene], Awaitable[None]]) -> None:
        async def within_patience() -> None:
            async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
                if request.param == "memory":
                    store = MemoryJobStore()
                    scene = Scene(store, MemoryJobWatch(store))
                else:
                    scene = await stack.enter_async_context(_on_redis(request))
                await scenario(scene)

        asyncio.run(within_patience())

    return run


@asynccontextmanager
async def _on_redis(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    url = request.getfixturevalue("redis_url")
    with closing(Redis.from_url(url, decode_responses=True)) as client:
        store = RedisJobStore(client)
        jobs = RedisJobWatch(url, store)
        try:
            yield Scene(store, jobs, lambda: client.client_kill_filter(_type="pubsub"))
        finally:
            await jobs.close()


Play = Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], None]


def test_a_move_ends_the_wait(play: Play) -> None:
    """Whoever waits for the job is woken by its move, others sleep on."""

    async def scenario(scene: Scene) -> None:
        job, other = a_job(phase=Phase.QUEUED), a_job(phase=Phase.QUEUED)
        scene.store.create(job)
        scene.store.create(other)
        waits = [
            asyncio.create_task(scene.watch.wait_for_change(job_id, Phase.QUEUED, 1000))
            for job_id in (job.id, job.id, other.id)
        ]
        await scene.asleep(3)
        scene.store.move(job.id, Phase.EXECUTING)
        await asyncio.gather(*waits[:2])
        assert not waits[2].done()
        scene.store.move(other.id, Phase.ABORTED)
        await waits[2]

    play(scenario)


def test_no_move_is_missed(play: Play) -> None:
    """A move made after the caller read the job, and before the wait began, ends it at once."""

    async def scenario(scene: Scene) -> None:
        job = a_job(phase=Phase.QUEUED)
        scene.store.create(job)
        scene.store.move(job.id, Phase.EXECUTING)
        await scene.watch.wait_for_change(job.id, Phase.QUEUED, 1000)

    play(scenario)


def test_a_lost_connection_loses_no_move(play: Play) -> None:
    """Moves made while the subscription is cut are seen once it is back."""

    async def scenario(scene: Scene) -> None:
        for _ in range(3):
            job = a_job(phase=Phase.QUEUED)
            scene.store.create(job)
            wait = asyncio.create_task(scene.watch.wait_for_change(job.id, Phase.QUEUED, 1000))
            await scene.asleep()
            scene.cut()
            scene.store.move(job.id, Phase.EXECUTING)
            await wait

    play(scenario)


def test_time_ends_the_wait(play: Play) -> None:
    """A job that does not change is waited for as long as was asked."""

    async def scenario(scene: Scene) -> None:
        job = a_job(phase=Phase.EXECUTING)
        scene.store.create(job)
        await scene.watch.wait_for_change(job.id, Phase.EXECUTING, 0.05)
        assert scene.watch._sleepers._beds == {}

    play(scenario)


def test_a_deleted_job_is_not_found(play: Play) -> None:
    """Who waits for a job that is deleted learns that at once."""

    async def scenario(scene: Scene) -> None:
        job = a_job(phase=Phase.EXECUTING)
        scene.store.create(job)
        wait = asyncio.create_task(scene.watch.wait_for_change(job.id, Phase.EXECUTING, 1000))
        await scene.asleep()
        scene.store.delete(job.id)
        with pytest.raises(NotFoundError):
            await wait

    play(scenario)


def test_one_asker_has_so_many_waits(play: Play) -> None:
    """Requests beyond the cap of their asker are answered at once, those of others wait."""

    async def scenario(scene: Scene) -> None:
        scene.watch._sleepers = Sleepers(per_asker=1, in_all=2)
        job = a_job(phase=Phase.EXECUTING)
        scene.store.create(job)

        def wait(asker: str) -> asyncio.Task[None]:
            return asyncio.create_task(
                scene.watch.wait_for_change(job.id, Phase.EXECUTING, 1000, asker=asker)
            )

        first = wait("bob")
        await scene.asleep(1)
        await wait("bob")
        second = wait("eve")
        await scene.asleep(2)
        await wait("carol")
        assert not first.done()
        assert not second.done()
        scene.store.move(job.id, Phase.COMPLETED)
        await asyncio.gather(first, second)
        await asyncio.create_task(scene.watch.wait_for_change(job.id, Phase.PENDING, 1000, asker="bob"))

    play(scenario)


@asynccontextmanager
async def _service(scene: Scene, tmp_path: Path, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    service = Service(Config(**settings), Results(tmp_path))
    service.store, service.watch = scene.store, scene.watch
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url=ROOT) as client:
        yield client


def test_a_request_waits(play: Play, tmp_path: Path) -> None:
    """GET with WAIT returns the job in its new phase, WAIT=-1 too (UWS 1.1, 2.2.1.3)."""

    async def scenario(scene: Scene) -> None:
        async with _service(scene, tmp_path) as client:
            for query in ("WAIT=30", "WAIT=-1", "wait=30&phase=QUEUED"):
                job = a_job(phase=Phase.QUEUED)
                scene.store.create(job)
                request = asyncio.create_task(client.get(f"{JOBS}/{job.id}?{query}"))
                await scene.asleep()
                scene.store.move(job.id, Phase.EXECUTING)
                assert "<uws:phase>EXECUTING<" in (await request).text

    play(scenario)


def test_what_cannot_change_is_not_waited_for(play: Play, tmp_path: Path) -> None:
    """WAIT returns at once in every phase but the active ones, and when PHASE is not the job's."""

    async def scenario(scene: Scene) -> None:
        scene.watch._sleepers.bed = pytest.fail  # nobody may go to sleep
        async with _service(scene, tmp_path) as client:
            for phase in Phase:
                job = a_job(phase=phase)
                scene.store.create(job)
                other = Phase.QUEUED if phase is Phase.PENDING else Phase.PENDING
                queries = [f"WAIT=1000&PHASE={other}"] + ["WAIT=1000"] * (phase not in ACTIVE)
                for query in queries:
                    response = await client.get(f"{JOBS}/{job.id}?{query}")
                    assert f"<uws:phase>{phase}<" in response.text

    play(scenario)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("5", 5), ("60", 60), ("61", 60), ("99999999", 60), ("-1", 60)]
)
def test_waits_are_capped(text: str, seconds: int) -> None:
    """The server's limit holds for large values, and is what -1 asks for."""
    assert wait_seconds(Params((("WAIT", text),)), 60) == seconds


@pytest.mark.parametrize("text", ["-2", "", "ever", "1.0"])
def test_bad_waits_are_errors(text: str) -> None:
    """Anything but a whole number from -1 upwards is refused."""
    with pytest.raises(UsageError, match="WAIT"):
        wait_seconds(Params((("WAIT", text),)), 60)


def test_no_wait_is_no_wait() -> None:
    """Without WAIT a request is answered at once."""
    assert wait_seconds(Params(), 60) == 0
