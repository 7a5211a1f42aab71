"""Polygons on the sphere: edges are the shorter arcs of great circles, the smaller side is inside.

A polygon is an array of its vertices as unit vectors, and its frame: what is found out once about it.
"""

from __future__ import annotations

import math

import numpy as np

from vo.compiled import compiled
from vo.regions.vectors import (
    BORDER,
    Vector,
    Vectors,
    cross,
    dot,
    length,
    minus,
    normal,
    unit,
    vertex,
    volume,
)

Frame = tuple[Vector, bool, Vector, bool]
"""A position off the border and whether it is inside; the middle, and whether it sees all vertices.

A polygon that its middle sees is in the hemisphere around it.
"""

_NO_WAY = 1e-24  # the square of a sine
_SHORT = 0.003  # the sine of half an angle up to which four terms of a series are exact
_LONG = 0.01  # the square of a chord from which its depth is far above rounding
_AXES = 7  # directions on each axis that are tried for a position off the border


@compiled
def framed(vertices: Vectors) -> Frame:
    """The frame of a polygon."""
    middle = _middle(vertices)
    if len(vertices) < 3:  # noqa: PLR2004  an edge or a point has no inside
        return _outpost(vertices), False, middle, False
    sees = True
    for i in range(len(vertices)):
        if not dot(vertex(vertices, i), middle) > 0:
            sees = False
    if not sees:
        outpost = _outpost(vertices)
        return outpost, _is_on_smaller_side(outpost, vertices), middle, False
    # A quarter of the sphere to the east; where the middle is a pole, any direction is as good.
    if abs(middle[0]) + abs(middle[1]) < 1e-6 * abs(middle[2]):
        return (1.0, 0.0, -middle[0] / middle[2]), False, middle, True
    across = math.hypot(middle[0], middle[1])
    return (-middle[1] / across, middle[0] / across, 0.0), False, middle, True


@compiled
def is_inside(p: Vector, vertices: Vectors, frame: Frame) -> bool:
    """Whether a position is inside, or on the border.

    The arc from it to the frame's outpost crosses an odd number of edges where one is inside and the other
    is not. The vertices are seen in the plane that touches the sphere in `p`: `u` along the arc, `s` across
    it, both too long by the root of `k`. An edge crosses the arc's great circle in a mean of both ends, so
    that rounding cannot put the crossing anywhere else.
    """
    outpost, inside, middle, sees = frame
    toward = dot(p, middle)
    if math.isnan(toward) or (sees and toward <= 0):
        return False
    across = cross(p, outpost)
    if dot(across, across) < _NO_WAY:  # at the antipode of the outpost, every way is as short
        across = cross(p, (0.0, 0.0, 1.0) if abs(p[2]) < abs(p[0]) else (1.0, 0.0, 0.0))
    along, back = cross(across, p), cross(outpost, across)
    k = dot(across, across)
    before = vertex(vertices, -1)
    a = minus(before, p)
    s, u, q = dot(a, across), dot(a, along), dot(a, a)
    for i in range(len(vertices)):
        after = vertex(vertices, i)
        b = minus(after, p)
        s2, u2, q2 = dot(b, across), dot(b, along), dot(b, b)
        if q2 <= BORDER**2:
            return True
        reach = (s * s2 + u * u2) / k + q * q2 / 4  # of a and b: beyond a right angle, p is between them
        if reach <= 0 and abs(s * u2 - u * s2) / k <= BORDER * math.sqrt(q + q2 - 2 * reach):
            return True
        # Beyond the outpost, the great circle is no part of the arc.
        if (
            (s >= 0) != (s2 >= 0)
            and abs(s2) * u + abs(s) * u2 > 0
            and abs(s2) * dot(before, back) + abs(s) * dot(after, back) > 0
        ):
            inside = not inside
        before, s, u, q = after, s2, u2, q2
    return inside


@compiled
def edge_distance(p: Vector, vertices: Vectors) -> float:
    """Radians from a position to the nearest edge."""
    nearest = math.pi
    for i in range(len(vertices)):
        nearest = min(nearest, _to_edge(p, vertex(vertices, i), vertex(vertices, i + 1)))
    return nearest


