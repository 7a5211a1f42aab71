"""Every part of a running service restarted, one after the other, while clients query: nothing may fail.

    python bench/rolling.py [ROUNDS] [--own-proxy]     (make rolling-restart)

Two web servers behind a proxy (HAProxy where it is installed; else, or if told so, bench/proxy.py), two
workers a lane, and a loop of sweeps. Clients ask sync queries, small and large, and run jobs with WAIT, among
them some that take longer than a worker drains, which are handed back. It counts requests that failed and
jobs that were lost.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from redis import Redis

from vo.serve import redis_server
from vo.worker import warm_up

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from service import free_port, small_sample

OWN_PROXY = "--own-proxy"
ROWS = 20_000
SMALL = "SELECT TOP 10 ra, dec FROM sim1.main"
LARGE = "SELECT * FROM sim1.main"
LONG = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b WHERE a.ra < b.ra AND a.dec < b.dec"
START_S = 180
STOP_S = 120

SETTINGS = {
    "VO_SYNC_WORKERS": "2",
    "VO_QUERY_WORKERS": "1",
    "VO_LEASE_S": "10",
    "VO_LOG_FORMAT": "json",
    "VO_DUCKDB_MEMORY": "512MB",
    "VO_DUCKDB_THREADS": "1",
}
OWN = {
    "web": {"VO_LEAVE_S": "2", "VO_DRAIN_S": "65"},
    "sync": {"VO_DRAIN_S": "65"},
    "query": {"VO_DRAIN_S": "1"},  # so that long jobs are handed back
}


@dataclass
class Part:
    """One process of the service, which can be replaced."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    is_up: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def await_work(self) -> None:
        """Return once it works."""
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while not self.is_up():
            assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"{self.name} did not start"
            time.sleep(0.1)

    def stop(self) -> float:
        """Tell it to stop, as Kubernetes does; the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=STOP_S)
        return time.monotonic() - began


@dataclass
class Score:
    """What clients met with."""

    stop: threading.Event = field(default_factory=threading.Event)
    asked: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clock(self, what: str, ask: Callable[[], None]) -> None:
        """Ask once, and note how it went."""
        began, failure = time.monotonic(), None
        try:
            ask()
        except (httpx.HTTPError, AssertionError) as error:
            failure = f"{what}: {type(error).__name__} {error}"
        with self.lock:
            self.asked[what] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if failure is not None:
                self.failed.append(f"{failure} (after {time.monotonic() - began:.1f} s)")


class Client(threading.Thread):
    """Somebody who asks the same kind of thing again and again, over connections that are kept."""

    def __init__(self, score: Score, url: str, what: str) -> None:
        super().__init__(name=what)
        self._score = score
        self._what = what
        self._http = httpx.Client(base_url=url, timeout=120)

    def run(self) -> None:
        """Ask until told to stop."""
        ask = {"small": self._small, "large": self._large, "job": self._job, "long job": self._long_job}
        with self._http:
            while not self._score.stop.is_set():
                self._score.clock(self._what, ask[self._what])

    def _small(self) -> None:
        answer = self._http.get("/tap/sync", params={"LANG": "ADQL", "QUERY": SMALL, "FORMAT": "csv"})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
        assert len(answer.text.splitlines()) == 11, answer.text
        time.sleep(0.02)

    def _large(self) -> None:
        answer = self._http.get("/tap/sync", params={"LANG": "ADQL", "QUERY": LARGE, "FORMAT": "csv"})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
        lines = answer.content.count(b"\n")
        assert lines > ROWS, f"{lines} lines"

    def _job(self) -> None:
        self._run(SMALL)

    def _long_job(self) -> None:
        self._run(LONG)

    def _run(self, query: str) -> None:
        form = {"LANG": "ADQL", "QUERY": query, "PHASE": "RUN", "FORMAT": "csv"}
        created = self._http.post("/tap/async", data=form)
        assert created.status_code == 303, f"{created.status_code} {created.text[:300]}"
        job = created.headers["location"]
        phase = "QUEUED"
        while phase in ("QUEUED", "EXECUTING"):
            waited = self._http.get(job, params={"WAIT": "10", "PHASE": phase})
            assert waited.status_code == 200, f"{waited.status_code} {waited.text[:300]}"
            phase = waited.text.partition("<uws:phase>")[2].partition("<")[0]
        assert phase == "COMPLETED", f"{job} is {phase}: {self._http.get(f'{job}/error').text[:300]}"
        result = self._http.get(f"{job}/results/result")
        assert result.status_code == 200, f"{result.status_code} {result.text[:300]}"
        deleted = self._http.delete(job)
        assert deleted.status_code == 303, deleted.text[:300]


@contextmanager
def cluster(data: Path) -> Iterator[tuple[str, list[Part], str]]:
    """The parts of a service, all started; the URL of the proxy before them, and the parts to be replaced."""
    with ExitStack() as stack:
        run_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vo-")))
        urls = {}
        for name, kept in (("state", "yes"), ("relay", "no")):
            socket = run_dir / f"{name}.sock"
            options = ["--port", "0", "--save", "", "--dir", str(run_dir), "--unixsocket", str(socket)]
            stack.enter_context(_running([redis_server(), *options, "--appendonly", kept]))
            urls[name] = f"unix://{socket}"
        ports = [free_port(), free_port()]
        front = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
        environment |= {"VO_STATE_URL": urls["state"], "VO_RELAY_URL": urls["relay"], **SETTINGS}
        parts = [
            *(
                _web(data, port, {**environment, "VO_BASE_URL": f"http://127.0.0.1:{front}"})
                for port in ports
            ),
            *(_worker(data, lane, copy, environment) for lane in ("sync", "query") for copy in (1, 2)),
        ]
        for part in parts:
            stack.callback(_kill, part)
            part.start()
        for part in parts:
            part.await_work()
        sweep = [sys.executable, "-m", "vo.cli", "sweep", "--every", "5", "--data", str(data)]
        stack.enter_context(_running(sweep, environment))
        command, name = _proxy(front, ports, run_dir)
        stack.enter_context(_running(command))
        _await(lambda: _answers(front))
        yield f"http://127.0.0.1:{front}", parts, name


def _web(data: Path, port: int, environment: dict[str, str]) -> Part:
    return Part(
        f"web {port}",
        [sys.executable, "-m", "vo.cli", "web", "--data", str(data), "--port", str(port)],
        {**environment, **OWN["web"]},
        data / f"web-{port}.log",
        lambda: _answers(port),
    )


def _worker(data: Path, lane: str, copy: int, environment: dict[str, str]) -> Part:
    alive = data / f"{lane}-{copy}.alive"

    def is_up() -> bool:
        return alive.exists()

    part = Part(
        f"worker {lane} {copy}",
        [sys.executable, "-m", "vo.cli", "worker", "--lane", lane, "--data", str(data)],
        {**environment, **OWN[lane], "VO_ALIVE_FILE": str(alive)},
        data / f"{lane}-{copy}.log",
        is_up,
    )
    alive.unlink(missing_ok=True)
    return part


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
    return False


def _proxy(front: int, ports: list[int], run_dir: Path) -> tuple[list[str], str]:
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None or OWN_PROXY in sys.argv:
        script = Path(__file__).with_name("proxy.py")
        return [sys.executable, str(script), str(front), *map(str, ports)], "bench/proxy.py"
    servers = "\n".join(f"    server web{port} 127.0.0.1:{port}" for port in ports)
    (run_dir / "haproxy.cfg").write_text(HAPROXY.format(front=front, servers=servers))
    return [program, "-db", "-f", str(run_dir / "haproxy.cfg")], "HAProxy"


HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 150s
    timeout server 150s
    option redispatch 1
    retries 3
    retry-on conn-failure
frontend front
    bind 127.0.0.1:{front}
    default_backend webs
backend webs
    balance roundrobin
    option httpchk GET /ready
    default-server check inter 300ms fall 1 rise 1
{servers}
"""
"""As an ingress has it: only a connection that nobody took is tried again."""


