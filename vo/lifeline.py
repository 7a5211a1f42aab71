"""The ties of a process: to its parent, so that whoever is left alone ends, and of directories to it."""

from __future__ import annotations

import ctypes
import fcntl
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_OWN, _LOCK, _SETTLED_S = "process-", "lock", 60


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel (Linux) send this process the signal when its parent dies, even by kill -9."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def name_process(name: str) -> None:
    """Have `ps -e` and `top` show this process by that name, of which the kernel (Linux) keeps 15 bytes."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())


@contextmanager
def own_directory(parent: Path) -> Iterator[Path]:
    """A directory for temporary files of this process alone, below `parent`, until the block ends.

    A lock in it, which ends with the process however that ends, tells `remove_abandoned` that it is in use.
    """
    parent.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix=_OWN, ignore_cleanup_errors=True) as name,
        Path(name, _LOCK).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def remove_abandoned(parent: Path) -> int:
    """Remove the directories below `parent` whose process is gone; how many those were."""
    removed = 0
    for lock in parent.glob(f"{_OWN}*/{_LOCK}"):
        if lock.stat().st_mtime > time.time() - _SETTLED_S:
            continue  # perhaps made and not locked yet
        with lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            shutil.rmtree(lock.parent, ignore_errors=True)
            removed += 1
    return removed
