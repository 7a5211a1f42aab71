"""Coordinate frames of the IVOA vocabulary refframe, as rotations of each other (UDF catalogue 1.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain, product
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.definitions import let
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Call, Local, Place, call, collected, describe, described, duplicate, number
from vo.adql.problems import span_of
from vo.adql.regions import circle_of, place_of, shape_of, unwrapped
from vo.catalog import Column, Frame

if TYPE_CHECKING:
    from vo.adql.reader import Reader

Matrix = tuple[tuple[float, ...], ...]
"""Three rows of three numbers."""

# Each frame by another: longitude and latitude of its pole there, and the longitude in it of the pole there.
_FRAMES: Mapping[str, tuple[str, float, float, float]] = {
    "GALACTIC": ("ICRS", 192.85947789477606, 27.128252414968028, 122.93192525541662),
    # The definition of the galactic frame in that of B1950 (Blaauw et al. 1960, MNRAS 121, 123), inverted.
    "FK4": ("GALACTIC", 123.0, 27.4, 192.25),
    "SUPER_GALACTIC": ("GALACTIC", 47.37, 6.32, 90.0),
    # The obliquity of J2000 is 84381.406 arcsec (IAU 2006).
    "ECLIPTIC": ("ICRS", 270.0, 90.0 - 84381.406 / 3600, 90.0),
}
MAX_TURNED = 150
"""Positions that a query converts row by row at the most: each is written out at length."""

FRAMES = ("ICRS", "FK5", "FK4", "GALACTIC", "SUPER_GALACTIC", "ECLIPTIC")
"""What is offered; the axes of FK5 at J2000 are taken for those of ICRS, from which they are 23 mas away."""

_UCDS: Mapping[str, str] = {
    "GALACTIC": "pos;pos.galactic",
    "SUPER_GALACTIC": "pos;pos.supergalactic",
    "ECLIPTIC": "pos;pos.ecliptic",
}
"""The UCD of positions, where it is not pos.eq; these words cannot be the first of one (UCD1+)."""

_SHAPES: Mapping[Kind, Column] = {
    Kind.POINT: kinds.POINT,
    Kind.CIRCLE: kinds.CIRCLE,
    Kind.POLYGON: kinds.POLYGON,
}


def column_of(kind: Kind, frame: Frame) -> Column:
    """What is known about shapes of a frame; those of an unknown kind count as points.

    >>> column_of(Kind.POINT, Frame("GALACTIC")).ucd, column_of(Kind.CIRCLE, Frame("GALACTIC")).ucd
    ('pos;pos.galactic', 'pos.outline')
    """
    column = _SHAPES.get(kind, kinds.POINT)
    ucd = _UCDS.get(frame.name, column.ucd) if column is kinds.POINT else column.ucd
    return replace(column, ucd=ucd, frame=frame)


_TURNED = (
    {"x": "COS(RADIANS(lat)) * COS(RADIANS(lon))", "y": "COS(RADIANS(lat)) * SIN(RADIANS(lon))"},
    {"v": "xx * x + xy * y + xz * SIN(RADIANS(lat))", "w": "yx * x + yy * y + yz * SIN(RADIANS(lat))"},
)
_ANGLES = (
    (*_TURNED, {"l": "DEGREES(ATAN2(w, v))"}, {"lon": "CASE WHEN l < 0 THEN l + 360 ELSE l END"}),
    (
        *_TURNED,
        {"lat": "DEGREES(ATAN2(zx * x + zy * y + zz * SIN(RADIANS(lat)), SQRT(v * v + w * w)))"},
    ),
)
"""Longitude and latitude of a rotated position, by the elements xx, xy, … of the rotation."""


def angles(reader: Reader, source: str, target: str) -> list[exp.Expr]:
    """Longitude and latitude in another frame: each a Let with stand-ins for those in the first."""
    elements = dict(
        zip(map("".join, product("xyz", repeat=2)), chain(*rotation(source, target)), strict=True)
    )
    values = {
        name: describe(Local(this="position", expression=name), kinds.DOUBLE) for name in ("lon", "lat")
    }
    values |= {name: describe(number(value), kinds.DOUBLE) for name, value in elements.items()}
    return [let(reader, "turned", values, steps) for steps in _ANGLES]


def turned(reader: Reader, shape: exp.Expr, target: str) -> exp.Expr:
    """A shape in another frame, as ivo_geom_transform would make it; itself where the axes are the same."""
    column = described(shape)
    source = column.frame or Frame("ICRS")
    frame = Frame(target)
    if source.axes == frame.axes or kind_of(column) not in _SHAPES:
        return shape
    numbers = written_numbers(shape, "POINT", "CIRCLE", "POLYGON")
    if numbers is not None:
        node = call(unwrapped(shape).this, *_turned_numbers(rotation(source.name, target), numbers))
    else:
        depth = _weigh(reader, shape)
        names = (exp.Literal.string(name) for name in (source.name, target))
        node = call("IVO_GEOM_TRANSFORM", *names, shape, *angles(reader, source.name, target))
        node.meta["depth"] = depth
    node.meta["span"] = span_of(shape)
    return describe(node, column_of(kind_of(column), frame))


def written_numbers(shape: exp.Expr, *words: str) -> list[float] | None:
    """Longitude, latitude, … of a shape in writing, whose function is one of `words`; None: it is not."""
    shape = unwrapped(shape)
    if not isinstance(shape, Call) or shape.this not in words:
        return None
    found: list[float] = []
    for argument in map(unwrapped, shape.arguments):
        is_point = isinstance(argument, Call) and argument.this == "POINT"
        for value in map(constant, argument.expressions if is_point else [argument]):
            if value is None:
                return None
            found.append(value)
    return found


def _turned_numbers(matrix: Matrix, numbers: list[float]) -> list[exp.Expr]:
    """The numbers of a shape after a rotation; the radius of a circle stays."""
    places = zip(numbers[::2], numbers[1::2], strict=False)
    values = [value for place in places for value in turned_position(matrix, *place)]
    return [describe(number(value), kinds.DOUBLE) for value in values + numbers[len(values) :]]


def _weigh(reader: Reader, shape: exp.Expr) -> int:
    """Count positions that are converted row by row, ten times inside another one; returns their depth."""
    inner = [node for node in collected(shape, Call) if node.this == "IVO_GEOM_TRANSFORM"]
    depth = max((node.meta.get("depth", 0) + 1 for node in inner), default=0)
    named = unwrapped(shape)
    vertices = len(named.expressions) if isinstance(named, Call) and named.this in ("POLYGON", "BOX") else 1
    reader.queries.turned += vertices * 10**depth
    if reader.queries.turned > MAX_TURNED:
        reader.problems.add(
            f"The query converts more than {MAX_TURNED} positions of each row between coordinate systems",
            span_of(shape),
            rule="a limit of this service",
            suggestion="Convert them in a sub-query of FROM, and use its columns.",
        )
        raise reader.problems.error()
    return depth


@lru_cache
def rotation(source: str, target: str) -> Matrix:
    """The matrix that turns vectors of one frame into those of another.

    >>> rotation("ICRS", "FK5")
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    """
    if source == target or {source, target} == {"ICRS", "FK5"}:
        return tuple(map(tuple, np.eye(3).tolist()))
    matrix = _from_icrs(target) @ _from_icrs(source).T
    return tuple(map(tuple, matrix.tolist()))


def _from_icrs(frame: str) -> np.ndarray:
    if frame not in _FRAMES:
        return np.eye(3)
    other, lon, lat, pole = _FRAMES[frame]
    turned = _about("z", 180 - pole) @ _about("y", 90 - lat) @ _about("z", lon)
    whole: np.ndarray = turned @ _from_icrs(other)
    return whole


def _about(axis: str, degrees: float) -> np.ndarray:
    """The frame turned about an axis."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    if axis == "z":
        return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def transformed(node: Call) -> exp.Expr:
    """IVO_GEOM_TRANSFORM of a shape, whose other arguments are the two frames and their `angles`."""
    source, target, shape, *both = node.arguments
    matrix = rotation(source.this, target.this)
    shape = unwrapped(shape)

    def moved(lon: exp.Expr, lat: exp.Expr) -> list[exp.Expr]:
        values = constant(lon), constant(lat)
        if values[0] is not None and values[1] is not None:
            return [number(value) for value in turned_position(matrix, values[0], values[1])]
        return [_applied(angle, lon, lat) for angle in both]

    match kind_of(described(shape)):
        case Kind.POINT:
            place = place_of(shape)
            lon, lat = moved(place.this, place.expression)
            return Place(this=lon, expression=lat)
        case Kind.CIRCLE:
            centre, radius = circle_of(shape)
            return call("CIRCLE", *moved(centre.this, centre.expression), radius)
        case Kind.POLYGON if isinstance(shape, Call) and shape.this == "POLYGON":
            pairs = zip(shape.arguments[::2], shape.arguments[1::2], strict=True)
            return call("POLYGON", *(value for pair in pairs for value in moved(*pair)))
        case Kind.POLYGON:
            return call("TURNED", shape_of(shape), *(number(value) for row in matrix for value in row))
    return exp.Null()


def turned_position(matrix: Matrix, lon: float, lat: float) -> tuple[float, float]:
    """Longitude and latitude of a position in degrees after a rotation.

    >>> lon, lat = turned_position(((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), 100, 0)
    >>> round(lon, 12), lat
    (10.0, 0.0)
    """
    along, up = math.radians(lon), math.radians(lat)
    vector = (math.cos(up) * math.cos(along), math.cos(up) * math.sin(along), math.sin(up))
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))


def _applied(angle: exp.Expr, lon: exp.Expr, lat: exp.Expr) -> exp.Expr:
    """One of `angles` of a position."""
    copied = duplicate(angle)
    copied.set("expressions", [describe(duplicate(value), kinds.DOUBLE) for value in (lon, lat)])
    return copied
