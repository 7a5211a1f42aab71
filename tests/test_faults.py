"""Whatever dies, hangs or is stopped: no job is lost, none ends twice, nothing is left lying about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from service import free_port

from vo.config import Config, variable
from vo.context import Context, open_context
from vo.sweep import sweep
from vo.tap.schema import describe
from vo.uws.job import Job, Phase, new_job_id

ODD_WORKER = Path(__file__).with_name("odd_worker.py")
LONG_S = 60.0


@dataclass
class Bench:
    """A job store with odd workers on it."""

    context: Context
    starts_file: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def submit(self, kind: str, seconds: float = 0, account: str = "a", **fields: object) -> str:
        """The id of a new job, queued."""
        now = datetime.now(UTC)
        job = Job(
            id=new_job_id(),
            kind=kind,
            lane="query",
            created=now,
            destruction=now + timedelta(days=1),
            duration_s=0,
            parameters=(("SECONDS", str(seconds)),),
            phase=Phase.QUEUED,
            account=account,
        )
        self.context.store.create(replace(job, **fields))
        self.context.queue.submit(job)
        return job.id

    def start_worker(self, **settings: object) -> subprocess.Popen[bytes]:
        """A worker of the lane `query`."""
        return self.start([sys.executable, str(ODD_WORKER), "query"], **settings)

    def start(self, command: list[str], **settings: object) -> subprocess.Popen[bytes]:
        """A process of the service, with settings of its own."""
        config = replace(self.context.config, **settings)
        environment = {variable(name): str(getattr(config, name)) for name in config.__slots__}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
        with (self.context.config.data_dir / f"process{len(self.processes)}.log").open("wb") as log:
            worker = subprocess.Popen(
                command,
                env={**inherited, **environment, "VO_TEST_STARTS": str(self.starts_file)},
                stderr=log,
            )
        self.processes.append(worker)
        return worker

    def starts(self) -> list[tuple[str, int, int]]:
        """Every start so far: job, attempt, process."""
        if not self.starts_file.exists():
            return []
        lines = [line.split() for line in self.starts_file.read_text().splitlines()]
        return [(job_id, int(attempt), int(pid)) for job_id, attempt, pid in lines]

    def await_start(self, job_id: str, attempt: int = 1) -> int:
        """The process in which the attempt was started."""
        await_true(lambda: (job_id, attempt) in [start[:2] for start in self.starts()])
        return next(pid for started, number, pid in self.starts() if (started, number) == (job_id, attempt))

    def await_phase(self, job_id: str, *phases: Phase) -> Job:
        """The job once it is in one of `phases`."""
        await_true(lambda: self.context.store.get(job_id).phase in phases)
        return self.context.store.get(job_id)


def await_true(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait for something that has to happen; the time only ends a test that failed."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def bench(tmp_path: Path, redis_url: str) -> Iterator[Bench]:
    """A job store without workers, which the test starts."""
    config = Config(
        data_dir=tmp_path,
        state_url=redis_url,
        relay_url=redis_url,
        query_workers=1,
        lease_s=3,
        stop_grace_s=1,
        drain_s=1,
        owner_running=0,
        duckdb_threads=1,
    )
    (tmp_path / "releases").mkdir()
    with ExitStack() as stack:
        bench = Bench(stack.enter_context(open_context(config, describe)), tmp_path / "starts")
        stack.callback(lambda: [_kill(worker) for worker in bench.processes])
        yield bench


def _kill(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        worker.kill()  # its processes end with it
        worker.wait()


def test_many_jobs_of_many_owners_end_once_in_turns(bench: Bench) -> None:
    """Two hundred jobs, each owner's at once, three workers: each runs once, and owners take turns."""
    owners = [f"owner{i:02}" for i in range(20)]
    owner_of = {bench.submit("nap", account=owner): owner for owner in owners for _ in range(10)}
    for _ in range(3):
        bench.start_worker()
    await_true(lambda: not bench.context.store.active())
    started = [job_id for job_id, *_ in bench.starts()]
    assert Counter(started) == Counter(dict.fromkeys(owner_of, 1))
    assert {bench.context.store.get(job_id).phase for job_id in owner_of} == {Phase.COMPLETED}
    for count in range(20, 201, 20):
        # Three workers write their lines at the same time, so that a few may have changed places.
        so_far = Counter(owner_of[job_id] for job_id in started[:count])
        assert max(so_far.values()) - min(so_far[owner] for owner in owners) <= 2


