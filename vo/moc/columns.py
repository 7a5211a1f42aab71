"""Columns of MOCs in ASCII, and of shapes: Arrow arrays in and out; of what is neither, all is NULL."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.moc.moc import Moc
from vo.moc.text import read_ascii
from vo.regions.columns import rows_of
from vo.tiling.meeting import UNKNOWN, YES, told_of

Column: TypeAlias = pa.Array | pa.ChunkedArray

_KEPT = 64
_LONGEST_KEPT = 100_000  # characters of a MOC that is kept: of those 64, 20 MB at most


def covers(moc: Column, cell: Column) -> pa.Array:
    """Whether each MOC has each cell of order 29 in it."""
    cells, answers = _plain(cell), np.zeros(len(moc), np.bool_)
    known = cells.is_valid().to_numpy(zero_copy_only=False)
    numbers = pc.fill_null(cells, 0).to_numpy(zero_copy_only=False)
    for found, rows in _distinct(moc, known):
        if found is not None:
            answers[rows] = found.holds(numbers[rows])
    return pa.array(answers, mask=~known)


def meets(moc: Column, shape: Column) -> pa.Array:
    """Whether each MOC and each shape have a position in common."""
    return _with_shapes(moc, shape, meeting=True)


def holds(moc: Column, shape: Column) -> pa.Array:
    """Whether each MOC has all of each shape, which then has nothing in common with the rest of the sky."""
    return _with_shapes(moc, shape, meeting=False)


def _with_shapes(moc: Column, shape: Column, *, meeting: bool) -> pa.Array:
    numbers, begins, ends = rows_of(shape)
    answers, known = np.full(len(begins), UNKNOWN, np.uint8), np.ones(len(begins), np.bool_)
    for found, rows in _distinct(moc, known):
        if found is not None:
            ranges = found.ranges if meeting else (~found).ranges
            answers[rows] = told_of(numbers, begins[rows], ends[rows], ranges, meeting)
    return pa.array(answers == YES, mask=answers == UNKNOWN)


def area(moc: Column) -> pa.Array:
    """Square degrees of each MOC."""
    areas = np.full(len(moc), np.nan)
    for found, rows in _distinct(moc, np.ones(len(moc), np.bool_)):
        if found is not None:
            areas[rows] = found.area_deg2
    return pa.array(areas, mask=np.isnan(areas))


def _distinct(moc: Column, known: NDArray[np.bool_]) -> Iterator[tuple[Moc | None, NDArray[np.int64]]]:
    """Each MOC once, with its rows; those of unknown ones are taken out of `known`."""
    words = _plain(moc).dictionary_encode()
    codes = pc.fill_null(words.indices, -1).to_numpy(zero_copy_only=False)
    known &= codes >= 0
    order = np.argsort(codes, kind="stable")
    borders = np.searchsorted(codes[order], np.arange(len(words.dictionary) + 1))
    for code, text in enumerate(words.dictionary.to_pylist()):
        rows = order[borders[code] : borders[code + 1]]
        found = _read(text)
        if found is None:
            known[rows] = False
        yield found, rows


def _read(text: str) -> Moc | None:
    return _kept(text) if len(text) <= _LONGEST_KEPT else _kept.__wrapped__(text)


@lru_cache(maxsize=_KEPT)
def _kept(text: str) -> Moc | None:
    try:
        return read_ascii(text)
    except UsageError:
        return None


def _plain(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
