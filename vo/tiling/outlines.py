"""Outlines of many tiles as arrays for compiled loops, and which of them hold a position or meet a shape."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.regions.polygons import Frame, framed, is_inside, vertices_of
from vo.regions.vectors import Vector, Vectors, angle, dot, length, minus, normal, unit, vertex
from vo.tiling.cells import Cells, cell_of, touches
from vo.tiling.covering import touched
from vo.tiling.meeting import told_of

Numbers: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

_POLE = 90.0
_SURE = 1e-12  # from the plane of an edge, far above the rounding of a product of unit vectors


class Outlines(NamedTuple):
    """Outlines one after the other: that of tile i is rows `begins[i]` to `begins[i + 1]` of `vertices`.

    `normals` point inwards from the edges of those that are `convex`. `frames` are those of
    `vo.regions.polygons` in a row: outpost, whether it is inside, middle, whether that sees all; `reaches`
    are the radians from each centre to the farthest vertex.
    """

    vertices: Vectors
    begins: Indices
    normals: Vectors
    convex: NDArray[np.bool_]
    frames: Numbers
    centres: Vectors
    reaches: Numbers


class CellTiles(NamedTuple):
    """The tiles that touch each cell: those of cell c are `tiles[begins[c]:begins[c + 1]]`."""

    begins: Indices
    tiles: Indices
    order: int


class Pairs(NamedTuple):
    """Positions with the tiles that hold them: those of position i are at `begins[i]` to `begins[i + 1]`.

    `owned` says whether the position is uniquely the tile's.
    """

    begins: Indices
    tiles: Indices
    owned: NDArray[np.bool_]


@compiled
def outlines_of(numbers: Numbers, begins: Indices, lon: Numbers, lat: Numbers) -> Outlines:
    """The outlines lon1, lat1, lon2, … in degrees of tiles with their centres; `begins` counts numbers."""
    count = len(begins) - 1
    vertices, normals = np.empty((len(numbers) // 2, 3)), np.zeros((len(numbers) // 2, 3))
    starts, convex, frames = np.zeros(count + 1, np.int64), np.zeros(count, np.bool_), np.zeros((count, 8))
    centres, reaches = np.empty((count, 3)), np.zeros(count)
    for i in range(count):
        loop = vertices_of(numbers[begins[i] : begins[i + 1]])
        start, stop = starts[i], starts[i] + len(loop)
        starts[i + 1], vertices[start:stop] = stop, loop
        convex[i] = _add_normals(loop, normals[start:stop])
        outpost, inside, middle, sees = framed(loop)
        frames[i, 0], frames[i, 1], frames[i, 2], frames[i, 3] = outpost[0], outpost[1], outpost[2], inside
        frames[i, 4], frames[i, 5], frames[i, 6], frames[i, 7] = middle[0], middle[1], middle[2], sees
        centre = unit(lon[i], lat[i])
        centres[i, 0], centres[i, 1], centres[i, 2] = centre
        for k in range(len(loop)):
            reaches[i] = max(reaches[i], angle(centre, vertex(loop, k)))
    return Outlines(vertices[: starts[-1]], starts, normals[: starts[-1]], convex, frames, centres, reaches)


@compiled
def _add_normals(loop: Vectors, normals: Vectors) -> bool:
    """Fill in the unit normals of the edges, inwards; False where not every vertex is behind every edge."""
    sign = 0.0
    for k in range(len(loop)):
        across = normal(vertex(loop, k), vertex(loop, k + 1))
        size = length(across)
        across = across[0] / size, across[1] / size, across[2] / size
        normals[k, 0], normals[k, 1], normals[k, 2] = across
        for other in range(2, len(loop)):
            side = dot(minus(vertex(loop, k + other), vertex(loop, k)), across)
            if side * sign < 0 or abs(side) <= _SURE:
                return False
            sign = side
    for k in range(len(loop)):
        for axis in range(3):
            normals[k, axis] *= math.copysign(1.0, sign)
    return len(loop) > 2  # noqa: PLR2004


@compiled
def outline(outlines: Outlines, tile: int) -> tuple[Vectors, Frame]:
    """The vertices and the frame of a tile."""
    f = outlines.frames[tile]
    frame = (f[0], f[1], f[2]), f[3] > 0, (f[4], f[5], f[6]), f[7] > 0
    return outlines.vertices[outlines.begins[tile] : outlines.begins[tile + 1]], frame


@compiled
def owns(bounds: Numbers, tile: int, lon: float, lat: float) -> bool:
    """Whether a position is in a unique area: RA from and to, Dec from and to; NaN: it is not known.

    Its northern border is no part of it, but for the pole itself.
    """
    west, north = bounds[tile, 0], bounds[tile, 3]
    if not (bounds[tile, 2] <= lat and (lat < north or lat == _POLE)):
        return False
    return bool((lon - west) % 360.0 < bounds[tile, 1] - west)


@compiled
def found(lon: Numbers, lat: Numbers, outlines: Outlines, bounds: Numbers, cells: CellTiles) -> Pairs:
    """The tiles that hold each position in degrees: the owner first, then by the distance of their centres.

    What is NaN is in no tile. What is farther from the planes of all edges of a convex tile than rounding
    reaches is told by them alone.
    """
    begins = np.zeros(len(lon) + 1, np.int64)
    tiles, owned = np.empty(2 * len(lon) + 16, np.int64), np.empty(2 * len(lon) + 16, np.bool_)
    normals, edges, convex = outlines.normals, outlines.begins, outlines.convex
    starts, candidates, order = cells.begins, cells.tiles, cells.order
    count = 0
    for i in range(len(lon)):
        if not (math.isnan(lon[i]) or math.isnan(lat[i])):
            cell, first = cell_of(lon[i], lat[i], order), count
            p = unit(lon[i], lat[i]) if starts[cell] < starts[cell + 1] else (0.0, 0.0, 0.0)
            if count + starts[cell + 1] - starts[cell] > len(tiles):
                tiles = np.concatenate((tiles, np.empty(len(tiles), np.int64)))
                owned = np.concatenate((owned, np.empty(len(owned), np.bool_)))
            for at in range(starts[cell], starts[cell + 1]):
                tile = candidates[at]
                side = _behind(p, normals, edges[tile], edges[tile + 1]) if convex[tile] else 0.0
                if side > _SURE or (side >= -_SURE and _holds(outlines, tile, p)):
                    tiles[count], owned[count] = tile, owns(bounds, tile, lon[i], lat[i])
                    count += 1
            if count > first + 1:
                _sort(tiles[first:count], owned[first:count], p, outlines.centres)
        begins[i + 1] = count
    return Pairs(begins, tiles[:count], owned[:count])


@compiled
def _behind(p: Vector, normals: Vectors, first: int, last: int) -> float:
    """How far a position is behind the nearest of some planes, or the first that it is surely not behind."""
    least = 2.0
    for k in range(first, last):
        least = min(least, p[0] * normals[k, 0] + p[1] * normals[k, 1] + p[2] * normals[k, 2])
        if least < -_SURE:
            break
    return least


@compiled
def _holds(outlines: Outlines, tile: int, p: Vector) -> bool:
    """Whether a position is inside a tile, or on its border."""
    vertices, frame = outline(outlines, tile)
    return is_inside(p, vertices, frame)


@compiled
def _sort(tiles: Indices, owned: NDArray[np.bool_], p: Vector, centres: Vectors) -> None:
    """Put the few tiles of a position in order: owners first, then by the distance of their centres."""
    for last in range(1, len(tiles)):
        for i in range(last, 0, -1):
            gap, other = minus(vertex(centres, tiles[i]), p), minus(vertex(centres, tiles[i - 1]), p)
            if owned[i - 1] > owned[i] or (owned[i - 1] == owned[i] and dot(other, other) <= dot(gap, gap)):
                break
            tiles[i - 1], tiles[i] = tiles[i], tiles[i - 1]
            owned[i - 1], owned[i] = owned[i], owned[i - 1]


@compiled
def meeting_cells(orders: Indices, parts: Cells, outlines: Outlines, cells: CellTiles) -> Indices:
    """The tiles that have some of HEALPix cells, each by its order and number, in ascending order."""
    meets = np.zeros(len(outlines.reaches), np.bool_)
    for part in range(len(parts)):
        order, deeper = orders[part], cells.order - orders[part]
        if deeper > 0:
            first, last = parts[part] << (2 * deeper), (parts[part] + 1) << (2 * deeper)
        else:
            first = parts[part] >> (-2 * deeper)
            last = first + 1
        for tile in cells.tiles[cells.begins[first] : cells.begins[last]]:
            if not meets[tile]:
                vertices, frame = outline(outlines, tile)
                meets[tile] = deeper >= 0 or touches(vertices, frame, parts[part], order)
    return np.nonzero(meets)[0]


@compiled
def touched_cells(outlines: Outlines, order: int) -> tuple[Indices, Cells]:
    """Tile and cell of all cells of an order with some of a tile."""
    tiles, cells = np.empty(16, np.int64), np.empty(16, np.int64)
    count = 0
    for tile in range(len(outlines.reaches)):
        vertices, frame = outline(outlines, tile)
        here = touched(vertices, frame, order)
        if count + len(here) > len(tiles):
            tiles = np.concatenate((tiles, np.empty(len(tiles) + len(here), np.int64)))
            cells = np.concatenate((cells, np.empty(len(tiles) - len(cells), np.int64)))
        tiles[count : count + len(here)], cells[count : count + len(here)] = tile, here
        count += len(here)
    return tiles[:count], cells[:count]


def warm_up() -> None:
    """Compile, or load from the cache, all loops."""
    corners, begins, one = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0]), np.array([0, 6]), np.zeros(1)
    outlines = outlines_of(corners, begins, one, one)
    tiles, numbers = touched_cells(outlines, 0)
    cells = CellTiles(np.searchsorted(numbers, np.arange(13)), tiles, 0)
    bounds = np.zeros((1, 4))
    found(one, one, outlines, bounds, cells)
    meeting_cells(np.zeros(1, np.int64), np.zeros(1, np.int64), outlines, cells)
    owns(bounds, 0, 0.0, 0.0)
    told_of(corners, begins[:1], begins[1:], np.array([[0, 1]]), len(corners) > 0)
