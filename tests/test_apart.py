"""Two workers, each behind a cable of its own, of which one is cut in the middle: the job completes once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parts import Cluster, Part, await_true, cluster, wires
from service import Service

pytestmark = pytest.mark.timeout(240)

LEASE_S = 3
PAIRS = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b WHERE a.ra < b.ra AND a.dec < b.dec"


@pytest.fixture(scope="module")
def apart(
    sample_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cluster, Service, Any]]:
    """Redis, a web server and sweeps; and two ways to them that can be cut."""
    data = tmp_path_factory.mktemp("apart")
    (data / "releases").symlink_to(sample_data / "releases")
    with wires(2) as ways, cluster(data, VO_LEASE_S=str(LEASE_S)) as parts:
        parts.redis(*(way.address(0).partition(":")[0] for way in ways if way.prefix))
        parts.vo("sweep", "sweep", "--every", "1")
        yield parts, parts.web(), ways


def test_a_job_survives_a_cable(apart: tuple[Cluster, Service, Any]) -> None:
    """The other worker does it; the first one, back again, changes nothing."""
    parts, service, ways = apart
    workers = parts.workers("query", *ways)
    job = service.start_job(PAIRS, RESPONSEFORMAT="csv")
    name = job.rpartition("/")[2]
    await_true(lambda: any(_has(worker, "job started", name) for worker in workers))
    [first] = [index for index, worker in enumerate(workers) if _has(worker, "job started", name)]
    ways[first].cut()
    try:
        phase = service.await_phase(job, "COMPLETED", "ERROR", "ABORTED", timeout_s=150)
        assert phase == "COMPLETED", service.get(f"{job}/error").text
        before = service.get(f"{job}/results/result").content
    finally:
        ways[first].mend()
    assert not _has(workers[first], "job ended", name), "it was over before the cable was cut"
    await_true(lambda: _workers(service) == 2)
    assert service.phase(job) == "COMPLETED"
    assert service.get(f"{job}/results/result").content == before
    ends = [event for worker in workers for event in worker.events("job ended") if event["job_id"] == name]
    assert [(end["phase"], end["attempt"]) for end in ends] == [("COMPLETED", 2)]
    attempts = {path.name for path in (parts.data / "results" / name).iterdir()}
    assert "1" not in attempts
    for worker in workers:
        worker.end()


def _has(worker: Part, event: str, job: str) -> bool:
    return any(each.get("job_id") == job for each in worker.events(event))


def _workers(service: Service) -> int:
    lanes = service.get("/status").json()["lanes"]
    return next(each["workers"] for each in lanes if each["name"] == "query")
