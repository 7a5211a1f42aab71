"""Compiled loops that lay columns into rows: one call a column, its cells to where each row goes on.

Every loop takes `at`, the place in `out` at which each row stands, and moves it on. None holds the GIL.
The machine code is kept beside this module, or in the user's cache where that cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(function: _Loop) -> _Loop:
    """`function` as machine code, compiled at its first call unless a cache has it."""
    try:
        return cast("_Loop", njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no directory for a cache: every process compiles for itself
        return cast("_Loop", njit(nogil=True)(function))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written: Numba compiles anew for what can, and only one of them is needed."""
    view = array.view()
    view.flags.writeable = False
    return view


@compiled
def put_framed(
    out: Bytes, at: Places, cells: tuple[Places, Places, Bytes], before: Bytes, after: Bytes
) -> None:
    """Lay text cells, each between `before` and `after`; `cells` are starts, lengths and data."""
    starts, lengths, data = cells
    for row in range(len(at)):
        place = at[row]
        for k in range(len(before)):
            out[place + k] = before[k]
        place += len(before)
        start = starts[row]
        length = lengths[row]
        for k in range(length):
            out[place + k] = data[start + k]
        place += length
        for k in range(len(after)):
            out[place + k] = after[k]
        at[row] = place + len(after)


@compiled
def put_counted(out: Bytes, at: Places, cells: tuple[Places, Places, Bytes], unit: int) -> None:
    """Lay variable-length cells, each behind its count of `unit` bytes (VOTable 1.4, 5.3)."""
    starts, lengths, data = cells
    for row in range(len(at)):
        place = at[row]
        start = starts[row]
        length = lengths[row]
        count = length // unit
        out[place] = (count >> 24) & 0xFF
        out[place + 1] = (count >> 16) & 0xFF
        out[place + 2] = (count >> 8) & 0xFF
        out[place + 3] = count & 0xFF
        place += 4
        for k in range(length):
            out[place + k] = data[start + k]
        at[row] = place + length


@compiled
def put_block(out: Bytes, at: Places, rows: NDArray[np.uint8]) -> None:
    """Lay cells of one fixed number of bytes; `rows` has a line for each row."""
    width = rows.shape[1]
    for row in range(len(at)):
        place = at[row]
        for k in range(width):
            out[place + k] = rows[row, k]
        at[row] = place + width


@compiled
def put_2_bytes(out: Bytes, at: Places, words: NDArray[np.uint16]) -> None:
    """Lay 16-bit words, the high byte first."""
    for row in range(len(at)):
        place, word = at[row], words[row]
        out[place] = word >> 8
        out[place + 1] = word & 0xFF
        at[row] = place + 2


@compiled
def put_4_bytes(out: Bytes, at: Places, words: NDArray[np.uint32]) -> None:
    """Lay 32-bit words, the high byte first; written out so that the compiler makes it one swap."""
    for row in range(len(at)):
        place, word = at[row], words[row]
        out[place] = (word >> 24) & 0xFF
        out[place + 1] = (word >> 16) & 0xFF
        out[place + 2] = (word >> 8) & 0xFF
        out[place + 3] = word & 0xFF
        at[row] = place + 4


@compiled
def put_8_bytes(out: Bytes, at: Places, words: NDArray[np.uint64]) -> None:
    """Lay 64-bit words, the high byte first."""
    for row in range(len(at)):
        place, word = at[row], words[row]
        out[place] = (word >> 56) & 0xFF
        out[place + 1] = (word >> 48) & 0xFF
        out[place + 2] = (word >> 40) & 0xFF
        out[place + 3] = (word >> 32) & 0xFF
        out[place + 4] = (word >> 24) & 0xFF
        out[place + 5] = (word >> 16) & 0xFF
        out[place + 6] = (word >> 8) & 0xFF
        out[place + 7] = word & 0xFF
        at[row] = place + 8


def put_words(out: Bytes, at: Places, words: NDArray[Any]) -> None:
    """Lay scalars of any size, the high byte first (VOTable 1.4, 5.2)."""
    width = words.dtype.itemsize
    words = frozen(words)
    if width == 1:
        put_block(out, at, words.view(np.uint8)[:, None])
    elif width == 2:  # noqa: PLR2004  sizes in bytes
        put_2_bytes(out, at, words.view(np.uint16))
    elif width == 4:  # noqa: PLR2004
        put_4_bytes(out, at, words.view(np.uint32))
    else:
        put_8_bytes(out, at, words.view(np.uint64))
