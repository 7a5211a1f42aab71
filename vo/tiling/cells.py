"""HEALPix cells, nested (Górski et al. 2005, ApJ 622, 759), and which of them a polygon touches."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.regions.polygons import Frame, edge_distance, is_inside
from vo.regions.vectors import Vector, Vectors

Cells: TypeAlias = NDArray[np.int64]

DEEPEST = 29
"""The finest order, whose cells are 0.4 milli-arcseconds wide."""

FACES = 12
"""The cells of order 0."""

WAITING = 3 * (DEEPEST + 1) + FACES + 1
"""Cells that a search in depth puts aside at the most."""

_EQUATORIAL = 2 / 3  # |z| of the latitudes between which cells lie in straight rows
_SQRT_6 = math.sqrt(6)
_ROOM = 1.01  # by which a cell is taken for larger than its corners reach


@compiled
def cell_of(lon: float, lat: float, order: int) -> int:
    """The cell of a position in degrees."""
    n = 1 << order
    z, t = math.sin(math.radians(lat)), (lon / 90.0) % 4.0
    if abs(z) <= _EQUATORIAL:
        m, p = math.floor(n * (t + 0.75 * z + 0.5)), math.ceil(n * (t - 0.75 * z + 0.5)) - 1
    else:
        column = math.floor(t)
        width = n * _SQRT_6 * math.sin(math.radians(90.0 - abs(lat)) / 2)
        near, far = math.floor((t - column) * width), math.floor((1 - (t - column)) * width)
        q = int(column)
        m, p = ((q + 2) * n - 1 - far, q * n + near) if z > 0 else (q * n + near, (q + 2) * n - 1 - far)
    f, g = m // n, p // n
    face = 4 + f % 4 if f == g else ((g + 4) % 4 if g < f else 8 + f % 4)
    x, y = min(max(m - f * n, 0), n - 1), min(max(n - 1 - (p - g * n), 0), n - 1)
    return (face << (2 * order)) + _spread(x) + 2 * _spread(y)


@compiled
def centre_of(cell: int, order: int) -> Vector:
    """The centre of a cell as a unit vector."""
    n, face = 1 << order, cell >> (2 * order)
    inside = cell & ((1 << (2 * order)) - 1)
    # The plane on which all cells are squares: a and b count faces along the two diagonals.
    row = face // 4
    a = face + (1, -4, -8)[row] + (_gathered(inside) + 0.5) / n
    b = face + (1, -3, -6)[row] - (_gathered(inside >> 1) + 0.5) / n
    u, v = (a + b - 1) / 2, (a - b) / 2
    if abs(v) <= 0.5:  # noqa: PLR2004  the belt around the equator
        z, lon = v * 4 / 3, math.radians(90.0 * u)
        across = math.sqrt((1 - z) * (1 + z))
    else:
        column = math.floor(u) + 0.5
        half = 2 * (1 - abs(v)) / _SQRT_6  # the sine of half the distance from the pole
        z = math.copysign(1 - 2 * half * half, v)
        across = 2 * half * math.sqrt(1 - half * half)
        lon = math.radians(90.0 * (column + (u - column) / (2 - 2 * abs(v))))
    return across * math.cos(lon), across * math.sin(lon), z


@compiled
def reach_of(order: int) -> float:
    """Radians from the centre of a cell within which all of it is; the largest of all cells of the order.

    That cell lies where the belt ends, and its farthest corner on the meridian next to it.
    """
    n = 1 << order
    height = 1 - (1 - 1 / n) ** 2 / 3
    step = math.pi / (4 * n)
    across, other = math.sqrt(1 - _EQUATORIAL**2), math.sqrt((1 - height) * (1 + height))
    x, y, z = across * math.cos(step) - other, across * math.sin(step), _EQUATORIAL - height
    return _ROOM * 2 * math.asin(math.sqrt(x * x + y * y + z * z) / 2)


@compiled
def touches(vertices: Vectors, frame: Frame, cell: int, order: int) -> bool:
    """Whether a cell has some of a polygon, its border included.

    It has where the centre of a cell within is inside the polygon; cells that reach the polygon without
    that are looked at in quarters, down to the finest order.
    """
    levels, cells = np.empty(WAITING, np.int64), np.empty(WAITING, np.int64)
    levels[0], cells[0] = order, cell
    waiting = 1
    while waiting > 0:
        waiting -= 1
        level, part = levels[waiting], cells[waiting]
        p = centre_of(part, level)
        if is_inside(p, vertices, frame):
            return True
        if edge_distance(p, vertices) > reach_of(level):
            continue
        if level == DEEPEST:
            return True
        for child in range(4):
            levels[waiting], cells[waiting] = level + 1, 4 * part + child
            waiting += 1
    return False


@compiled
def _spread(bits: int) -> int:
    """The bits of a number of 29 bits with gaps between them."""
    spread = 0
    for place in range(DEEPEST):
        spread |= ((bits >> place) & 1) << (2 * place)
    return spread


@compiled
def _gathered(bits: int) -> int:
    """Every other bit of a number, beginning with the lowest."""
    gathered = 0
    for place in range(DEEPEST):
        gathered |= ((bits >> (2 * place)) & 1) << place
    return gathered