@compiled
def _to_edge(p: Vector, a: Vector, b: Vector) -> float:
    """Radians to an edge: to its great circle between its ends, else to the nearer of them."""
    to_a, to_b, edge = minus(a, p), minus(b, p), minus(b, a)
    q, q2, e = dot(to_a, to_a), dot(to_b, to_b), dot(edge, edge)
    if e + q - q2 - e * q / 2 > 0 and e + q2 - q - e * q2 / 2 > 0:
        return math.atan2(abs(dot(cross(to_a, to_b), p)), length(cross(cross(a, edge), p)))
    return 2 * math.asin(min(1.0, math.sqrt(min(q, q2)) / 2))


@compiled
def polygons_meet(one: Vectors, frame: Frame, other: Vectors, other_frame: Frame) -> bool:
    """Whether two polygons have a position in common: a vertex of one is in the other, or edges cross."""
    for i in range(len(one)):
        if is_inside(vertex(one, i), other, other_frame):
            return True
    for i in range(len(other)):
        if is_inside(vertex(other, i), one, frame):
            return True
    return _edges_cross(one, other)


@compiled
def polygon_within(one: Vectors, frame: Frame, other: Vectors, other_frame: Frame) -> bool:
    """Whether all of one polygon is in another.

    Its vertices are, no edges cross, and no vertex of the other is inside it: the edges of a notch that
    begins on its border would not cross it.
    """
    for i in range(len(one)):
        if not is_inside(vertex(one, i), other, other_frame):
            return False
    for i in range(len(other)):
        p = vertex(other, i)
        if is_inside(p, one, frame) and edge_distance(p, one) > BORDER:
            return False
    return not _edges_cross(one, other)


@compiled
def crossing_edges(vertices: Vectors) -> tuple[int, int]:
    """The first two edges of a polygon that cross, by the numbers of their first vertices; (-1, -1): none."""
    for i in range(len(vertices)):
        for j in range(i + 2, len(vertices)):
            a, b = vertex(vertices, i), vertex(vertices, i + 1)
            if _cross(a, b, vertex(vertices, j), vertex(vertices, j + 1)):
                return i, j
    return -1, -1


@compiled
def _edges_cross(one: Vectors, other: Vectors) -> bool:
    """Whether an edge of one polygon crosses one of the other."""
    for i in range(len(one)):
        a, b = vertex(one, i), vertex(one, i + 1)
        for j in range(len(other)):
            if _cross(a, b, vertex(other, j), vertex(other, j + 1)):
                return True
    return False


@compiled
def _cross(a: Vector, b: Vector, c: Vector, d: Vector) -> bool:
    """Whether two edges cross, each from one side of the other to its other side."""
    to_c, to_d = volume(a, b, c), volume(a, b, d)
    if to_c * to_d >= 0 or min(abs(to_c), abs(to_d)) <= BORDER * length(minus(b, a)):
        return False
    to_a, to_b = volume(c, d, a), volume(c, d, b)
    # Great circles meet twice: that both arcs pass the same of the two is told by a and c.
    return to_a * to_b < 0 and to_a * to_c < 0 and min(abs(to_a), abs(to_b)) > BORDER * length(minus(d, c))


# --- measures


@compiled
def polygon_area(vertices: Vectors) -> float:
    """Steradians of the smaller side, by the triangles of the edges with the first vertex.

    These have no certain area where vertices are half a turn apart.
    """
    if not framed(vertices)[3]:
        left = _left_area(vertices) % (4 * math.pi)
        return min(left, 4 * math.pi - left)
    o = vertex(vertices, 0)
    total = 0.0
    for i in range(1, len(vertices) - 1):
        a, b = vertex(vertices, i), vertex(vertices, i + 1)
        total += 2 * math.atan2(volume(a, b, o), 1 + dot(o, a) + dot(a, b) + dot(b, o))
    area = abs(total) % (4 * math.pi)
    return min(area, 4 * math.pi - area)


@compiled
def polygon_centroid(vertices: Vectors) -> Vector:
    """The direction of the vector area of the smaller side.

    The integral of the position over a region is half the sum of angle times normal over its edges. With
    vertices o + a and o + b the normal of an edge is o x (b - a) + a x b. The first terms add up to nothing:
    what is left of them is by how much angle / sine exceeds 1.
    """
    o = vertex(vertices, 0)
    x = y = z = 0.0
    for i in range(len(vertices)):
        a, b = _from(o, vertex(vertices, i)), _from(o, vertex(vertices, i + 1))
        edge = minus(b, a)
        excess = _excess(min(1.0, length(edge) / 2))
        first, second = cross(o, edge), cross(a, b)
        x += first[0] * excess + second[0] * (1 + excess)
        y += first[1] * excess + second[1] * (1 + excess)
        z += first[2] * excess + second[2] * (1 + excess)
    _, _, middle, sees = framed(vertices)
    left = dot((x, y, z), middle) > 0 if sees else _left_area(vertices) < 2 * math.pi
    return (x, y, z) if left else (-x, -y, -z)


