"""Faults too slow for the suite: what the service does while they last, and whether it is whole afterwards.

    python bench/faults.py [SCENARIO ...]

After each, no job is lost, none has ended twice, no file is left lying about, and the service answers. A
small disk needs root, and a clock that goes back a C compiler.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlparse

import httpx
import psutil
from redis import Redis

from vo.jobs import LANES
from vo.worker import warm_up

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from service import Service, serving, small_sample

TRIVIAL = "SELECT TOP 1 ra FROM sim1.main"
SECOND = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b WHERE a.ra < b.ra AND a.dec < b.dec"
ENDLESS = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b, sim1.main AS c WHERE a.ra < b.ra"
LARGE = "SELECT * FROM sim1.main"
BOUNDLESS = "SELECT a.* FROM sim1.main AS a, sim1.main AS b"
FINAL = {"COMPLETED", "ERROR", "ABORTED"}
QUICK = {"VO_LEASE_S": "5", "VO_SWEEP_INTERVAL_S": "2", "VO_LOG_FORMAT": "json"}
USER = "X-User"
_PARTS = ("vo web", *(f"vo {lane}" for lane in LANES))
MIB = 1 << 20


class Skipped(Exception):  # noqa: N818  no error
    """Why a scenario cannot be had here."""


@dataclass
class Case:
    """A service, and the jobs it was given."""

    service: Service
    jobs: list[str] = field(default_factory=list)

    def submit(self, query: str, owner: str | None = None, url: str | None = None) -> str:
        """The identifier of a new job, started; it may be at another web server of the service."""
        form = {"LANG": "ADQL", "QUERY": query, "PHASE": "RUN", "RESPONSEFORMAT": "csv"}
        headers = {} if owner is None else {USER: owner}
        answer = httpx.post(f"{url or self.service.url}/tap/async", data=form, headers=headers, timeout=60)
        answer.raise_for_status() if answer.status_code != 303 else None
        job = answer.headers["location"].rpartition("/")[2]
        self.jobs.append(job)
        return job

    def phases(self) -> Counter[str]:
        """How many of the jobs are in each phase."""
        with self.state() as redis, redis.pipeline(transaction=False) as lines:
            for job in self.jobs:
                lines.hget(f"vo:job:{job}", "phase")
            return Counter(phase or "LOST" for phase in lines.execute())

    def told(self) -> str:
        """Why jobs failed, each reason once."""
        with self.state() as redis, redis.pipeline(transaction=False) as lines:
            for job in self.jobs:
                lines.hget(f"vo:job:{job}", "error")
            errors = {text for text in lines.execute() if text not in (None, "null")}
        return "; ".join(sorted(json.loads(text)["message"] for text in errors)) or str(self.phases())

    def await_end(self, timeout_s: float = 180) -> Counter[str]:
        """The phases once all jobs have ended."""
        await_true(lambda: set(self.phases()) <= FINAL, timeout_s)
        return self.phases()

    def state(self) -> Redis:
        """The job store."""
        return Redis.from_url(f"unix://{self.run_dir}/state.sock", decode_responses=True)

    @property
    def run_dir(self) -> str:
        """Where the sockets and the blocks of the relay lie."""
        return (self.service.data / "serve.lock").read_text().splitlines()[1]

    def verify(self) -> str:
        """Judge what is left; the phases of the jobs."""
        phases = self.await_end()
        ends = Counter(event["job_id"] for event in self.events() if event["event"] == "job ended")
        twice = [job for job, count in ends.items() if count > 1]
        assert not twice, f"ended twice: {twice}"
        with self.state() as redis:
            files = self.service.data / "results"
            known = {path.name for path in files.glob("*") if redis.exists(f"vo:job:{path.name}")}
            orphans = {path.name for path in files.glob("*")} - known
        partial = [str(path) for path in files.rglob("*.partial")]
        assert not orphans, f"orphans: {orphans}"
        assert not partial, f"left half-written: {partial}"
        await_true(lambda: self.service.sync(TRIVIAL).status_code == 200, 60)
        return ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))

    def events(self) -> Iterator[dict[str, str]]:
        """The lines of the log."""
        for log in self.service.data.glob("*.log"):
            for line in log.read_text(errors="replace").splitlines():
                with suppress(ValueError):
                    if isinstance(event := json.loads(line), dict):
                        yield event


def await_true(condition: Callable[[], object], timeout_s: float) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + timeout_s
    while True:
        with suppress(httpx.HTTPError):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@contextmanager
def _case(data: Path, **settings: str) -> Iterator[Case]:
    with serving(data, **{**QUICK, **settings}) as service:
        yield Case(service)


def full_disk(data: Path) -> str:
    """Large results on a disk of four megabytes: they fail with a reason, small ones are kept."""
    results = data / "results"
    results.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(results)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise Skipped(f"no small disk can be had: {mounted.stderr.strip()}")
    try:
        with _case(data) as case:
            for _ in range(6):
                case.submit(LARGE)
            case.await_end()
            told = case.told()
            assert case.phases()["ERROR"] > 0, "the disk was not full"
            case.submit(TRIVIAL)
            assert case.await_end()["COMPLETED"] > 0
            return f"{case.verify()}; told: {told[:90]}"
    finally:
        subprocess.run(["umount", str(results)], check=True)


def paused_redis(data: Path) -> str:
    """Redis sleeps for 20 s with jobs running and waiting: all of them end well, and once."""
    with _case(data, VO_LEASE_S="30") as case:
        for _ in range(8):
            case.submit(SECOND)
        servers = case.service.processes("redis-server")
        (redis,) = [p for p in servers if any("state.sock" in word for word in p.cmdline())]
        redis.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            status = httpx.get(f"{case.service.url}/status", timeout=15)
            told_s = time.monotonic() - began
            time.sleep(20 - told_s)
        finally:
            redis.send_signal(signal.SIGCONT)
        assert status.status_code == 503, status.text
        phases = case.verify()
        assert case.phases() == {"COMPLETED": 8}, case.told()
        return f"{phases}; /status said so after {told_s:.1f} s"


def kill_storm(data: Path) -> str:
    """Two web servers, three workers of one lane, and every second a kill -9: every job comes to an end."""
    chance = random.Random(1)
    with _case(data) as case, ExitStack() as stack:
        others = [_Respawned(case, data, name, words) for name, words in _OTHERS.items()]
        for other in others:
            stack.callback(other.end)
        urls = [case.service.url, f"http://127.0.0.1:{_OTHER_PORT}"]
        await_true(lambda: httpx.get(f"{urls[1]}/tap/availability").status_code == 200, 60)
        killed, deadline = 0, time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError, KeyError):
                case.submit(chance.choice((TRIVIAL, SECOND)), url=chance.choice(urls))
            victims = case.service.processes(*_PARTS)
            victims += [p for other in others for p in other.processes()]
            killed += _kill(chance.choice(victims))
            for other in others:
                other.respawn()
            time.sleep(1)
        return f"{case.verify()}; {killed} killed"


_OTHER_PORT = 8798
_OTHERS = {
    "web": ("web", "--port", str(_OTHER_PORT)),
    "second": ("worker", "--lane", "query"),
    "third": ("worker", "--lane", "query"),
}


class _Respawned:
    """One more process of the service, started again whenever it died."""

    def __init__(self, case: Case, data: Path, name: str, words: tuple[str, ...]) -> None:
        run_dir = case.run_dir
        addresses = {
            "VO_STATE_URL": f"unix://{run_dir}/state.sock",
            "VO_RELAY_URL": f"unix://{run_dir}/relay.sock",
            "VO_RELAY_DIR": run_dir,
        }
        self._environment = {**os.environ, **QUICK, **addresses}
        self._command = [sys.executable, "-m", "vo.cli", *words, "--data", str(data)]
        self._log = data / f"{name}.log"
        self.respawn()

    _process: subprocess.Popen[bytes] | None = None

    def respawn(self) -> None:
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(self._command, env=self._environment, stderr=log)

    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            if self._process is not None:
                root = psutil.Process(self._process.pid)
                return [root, *root.children(recursive=True)]
        return []

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)


def _kill(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        process.kill()
        return True
    return False


def clock_back(data: Path) -> str:
    """Every clock of the service goes back by a minute with jobs running and waiting: nothing notices."""
    library, offset = data / "clock.so", data / "offset"
    source = Path(__file__).with_name("clock.c")
    if shutil.which("cc") is None:
        raise Skipped("there is no compiler for the clock")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    offset.write_bytes(bytes(8))
    with _case(data, LD_PRELOAD=str(library), CLOCK_OFFSET=str(offset)) as case:
        for _ in range(4):
            case.submit(SECOND)
        offset.write_bytes((-60).to_bytes(8, sys.byteorder, signed=True))
        back_by = datetime.now(UTC) - datetime.fromisoformat(case.service.get("/status").json()["time"])
        assert timedelta(seconds=55) < back_by < timedelta(seconds=65), f"the clock went back by {back_by}"
        for _ in range(4):
            case.submit(SECOND)
        phases = case.verify()
        assert case.phases() == {"COMPLETED": 8}, case.told()
        return phases


def thousand_jobs(data: Path) -> str:
    """A thousand jobs of 20 owners at once: all run, and no owner waits for all of another's."""
    with _case(data, VO_USER_HEADER=USER) as case:
        began = time.monotonic()
        owners = [f"owner{i}" for i in range(20)]
        with ThreadPoolExecutor(len(owners)) as pool:
            list(pool.map(lambda owner: [case.submit(TRIVIAL, owner) for _ in range(50)], owners))
        submitted_s = time.monotonic() - began
        phases = case.verify()
        took_s = time.monotonic() - began
        ended = (event for event in case.events() if event["event"] == "job ended")
        ends = [event["owner"] for event in ended if "owner" in event]
        halfway = Counter(ends[len(ends) // 4 : len(ends) // 2])
        spread = f"{min(halfway[owner] for owner in owners)} to {max(halfway.values())}"
        return f"{phases}; taken in {submitted_s:.0f} s, run in {took_s:.0f} s; {spread} an owner in between"


def many_waiters(data: Path) -> str:
    """300 clients in WAIT=60: other requests are as quick as before, and all are woken by the abort."""
    with _case(data, VO_USER_HEADER=USER) as case, ExitStack() as stack:
        job = case.submit(ENDLESS)
        case.service.await_phase(f"/tap/async/{job}", "EXECUTING")
        alone = _latency(case, job)
        waiting = [stack.enter_context(_waiter(case, job, f"user{i}")) for i in range(300)]
        await_true(lambda: case.service.get("/status").json()["waiting_requests"] == 300, 30)
        beside = _latency(case, job)
        began = time.monotonic()
        case.service.post(f"/tap/async/{job}/phase", PHASE="ABORT")
        for connection in waiting:
            assert b"ABORTED" in _everything(connection)
        woken = time.monotonic() - began
        times = f"phase {alone:.1f} ms alone, {beside:.1f} ms beside them; woken in {woken:.2f} s"
        return f"{case.verify()}; {times}"


def _latency(case: Case, job: str) -> float:
    with httpx.Client(base_url=case.service.url) as client:
        taken = [client.get(f"/tap/async/{job}/phase").elapsed.total_seconds() for _ in range(200)]
    return 1e3 * statistics.median(taken)


@contextmanager
def _waiter(case: Case, job: str, user: str) -> Iterator[socket.socket]:
    place = urlparse(case.service.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=90) as connection:
        head = f"GET /tap/async/{job}?WAIT=60 HTTP/1.1\r\nHost: {place.netloc}\r\n{USER}: {user}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        yield connection


def _everything(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def slow_reader(data: Path) -> str:
    """A client that stops reading a boundless result: its worker waits, memory is flat, both end together."""
    with _case(data, VO_SYNC_SCAN_LIMIT="0", VO_MAXREC_LIMIT="1000000000") as case:
        url = f"{case.service.url}/tap/sync?LANG=ADQL&MAXREC=1000000000&QUERY={quote(BOUNDLESS)}"
        with httpx.stream("GET", url, timeout=30) as answer:
            blocks = answer.iter_bytes(65536)  # kept: the connection ends with it
            next(blocks)
            job = answer.headers["x-job"]
            case.jobs.append(job)
            time.sleep(3)
            before = _resident(case)
            time.sleep(10)
            growth = max(_resident(case)[pid] - size for pid, size in before.items()) / MIB
            assert case.phases() == {"EXECUTING": 1}, case.told()
            assert growth < 64, f"{growth:.0f} MiB more"
        began = time.monotonic()
        case.await_end(30)
        freed = time.monotonic() - began
        return f"{case.verify()}; {growth:+.1f} MiB in 10 s; ended {freed:.1f} s after the client"


def _resident(case: Case) -> Mapping[int, int]:
    """The memory of the web server and of all workers."""
    return {process.pid: process.memory_info().rss for process in case.service.processes(*_PARTS)}


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        slow_reader,
        many_waiters,
        thousand_jobs,
        paused_redis,
        clock_back,
        full_disk,
        kill_storm,
    )
}


def main() -> int:
    """Run the scenarios named, or all; the number of those that failed."""
    failed = 0
    warm_up()  # or the first service would compile while it is waited for
    with tempfile.TemporaryDirectory(prefix="vo-") as scratch:
        sample = small_sample(Path(scratch))
        for name in sys.argv[1:] or SCENARIOS:
            data = Path(scratch) / name
            shutil.copytree(sample / "releases", data / "releases")
            try:
                verdict, told = "whole", SCENARIOS[name](data)
            except Skipped as reason:
                verdict, told = "skipped", str(reason)
            except AssertionError as error:
                verdict, told, failed = "BROKEN", str(error), failed + 1
            print(f"{name:<14} {verdict:<8} {told}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
