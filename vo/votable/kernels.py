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

from vo.votable.instructions import peek

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Nulls = tuple[int, int]
"""The address of Arrow's validity bits, 0 where nothing is NULL, and the offset of the first row's."""
_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(function: _Loop) -> _Loop:
    """`function` as machine code, compiled at its first call unless a cache has it."""
    try:
        return cast("_Loop", njit(nogil=True, error_model="numpy", cache=True)(function))
    except RuntimeError:  # no directory for a cache: every process compiles for itself
        return cast("_Loop", njit(nogil=True, error_model="numpy")(function))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written: Numba compiles anew for what can, and only one of them is needed."""
    view = array.view()
    view.flags.writeable = False
    return view


@compiled
def is_valid(nulls: Nulls, row: int) -> bool:
    """Whether a row is not NULL."""
    bits, offset = nulls
    if bits == 0:
        return True
    place = offset + row
    byte: np.uint8 = peek(bits + (place >> 3))
    return bool((byte >> (place & 7)) & 1)


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
def put_block(out: Bytes, at: Places, rows: Bytes) -> None:
    """Lay cells of one fixed number of bytes; `rows` has a line for each row."""
    width = rows.shape[1]
    for row in range(len(at)):
        place = at[row]
        for k in range(width):
            out[place + k] = rows[row, k]
        at[row] = place + width


@compiled
def mark_nulls(flags: Bytes, nulls: Nulls, byte: int, bit: int) -> None:
    """Set one bit of one byte in each line of `flags` whose row is NULL."""
    for row in range(len(flags)):
        if not is_valid(nulls, row):
            flags[row, byte] |= bit


@compiled
def put_1_byte(out: Bytes, at: Places, words: Bytes, nulls: Nulls, missing: np.uint8) -> None:
    """Lay bytes, `missing` for NULL."""
    for row in range(len(at)):
        out[at[row]] = words[row] if is_valid(nulls, row) else missing
        at[row] += 1


@compiled
def put_2_bytes(out: Bytes, at: Places, words: NDArray[np.uint16], nulls: Nulls, missing: np.uint16) -> None:
    """Lay 16-bit words, the high byte first."""
    for row in range(len(at)):
        place, word = at[row], words[row] if is_valid(nulls, row) else missing
        out[place] = word >> 8
        out[place + 1] = word & 0xFF
        at[row] = place + 2


@compiled
def put_4_bytes(out: Bytes, at: Places, words: NDArray[np.uint32], nulls: Nulls, missing: np.uint32) -> None:
    """Lay 32-bit words, the high byte first; written out so that the compiler makes it one swap."""
    for row in range(len(at)):
        place, word = at[row], words[row] if is_valid(nulls, row) else missing
        out[place] = (word >> 24) & 0xFF
        out[place + 1] = (word >> 16) & 0xFF
        out[place + 2] = (word >> 8) & 0xFF
        out[place + 3] = word & 0xFF
        at[row] = place + 4


@compiled
def put_8_bytes(out: Bytes, at: Places, words: NDArray[np.uint64], nulls: Nulls, missing: np.uint64) -> None:
    """Lay 64-bit words, the high byte first."""
    for row in range(len(at)):
        place, word = at[row], words[row] if is_valid(nulls, row) else missing
        out[place] = (word >> 56) & 0xFF
        out[place + 1] = (word >> 48) & 0xFF
        out[place + 2] = (word >> 40) & 0xFF
        out[place + 3] = (word >> 32) & 0xFF
        out[place + 4] = (word >> 24) & 0xFF
        out[place + 5] = (word >> 16) & 0xFF
        out[place + 6] = (word >> 8) & 0xFF
        out[place + 7] = word & 0xFF
        at[row] = place + 8


PUT_WORDS: dict[int, Callable[..., None]] = {1: put_1_byte, 2: put_2_bytes, 4: put_4_bytes, 8: put_8_bytes}
"""The loop for scalars of each size in bytes (VOTable 1.4, 5.2)."""
