"""Polygons that a query writes out: what can be known about them before any row is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from vo.adql.constants import constant
from vo.adql.nodes import Call
from vo.regions.vectors import BORDER

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon of great-circle edges; of its two sides the smaller one is inside, whichever way it is drawn.

    `half_spaces` are the inward normals of its edges if it is convex, else None; `centre` (longitude and
    latitude) and `radius` make a cone that holds all of it, in degrees: all of the sky where it fits into no
    hemisphere around its middle.
    """

    half_spaces: tuple[Vector, ...] | None
    centre: tuple[float, float]
    radius: float


@lru_cache(maxsize=256)
def polygon(coordinates: tuple[float, ...]) -> Polygon | None:
    """The polygon with vertices lon1, lat1, lon2, lat2, … in degrees; None if it has no inside.

    >>> square = polygon((0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0))
    >>> square is not None and square.half_spaces is not None and len(square.half_spaces)
    4
    >>> polygon((0.0, 0.0, 1.0, 0.0, 0.0, 0.0)) is None
    True
    """
    vertices = _distinct(_vectors(np.array(coordinates)))
    if len(vertices) < _FEWEST:
        return None
    following = np.roll(vertices, -1, axis=0)
    if _is_flat(vertices):
        return None
    # The mean of the border: adding vertices on an edge does not change it.
    middle = (np.linalg.norm(following - vertices, axis=1, keepdims=True) * (vertices + following)).sum(
        axis=0
    )
    if not (vertices @ middle > 0).all():
        return Polygon(None, (0.0, 0.0), _EVERYTHING)
    middle /= np.linalg.norm(middle)
    reach = np.linalg.norm(vertices - middle, axis=1).max()
    radius = float(np.degrees(2 * np.arcsin(reach / 2)))
    centre = (
        float(np.degrees(np.arctan2(middle[1], middle[0]))) % 360,
        float(np.degrees(np.arcsin(middle[2]))),
    )
    return Polygon(_half_spaces(vertices, following), centre, radius)


def constant_polygon(array: exp.Expr) -> Polygon | None:
    """The polygon of an array in writing, or None if it depends on rows."""
    values = constant_numbers(array)
    return None if values is None else polygon(values)


def constant_numbers(array: exp.Expr) -> tuple[float, ...] | None:
    """The numbers of an array in writing, or None if it depends on rows."""
    if not isinstance(array, Call) or array.this != "TUPLE":
        return None
    values = [constant(argument) for argument in array.arguments]
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


_FEWEST = 3
_EVERYTHING = 180.0


def _vectors(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    lon, lat = np.radians(coordinates[0::2]), np.radians(coordinates[1::2])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _distinct(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vertices without repetitions, such as a last one that closes the ring."""
    apart = np.linalg.norm(vertices - np.roll(vertices, 1, axis=0), axis=1) > BORDER
    kept: NDArray[np.float64] = vertices[apart]
    return kept


def _is_flat(vertices: NDArray[np.float64]) -> bool:
    """Whether all vertices are on one great circle: that of the first and of the one most across from it."""
    from_first = vertices[1:] - vertices[0]
    normals = np.cross(vertices[0], from_first)  # none of which means anything of an antipode
    normal = normals[np.linalg.norm(normals, axis=1).argmax()]
    return bool((np.abs(from_first @ normal) <= BORDER * np.linalg.norm(normal)).all())


def _half_spaces(vertices: NDArray[np.float64], following: NDArray[np.float64]) -> tuple[Vector, ...] | None:
    """The inward normals of a convex polygon: every vertex is on the same side of every edge."""
    edges = following - vertices
    # Of the difference, as the product of two vectors near each other has lost the direction.
    normals = np.cross(vertices, edges)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sides = np.einsum("ijk,ik->ij", vertices[None, :, :] - vertices[:, None, :], normals)
    for sign in (1.0, -1.0):
        if (sign * sides >= -BORDER).all():
            return tuple((float(x), float(y), float(z)) for x, y, z in sign * normals)
    return None
