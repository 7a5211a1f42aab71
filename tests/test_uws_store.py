"""Both job stores keep the contract; the one in Redis does so on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from contracts.job_store import LANES, JobStoreContract, a_job
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from vo.errors import TransientError
from vo.uws.job import Phase
from vo.uws.memory import MemoryJobStore
from vo.uws.redis_store import PHASE_CHANNEL, RedisJobStore


class TestMemoryJobStore(JobStoreContract):
    """The store of one process."""

    @pytest.fixture
    def store(self) -> MemoryJobStore:
        """An empty store."""
        return MemoryJobStore(lanes=LANES)

    def listen(self, store: MemoryJobStore) -> Callable[[], list[tuple[str, str]]]:
        """Collect what listeners are told."""
        heard: list[tuple[str, str]] = []
        store.subscribe(lambda job_id, phase: heard.append((job_id, str(phase))))
        return lambda: heard

    def expire_lease(self, store: MemoryJobStore, job_id: str) -> None:
        """Put the end of the lease into the past."""
        store._leases[job_id] = 0.0


class TestRedisJobStore(JobStoreContract):
    """The store of the service."""

    @pytest.fixture
    def client(self, redis_url: str) -> Iterator[Redis]:
        """A client of an empty server."""
        with Redis.from_url(redis_url, decode_responses=True) as client:
            yield client

    @pytest.fixture
    def store(self, client: Redis) -> RedisJobStore:
        """An empty store."""
        return RedisJobStore(client, lanes=LANES)

    def listen(self, store: RedisJobStore) -> Callable[[], list[tuple[str, str]]]:
        """Collect what is published."""
        channel = store._redis.pubsub(ignore_subscribe_messages=True)
        channel.subscribe(PHASE_CHANNEL)
        channel.get_message(timeout=5)

        def heard() -> list[tuple[str, str]]:
            messages = []
            while (message := channel.get_message(timeout=0.2)) is not None:
                job_id, phase = message["data"].split()
                messages.append((job_id, phase))
            channel.close()
            return messages

        return heard

    def expire_lease(self, store: RedisJobStore, job_id: str) -> None:
        """Remove the key whose time to live is the lease."""
        assert store._redis.delete(f"vo:lease:{job_id}") == 1

    def test_nothing_is_left_of_deleted_jobs(self, store: RedisJobStore, client: Redis) -> None:
        """After every life that a job can have, delete() leaves two counters and nothing else."""
        lives = [
            (),
            (Phase.QUEUED,),
            (Phase.QUEUED, Phase.EXECUTING),
            (Phase.QUEUED, Phase.EXECUTING, Phase.QUEUED, Phase.ABORTED),
            (Phase.QUEUED, Phase.EXECUTING, Phase.COMPLETED),
        ]
        for life in lives:
            job = a_job(owner="bob")
            store.create(job)
            for phase in life:
                store.move(job.id, phase)
            store.delete(job.id)
        assert sorted(client.keys()) == ["vo:ended", "vo:turn"]

    def test_sets_that_drifted_are_mended(self, store: RedisJobStore, client: Redis) -> None:
        """Whatever is lost of, or added to, what is derived from the jobs: recount() brings it back."""
        jobs = [a_job(lane="narrow", account=f"a{i % 2}", phase=Phase.QUEUED) for i in range(4)]
        for job in jobs:
            store.create(job)
        running = store.claim("narrow")
        assert running is not None
        sets = {
            key: client.zrange(key, 0, -1, withscores=True)
            for key in client.scan_iter("vo:[wlr]*", _type="zset")
        }
        assert len(sets) == 5  # waiting, a line and a place in the ring for each, one that runs
        for key in sets:
            client.delete(key)
        client.srem("vo:active", jobs[1].id)
        for stray in ("vo:waiting:narrow", "vo:running:narrow:a7", "vo:line:narrow:a1"):
            client.zadd(stray, {"gone": 1})
        client.sadd("vo:active", "gone")
        assert store.recount() > 0
        assert {key: {i for i, _ in entries} for key, entries in sets.items()} == {
            key: set(client.zrange(key, 0, -1)) for key in client.scan_iter("vo:[wlr]*", _type="zset")
        }
        assert {job.id for job in store.active()} == {job.id for job in jobs}
        assert store.recount() == 0

    def test_a_lease_has_a_time_to_live(self, store: RedisJobStore, client: Redis) -> None:
        """The lease of a silent worker ends by itself: after `lease_s`, or the time of the last renewal."""
        job = a_job(phase=Phase.QUEUED)
        store.create(job)
        store.move(job.id, Phase.EXECUTING)
        assert 0 < client.pttl(f"vo:lease:{job.id}") <= 20_000
        store.renew_lease(job.id, 1, 3600)
        assert client.pttl(f"vo:lease:{job.id}") > 20_000

    def test_owners_do_not_share_lists_by_name(self, store: RedisJobStore) -> None:
        """A user who calls himself "anonymous" has a list of his own."""
        store.create(a_job(owner=None))
        assert store.list(kind="tap", owner="anonymous") == ()
        assert len(store.list(kind="tap", owner=None)) == 1

    def test_a_server_that_is_down_is_a_transient_fault(self) -> None:
        """Without Redis every operation says "come back later"."""
        with Redis.from_url("unix:///nowhere.sock", retry=Retry(NoBackoff(), 0)) as client:
            store = RedisJobStore(client)
            for operation in (
                lambda: store.create(a_job()),
                lambda: store.get("x"),
                lambda: store.move("x", Phase.QUEUED),
                lambda: store.list(kind="tap", owner=None),
                store.active,
            ):
                with pytest.raises(TransientError):
                    operation()
