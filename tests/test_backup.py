"""Backup and restore as docs/operations.md has it: copied while the service runs, restored somewhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from parts import await_true, cluster
from service import Service

pytestmark = pytest.mark.timeout(240)

QUICK = "SELECT tilename FROM sim1.tile_info ORDER BY tilename"


def test_what_was_copied_comes_back(sample_data: Path, tmp_path: Path) -> None:
    """Jobs in every phase, their results and the releases: in a new directory, by a new service.

    Copied in the order of the document, while jobs come and go; a job that was running is run again.
    """
    data, copy = tmp_path / "data", tmp_path / "copy"
    (data / "releases").mkdir(parents=True)
    shutil.copy(sample_data / "releases" / "sim1.duckdb", data / "releases")
    with cluster(data, VO_LEASE_S="3") as parts:
        parts.redis()
        service = parts.web()
        waiting = service.start_job(QUICK, RESPONSEFORMAT="csv")  # no worker yet
        [worker] = parts.workers("query", None)
        done = [service.start_job(QUICK, RESPONSEFORMAT="csv") for _ in range(3)]
        for job in (waiting, *done):
            phase = service.await_phase(job, "COMPLETED", "ERROR")
            assert phase == "COMPLETED", service.get(f"{job}/error").text
        worker.end()
        late = service.start_job(QUICK, RESPONSEFORMAT="csv", RUNID="late")
        pending = _pending(service)
        before = {job: service.get(f"{job}/results/result").content for job in done}
        await_true(lambda: _is_written(data / "state", late))
        _copy(data, copy)
        after = service.start_job(QUICK, RESPONSEFORMAT="csv")
        service.get(f"{after}/phase")
    with cluster(copy, VO_LEASE_S="3") as parts:
        parts.redis()
        service = parts.web()
        for job, content in before.items():
            assert service.phase(job) == "COMPLETED"
            assert service.get(f"{job}/results/result").content == content
        assert service.phase(pending) == "PENDING"
        assert service.get(after).status_code == 404
        parts.workers("query", None)
        parts.vo("sweep", "sweep", "--every", "1")
        assert service.await_phase(late, "COMPLETED", "ERROR", timeout_s=60) == "COMPLETED"
        assert service.get(f"{late}/results/result").content == before[done[0]]


def _copy(data: Path, copy: Path) -> None:
    """State, results, releases, in this order, from under a running service."""
    copy.mkdir()
    for name in ("state", "results", "releases"):
        shutil.copytree(data / name, copy / name)


def _pending(service: Service) -> str:
    form = {"LANG": "ADQL", "QUERY": QUICK}
    answer = httpx.post(f"{service.url}/tap/async", data=form, timeout=60)
    return answer.headers["location"].removeprefix(service.url)


def _is_written(state: Path, job: str) -> bool:
    """Whether the append-only file tells of the job: it is synced every second."""
    name = job.rpartition("/")[2].encode()
    return any(name in path.read_bytes() for path in state.rglob("*") if path.is_file())
