"""Whether a shape and a set of cells have a position in common: neither is made into the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.regions.polygons import edge_distance, is_inside
from vo.regions.shapes import Shape, is_shape, shape_of
from vo.regions.vectors import Vector, angle
from vo.tiling.cells import DEEPEST, FACES, WAITING, centre_of, reach_of

NO, YES, UNKNOWN = 0, 1, 2
"""The answers of `told_of`."""

_MOST_CELLS = 100_000
"""Cells that are looked at for one shape at the most; some hundreds are enough of most."""


@compiled
def meets(shape: Shape, ranges: NDArray[np.int64]) -> bool:
    """Whether a point, circle or polygon has a position in common with cells.

    `ranges` are half-open ones of the finest cells, ascending. Borders that are within the reach of a cell of
    the finest order of each other meet, so that no rounding hides that they do; so do borders that run along
    each other, so near and so far that it takes more than _MOST_CELLS to tell.
    """
    levels, cells = np.empty(WAITING, np.int64), np.empty(WAITING, np.int64)
    waiting = 0
    for face in range(FACES):
        levels[waiting], cells[waiting] = 0, face
        waiting += 1
    for _ in range(_MOST_CELLS):
        if waiting == 0:
            return False
        waiting -= 1
        level, cell = levels[waiting], cells[waiting]
        bits = 2 * (DEEPEST - level)
        low, high = cell << bits, (cell + 1) << bits
        at = np.searchsorted(ranges[:, 1], low, side="right")
        if at == len(ranges) or ranges[at, 0] >= high:
            continue
        p = centre_of(cell, level)
        inside, distance = _to_shape(p, shape)
        if distance > reach_of(level):
            if inside:
                return True
            continue
        is_full = ranges[at, 0] <= low and high <= ranges[at, 1]
        if level == DEEPEST or (is_full and inside):
            return True
        for child in range(4):
            levels[waiting], cells[waiting] = level + 1, 4 * cell + child
            waiting += 1
    return True


@compiled
def lies(shape: Shape, ranges: NDArray[np.int64], meeting: bool) -> bool:  # noqa: FBT001  loops take no keywords
    """Whether a shape meets cells or, if not `meeting`, has nothing in common with them.

    A circle of a negative radius is nowhere, and so does neither.
    """
    return shape[1] >= 0 and meets(shape, ranges) == meeting


@compiled
def told_of(
    numbers: NDArray[np.float64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    ranges: NDArray[np.int64],
    meeting: bool,  # noqa: FBT001  loops take no keywords
) -> NDArray[np.uint8]:
    """The same for many shapes, in degrees one after the other: NO, YES or, of what is none, UNKNOWN."""
    told = np.full(len(begins), UNKNOWN, np.uint8)
    for row in range(len(begins)):
        given = numbers[begins[row] : ends[row]]
        if is_shape(given):
            told[row] = lies(shape_of(given), ranges, meeting)
    return told


@compiled
def _to_shape(p: Vector, shape: Shape) -> tuple[bool, float]:
    """Whether a position is inside a shape, and the radians to its border."""
    centre, radius, vertices, frame = shape
    if len(vertices) > 0:
        return is_inside(p, vertices, frame), edge_distance(p, vertices)
    away = angle(p, centre)
    return away <= radius, abs(away - radius)
