"""Polygons that a query writes out: what can be known about them before any row is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from vo.adql.constants import constant
from vo.adql.nodes import Call

Vector = tuple[float, float, float]

_ROUNDING = 1e-12
"""Below this the direction of an edge, or the side of a vertex, is rounding and not shape."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon of great-circle edges; of its two sides the smaller one is inside, whichever way it is drawn.

    `half_spaces` are the inward normals of its edges if it is convex, else None; `centre` (longitude and
    latitude) and `radius` make a cone that holds all of it, in degrees.
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
    mean = vertices.mean(axis=0)
    if np.linalg.norm(mean) < _ROUNDING:
        return None
    mean /= np.linalg.norm(mean)
    normals = np.cross(vertices, np.roll(vertices, -1, axis=0))
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= np.where(lengths > 0, lengths, 1)
    radius = float(
        np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(vertices - mean, axis=1).max() / 2, 0, 1)))
    )
    centre = float(np.degrees(np.arctan2(mean[1], mean[0]))) % 360, float(np.degrees(np.arcsin(mean[2])))
    return Polygon(_half_spaces(vertices, normals), centre, radius)


def constant_polygon(array: exp.Expr) -> Polygon | None:
    """The polygon of an array in writing, or None if it depends on rows."""
    if not isinstance(array, Call) or array.this != "TUPLE":
        return None
    values = [constant(argument) for argument in array.arguments]
    return polygon(tuple(value for value in values if value is not None)) if None not in values else None


_FEWEST = 3


def _vectors(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    lon, lat = np.radians(coordinates[0::2]), np.radians(coordinates[1::2])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _distinct(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vertices without repetitions, such as a last one that closes the ring."""
    apart = np.linalg.norm(vertices - np.roll(vertices, 1, axis=0), axis=1) > _ROUNDING
    kept: NDArray[np.float64] = vertices[apart]
    return kept


def _half_spaces(vertices: NDArray[np.float64], normals: NDArray[np.float64]) -> tuple[Vector, ...] | None:
    """The inward normals of a convex polygon: every vertex is on the same side of every edge."""
    sides = normals @ vertices.T
    for sign in (1.0, -1.0):
        turns = np.einsum(
            "ij,ij->i", np.cross(normals, np.roll(normals, -1, axis=0)), np.roll(vertices, -1, axis=0)
        )
        # A star turns the same way at every vertex as well, but more than once around.
        if (sign * sides > -_ROUNDING).all() and (turns > -_ROUNDING).all():
            return tuple((float(x), float(y), float(z)) for x, y, z in sign * normals)
    return None
