"""Two workers, each behind a cable of its own, of which one is cut in the middle: the job completes once."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from parts import Cluster, Part, Relayed, await_true, cluster, wires
from service import Service

from vo.sample import image_tiles

pytestmark = pytest.mark.timeout(240)

LEASE_S = 3
PAIRS = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b WHERE a.ra < b.ra AND a.dec < b.dec"


@pytest.fixture(scope="module")
def apart(
    image_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cluster, Service, Any]]:
    """Redis, a web server and sweeps; and two ways to them that can be cut."""
    data = tmp_path_factory.mktemp("apart")
    (data / "releases").symlink_to(image_data / "releases")
    settings = {"VO_LEASE_S": str(LEASE_S), "VO_IMAGES_DIR": str(image_data / "images")}
    with wires(2) as ways, cluster(data, **settings) as parts:
        parts.redis(*(way.address(0).partition(":")[0] for way in ways if way.prefix))
        parts.vo("sweep", "sweep", "--every", "1")
        yield parts, parts.web(), ways


def _tap(service: Service) -> str:
    return service.start_job(PAIRS, RESPONSEFORMAT="csv")


def _cutouts(service: Service) -> str:
    """Stamps of some thousand objects."""
    tile = image_tiles()[0]
    places = "\n".join(f"{tile.ra + i * 1e-5},{tile.dec}" for i in range(4_000))
    form = {"PHASE": "RUN", "POSITIONS": f"RA,DEC\n{places}", "SIZE": "6"}
    return _started(service, "/cutout/async", form)


def _anomaly(service: Service) -> str:
    features = "mag_auto_g - mag_auto_r AS g_r, mag_auto_r - mag_auto_i AS r_i, mag_auto_i"
    form = {"PHASE": "RUN", "QUERY": "SELECT * FROM sim1.main", "FEATURES": features, "NTREES": "2000"}
    return _started(service, "/anomaly/async", form)


def _started(service: Service, path: str, form: dict[str, str]) -> str:
    answer = httpx.post(service.url + path, data=form, timeout=60)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix(service.url)


WORK = {"query": _tap, "cutout": _cutouts, "anomaly": _anomaly}
RESULTS = {"query": "result", "cutout": "cutouts", "anomaly": "result"}


@pytest.mark.parametrize("lane", WORK)
def test_a_job_survives_a_cable(lane: str, apart: tuple[Cluster, Service, Any]) -> None:
    """The other worker does it; the first one, back again, changes nothing."""
    parts, service, ways = apart
    workers = parts.workers(lane, *ways)
    job = WORK[lane](service)
    name = job.rpartition("/")[2]
    await_true(lambda: any(_has(worker, "job started", name) for worker in workers))
    [first] = [index for index, worker in enumerate(workers) if _has(worker, "job started", name)]
    ways[first].cut()
    try:
        phase = service.await_phase(job, "COMPLETED", "ERROR", "ABORTED", timeout_s=150)
        assert phase == "COMPLETED", service.get(f"{job}/error").text
        before = service.get(f"{job}/results/{RESULTS[lane]}").content
    finally:
        ways[first].mend()
    assert not _has(workers[first], "job ended", name), "it was over before the cable was cut"
    await_true(lambda: _workers(service, lane) == 2)
    assert service.phase(job) == "COMPLETED"
    assert service.get(f"{job}/results/{RESULTS[lane]}").content == before
    ends = [event for worker in workers for event in worker.events("job ended") if event["job_id"] == name]
    assert [(end["phase"], end["attempt"]) for end in ends] == [("COMPLETED", 2)]
    attempts = {path.name for path in (parts.data / "results" / name).iterdir()}
    assert "1" not in attempts or lane == "anomaly", attempts
    if lane == "cutout":
        with tarfile.open(fileobj=io.BytesIO(before)) as archive:
            assert len({member.name for member in archive.getmembers()}) == len(archive.getmembers()) >= 4_000
    for worker in workers:
        worker.end()


def _has(worker: Part, event: str, job: str) -> bool:
    return any(each.get("job_id") == job for each in worker.events(event))


def _workers(service: Service, lane: str) -> int:
    lanes = service.get("/status").json()["lanes"]
    return next(each["workers"] for each in lanes if each["name"] == lane)


def test_connections_that_are_passed_on_can_be_cut() -> None:
    """Where there are no namespaces: what is sent after the cut comes once that is mended, and the end."""
    wire = Relayed()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, _, port = wire.address(server.getsockname()[1]).partition(":")
        with socket.create_connection((host, int(port))) as client:
            there, _ = server.accept()
            with there:
                client.sendall(b"before")
                assert there.recv(6) == b"before"
                wire.cut()
                client.sendall(b"after")
                there.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    there.recv(5)
                client.close()
                wire.mend()
                there.settimeout(30)
                assert there.recv(5) == b"after"
                assert there.recv(1) == b"", "the server never learns that its client has gone"
