"""Unit vectors: angles between them, and triple products that keep small shapes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled

BORDER = 5e-15
"""Radians within which a position is on a border: a nano-arcsecond, the rounding of degrees in a double."""

Vector = tuple[float, float, float]
Vectors = NDArray[np.float64]
"""Vertices, one row each."""


@compiled
def unit(lon: float, lat: float) -> Vector:
    """The direction of a position in degrees."""
    lon, lat = math.radians(lon), math.radians(lat)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


@compiled
def dot(a: Vector, b: Vector) -> float:
    """The scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def cross(a: Vector, b: Vector) -> Vector:
    """The vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def minus(a: Vector, b: Vector) -> Vector:
    """The difference."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def length(a: Vector) -> float:
    """|a|."""
    return math.sqrt(dot(a, a))


@compiled
def normal(a: Vector, b: Vector) -> Vector:
    """The vector product, with its direction right however near the vectors are to each other."""
    return cross(a, minus(b, a))


@compiled
def volume(a: Vector, b: Vector, c: Vector) -> float:
    """(a x b) · c: as it stands it would lose the shape of whatever is smaller than an arcsecond."""
    return dot(cross(minus(a, c), minus(b, c)), c)


@compiled
def angle(a: Vector, b: Vector) -> float:
    """Radians between two directions, to rounding from 0 to half a turn."""
    return math.atan2(length(normal(a, b)), dot(a, b))


@compiled
def vertex(vertices: Vectors, i: int) -> Vector:
    """Vertex i; behind the last comes the first again."""
    i %= len(vertices)
    return vertices[i, 0], vertices[i, 1], vertices[i, 2]
