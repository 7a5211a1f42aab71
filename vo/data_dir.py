"""The directory of a `vo serve`: who serves it, and where its sockets are."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vo.errors import ConfigError

_LOCK = "serve.lock"
"""Who serves the directory, where its sockets are, and the inode of this very file, a line each."""

_END_S = 10.0
"""Seconds that the Redis of a supervisor that was killed has to end."""


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
    state = Path(run_dir[0], "state.sock") if run_dir else Path()
    if not state.is_socket():
        raise ConfigError(
            f"No `vo serve` is at work on {data_dir}.", hint="Start it first, or set VO_STATE_URL."
        )
    return f"unix://{state}"


def remember(lock: IO[str], run_dir: str) -> None:
    """Write down who serves and where, after clearing up behind a supervisor that was killed.

    What a copy of the directory remembers is none of its own: the original may be at work. It is known by
    its inode. ConfigError: a Redis of the supervisor before does not end.
    """
    lock.seek(0)
    _, killed, inode, *_ = [*lock.read().split("\n"), "", ""]
    own = str(os.fstat(lock.fileno()).st_ino)
    if inode == own and killed.startswith(f"{Path(run_dir).parent}/vo-run-"):
        _clear_up(Path(killed))
    lock.truncate(0)
    lock.write("\n".join((str(os.getpid()), run_dir, own)))
    lock.flush()


def _clear_up(run_dir: Path) -> None:
    """Two servers on one append-only file would ruin it: wait until the old one has gone."""
    deadline = time.monotonic() + _END_S
    while _is_listened_on(run_dir / "state.sock"):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"The Redis of the `vo serve` before has not ended; its socket is {run_dir}/state.sock.",
                hint="End it, and start again.",
            )
        time.sleep(0.05)
    shutil.rmtree(run_dir, ignore_errors=True)


def _is_listened_on(path: Path) -> bool:
    """Whether a process has the socket, be it as busy as it may."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
