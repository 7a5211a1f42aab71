"""A lane that is full and a quota that is used up, as clients meet them; what the table of lanes offers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from asgi import JOBS, Client, Results, Service, serving

from vo.config import Config
from vo.jobs import KINDS, LANES
from vo.uws.job import Phase
from vo.uws.lanes import lanes
from vo.uws.memory import MemoryJobStore

CONFIG = Config(owner_queued=2, queue_limit=3, user_header="X-User")
RUN = {"QUERY": "SELECT 1", "PHASE": "RUN"}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service whose lane has room for three jobs, two of them of one owner."""
    return Service(CONFIG, Results(tmp_path), MemoryJobStore(lanes=lanes(CONFIG)))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of it."""
    with serving(service.app()) as client:
        yield client


def _create(client: Client, user: str, **params: str) -> httpx.Response:
    return client("POST", JOBS, data={**RUN, **params}, headers={"X-User": user})


def test_a_used_up_quota_is_told(client: Client) -> None:
    """429 with Retry-After and a VOTable that says how many wait and when to come back; nothing is kept."""
    for _ in range(2):
        assert _create(client, "ann").status_code == 303
    refused = _create(client, "ann")
    assert refused.status_code == 429
    assert 5 <= int(refused.headers["retry-after"]) <= 600
    assert refused.headers["content-type"] == "application/x-votable+xml"
    assert "2 jobs of yours wait on the lane query" in refused.text
    assert f"Come back in {refused.headers['retry-after']} seconds." in refused.text
    assert client("GET", JOBS, headers={"X-User": "ann"}).text.count("<uws:jobref ") == 2
    assert _create(client, "bob").status_code == 303


def test_a_full_lane_is_told(client: Client) -> None:
    """503 to the one who finds no room, however few jobs are his."""
    for user in ("ann", "ann", "bob"):
        assert _create(client, user).status_code == 303
    refused = _create(client, "eve")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 5
    assert "3 jobs wait on the lane query" in refused.text


def test_a_pending_job_waits_for_room(service: Service, client: Client) -> None:
    """PHASE=RUN without room leaves the job PENDING, so that it can be sent again."""
    for _ in range(2):
        _create(client, "ann")
    created = client("POST", JOBS, data={"QUERY": "SELECT 1"}, headers={"X-User": "ann"})
    phase = created.headers["location"] + "/phase"
    assert client("POST", phase, data={"PHASE": "RUN"}, headers={"X-User": "ann"}).status_code == 429
    assert client("GET", phase, headers={"X-User": "ann"}).text == "PENDING"
    assert service.store.claim("query") is not None
    assert client("POST", phase, data={"PHASE": "RUN"}, headers={"X-User": "ann"}).status_code == 303
    assert client("GET", phase, headers={"X-User": "ann"}).text == "QUEUED"


def test_the_public_shares_by_address(service: Service, client: Client) -> None:
    """Anonymous jobs count for the address they come from, and belong to nobody."""
    assert client("POST", JOBS, data=RUN).status_code == 303
    [job] = service.store.active()
    assert (job.account, job.owner, job.phase) == ("from:127.0.0.1", None, Phase.QUEUED)


def test_only_lanes_with_kinds_are_offered() -> None:
    """The lanes of the table that no kind of job names are neither started nor offered."""
    assert set(lanes(Config())) == {"sync", "query", "cutout", "anomaly"}
    assert LANES == ("sync", "query", "cutout", "anomaly")
    sync = {"tap-sync", "scs-sync", "sia-sync", "sia1-sync", "soda-sync", "cutout-sync", "tiles-sync"}
    coverage = {"footprint", "footprint-moc", "footprint-map"}
    assert set(KINDS) == {"tap", "soda", "cutout", "tiles", "anomaly"} | coverage | sync
