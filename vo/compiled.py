"""Loops as machine code."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(function: _Loop) -> _Loop:
    """`function` as machine code without the GIL, compiled at its first call unless a cache has it.

    The cache is beside its module, or in the user's own where that cannot be written.
    """
    try:
        loop: Any = njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no directory for a cache: every process compiles for itself
        return cast("_Loop", njit(nogil=True, error_model="numpy")(function))
    # Numba looks at one file only, and would keep the code of a loop whose callee, next door, has changed.
    loop._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)  # noqa: SLF001
    return cast("_Loop", loop)


@lru_cache
def _stamp(package: Path) -> tuple[tuple[str, int, int], ...]:
    """What the files of a package are known by: their names, times and sizes."""
    files = [(path.name, path.stat()) for path in sorted(package.glob("*.py"))]
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in files)
