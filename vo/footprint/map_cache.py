"""Maps that were made once, as files: those not asked for longest go when all are larger than they may be."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from vo.footprint.sky_map import SkyMap

_SUFFIX = ".map"


class MapCache:
    """Files below `directory`, shared by processes: each appears whole, and any may be gone at any time.

    A key names the release, so a map of another release is never found, and goes as others do.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit

    def get(self, key: str) -> SkyMap | None:
        """The map, which is now the last one asked for; None where there is none."""
        path = self._path(key)
        with suppress(FileNotFoundError):
            content = path.read_bytes()
            os.utime(path)
            return SkyMap.from_arrow(content)
        return None

    def put(self, key: str, sky: SkyMap) -> None:
        """Keep the map, unless it is larger than all may be or there is no room on the disk."""
        content = sky.to_arrow()
        if len(content) > self._limit:
            return
        path = self._path(key)
        partial = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        partial.unlink(missing_ok=True)
        self.trim()

    def trim(self) -> int:
        """Remove what is beyond the limit, those not asked for longest first; how many files that were."""
        files = []
        for path in self._directory.glob("*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total, removed = 0, 0
        for _, size, path in sorted(files, reverse=True):
            total += size
            if total > self._limit:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._directory / (blake2b(key.encode(), digest_size=16).hexdigest() + _SUFFIX)
