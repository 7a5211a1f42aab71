"""The directory of a `vo serve`: who serves it, and where its sockets are."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from redis import Redis
from redis.exceptions import RedisError

from vo.errors import ConfigError

_LOCK = "serve.lock"
"""Who serves the directory, and where its sockets are."""


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
def served(data_dir: Path) -> Iterator[IO[str]]:
    """A file that is locked as long as the block takes; ConfigError: another `vo serve` has it."""
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


def remember(lock: IO[str], run_dir: str) -> None:
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
