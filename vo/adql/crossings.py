"""Polygons of any form by plain arithmetic: a way to a position is inside after an odd number of edges.

For databases that can be asked for scalar products alone. The ways begin at an outpost; what lies behind an
edge, as seen from there, is what three planes through the centre of the sphere cut out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vo.adql.polygons import Vector
from vo.regions.polygons import Frame, framed, is_inside, vertices_of
from vo.regions.vectors import BORDER

Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shadow:
    """What is behind an edge: `begin` · p >= 0, `end` · p < 0 and `plane` · p < `limit`.

    Neighbours share the plane at their vertex, so that no position between them is behind both or neither.
    """

    begin: Vector
    end: Vector
    plane: Vector
    limit: float


@dataclass(frozen=True, slots=True)
class Edge:
    """An arc of a great circle: its ends, its normal, and what is ahead of its start and behind its end.

    `along` and `back` are in the plane of the arc, at right angles to the ends.
    """

    start: Vector
    normal: Vector
    along: Vector
    back: Vector


@dataclass(frozen=True, slots=True)
class Outline:
    """A polygon: `shadows` of its edges, of which `begins_inside` says how they count, and its `edges`.

    No position with `axis` · p < `limit` is inside.
    """

    shadows: tuple[Shadow, ...]
    edges: tuple[Edge, ...]
    begins_inside: bool
    axis: Vector
    limit: float


@lru_cache(maxsize=256)
def outline(coordinates: tuple[float, ...]) -> Outline | None:
    """The polygon with vertices lon1, lat1, … in degrees; None where an edge has no one great circle.

    >>> arrow = outline((9.0, -1.0, 11.0, -1.0, 10.0, 0.0, 11.0, 1.0))
    >>> arrow is not None and len(arrow.shadows), outline((0.0, 0.0, 180.0, 0.0, 90.0, 45.0))
    (4, None)
    """
    vertices = vertices_of(np.array(coordinates))
    following = np.roll(vertices, -1, axis=0)
    if np.linalg.norm(vertices + following, axis=1).min() < _HALF_TURN:
        return None
    frame = framed(vertices)
    # Of the difference, as the product of two vectors near each other has lost the direction.
    normals = np.cross(vertices, following - vertices)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    post = _outpost(vertices, normals, frame)
    if post is None:
        return None
    inward = BORDER * _inner_side(vertices, normals, frame)
    ways = np.cross(post, vertices)
    shadows = []
    for i, normal in enumerate(normals):
        sign = 1.0 if normal @ post > 0 else -1.0
        ends = (ways[i], ways[(i + 1) % len(ways)])[:: int(sign)]
        shadows.append(Shadow(_vector(ends[0]), _vector(ends[1]), _vector(sign * normal), -sign * inward))
    edges = tuple(
        Edge(_vector(a), _vector(n), _vector(np.cross(n, a)), _vector(np.cross(b, n)))
        for a, b, n in zip(vertices, following, normals, strict=True)
    )
    middle, sees = np.array(frame[2]), frame[3]
    axis, limit = (middle, float((vertices @ middle).min())) if sees else (post, -1.0)
    is_in = bool(is_inside(_vector(post), vertices, frame))
    return Outline(tuple(shadows), edges, is_in, _vector(axis), limit + (-_MARGIN if sees else _MARGIN))


_HALF_TURN = 1e-6  # of a chord: vertices so near to antipodes of each other
_MARGIN = 1e-12  # of a cosine: a microradian at the pole, where every way is as short
_CLEAR = 1e-7  # of the sine of the angle at which an edge may be seen
_AHEAD = 0.1  # of a cosine: the antipode of an outpost is behind what the polygon is in
_TRIED = 500


def _outpost(vertices: Vectors, normals: Vectors, frame: Frame) -> Vectors | None:
    """The direction from which no edge is seen end-on, and whose antipode, which has no way, is outside."""
    counted = np.arange(_TRIED) + 0.5
    height, turn = 1 - 2 * counted / _TRIED, counted * math.pi * (1 + math.sqrt(5))
    across = np.sqrt(1 - height**2)
    tried = np.stack([across * np.cos(turn), across * np.sin(turn), height], axis=1)
    clear = np.abs(tried @ normals.T).min(axis=1)
    for i in np.argsort(-clear):
        post, behind = tried[i], _vector(-tried[i])
        if clear[i] < _CLEAR:
            break
        if post @ np.array(frame[2]) > _AHEAD if frame[3] else not is_inside(behind, vertices, frame):
            return np.asarray(post)
    return None


def _inner_side(vertices: Vectors, normals: Vectors, frame: Frame) -> float:
    """1 where the inside is to the left of the border, else -1: told beside the longest edge."""
    following = np.roll(vertices, -1, axis=0)
    lengths = np.linalg.norm(following - vertices, axis=1)
    i = int(lengths.argmax())
    beside = vertices[i] + following[i] + normals[i] * lengths[i] * 1e-3
    return 1.0 if is_inside(_vector(beside / np.linalg.norm(beside)), vertices, frame) else -1.0


def _vector(values: Vectors) -> Vector:
    x, y, z = values
    return float(x), float(y), float(z)
