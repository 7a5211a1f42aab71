"""Columns of shapes: Arrow arrays in, Arrow arrays out; of an unknown shape, or of none, all is NULL."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.regions import shapes
from vo.regions.polygons import is_inside
from vo.regions.shapes import holds, is_shape, meet, shape_of

Numbers = NDArray[np.float64]
Ends = NDArray[np.int64]
Column: TypeAlias = pa.Array | pa.ChunkedArray
Rows = tuple[Numbers, Ends, Ends]
"""The numbers of all shapes, and where each row's begin and end; the row of an unknown shape is empty."""

_NO, _YES, _UNKNOWN = 0, 1, 2


def inside(x: Column, y: Column, z: Column, polygon: Column) -> pa.Array:
    """Whether each unit vector is inside a shape or on its border."""
    axes = [_plain(axis) for axis in (x, y, z)]
    known = np.all([axis.is_valid().to_numpy(zero_copy_only=False) for axis in axes], axis=0)
    numbers = [pc.fill_null(axis, np.nan).to_numpy(zero_copy_only=False) for axis in axes]
    return _told(np.where(known, _inside(numbers[0], numbers[1], numbers[2], rows_of(polygon)), _UNKNOWN))


def contains(inner: Column, outer: Column) -> pa.Array:
    """Whether each `inner` shape is wholly in its `outer` one."""
    return _told(_held(rows_of(inner), rows_of(outer)))


def intersects(one: Column, other: Column) -> pa.Array:
    """Whether each two shapes have a position in common."""
    return _told(_met(rows_of(one), rows_of(other)))


def area(shape: Column) -> pa.Array:
    """Square degrees of each shape."""
    return _numbers(_areas(rows_of(shape)))


def centroid(shape: Column) -> pa.Array:
    """The centre of each shape as [lon, lat] in degrees."""
    found = _centroids(rows_of(shape))
    pairs = pa.FixedSizeListArray.from_arrays(
        pa.array(found.ravel()), 2, mask=pa.array(np.isnan(found[:, 0]))
    )
    return pairs.cast(pa.list_(pa.float64()))


# --- loops


@compiled
def _inside(x: Numbers, y: Numbers, z: Numbers, rows: Rows) -> NDArray[np.uint8]:
    numbers, begins, ends = rows
    told = np.full(len(begins), _UNKNOWN, np.uint8)
    last = np.empty(0)
    shape = shape_of(np.zeros(2))
    for row in range(len(begins)):
        given = numbers[begins[row] : ends[row]]
        if not is_shape(given):
            continue
        if not _is_same(given, last):
            last, shape = given, shape_of(given)
        if len(shape[2]) > 0:
            told[row] = is_inside((x[row], y[row], z[row]), shape[2], shape[3])
        else:
            told[row] = holds(shape, ((x[row], y[row], z[row]), 0.0, shape[2], shape[3]))
    return told


@compiled
def _held(inner: Rows, outer: Rows) -> NDArray[np.uint8]:
    told = np.full(len(inner[1]), _UNKNOWN, np.uint8)
    last = last_outer = np.empty(0)
    shape = outer_shape = shape_of(np.zeros(2))
    for row in range(len(told)):
        given = inner[0][inner[1][row] : inner[2][row]]
        around = outer[0][outer[1][row] : outer[2][row]]
        if is_shape(given) and is_shape(around):
            if not _is_same(given, last):
                last, shape = given, shape_of(given)
            if not _is_same(around, last_outer):
                last_outer, outer_shape = around, shape_of(around)
            told[row] = holds(outer_shape, shape)
    return told


@compiled
def _met(one: Rows, other: Rows) -> NDArray[np.uint8]:
    told = np.full(len(one[1]), _UNKNOWN, np.uint8)
    last = last_other = np.empty(0)
    shape = other_shape = shape_of(np.zeros(2))
    for row in range(len(told)):
        given = one[0][one[1][row] : one[2][row]]
        second = other[0][other[1][row] : other[2][row]]
        if is_shape(given) and is_shape(second):
            if not _is_same(given, last):
                last, shape = given, shape_of(given)
            if not _is_same(second, last_other):
                last_other, other_shape = second, shape_of(second)
            told[row] = meet(shape, other_shape)
    return told


@compiled
def _is_same(given: Numbers, last: Numbers) -> bool:
    """Whether the shape of the row before serves again: constants and sorted joins repeat theirs."""
    if len(given) != len(last):
        return False
    same = True
    for i in range(len(given)):
        same = same and given[i] == last[i]
    return same


@compiled
def _areas(rows: Rows) -> Numbers:
    found = np.full(len(rows[1]), np.nan)
    for row in range(len(found)):
        given = rows[0][rows[1][row] : rows[2][row]]
        if is_shape(given):
            found[row] = shapes.area(shape_of(given))
    return found


@compiled
def _centroids(rows: Rows) -> Numbers:
    found = np.full((len(rows[1]), 2), np.nan)
    for row in range(len(found)):
        given = rows[0][rows[1][row] : rows[2][row]]
        if is_shape(given):
            found[row, 0], found[row, 1] = shapes.centroid(shape_of(given))
    return found


def _plain(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def rows_of(column: Column) -> Rows:
    """The shapes of a column of lists of numbers."""
    array = _plain(column)
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(pa.float64()))
    numbers = pc.fill_null(array.values, np.nan).to_numpy(zero_copy_only=False)
    offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    known = array.is_valid().to_numpy(zero_copy_only=False)
    return numbers, offsets[:-1], np.where(known, offsets[1:], offsets[:-1])


def _told(answers: NDArray[np.uint8]) -> pa.Array:
    return pa.array(answers == _YES, mask=answers == _UNKNOWN)


def _numbers(values: Numbers) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))