def test_two_web_servers_share_their_jobs(bench: Bench) -> None:
    """A job that is aborted at one web server wakes who waits for it at the other."""
    here, there = (_web(bench) for _ in range(2))
    bench.start_worker()
    job_id = bench.submit("nap", LONG_S)
    bench.await_start(job_id)
    bench.context.store.change(job_id, kind="tap")  # so that /tap/async shows it
    job = f"/tap/async/{job_id}"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{there}{job}?WAIT=50", timeout=60)
        assert httpx.post(f"{here}{job}/phase", data={"PHASE": "ABORT"}).status_code == 303
        assert ">ABORTED<" in waiting.result().text
    bench.await_phase(bench.submit("nap"), Phase.COMPLETED)


def _web(bench: Bench) -> str:
    """The URL of a web server on the job store of `bench`, which ends with it."""
    port = free_port()
    bench.start([sys.executable, "-m", "vo.cli", "web"], port=port)
    await_true(lambda: _is_up(f"http://127.0.0.1:{port}/tap/availability"))
    return f"http://127.0.0.1:{port}"


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_killed_process_costs_its_job_one_more_start(bench: Bench) -> None:
    """Kill -9 on the process of a job: the job is started once more, and given up at the second loss."""
    bench.start_worker()
    job_id = bench.submit("nap", LONG_S)
    os.kill(bench.await_start(job_id), signal.SIGKILL)
    await_true(lambda: bool(sweep(bench.context).requeued))
    lost = bench.context.store.get(job_id)
    assert lost.losses == 1
    os.kill(bench.await_start(job_id, attempt=2), signal.SIGKILL)
    await_true(lambda: bool(sweep(bench.context).failed))
    failed = bench.context.store.get(job_id)
    assert (failed.phase, failed.losses) == (Phase.ERROR, 2)
    assert failed.error is not None
    assert failed.error.kind == "transient"
    assert bench.await_phase(bench.submit("nap"), Phase.COMPLETED).attempt == 1
    assert not sweep(bench.context)


def test_who_wakes_up_late_changes_nothing(bench: Bench) -> None:
    """A process that slept over its lease neither ends the job nor touches the result of the next."""
    bench.start_worker()
    job_id = bench.submit("nap", 1)
    sleeper = bench.await_start(job_id)
    os.kill(sleeper, signal.SIGSTOP)
    bench.start_worker()
    await_true(lambda: bool(sweep(bench.context).requeued))
    finished = bench.await_phase(job_id, Phase.COMPLETED)
    assert finished.attempt == 2
    if psutil.pid_exists(sleeper):  # else it was ended for its silence
        os.kill(sleeper, signal.SIGCONT)
    assert bench.await_phase(bench.submit("nap"), Phase.COMPLETED)
    assert bench.context.store.get(job_id) == finished
    await_true(lambda: bench.context.results.attempts(job_id) == [2])
    assert bench.context.results.path(job_id, 2, "result.txt").read_bytes() == b"done"


@pytest.mark.parametrize("kind", ["nap", "sulk"])
def test_an_aborted_job_frees_its_worker(bench: Bench, kind: str) -> None:
    """Whether a job obeys or not, its worker takes the next one; a process that does not is replaced."""
    bench.start_worker()
    job_id = bench.submit(kind, LONG_S)
    process = bench.await_start(job_id)
    bench.context.store.move(job_id, Phase.ABORTED)
    following = bench.submit("nap")
    bench.await_phase(following, Phase.COMPLETED)
    assert (bench.await_start(following) == process) == (kind == "nap")
    assert bench.context.store.get(job_id).phase is Phase.ABORTED
    assert [start[0] for start in bench.starts()] == [job_id, following]


def test_a_time_limit_ends_a_job_that_does_not_obey(bench: Bench) -> None:
    """ExecutionDuration is up: the job is ABORTED with the reason, although its process had to be ended."""
    bench.start_worker()
    job_id = bench.submit("sulk", LONG_S, duration_s=1)
    aborted = bench.await_phase(job_id, Phase.ABORTED)
    assert aborted.error is not None
    assert "1 seconds" in aborted.error.message
    bench.await_phase(bench.submit("nap"), Phase.COMPLETED)


