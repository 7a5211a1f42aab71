"""A run shared by several workers: the same bytes whoever works on it, whoever dies on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from service import Service, serving

PARAMS = {
    "QUERY": "SELECT * FROM sim1.main",
    "FEATURES": "mag_auto_g - mag_auto_r AS g_r, mag_auto_r - mag_auto_i AS r_i, mag_auto_i",
    "WEIGHT": "30 - mag_auto_i",
    "RESPONSEFORMAT": "csv",
    "MAXREC": "30000",
    "NTREES": "1500",
}
SETTINGS = {
    "VO_ANOMALY_WORKERS": "1",
    "VO_ANOMALY_THREADS": "1",
    "VO_ANOMALY_PART_ROWS": "1500",
    "VO_LEASE_S": "3",
    "VO_SWEEP_INTERVAL_S": "1",
    "VO_STOP_GRACE_S": "2",
}
PARTS = 14


class Crowd:
    """A service whose lane `anomaly` has one process, and more workers that come and go."""

    def __init__(self, service: Service, stack: ExitStack) -> None:
        self.service = service
        run_dir = (service.data / "serve.lock").read_text().splitlines()[1]
        self.state_url = f"unix://{run_dir}/state.sock"
        self.redis = stack.enter_context(Redis.from_url(self.state_url, decode_responses=True))

    @contextmanager
    def helpers(self, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """More workers, as another machine would have, until the block ends."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
        environment |= {**SETTINGS, "VO_DATA_DIR": str(self.service.data), "VO_STATE_URL": self.state_url}
        environment["VO_RELAY_URL"] = self.state_url.replace("state.sock", "relay.sock")
        command = [sys.executable, "-m", "vo.cli", "worker", "--lane", "anomaly"]
        with (self.service.data / "helpers.log").open("ab") as log:
            processes = [subprocess.Popen(command, env=environment, stderr=log) for _ in range(count)]
        try:
            await_true(lambda: {process.pid for process in processes} <= self.alive())
            yield processes
        finally:
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def alive(self) -> set[int]:
        """The workers of the lane that gave a sign of life, `host:process/seats` each, by their process."""
        names = self.redis.zrange("vo:workers:anomaly", 0, -1)
        return {int(name.partition("/")[0].rpartition(":")[2]) for name in names}

    def start(self, **params: str) -> str:
        """The path of a job that was started."""
        answer = self.service.post("/anomaly/async", PHASE="RUN", **{**PARAMS, **params})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].removeprefix(self.service.url)

    def results(self, job: str) -> dict[str, bytes]:
        """The files of a job, once it has completed."""
        assert self.service.await_phase(job, "COMPLETED", "ERROR", "ABORTED", timeout_s=90) == "COMPLETED"
        return {
            name: self.service.get(f"{job}/results/{name}").content for name in ("result", "model", "summary")
        }

    def shard_files(self, job: str, stage: str) -> list[str]:
        """What shards of a stage have left so far."""
        folder = self.service.data / "results" / job.rpartition("/")[2] / "shards"
        return [path.name for path in folder.glob(f"*-{stage}-*") if not path.name.endswith(".partial")]

    def nothing_is_left(self, job: str) -> bool:
        """Whether neither files nor keys of shards of the job remain."""
        job_id = job.rpartition("/")[2]
        folder = self.service.data / "results" / job_id / "shards"
        return not folder.exists() and not list(self.redis.scan_iter(f"vo:shards:{job_id}*"))


def await_true(condition: Callable[[], bool], timeout_s: float = 90) -> None:
    """Wait for something that has to happen; the time only ends a test that failed."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def crowd(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """A service on a copy of the sample."""
    data = tmp_path_factory.mktemp("crowd") / "data"
    shutil.copytree(sample_data / "releases", data / "releases")
    with ExitStack() as stack:
        service = stack.enter_context(serving(data, **SETTINGS))
        yield Crowd(service, stack)


@pytest.fixture(scope="module")
def alone(crowd: Crowd) -> dict[str, bytes]:
    """What one process makes of it."""
    return crowd.results(crowd.start())


def summary(files: dict[str, bytes]) -> dict[str, Any]:
    """The summary of a run."""
    told: dict[str, Any] = json.loads(files["summary"])
    return told


def test_one_process_does_all(alone: dict[str, bytes]) -> None:
    """Without help the worker of the job does every shard."""
    [(_, count)] = summary(alone)["shards"].items()
    assert count >= 2 * PARTS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("others", [1, 2])
def test_more_processes_make_the_same_bytes(crowd: Crowd, alone: dict[str, bytes], others: int) -> None:
    """Table and model are the same to the byte, and each process has done its part."""
    with crowd.helpers(others):
        job = crowd.start()
        files = crowd.results(job)
    shards = summary(files)["shards"]
    assert (files["result"], files["model"]) == (alone["result"], alone["model"])
    assert len(shards) == 1 + others
    assert sum(shards.values()) == sum(summary(alone)["shards"].values())
    await_true(lambda: crowd.nothing_is_left(job))


@pytest.mark.timeout(300)
def test_a_helper_that_dies_costs_its_shard(crowd: Crowd, alone: dict[str, bytes]) -> None:
    """Kill -9 of a helper in the middle: the others do what it had, once."""
    with crowd.helpers(1) as [helper]:
        job = crowd.start()
        await_true(lambda: len(crowd.shard_files(job, "scores")) > 2)
        helper.kill()
        helper.wait()
        files = crowd.results(job)
    assert (files["result"], files["model"]) == (alone["result"], alone["model"])
    # Whoever is free takes a job: it may have been the helper, and then goes on in a second attempt.
    [attempt] = re.findall(r"<job:attempt>([12])</job:attempt>", crowd.service.get(job).text)
    again = sum(summary(files)["shards"].values()) - sum(summary(alone)["shards"].values())
    assert again in range(int(attempt))


@pytest.mark.timeout(300)
def test_a_job_whose_worker_dies_goes_on_where_it_was(crowd: Crowd, alone: dict[str, bytes]) -> None:
    """Kill -9 of the worker that has the job: the next attempt keeps the shards that are done."""
    job = crowd.start()
    await_true(lambda: len(crowd.shard_files(job, "scores")) > 2)
    [worker] = crowd.redis.hkeys(f"vo:shards:{job.rpartition('/')[2]}:done")
    os.kill(int(worker.rpartition(":")[2]), signal.SIGKILL)
    files = crowd.results(job)
    assert (files["result"], files["model"]) == (alone["result"], alone["model"])
    assert "<job:attempt>2</job:attempt>" in crowd.service.get(job).text
    done = sum(summary(files)["shards"].values())
    assert done <= sum(summary(alone)["shards"].values()) + 1
    await_true(lambda: crowd.nothing_is_left(job))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", ["rows", "trees", "scores"])
def test_an_abort_stops_all(crowd: Crowd, stage: str) -> None:
    """After an abort in any stage no worker goes on, and neither files nor keys remain."""
    with crowd.helpers(1):
        job = crowd.start(NTREES="4000", SAMPLE_SIZE="512")
        await_true(lambda: bool(crowd.shard_files(job, stage)))
        assert crowd.service.post(f"{job}/phase", PHASE="ABORT").status_code == 303
        done = crowd.start(NTREES="5", MAXREC="10")
        assert crowd.service.await_phase(done, "COMPLETED", "ERROR") == "COMPLETED"
        await_true(lambda: crowd.nothing_is_left(job))  # once the helper, too, has finished its shard
    assert crowd.service.phase(job) == "ABORTED"
