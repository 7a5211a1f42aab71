"""A new release file made beside the old one and put in its place at once, or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from vo.errors import LoadError


@contextmanager
def replacing(releases_dir: Path, release: str, *, check: Callable[[], None]) -> Iterator[Path]:
    """A path for the new file of `release`; it takes the place of the old one when the block ends well.

    `check` is called last, while no load of any release can put its file in place: what it raises ends
    this one.

    Whatever ends the block otherwise, SIGTERM included, leaves the old file untouched and none of the
    new. What a killed load left behind is removed first; a load of the same release that is still at
    work is a LoadError.
    """
    releases_dir.mkdir(parents=True, exist_ok=True)
    with locked(releases_dir / f".{release}.lock", release), _terminating():
        _remove_leftovers(releases_dir, release)
        temporary = releases_dir / f"{release}.duckdb.{secrets.token_hex(4)}.tmp"
        try:
            yield temporary
            _sync(temporary)
            with (releases_dir / ".releases.lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                check()
                temporary.replace(releases_dir / f"{release}.duckdb")
            _sync(releases_dir)
        finally:
            _remove_leftovers(releases_dir, release)


@contextmanager
def locked(path: Path, release: str) -> Iterator[None]:
    """Hold the lock file, which stays: the lock is the kernel's and ends with the process.

    LoadError: another load holds it.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LoadError(
                f"Another load of the release {release} is at work.", hint="Try again when it has ended."
            ) from error
        yield


@contextmanager
def _terminating() -> Iterator[None]:
    """Let SIGTERM end the process through every `finally`, as SIGINT does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _remove_leftovers(releases_dir: Path, release: str) -> None:
    """Remove the unfinished files of a release; call it under its lock."""
    for path in releases_dir.glob(f"{release}.duckdb.*.tmp*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file, or the entries of a directory, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
