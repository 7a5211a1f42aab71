"""Compiled loops that lay columns into rows: one call a column, its cells to where each row goes on.

Every loop takes `at`, the place in `out` at which each row stands, and moves it on. None holds the GIL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.votable.instructions import peek, poke, swap_2, swap_4, swap_8

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Nulls = tuple[int, int]
"""The address of Arrow's validity bits, 0 where nothing is NULL, and the offset of the first row's."""
_SHORT, _INT, _LONG = 2, 4, 8  # bytes of a word


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
    out: Bytes, at: Places, cells: tuple[Places, Places, Bytes], frame: tuple[Bytes, Bytes, Bytes]
) -> None:
    """Lay text cells; `cells` are starts, lengths and data.

    `frame` is what stands before and after each, and what stands for those of length 0.
    """
    starts, lengths, data = cells
    before, after, nothing = frame
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
        if length == 0:
            for k in range(len(nothing)):
                out[place + k] = nothing[k]
            place += len(nothing)
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
def put_words(start: int, at: Places, sources: Places, nulls: NDArray[np.int64], sizes: Places) -> None:
    """Lay scalars of several columns that stand side by side, the high byte first (VOTable 1.4, 5.2).

    Row by row, so that the output is written in order: a column at a time would go through all of it for
    each. `start` is the address of the output. Of column k, `sources[0, k]` is the address of the values,
    `sources[1, k]` that of the word for NULL, `nulls[:, k]` its validity as in Nulls, `sizes[k]` its bytes.
    """
    for row in range(len(at)):
        place = start + at[row]
        for k in range(len(sizes)):
            size = sizes[k]
            source = sources[0, k] + row * size
            if nulls[0, k] != 0 and not is_valid((nulls[0, k], nulls[1, k]), row):
                source = sources[1, k]
            if size == _INT:
                swap_4(place, source)
            elif size == _LONG:
                swap_8(place, source)
            elif size == _SHORT:
                swap_2(place, source)
            else:
                poke(place, peek(source))
            place += size
        at[row] = place - start
