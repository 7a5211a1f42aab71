"""The result store: a directory a job, in it one an attempt; a file appears under its name once it is whole.

An attempt never touches the files of another, so a worker that was taken for dead and wakes up does no harm.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vo.errors import NotFoundError, TransientError

SHARDS = "shards"
"""The place of what the shards of a job leave for each other: that of no attempt, as the next one goes on."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z")
_PARTIAL = ".partial"
_REFUSED = {
    errno.ENOSPC: "There is no room for the result: the disk is full.",
    errno.EDQUOT: "There is no room for the result: the disk is full.",
    errno.EROFS: "The result cannot be kept: its disk is read-only.",
}
"""What may become of a disk, and of the result then."""


class ResultStore:
    """Files of jobs below `root`, a volume that web and workers share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, job_id: str, attempt: int | str, name: str) -> Path:
        """Where the file lies; NotFoundError when it is not there."""
        path = self._place(job_id, str(attempt), name)
        if not path.is_file():
            raise NotFoundError(f"Job {job_id} has no file {name}.")
        return path

    @contextmanager
    def create(self, job_id: str, attempt: int | str, name: str, *, writer: str = "") -> Iterator[BinaryIO]:
        """A file to write, on disk under its name once the block ends well, and gone otherwise.

        Several that may write the same file name themselves as `writer`. TransientError: no room.
        """
        path = self._place(job_id, str(attempt), name)
        partial = path.with_name(path.name + writer + _PARTIAL)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            raise TransientError(
                _REFUSED[error.errno],
                hint="Try again later, or select less; old jobs can be deleted.",
            ) from error
        finally:
            with suppress(OSError):  # on a read-only disk even what is not there cannot be removed
                partial.unlink()

    def remove(self, job_id: str) -> None:
        """Remove all files of a job; no error when there are none."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._place(job_id))

    def remove_attempt(self, job_id: str, attempt: int | str) -> None:
        """Remove what one attempt wrote, or all SHARDS."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._place(job_id, str(attempt)))

    def names(self, job_id: str, attempt: int | str) -> list[str]:
        """The files that lie there."""
        place = self._place(job_id, str(attempt))
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def attempts(self, job_id: str) -> list[int]:
        """The attempts that left files."""
        place = self._place(job_id)
        names = [path.name for path in place.iterdir()] if place.is_dir() else []
        return [int(name) for name in names if name.isdecimal()]

    def older_than(self, age_s: float) -> Iterator[str]:
        """The jobs whose directory was last changed more than `age_s` seconds ago."""
        if not self._root.is_dir():
            return
        limit = time.time() - age_s
        with os.scandir(self._root) as entries:
            for entry in entries:
                if entry.is_dir() and _SAFE.match(entry.name) and entry.stat().st_mtime < limit:
                    yield entry.name

    def _place(self, *parts: str) -> Path:
        for part in parts:
            if not _SAFE.match(part):
                raise NotFoundError(f"There is no result {part!r}.")
        return self._root.joinpath(*parts)
