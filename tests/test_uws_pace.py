"""A quote is worked out from the runs of late and from the queue, and never made up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asgi import JOBS, Client, Results, Service, serving
from contracts.job_store import NOON, a_job
from redis import Redis

from vo.config import Config
from vo.dali import parse_instant
from vo.uws.job import Phase
from vo.uws.pace import KEPT, MemoryPace, Pace, RedisPace, expected_end

RUNS = (1.0, 2.0, 3.0, 10.0)


@pytest.mark.parametrize(
    ("phase", "recent", "waiting", "seconds"),
    [
        (Phase.PENDING, RUNS, 0, 2.5),
        (Phase.PENDING, RUNS, 4, 8 + 2.5),
        (Phase.QUEUED, RUNS, 1, 2.5),
        (Phase.QUEUED, RUNS, 3, 4 + 2.5),
        (Phase.QUEUED, RUNS, 0, 2.5),
        (Phase.PENDING, RUNS[:2], 0, None),
        (Phase.QUEUED, (), 0, None),
        (Phase.COMPLETED, RUNS, 0, None),
        (Phase.ABORTED, RUNS, 0, None),
    ],
)
def test_what_is_predicted(
    phase: Phase, recent: tuple[float, ...], waiting: int, seconds: float | None
) -> None:
    """Those ahead take the mean each, the job itself the median; from too few runs nothing is said."""
    quote = expected_end(a_job(phase=phase), recent, waiting=waiting, workers=2, now=NOON)
    assert quote == (None if seconds is None else NOON + timedelta(seconds=seconds))


def test_a_job_that_outlived_all_others_has_no_quote() -> None:
    """A running job is compared with the runs that took longer than it has; without any nothing is known."""
    for ran_s, end in ((0, 2.5), (2, 6.5), (9, 10), (11, None)):
        job = a_job(phase=Phase.EXECUTING, started=NOON - timedelta(seconds=ran_s))
        quote = expected_end(job, RUNS, waiting=0, workers=1, now=NOON)
        assert quote == (None if end is None else job.started + timedelta(seconds=end))


@pytest.fixture(params=["memory", "redis"])
def pace(request: pytest.FixtureRequest) -> Iterator[Pace]:
    """Each memory of runs."""
    if request.param == "memory":
        yield MemoryPace()
        return
    with Redis.from_url(request.getfixturevalue("redis_url"), decode_responses=True) as client:
        yield RedisPace(client)


def test_the_latest_runs_are_kept_by_kind(pace: Pace) -> None:
    """A kind has its own runs, of which the latest are kept."""
    for seconds in range(KEPT + 10):
        pace.note("tap", seconds)
    pace.note("soda", 0.25)
    assert sorted(pace.recent("tap")) == [float(n) for n in range(10, KEPT + 10)]
    assert list(pace.recent("soda")) == [0.25]
    assert list(pace.recent("none")) == []


def test_no_quote_is_worth_an_error() -> None:
    """Without its server the memory of runs is empty, and nothing fails."""
    with Redis.from_url("unix:///nowhere.sock", decode_responses=True) as client:
        RedisPace(client).note("tap", 1)
        assert list(RedisPace(client).recent("tap")) == []


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service of the anonymous public."""
    return Service(Config(), Results(tmp_path))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service."""
    with serving(service.app()) as client:
        yield client


def quoted(client: Client, job_id: str) -> datetime | None:
    """The quote, which resource and document tell alike: a time, or nothing."""
    text = client("GET", f"{JOBS}/{job_id}/quote").text
    document = client("GET", f"{JOBS}/{job_id}").text
    if not text:
        assert '<uws:quote xsi:nil="true"/>' in document
        return None
    assert "<uws:quote>" in document
    return parse_instant(text)


def test_the_quote_is_that_of_the_queue(service: Service, client: Client) -> None:
    """A job is quoted before it is started, later the more jobs wait (UWS 1.1, 2.1.6)."""
    job = a_job()
    service.store.create(job)
    assert quoted(client, job.id) is None
    for _ in range(3):
        service.pace.note("tap", 60)
    soon = quoted(client, job.id)
    for _ in range(4):
        client("POST", JOBS, data={"PHASE": "RUN"})
    late = quoted(client, job.id)
    assert timedelta(seconds=115) < late - soon < timedelta(seconds=150)
    service.store.move(job.id, Phase.ABORTED)
    assert quoted(client, job.id) is None