@contextmanager
def _running(command: list[str], environment: dict[str, str] | None = None) -> Iterator[None]:
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def _kill(part: Part) -> None:
    if part.process is not None and part.process.poll() is None:
        part.process.kill()
        part.process.wait()


def _await(condition: Callable[[], bool], timeout_s: float = START_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _restart(part: Part) -> str:
    took_s = part.stop()
    alive = part.environment.get("VO_ALIVE_FILE")
    if alive is not None:
        Path(alive).unlink(missing_ok=True)
    part.start()
    part.await_work()
    return f"{part.name}: left in {took_s:.1f} s"


def _lost(state_url: str) -> list[str]:
    """Jobs that are neither deleted nor at their end once all clients have gone."""
    with Redis.from_url(state_url, decode_responses=True) as state:
        jobs = {key: state.hget(key, "phase") for key in state.scan_iter("vo:job:*")}
    return [f"{key} {phase}" for key, phase in jobs.items() if phase not in ("COMPLETED", "ABORTED")]


def main() -> int:
    """Restart everything ROUNDS times; the number of failures."""
    rounds = next((int(word) for word in sys.argv[1:] if word != OWN_PROXY), 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave no part behind
    warm_up()
    with tempfile.TemporaryDirectory(prefix="vo-") as scratch:
        data = small_sample(Path(scratch))
        with cluster(data) as (url, parts, proxy):
            score = Score()
            clients = [Client(score, url, what) for what in ("small", "small", "large", "job", "long job")]
            for client in clients:
                client.start()
            time.sleep(3)
            for part in parts * rounds:
                told = _restart(part)
                print(f"{told}; {score.asked.total()} asked, {len(score.failed)} failed", flush=True)
                time.sleep(1)
            score.stop.set()
            for client in clients:
                client.join()
            lost = _lost(parts[0].environment["VO_STATE_URL"])
    asked = ", ".join(f"{count} {what}" for what, count in sorted(score.asked.items()))
    print(f"{rounds * len(parts)} restarts behind {proxy}; asked: {asked}; slowest {score.slowest_s:.1f} s")
    print(f"failed requests: {len(score.failed)}; lost jobs: {len(lost)}")
    for failure in [*score.failed, *lost]:
        print(f"  {failure}")
    return len(score.failed) + len(lost)


if __name__ == "__main__":
    sys.exit(main())
