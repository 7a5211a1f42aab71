"""BOX: a polygon around a centre, deprecated and still used (ADQL 2.1, 4.2.8)."""

from __future__ import annotations

import math

from sqlglot import exp

from vo.adql.constants import constant
from vo.adql.nodes import Call, Place, call, duplicate, number
from vo.adql.regions import place_of

_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_DEGREE = math.pi / 180


def box(*arguments: exp.Expr) -> Call:
    """The polygon of BOX(lon, lat, width, height) or BOX(point, width, height).

    Its sides are great circles that meet the arms of a cross in the centre at right angles: in the plane
    that touches the sphere there, they make a rectangle.
    """
    *centre, width, height = arguments
    place = place_of(centre[0]) if len(centre) == 1 else Place(this=centre[0], expression=centre[1])
    values = [constant(node) for node in (place.this, place.expression, width, height)]
    if None not in values:
        corners = box_corners(*(value for value in values if value is not None))
        return call("POLYGON", *(number(value) for value in corners))
    vertices: list[exp.Expr] = []
    for east, north in _CORNERS:
        vertices += _corner(place, _half_tangent(width, east), _half_tangent(height, north))
    return call("POLYGON", *vertices)


def box_corners(lon: float, lat: float, width: float, height: float) -> list[float]:
    """The corners lon1, lat1, … of a box, all in degrees.

    >>> [round(value, 6) for value in box_corners(10, 0, 2, 2)]
    [9.0, -0.999848, 11.0, -0.999848, 11.0, 0.999848, 9.0, 0.999848]
    """
    found = []
    cosine, sine = math.cos(lat * _DEGREE), math.sin(lat * _DEGREE)
    for east, north in _CORNERS:
        x = east * math.tan(width * _DEGREE / 2)
        y = north * math.tan(height * _DEGREE / 2)
        outward, up = cosine - y * sine, sine + y * cosine
        found += [
            (lon + math.degrees(math.atan2(x, outward))) % 360,
            math.degrees(math.atan2(up, math.hypot(x, outward))),
        ]
    return found


def _half_tangent(size: exp.Expr, sign: int) -> exp.Expr:
    factor = exp.Paren(this=number(sign * _DEGREE / 2))
    return call("TAN", exp.Mul(this=exp.Paren(this=duplicate(size)), expression=factor))


def _corner(place: Place, x: exp.Expr, y: exp.Expr) -> list[exp.Expr]:
    """Longitude and latitude of a corner, from its coordinates in the tangent plane."""
    latitude = exp.Mul(this=exp.Paren(this=duplicate(place.expression)), expression=number(_DEGREE))
    cosine, sine = call("COS", latitude), call("SIN", duplicate(latitude))
    outward = exp.Paren(this=exp.Sub(this=cosine, expression=exp.Mul(this=duplicate(y), expression=sine)))
    up = exp.Add(this=duplicate(sine), expression=exp.Mul(this=y, expression=duplicate(cosine)))
    away = exp.Add(this=call("SQUARE", duplicate(x)), expression=call("SQUARE", duplicate(outward)))
    turned = call("DEGREES", call("ATAN2", x, outward))
    return [
        exp.Paren(this=exp.Add(this=exp.Paren(this=duplicate(place.this)), expression=turned)),
        call("DEGREES", call("ATAN2", up, call("SQRT", away))),
    ]
