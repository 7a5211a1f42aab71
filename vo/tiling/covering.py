"""The cells that cover a polygon: coarse ones inside it, those of one order along its border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.regions.polygons import Frame, edge_distance, is_inside
from vo.regions.vectors import Vectors
from vo.tiling.cells import DEEPEST, FACES, WAITING, Cells, centre_of, reach_of, touches


@compiled
def covering(vertices: Vectors, frame: Frame, order: int) -> NDArray[np.int64]:
    """The cells of `order` with some of a polygon, as ascending half-open ranges of the finest cells.

    A polygon within the width of a cell of the finest order beside a cell counts as touching it, so that
    no rounding can put a position of the polygon into a cell that is not among them.
    """
    found = np.empty((64, 2), np.int64)
    count = 0
    levels, cells = np.empty(WAITING, np.int64), np.empty(WAITING, np.int64)
    waiting = 0
    for face in range(FACES):
        levels[waiting], cells[waiting] = 0, FACES - 1 - face
        waiting += 1
    while waiting > 0:
        waiting -= 1
        level, cell = levels[waiting], cells[waiting]
        p = centre_of(cell, level)
        inside = is_inside(p, vertices, frame)
        whole = edge_distance(p, vertices) > reach_of(level)
        if whole and not inside:
            continue
        if not whole and level < order:
            for child in range(4):
                levels[waiting], cells[waiting] = level + 1, 4 * cell + 3 - child
                waiting += 1
            continue
        if not inside and not touches(vertices, frame, cell, level):
            continue
        bits = 2 * (DEEPEST - level)
        if count > 0 and found[count - 1, 1] == cell << bits:
            found[count - 1, 1] = (cell + 1) << bits
            continue
        if count == len(found):
            found = np.concatenate((found, np.empty((count, 2), np.int64)))
        found[count, 0], found[count, 1] = cell << bits, (cell + 1) << bits
        count += 1
    return found[:count]


@compiled
def touched(vertices: Vectors, frame: Frame, order: int) -> Cells:
    """The same cells one by one, in ascending order."""
    bits = 2 * (DEEPEST - order)
    ranges = covering(vertices, frame, order)
    found = np.empty(((ranges[:, 1] - ranges[:, 0]) >> bits).sum(), np.int64)
    count = 0
    for i in range(len(ranges)):
        for cell in range(ranges[i, 0] >> bits, ranges[i, 1] >> bits):
            found[count] = cell
            count += 1
    return found
