"""Open files, whose bytes are read with bounds: what is missing is an error that says so.

Nothing is mapped into memory: a file that shrinks or a disk that fails would end the process with SIGBUS.
What is not in memory yet is announced before it is read, so that a disk fetches scattered pieces together.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import ImageError

_NOWAIT = getattr(os, "RWF_NOWAIT", 0)  # of Linux; elsewhere a byte is read
_pread: Any = types.ExternalFunction(
    "pread", types.int64(types.int32, types.uintp, types.uint64, types.int64)
)
"""pread(2): file, address, bytes, offset."""

FileKey = tuple[str, int, int, int]
"""Path, time in nanoseconds, size, inode: a file that has changed has another one."""


def file_key(path: Path) -> FileKey:
    """What tells the file from all that had or will have the same path."""
    try:
        return _key(path, path.stat())
    except (OSError, ValueError) as error:
        raise _unopened(path, error) from error


def _key(path: Path, status: os.stat_result) -> FileKey:
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino


def _unopened(path: Path, error: Exception) -> ImageError:
    return ImageError(f"The image file {path.name} cannot be opened: {_reason(error)}.")


class FitsFile:
    """An open file, which closes when nobody has it any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise _unopened(path, error) from error
        weakref.finalize(self, os.close, self._fd)
        status = os.fstat(self._fd)
        self.size = status.st_size
        self.key = _key(path, status)

    def read(self, offset: int, size: int) -> bytes:
        """The bytes from `offset` on; ImageError if the file does not have them all."""
        return self.read_array(offset, size).tobytes()

    def read_array(self, offset: int, size: int, padding: int = 0) -> NDArray[np.uint8]:
        """The bytes from `offset` on, and zeros behind them."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise self.broken(f"it is cut short, or points to what is not there: byte {offset + size}")
        found = np.empty(size + padding, np.uint8)
        found[size:] = 0
        done = 0
        while done < size:
            got = self._read_into(found.data[done:size], offset + done)
            if not got:
                raise self.broken(f"it is cut short: byte {offset + done} is missing")
            done += got
        return found

    def _read_into(self, space: memoryview, offset: int) -> int:
        try:
            return os.preadv(self._fd, [space], offset)
        except OSError as error:
            raise self.broken(f"reading failed at byte {offset}: {_reason(error)}") from error

    def read_rows(self, offset: int, *, pitch: int, size: int, rows: int) -> NDArray[np.uint8]:
        """`size` bytes of each of `rows` rows that lie `pitch` bytes apart, one behind the other."""
        if size == pitch:
            return self.read_array(offset, size * rows)
        if offset < 0 or offset + (rows - 1) * pitch + size > self.size:
            raise self.broken("it is cut short: rows of pixels are missing")
        if not self._is_at_hand(offset, size):
            for row in range(rows):
                self.expect(offset + row * pitch, size)
        found = np.empty(size * rows, np.uint8)
        if not _read_rows(self._fd, found, offset, pitch, size):
            raise self.broken("it is cut short, or rows of pixels cannot be read")
        return found

    def _is_at_hand(self, offset: int, size: int) -> bool:
        """Whether the first bytes of a range are in memory, as far as the system tells."""
        try:
            return os.preadv(self._fd, [bytearray(min(size, 1))], offset, _NOWAIT) > 0
        except OSError:
            return False

    def expect(self, offset: int, size: int) -> None:
        """Say that a range will be read soon: the disk then fetches all that was announced at once."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError, OverflowError):  # what is not there is told by who reads it
                os.posix_fadvise(self._fd, offset, size, os.POSIX_FADV_WILLNEED)

    def broken(self, why: str) -> ImageError:
        """The error of a file that is not what it should be."""
        return ImageError(f"The image file {self.path.name} is broken: {why}.")


@compiled
def _read_rows(fd: int, out: NDArray[np.uint8], offset: int, pitch: int, size: int) -> bool:
    """Fill `out` with rows of `size` bytes; False where one is not there. Other threads run meanwhile."""
    address = out.ctypes.data
    for row in range(len(out) // size):
        if _pread(fd, address + row * size, size, offset + row * pitch) != size:
            return False
    return True


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def warm_up() -> None:
    """Compile, or load from the cache, what reads rows: here none."""
    _read_rows(-1, np.empty(0, np.uint8), 0, 1, 1)
