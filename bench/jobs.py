"""What the job engine costs: jobs a second beside bare Celery tasks, and answers with 10,000 jobs stored.

    python bench/jobs.py [JOBS]

JOBS (default 300) are run in each way; 10,000 are put into the store.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from vo.auth import User
from vo.config import Config
from vo.context import Context, open_context
from vo.dali import Params
from vo.jobs import run_next
from vo.serve import redis_server
from vo.tap.endpoints import ASYNC
from vo.tap.schema import describe
from vo.uws.actions import create_job
from vo.uws.job import Job, Phase, new_job_id
from vo.uws.lanes import lanes
from vo.uws.queue import celery_app
from vo.uws.redis_store import RedisJobStore

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from service import Service, serving, small_sample

TRIVIAL = "SELECT TOP 1 table_name FROM TAP_SCHEMA.tables"
REQUEST = {"LANG": "ADQL", "QUERY": TRIVIAL, "RESPONSEFORMAT": "csv", "PHASE": "RUN"}
STORED = 10_000
ASKED = 200
CLIENTS = 4
DONE = "bench:done"
UNLIMITED = {
    "VO_OWNER_RUNNING": "0",
    "VO_OWNER_QUEUED": "0",
    "VO_QUEUE_LIMIT": "0",
    "VO_LOG_LEVEL": "warning",
}


def main() -> None:
    """Measure, print a table."""
    if sys.argv[1:2] == ["--worker"]:
        _work(sys.argv[2])
        return
    count = int(sys.argv[1]) if sys.argv[1:] else 300
    with tempfile.TemporaryDirectory(prefix="vo-") as scratch:
        data = small_sample(Path(scratch))
        with _redis(Path(scratch)) as url:
            _tell("bare Celery tasks", count / _seconds_of_bare_tasks(url, count), "/s")
            _tell(
                "jobs through store and run, one process", count / _seconds_in_process(url, data, count), "/s"
            )
        with serving(data, **UNLIMITED) as service:
            _tell("jobs through HTTP, two workers", count / _seconds_through_http(service, count), "/s")
            _answers(service)


def _tell(what: str, value: float, unit: str, target: str = "") -> None:
    print(f"{what:<58} {value:9.1f} {unit:<3} {target}")


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A server like that of `state`: with an append-only file."""
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(
        [redis_server(), *options, "--appendonly", "yes"], stdout=subprocess.DEVNULL
    ) as server:
        try:
            _await(lambda: _pings(f"unix://{socket}"))
            yield f"unix://{socket}"
        finally:
            server.terminate()


def _pings(url: str) -> bool:
    with Redis.from_url(url, retry=None) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def _await(condition: Callable[[], bool], timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def _bare_app(url: str) -> Celery:
    app = celery_app(url)
    client = Redis.from_url(url)

    @app.task(name="bench.nothing")
    def nothing() -> None:
        client.incr(DONE)

    return app


def _work(url: str) -> None:
    _bare_app(url).Worker(
        queues=("bench",), concurrency=2, pool="prefork", without_gossip=True, without_mingle=True, quiet=True
    ).start()


def _seconds_of_bare_tasks(url: str, count: int) -> float:
    app = _bare_app(url)
    worker = subprocess.Popen([sys.executable, __file__, "--worker", url], stderr=subprocess.DEVNULL)
    try:
        with Redis.from_url(url) as client:
            app.send_task("bench.nothing", queue="bench")
            _await(lambda: client.get(DONE) == b"1")
            began = time.perf_counter()
            for _ in range(count):
                app.send_task("bench.nothing", queue="bench")
            _await(lambda: int(client.get(DONE) or 0) == count + 1)
            return time.perf_counter() - began
    finally:
        worker.terminate()
        worker.wait()


def _seconds_in_process(url: str, data: Path, count: int) -> float:
    config = replace(Config(), data_dir=data, state_url=url, relay_url=url, log_level="warning")
    with open_context(config, describe) as context:
        _run_one(context)
        began = time.perf_counter()
        for _ in range(count):
            _run_one(context)
        return time.perf_counter() - began


def _run_one(context: Context) -> None:
    job = create_job(context, ASYNC, User(), Params(tuple(REQUEST.items())))
    run_next(lanes(context.config)[ASYNC.lane], context)
    if context.store.get(job.id).phase is not Phase.COMPLETED:
        raise RuntimeError(f"job {job.id} did not complete")


def _seconds_through_http(service: Service, count: int) -> float:
    job = service.start_job(TRIVIAL)
    service.await_phase(job, "COMPLETED")
    done = _completed(service)
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda share: _post(service, share), [count // CLIENTS] * CLIENTS))
    _await(lambda: _completed(service) >= done + count // CLIENTS * CLIENTS)
    return time.perf_counter() - began


def _post(service: Service, count: int) -> None:
    client = _connection(service)
    for _ in range(count):
        client.request(
            "POST", ASYNC.path, urlencode(REQUEST), {"Content-Type": "application/x-www-form-urlencoded"}
        )
        client.getresponse().read()
    client.close()


def _completed(service: Service) -> int:
    with _state(service) as redis:
        return int(redis.hget("vo:ended", f"{ASYNC.name}:COMPLETED") or 0)  # type: ignore[arg-type]


def _state(service: Service) -> Redis:
    run_dir = (service.data / "serve.lock").read_text().splitlines()[1]
    return Redis.from_url(f"unix://{run_dir}/state.sock", decode_responses=True)


def _connection(service: Service) -> HTTPConnection:
    return HTTPConnection(service.url.partition("//")[2], timeout=60)


def _answers(service: Service) -> None:
    with _state(service) as redis:
        some = _fill(RedisJobStore(redis))
    for what, path, target in (
        ("phase of a job", f"{ASYNC.path}/{some}/phase", ""),
        ("document of a job", f"{ASYNC.path}/{some}", ""),
        ("list of an owner with 10,000 jobs, LAST=50", f"{ASYNC.path}?LAST=50", "target < 50 ms"),
        ("scrape of /metrics", "/metrics", "target < 20 ms"),
        ("/status", "/status", ""),
    ):
        middle, late = _latency(service, path)
        _tell(f"{STORED:,} jobs: {what}", middle, "ms", f"95 %: {late:.1f} ms  {target}")


def _fill(store: RedisJobStore) -> str:
    """Put jobs in every phase but the active ones that workers would take; the id of one of them."""
    now = datetime.now(UTC)
    phases = (Phase.PENDING, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED)
    job = Job(new_job_id(), ASYNC.name, ASYNC.lane, now, now + timedelta(days=7), 60, tuple(REQUEST.items()))
    for i in range(STORED):
        job = replace(
            job, id=new_job_id(), phase=phases[i % len(phases)], created=now - timedelta(seconds=STORED - i)
        )
        store.create(job)
    return job.id


def _latency(service: Service, path: str) -> tuple[float, float]:
    """Milliseconds: the median, and what 95 of 100 requests stay below."""
    client = _connection(service)
    taken = []
    for _ in range(ASKED):
        began = time.perf_counter()
        client.request("GET", path)
        client.getresponse().read()
        taken.append(1e3 * (time.perf_counter() - began))
    client.close()
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


if __name__ == "__main__":
    main()