def test_a_process_that_hangs_is_ended_from_outside(bench: Bench) -> None:
    """Code that lets no thread of its process run: the worker ends the process, the job is started anew."""
    bench.start_worker()
    job_id = bench.submit("seize", LONG_S)
    hanging = bench.await_start(job_id)
    await_true(lambda: not psutil.pid_exists(hanging))
    await_true(lambda: bool(sweep(bench.context).requeued))
    again = bench.await_start(job_id, attempt=2)
    bench.context.store.delete(job_id)
    await_true(lambda: not psutil.pid_exists(again))
    bench.await_phase(bench.submit("nap"), Phase.COMPLETED)


def test_a_worker_drains(bench: Bench) -> None:
    """SIGTERM: what is nearly done is finished; the rest is handed back, uncounted, and run by another."""
    worker = bench.start_worker(query_workers=2, drain_s=3)
    short, long = bench.submit("nap", 1), bench.submit("nap", LONG_S)
    waiting = bench.submit("nap")
    bench.await_start(short)
    bench.await_start(long)
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    assert bench.context.store.get(short).phase is Phase.COMPLETED
    handed_back = bench.context.store.get(long)
    assert (handed_back.phase, handed_back.losses, handed_back.started) == (Phase.QUEUED, 0, None)
    bench.start_worker(query_workers=2)
    bench.await_start(long, attempt=2)
    bench.await_phase(waiting, Phase.COMPLETED)


def test_a_job_that_outgrows_its_memory_is_ended(bench: Bench) -> None:
    """The error names the limit, and the next job runs in a process that is new."""
    bench.start_worker(query_memory_mb=1)
    job_id = bench.submit("nap", LONG_S)
    failed = bench.await_phase(job_id, Phase.ERROR)
    assert failed.error is not None
    assert "1 MB of memory" in failed.error.message
    following = bench.submit("nap")
    bench.await_phase(following, Phase.COMPLETED, Phase.ERROR)
    assert bench.await_start(following) != bench.await_start(job_id)


def test_the_clock_may_be_set_back(bench: Bench) -> None:
    """A job begun a minute in the future ends no earlier than that, and has the time it was given."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    job_id = bench.submit("nap", LONG_S, created=later, duration_s=1)
    claimed = bench.context.store.claim("query", started=later)
    assert claimed is not None
    bench.context.store.move(job_id, Phase.QUEUED, attempt=1)
    bench.start_worker()
    bench.await_phase(job_id, Phase.ABORTED)
    done = bench.await_phase(bench.submit("nap", created=later), Phase.COMPLETED)
    assert done.started is not None
    assert done.ended is not None
    assert done.started <= done.ended


def test_what_is_left_lying_about_is_removed(bench: Bench) -> None:
    """Files of jobs that are gone, of attempts that count no more, of dead processes; keys without an end."""
    context = bench.context
    old = time.time() - 3600
    gone, job_id = new_job_id(), bench.submit("nap")
    for _ in range(2):
        context.store.move(job_id, Phase.EXECUTING)
        context.store.move(job_id, Phase.QUEUED)
    context.store.move(job_id, Phase.EXECUTING)
    context.store.move(job_id, Phase.COMPLETED)
    for owner, attempt in ((gone, 1), (job_id, 1), (job_id, 3)):
        with context.results.create(owner, attempt, "result.txt") as file:
            file.write(b"done")
    abandoned = context.config.spill_dir / "process-gone"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    for path in (context.config.results_dir / gone, context.config.results_dir / job_id, abandoned / "lock"):
        os.utime(path, (old, old))
    context.relay.rpush(f"relay:{gone}", b"E")
    assert sweep(context).orphans == 4
    assert context.results.attempts(job_id) == [3]
    assert not (context.config.results_dir / gone).exists()
    assert [path.is_dir() for path in context.config.spill_dir.iterdir()] == [True]  # the one in use
    assert context.relay.ttl(f"relay:{gone}") > 0
    assert not sweep(context)
