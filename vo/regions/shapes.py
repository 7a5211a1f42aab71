"""Points, circles and polygons alike: arrays of degrees, told apart by their length.

A point is lon, lat; a circle lon, lat, radius; a polygon lon1, lat1, lon2, …, as DALI 1.1 (3.3.5 to 3.3.7)
writes them. A box, which only words have, is lon, lat, width, height.
"""

from __future__ import annotations

import math

import numpy as np

from vo.compiled import compiled
from vo.regions.polygons import (
    Frame,
    edge_distance,
    framed,
    is_inside,
    polygon_area,
    polygon_centroid,
    polygon_within,
    polygons_meet,
    vertices_of,
)
from vo.regions.vectors import BORDER, Vector, Vectors, angle, unit, vertex

Shape = tuple[Vector, float, Vectors, Frame]
"""Centre and radius (radians; that of a point is 0), vertices and frame of a polygon (none: a circle)."""

_NOWHERE: Vector = (0.0, 0.0, 0.0)
_CIRCLE, _BOX = 3, 4  # numbers


@compiled
def is_shape(numbers: Vectors) -> bool:
    """Whether that many numbers make a shape, and all of them are numbers."""
    count = len(numbers)
    known = count == 3 or (count >= 2 and count % 2 == 0)  # noqa: PLR2004
    for i in range(count):
        known = known and math.isfinite(numbers[i])
    return known


@compiled
def shape_of(numbers: Vectors) -> Shape:
    """The shape of an array."""
    if len(numbers) <= _CIRCLE:
        radius = math.radians(numbers[2]) if len(numbers) == _CIRCLE else 0.0
        return unit(numbers[0], numbers[1]), radius, np.empty((0, 3)), (_NOWHERE, False, _NOWHERE, False)
    vertices = vertices_of(_corners(numbers) if len(numbers) == _BOX else numbers)
    frame = framed(vertices)
    return frame[2], 0.0, vertices, frame


@compiled
def _corners(box: Vectors) -> Vectors:
    """The corners of a box: a rectangle in the plane that touches the sphere in its centre."""
    found = np.empty(8)
    cosine, sine = math.cos(math.radians(box[1])), math.sin(math.radians(box[1]))
    width, height = math.tan(math.radians(box[2]) / 2), math.tan(math.radians(box[3]) / 2)
    for i in range(4):
        x, y = (width if i in (1, 2) else -width), (height if i > 1 else -height)
        outward, up = cosine - y * sine, sine + y * cosine
        found[2 * i] = box[0] + math.degrees(math.atan2(x, outward))
        found[2 * i + 1] = math.degrees(math.atan2(up, math.hypot(x, outward)))
    return found


@compiled
def holds(outer: Shape, inner: Shape) -> bool:
    """Whether all of `inner` is in `outer`, borders included (ADQL 2.1, 4.2.11)."""
    centre, radius, vertices, frame = outer
    middle, reach, corners, inner_frame = inner
    if radius < 0 or reach < 0:
        return False
    if len(vertices) > 0 and len(corners) > 0:
        return polygon_within(corners, inner_frame, vertices, frame)
    if len(vertices) > 0:
        return is_inside(middle, vertices, frame) and (
            reach == 0 or edge_distance(middle, vertices) >= reach - BORDER
        )
    if radius >= math.pi or len(corners) == 0:
        return radius >= math.pi or angle(centre, middle) + reach <= radius + BORDER
    return _circle_holds(centre, radius, corners, inner_frame)


@compiled
def _circle_holds(centre: Vector, radius: float, corners: Vectors, frame: Frame) -> bool:
    """Whether a circle has all of a polygon in it: of one smaller than half the sky, its corners will do."""
    if radius < math.pi / 2:
        farthest = 0.0
        for i in range(len(corners)):
            farthest = max(farthest, angle(centre, vertex(corners, i)))
        return farthest <= radius + BORDER
    # What is outside is a circle around the antipode, and the polygon must be clear of it.
    antipode = (-centre[0], -centre[1], -centre[2])
    room = math.pi - radius
    return edge_distance(antipode, corners) >= room - BORDER and not is_inside(antipode, corners, frame)


@compiled
def meet(one: Shape, other: Shape) -> bool:
    """Whether two shapes have a position in common (ADQL 2.1, 4.2.16)."""
    centre, radius, vertices, frame = one
    middle, reach, corners, other_frame = other
    if radius < 0 or reach < 0:
        return False
    if len(vertices) > 0 and len(corners) > 0:
        return polygons_meet(vertices, frame, corners, other_frame)
    if len(vertices) > 0:
        return is_inside(middle, vertices, frame) or (
            reach > 0 and edge_distance(middle, vertices) <= reach + BORDER
        )
    if len(corners) > 0:
        return is_inside(centre, corners, other_frame) or (
            radius > 0 and edge_distance(centre, corners) <= radius + BORDER
        )
    return angle(centre, middle) <= radius + reach + BORDER


@compiled
def area(shape: Shape) -> float:
    """Square degrees."""
    _, radius, vertices, _ = shape
    if len(vertices) > 0:
        steradians = polygon_area(vertices)
    else:
        steradians = 4 * math.pi * math.sin(min(max(radius, 0.0), math.pi) / 2) ** 2
    return steradians * (180 / math.pi) ** 2


@compiled
def centroid(shape: Shape) -> tuple[float, float]:
    """Longitude and latitude of the centre of mass, in degrees."""
    x, y, z = polygon_centroid(shape[2]) if len(shape[2]) > 0 else shape[0]
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))
