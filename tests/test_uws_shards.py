"""The shards of a stage: taken by one worker at a time, lost with none, and over with their attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from redis import Redis

from vo.errors import CancelledError, ReportedError, UsageError
from vo.uws.census import RedisCensus
from vo.uws.job import Job, JobError, Phase, new_job_id
from vo.uws.kind import JobKind
from vo.uws.redis_store import RedisJobStore
from vo.uws.run import Run
from vo.uws.shards import Shard, ShardTable, work_off

LEASE_S = 0.4


class Bench:
    """A job store and a shard table on one Redis."""

    def __init__(self, client: Redis) -> None:
        self.store = RedisJobStore(client)
        self.shards = ShardTable(client, lease_s=LEASE_S)
        self.calls: list[str] = []

    def call(self, lane: str) -> None:
        """Note a call for help."""
        self.calls.append(lane)

    def running(self) -> Job:
        """A job that a worker has."""
        now = datetime.now(UTC)
        job = Job(
            id=new_job_id(),
            kind="anomaly",
            lane="anomaly",
            created=now,
            destruction=now + timedelta(days=1),
            duration_s=60,
            phase=Phase.QUEUED,
            owner=None,
        )
        self.store.create(job)
        claimed = self.store.claim("anomaly")
        assert claimed is not None
        return claimed


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    """An empty bench."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield Bench(client)


def test_each_shard_is_taken_once(bench: Bench) -> None:
    """Shards are taken in their order, by the coordinator and by helpers, and there is an end to them."""
    job = bench.running()
    bench.shards.open(job, "read", ["a", "b", "c"])
    taken = [bench.shards.take(job), bench.shards.take_any("anomaly"), bench.shards.take(job)]
    assert [shard and shard.name for shard in taken] == ["a", "b", "c"]
    assert bench.shards.take(job) is None
    assert not bench.shards.can_help("anomaly")
    for shard in taken:
        assert shard is not None
        bench.shards.finish(shard)
    assert bench.shards.left(job).count == 0


def test_a_lost_worker_costs_its_shard_only(bench: Bench) -> None:
    """What nobody renews is taken again after the lease; what is renewed is not."""
    job = bench.running()
    bench.shards.open(job, "read", ["lost", "kept"])
    bench.shards.take_any("anomaly")
    kept = bench.shards.take_any("anomaly")
    assert kept is not None
    with bench.shards.held(kept):
        time.sleep(2 * LEASE_S)
        again = bench.shards.take(job)
        assert again is not None
        assert again.name == "lost"
        assert bench.shards.take(job) is None


def test_what_is_given_back_is_there_at_once(bench: Bench) -> None:
    """A worker that is told to stop keeps nobody waiting; one that lost its shard gives nothing back."""
    job = bench.running()
    bench.shards.open(job, "read", ["a"])
    first = bench.shards.take_any("anomaly")
    assert first is not None
    bench.shards.give_back(first)
    second = bench.shards.take_any("anomaly")
    assert second is not None
    bench.shards.give_back(first)
    assert bench.shards.take_any("anomaly") is None


def test_the_next_attempt_owes_nothing_to_the_last(bench: Bench) -> None:
    """Shards of an attempt that is over can neither be taken nor end those of the next."""
    job = bench.running()
    bench.shards.open(job, "read", ["a", "b"])
    old = bench.shards.take_any("anomaly")
    assert old is not None
    bench.store.move(job.id, Phase.QUEUED, frm={Phase.EXECUTING})
    assert bench.shards.take_any("anomaly") is None
    again = bench.store.claim("anomaly")
    assert again is not None
    bench.shards.open(job, "read", ["a"])  # by the worker that was taken for dead
    assert bench.shards.jobs("anomaly") == ()
    bench.shards.open(again, "read", ["a", "b"])
    bench.shards.finish(old)
    bench.shards.fail(old, JobError("Too late."))
    assert bench.shards.left(again).count == 2
    assert bench.shards.left(again).error is None
    bench.shards.open(job, "read", ["z"])
    assert bench.shards.left(again).count == 2
    with pytest.raises(CancelledError):
        bench.shards.left(job)


def test_an_ended_job_is_helped_no_more(bench: Bench) -> None:
    """An abort ends the shards with the job."""
    job = bench.running()
    bench.shards.open(job, "read", ["a"])
    bench.store.move(job.id, Phase.ABORTED)
    assert bench.shards.take_any("anomaly") is None
    assert bench.shards.jobs("anomaly") == ()


def test_jobs_are_helped_in_turns(bench: Bench) -> None:
    """No job keeps all helpers to itself."""
    jobs = [bench.running(), bench.running()]
    for job in jobs:
        bench.shards.open(job, "read", ["a", "b"])
    helped = [bench.shards.take_any("anomaly") for _ in range(4)]
    assert [shard and shard.job_id for shard in helped] == [jobs[0].id, jobs[1].id] * 2


def test_all_is_done_by_whoever_is_there(bench: Bench) -> None:
    """A stage ends when the last shard is done, whoever had it; helpers are called, one for each."""
    job, done = bench.running(), list[str]()

    def help_out() -> None:
        while (shard := bench.shards.take_any("anomaly")) is not None:
            done.append(f"helper {shard.name}")
            time.sleep(0.05)
            bench.shards.finish(shard)

    def work(shard: Shard) -> None:
        if not done:
            Thread(target=help_out).start()
        done.append(shard.name)
        time.sleep(0.05)

    names = [f"{place}" for place in range(10)]
    work_off(Run(job), bench.shards, bench, "read", names, work)
    assert sorted(entry.split()[-1] for entry in done) == names
    assert any(entry.startswith("helper") for entry in done)
    assert bench.calls == ["anomaly"] * 9


def test_open_shards_are_counted(bench: Bench, redis_url: str) -> None:
    """The number of workers that a lane could use is that of its jobs and of the shards that nobody has."""
    job = bench.running()
    bench.shards.open(job, "read", ["a", "b", "c"])
    bench.shards.take(job)
    with Redis.from_url(redis_url, decode_responses=True) as client:
        [lane] = RedisCensus(client).take([JobKind("anomaly", "/anomaly/async", "anomaly")]).lanes
    assert (lane.executing, lane.shards, lane.active) == (1, 2, 3)


def test_an_error_of_a_helper_is_that_of_the_job(bench: Bench) -> None:
    """What went wrong in a shard elsewhere ends the stage with the same words."""
    job = bench.running()

    def work(shard: Shard) -> None:
        bench.shards.fail(shard, JobError.of(UsageError("Row 7 is broken.", hint="Mend it.")))

    with pytest.raises(ReportedError, match=r"Row 7 is broken\. Mend it\.") as told:
        work_off(Run(job), bench.shards, bench, "read", ["a"], work)
    assert told.value.status == 400
    assert bench.shards.take_any("anomaly") is None