@compiled
def _from(o: Vector, p: Vector) -> Vector:
    """The way from o to p; the depth of a short one is computed, as rounding would be more than it."""
    way = minus(p, o)
    depth = dot(way, o)
    flat = (way[0] - depth * o[0], way[1] - depth * o[1], way[2] - depth * o[2])
    square = dot(flat, flat)
    if dot(way, way) > _LONG:
        return way
    depth = -square / (1 + math.sqrt(1 - square))
    return flat[0] + depth * o[0], flat[1] + depth * o[1], flat[2] + depth * o[2]


@compiled
def _excess(half: float) -> float:
    """By how much angle / sine exceeds 1, from the sine of half the angle."""
    square = half * half
    if half < _SHORT:
        return square * (2 / 3 + square * (8 / 15 + square * 16 / 35))
    sine = 2 * half * math.sqrt(1 - square)
    return 2 * math.asin(half) / sine - 1 if sine > 0 else 0.0


# --- frames


@compiled
def _middle(vertices: Vectors) -> Vector:
    """The direction of the mean of the border: adding vertices on an edge does not change it."""
    x = y = z = 0.0
    for i in range(len(vertices)):
        a, b = vertex(vertices, i), vertex(vertices, i + 1)
        weight = length(minus(b, a))
        x, y, z = x + weight * (a[0] + b[0]), y + weight * (a[1] + b[1]), z + weight * (a[2] + b[2])
    size = length((x, y, z))
    return (x / size, y / size, z / size) if size > 0 else (0.0, 0.0, 0.0)


@compiled
def _outpost(vertices: Vectors) -> Vector:
    """The position farthest from the border among some over the whole sphere."""
    best, farthest = (0.0, 0.0, 1.0), -1.0
    for i in range(2 * _AXES):
        for j in range(1, _AXES):
            p = unit(360.0 * i / (2 * _AXES) + 1.7 * j, 180.0 * j / _AXES - 89.3)
            distance = edge_distance(p, vertices)
            if distance > farthest:
                best, farthest = p, distance
    return best


@compiled
def _is_on_smaller_side(p: Vector, vertices: Vectors) -> bool:
    """The side of a position off the border is that of the edge next to it, or of the corner."""
    count = len(vertices)
    nearest, at = math.pi, 0
    for i in range(count):
        distance = _to_edge(p, vertex(vertices, i), vertex(vertices, i + 1))
        if distance < nearest:
            nearest, at = distance, i
    a, b = vertex(vertices, at), vertex(vertices, at + 1)
    is_left = volume(a, b, p) > 0
    for corner, place in ((at, a), (at + 1, b)):
        gap = minus(place, p)
        if 2 * math.asin(min(1.0, length(gap) / 2)) <= nearest + BORDER:
            # Next to a corner is what is outside of a turn to the left, or inside of one to the right.
            is_left = volume(vertex(vertices, corner - 1), place, vertex(vertices, corner + 1)) < 0
    return is_left == (_left_area(vertices) < 2 * math.pi)


@compiled
def _left_area(vertices: Vectors) -> float:
    """Steradians to the left of the border: a whole turn less the turns at its corners (Gauss, Bonnet)."""
    total = 2 * math.pi
    for i in range(len(vertices)):
        a, b, c = vertex(vertices, i - 1), vertex(vertices, i), vertex(vertices, i + 1)
        before, after = normal(a, b), normal(b, c)
        total -= math.atan2(dot(cross(before, after), b), dot(before, after))
    return total


@compiled
def vertices_of(numbers: Vectors) -> Vectors:
    """The vertices lon1, lat1, lon2, … in degrees as unit vectors, without repetitions."""
    found = np.empty((len(numbers) // 2, 3))
    count = 0
    for i in range(len(found)):
        v = unit(numbers[2 * i], numbers[2 * i + 1])
        if count == 0 or length(minus(v, vertex(found[:count], -1))) > BORDER:
            found[count, 0], found[count, 1], found[count, 2] = v
            count += 1
    while count > 1 and length(minus(vertex(found, 0), vertex(found, count - 1))) <= BORDER:
        count -= 1
    return found[:count]
