"""`vo serve` as an operator meets it: it starts, mends itself, ends in order, and is alone on its data."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from service import Service, is_alive, serving

ENDLESS = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b, sim1.main AS c WHERE a.ra < b.ra"


@pytest.fixture
def own_data(sample_data: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own, with the sample release."""
    shutil.copytree(sample_data / "releases", tmp_path / "releases")
    return tmp_path


def _vo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vo.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _await(condition: object, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _answers(service: Service) -> bool:
    try:
        return service.sync("SELECT TOP 1 ra FROM sim1.main").status_code == 200
    except httpx.HTTPError:
        return False


def test_it_ends_in_order(own_data: Path) -> None:
    """SIGTERM ends every process, running jobs or not, and keeps nothing in memory."""
    with serving(own_data) as service:
        service.await_phase(service.start_job(ENDLESS), "EXECUTING")
        below = psutil.Process(service.process.pid).children(recursive=True)
        run_dir = Path((own_data / "serve.lock").read_text().splitlines()[1])
        assert service.stop() == 0
    assert [process for process in below if is_alive(process)] == []
    assert not run_dir.exists()


def test_a_second_one_is_refused(service: Service) -> None:
    """Two services on one directory would ruin it: the second says who is there."""
    refused = _vo("serve", "--data", str(service.data), "--port", "1")
    assert refused.returncode == 1
    assert f"process {service.process.pid}" in refused.stderr


def test_a_copy_of_its_directory_is_another_service(
    own_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A service on a copy neither waits for the original nor clears up behind it: both answer."""
    copy = tmp_path_factory.mktemp("copied") / "data"
    with serving(own_data) as original:
        shutil.copytree(own_data, copy, ignore=shutil.ignore_patterns("*.log"))
        with serving(copy) as other:
            assert _answers(other)
            assert _answers(original)
        assert _answers(original)


def test_a_redis_that_outlives_its_supervisor_is_told(own_data: Path) -> None:
    """Two servers on one append-only file would ruin it: nothing is started until the first has ended."""
    with serving(own_data) as service:
        redis = _state_redis(service)
        redis.suspend()
        service.process.kill()
        service.process.wait()
    refused = _vo("serve", "--data", str(own_data), "--port", service.url.rpartition(":")[2])
    assert (refused.returncode, "has not ended" in refused.stderr) == (1, True), refused.stderr
    redis.resume()
    redis.wait(30)
    with serving(own_data) as service:
        assert _answers(service)


def _state_redis(service: Service) -> psutil.Process:
    [redis] = [p for p in service.processes("redis-server") if "state.sock" in " ".join(p.cmdline())]
    return redis


def test_a_port_that_is_taken(service: Service, tmp_path: Path) -> None:
    """Nothing is started, for whoever listens there would answer in its place."""
    port = service.url.rpartition(":")[2]
    refused = _vo("serve", "--data", str(tmp_path / "new"), "--port", port)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"Port {port} of 127.0.0.1" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_child_that_dies_is_started_again(own_data: Path) -> None:
    """Kill -9 on each part in turn: the service answers again, and jobs run."""
    with serving(own_data) as service:
        for name in ("vo web", "vo sync", "vo query", "vo sweep"):
            victim = service.processes(name)[0]
            victim.kill()
            _await(lambda: _replaced(service, name, victim))  # noqa: B023  called at once
            _await(lambda: _answers(service))
        job = service.start_job("SELECT TOP 1 ra FROM sim1.main")
        assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"


def _replaced(service: Service, name: str, victim: psutil.Process) -> bool:
    """Whether the supervisor has another child of that name."""
    children = psutil.Process(service.process.pid).children()
    return any(is_alive(child) and child.name() == name and child != victim for child in children)


def test_jobs_survive_the_death_of_redis(own_data: Path) -> None:
    """Kill -9 on the server of the job state: it comes back from its append-only file with every job."""
    with serving(own_data) as service:
        job = service.start_job("SELECT tilename FROM sim1.tile_info")
        service.await_phase(job, "COMPLETED")
        before = service.get(f"{job}/results/result").content
        time.sleep(1.2)  # the file is synced every second
        _state_redis(service).kill()
        _await(lambda: _answers(service))
        assert service.get(f"{job}/results/result").content == before
        again = service.start_job("SELECT TOP 1 ra FROM sim1.main")
        assert service.await_phase(again, "COMPLETED", "ERROR") == "COMPLETED"


def test_jobs_survive_the_service(own_data: Path) -> None:
    """A finished job and its result are there after a restart; an interrupted one is run again."""
    with serving(own_data, VO_LEASE_S="2", VO_SWEEP_INTERVAL_S="1") as service:
        done = service.start_job("SELECT tilename FROM sim1.tile_info")
        service.await_phase(done, "COMPLETED")
        running = service.start_job(ENDLESS)
        service.await_phase(running, "EXECUTING")
        below = psutil.Process(service.process.pid).children()
        service.process.send_signal(signal.SIGKILL)
        service.process.wait()
        _await(lambda: not any(is_alive(process) for process in below))
    with serving(own_data, VO_LEASE_S="2", VO_SWEEP_INTERVAL_S="1") as service:
        assert service.phase(done) == "COMPLETED"
        assert service.get(f"{done}/results/result").status_code == 200
        service.await_phase(running, "QUEUED", "EXECUTING", "ERROR")
        service.post(f"{running}/phase", PHASE="ABORT")


def test_a_lost_worker_costs_its_job_one_more_start(own_data: Path) -> None:
    """Kill -9 on the process that runs a job: the job is started once more, and then given up."""
    with serving(own_data, VO_LEASE_S="2", VO_SWEEP_INTERVAL_S="1", VO_QUERY_WORKERS="1") as service:
        job = service.start_job(ENDLESS)
        starts = set()
        while service.await_phase(job, "EXECUTING", "ERROR") == "EXECUTING":
            starts.add(_started(service, job))
            for process in service.processes("vo query"):
                process.kill()
            _await(lambda: service.phase(job) == "ERROR" or _started(service, job) not in starts)
        assert len(starts) == 2
        assert "worker" in service.get(f"{job}/error").text


def test_a_lost_worker_breaks_the_connection_of_its_client(own_data: Path) -> None:
    """Kill -9 in the middle of a sync result: the client cannot take a part for the whole."""
    whole = {"LANG": "ADQL", "MAXREC": "20000000", "QUERY": "SELECT a.* FROM sim1.main AS a, sim1.truth AS b"}
    with serving(own_data, VO_LEASE_S="2", VO_SYNC_WORKERS="1") as service:
        with httpx.stream("GET", f"{service.url}/tap/sync", params=whole, timeout=60) as answer:
            assert answer.status_code == 200
            blocks = answer.iter_bytes()
            next(blocks)
            for process in service.processes("vo sync"):
                process.kill()
            with pytest.raises(httpx.RemoteProtocolError):
                for _ in blocks:
                    pass
        _await(lambda: _answers(service))


def test_a_web_server_lost_in_mid_stream_frees_the_worker(own_data: Path) -> None:
    """Kill -9 on the web server: the statement of its client ends, and the only worker serves the next."""
    whole = {"LANG": "ADQL", "MAXREC": "20000000", "QUERY": "SELECT a.* FROM sim1.main AS a, sim1.truth AS b"}
    with serving(own_data, VO_LEASE_S="2", VO_SYNC_WORKERS="1", VO_SYNC_TIMEOUT_S="0") as service:
        with httpx.stream("GET", f"{service.url}/tap/sync", params=whole, timeout=60) as answer:
            blocks = answer.iter_bytes()
            next(blocks)
            [web] = service.processes("vo web")
            web.kill()
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                for _ in blocks:
                    pass
        _await(lambda: _answers(service))


def _started(service: Service, job: str) -> str:
    return service.get(job).text.partition("<uws:startTime>")[2].partition("<")[0]


def test_a_release_is_replaced_while_serving(own_data: Path) -> None:
    """`vo load` swaps a release in, and the next query sees it, without a restart."""
    source = own_data / "stars"
    source.mkdir()
    (source / "release.yaml").write_text(
        "name: stars\ndescription: A test.\ntables:\n  - name: bright\n    description: Stars.\n"
        "    columns:\n      - {name: id, datatype: int}\n      - {name: mag, datatype: float, "
        "'ivoa:unit': mag}\n"
    )
    with serving(own_data) as service:
        assert service.sync("SELECT id FROM stars.bright").status_code == 400
        for rows in ("1,0.5\n", "1,0.5\n2,0.75\n"):
            (source / "bright.csv").write_text("id,mag\n" + rows)
            loaded = _vo("load", str(source), "--data", str(own_data))
            assert loaded.returncode == 0, loaded.stderr
            answer = service.sync("SELECT id, mag FROM stars.bright ORDER BY id", FORMAT="csv")
            assert answer.text.split() == ["id,mag", *rows.split()]


def test_check_tells_what_is_wrong(own_data: Path, tmp_path: Path) -> None:
    """`vo check` is 0 where all is well, and 1 with the fault and the way out where it is not."""
    assert _vo("check", "--data", str(own_data)).returncode == 0
    (own_data / "releases" / "broken.duckdb").write_text("not a database")
    broken = _vo("check", "--data", str(own_data))
    assert broken.returncode == 1
    assert "vo load" in broken.stdout
    missing = _vo("check", "--data", str(tmp_path / "nowhere"))
    assert (missing.returncode, "VO_DATA_DIR" in missing.stdout) == (1, True)
