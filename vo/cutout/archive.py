"""Many files as one that is written while they are made: tar (POSIX.1-2001) or zip."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(tarfile.RECORDSIZE)
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive, in blocks."""

    name: str
    blocks: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.blocks))


def tar(entries: Iterable[Entry], written: datetime) -> Iterator[bytes]:
    """A tar file; each entry is let go of when it is written."""
    for entry in entries:
        head = tarfile.TarInfo(entry.name)
        head.size, head.mtime, head.mode = entry.size, int(written.timestamp()), _MODE
        yield head.tobuf(tarfile.PAX_FORMAT)
        yield from entry.blocks
        yield bytes(-entry.size % _BLOCK)
    yield _END


def zipped(entries: Iterable[Entry], written: datetime) -> Iterator[bytes]:
    """A zip file, its entries as they are: FITS hardly gets smaller, and pictures do not."""
    taken = _Taken()
    with zipfile.ZipFile(taken, "w") as archive:
        for entry in entries:
            head = zipfile.ZipInfo(entry.name, written.timetuple()[:6])
            head.file_size, head.external_attr = entry.size, _MODE << 16
            with archive.open(head, "w") as file:
                for block in entry.blocks:
                    file.write(block)
                    yield taken.take()
            yield taken.take()
    yield taken.take()


class _Taken:
    """A file that is not kept: what is written to it goes on at once, and nobody can go back in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep it until it is taken."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


ARCHIVES: Mapping[str, tuple[str, Callable[[Iterable[Entry], datetime], Iterator[bytes]]]] = {
    "tar": ("application/x-tar", tar),
    "zip": ("application/zip", zipped),
}
"""Kind of archive → its media type, and what writes it."""
