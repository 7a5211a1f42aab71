"""Loops as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(function: _Loop) -> _Loop:
    """`function` as machine code without the GIL, compiled at its first call unless a cache has it.

    The cache is beside its module, or in the user's own where that cannot be written.
    """
    try:
        return cast("_Loop", njit(nogil=True, error_model="numpy", cache=True)(function))
    except RuntimeError:  # no directory for a cache: every process compiles for itself
        return cast("_Loop", njit(nogil=True, error_model="numpy")(function))
