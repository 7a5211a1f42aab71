"""CONTAINS and INTERSECTS by the kinds of their arguments, and the measures of regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Angle, Call, Inside, Place, Within, call, describe, described, duplicate, number

_SQUARE_DEGREES = (180 / math.pi) ** 2


def unwrapped(node: exp.Expr) -> exp.Expr:
    """`node` without parentheses around it."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def place_of(node: exp.Expr) -> Place:
    """The position of a point: a Place itself, or the elements of a stored array."""
    node = unwrapped(node)
    return node if isinstance(node, Place) else Place(this=element(node, 1), expression=element(node, 2))


def circle_of(node: exp.Expr) -> tuple[Place, exp.Expr]:
    """Centre and radius of a circle."""
    node = unwrapped(node)
    if isinstance(node, Call) and node.this == "CIRCLE":
        lon, lat, radius = map(duplicate, node.arguments)
        return Place(this=lon, expression=lat), radius
    return Place(this=element(node, 1), expression=element(node, 2)), element(node, 3)


def polygon_of(node: exp.Expr) -> exp.Expr:
    """The array lon1, lat1, lon2, … of a polygon."""
    node = unwrapped(node)
    if isinstance(node, Call) and node.this == "POLYGON":
        return call("TUPLE", *map(duplicate, node.arguments))
    return duplicate(node)


def element(node: exp.Expr, position: int) -> exp.Expr:
    """One number of an array, counted from 1."""
    return describe(call("ELEMENT", duplicate(node), number(position)), kinds.DOUBLE)


# --- one shape inside another


def _point_in_circle(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    centre, radius = circle_of(outer)
    return Within(this=duplicate(place_of(inner)), expression=centre, radius=radius)


def _point_in_polygon(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    return Inside(this=duplicate(place_of(inner)), expression=polygon_of(outer))


def _circle_in_circle(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    centre, radius = circle_of(inner)
    other, limit = circle_of(outer)
    reach = exp.Add(this=_angle(centre, other), expression=_term(radius))
    everything = exp.GTE(this=_term(duplicate(limit)), expression=number(180))
    return exp.Paren(this=exp.Or(this=exp.LTE(this=reach, expression=_term(limit)), expression=everything))


def _circle_in_polygon(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    centre, radius = circle_of(inner)
    array = polygon_of(outer)
    room = exp.GTE(this=_edge_distance(centre, array), expression=_term(radius))
    return _all(Inside(this=duplicate(centre), expression=duplicate(array)), room)


def _polygon_in_circle(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    """No part of the polygon is nearer to the antipode than the circle leaves room for."""
    centre, radius = circle_of(outer)
    lon = exp.Add(this=_term(centre.this), expression=number(180))
    antipode = Place(this=lon, expression=exp.Neg(this=_parenthesised(centre.expression)))
    room = exp.Sub(this=number(180), expression=_term(radius))
    return exp.Paren(this=exp.GTE(this=_polygon_distance(antipode, polygon_of(inner)), expression=room))


def _polygon_in_polygon(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    array, other = polygon_of(inner), polygon_of(outer)
    crossing = call("EDGES_CROSS", duplicate(array), duplicate(other))
    return _all(call("VERTICES_INSIDE", array, other), exp.Not(this=crossing))


# --- shapes that meet


def _points_meet(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    places = (duplicate(place_of(node)) for node in (first, second))
    return Within(this=next(places), expression=next(places), radius=number(0))


def _circles_meet(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    (centre, radius), (other, reach) = circle_of(first), circle_of(second)
    both = exp.Paren(this=exp.Add(this=_term(radius), expression=_term(reach)))
    return Within(this=centre, expression=other, radius=describe(both, kinds.DOUBLE))


def _circle_meets_polygon(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    centre, radius = circle_of(first)
    near = _polygon_distance(centre, polygon_of(second))
    return exp.Paren(this=exp.LTE(this=near, expression=_term(radius)))


def _polygons_meet(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    one, other = polygon_of(first), polygon_of(second)
    inside = Inside(this=_first_vertex(one), expression=duplicate(other))
    outside = Inside(this=_first_vertex(other), expression=duplicate(one))
    either = exp.Or(this=inside, expression=outside)
    return exp.Paren(this=exp.Or(this=either, expression=call("EDGES_TOUCH", one, other)))


_Pair = Callable[[exp.Expr, exp.Expr], exp.Expr]
_CONTAINED: Mapping[tuple[Kind, Kind], _Pair] = {
    (Kind.POINT, Kind.CIRCLE): _point_in_circle,
    (Kind.POINT, Kind.POLYGON): _point_in_polygon,
    (Kind.CIRCLE, Kind.CIRCLE): _circle_in_circle,
    (Kind.CIRCLE, Kind.POLYGON): _circle_in_polygon,
    (Kind.POLYGON, Kind.CIRCLE): _polygon_in_circle,
    (Kind.POLYGON, Kind.POLYGON): _polygon_in_polygon,
}
_MEETING: Mapping[tuple[Kind, Kind], _Pair] = {
    (Kind.POINT, Kind.POINT): _points_meet,
    (Kind.POINT, Kind.CIRCLE): _point_in_circle,
    (Kind.POINT, Kind.POLYGON): _point_in_polygon,
    (Kind.CIRCLE, Kind.CIRCLE): _circles_meet,
    (Kind.CIRCLE, Kind.POLYGON): _circle_meets_polygon,
    (Kind.POLYGON, Kind.POLYGON): _polygons_meet,
}


def contained(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    """Whether a shape lies wholly inside a region; borders count as inside (ADQL 2.1, 4.2.11)."""
    return _condition(_CONTAINED, inner, outer)


def meeting(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    """Whether two shapes have a position in common (ADQL 2.1, 4.2.16)."""
    if (_kind(first), _kind(second)) not in _MEETING and Kind.NULL not in (_kind(first), _kind(second)):
        first, second = second, first
    return _condition(_MEETING, first, second)


def _condition(table: Mapping[tuple[Kind, Kind], _Pair], first: exp.Expr, second: exp.Expr) -> exp.Expr:
    rule = table.get((_kind(first), _kind(second)))
    return describe(exp.Null() if rule is None else rule(first, second), kinds.CONDITION)


# --- measures


def area(node: exp.Expr) -> exp.Expr:
    """The area of a region in square degrees; that of a point is 0 (ADQL 2.1, 4.2.8)."""
    match _kind(node):
        case Kind.POINT:
            return number(0.0)
        case Kind.CIRCLE:
            _, radius = circle_of(node)
            value = constant(radius)
            if value is not None:
                return number(4 * math.pi * math.sin(math.radians(value) / 2) ** 2 * _SQUARE_DEGREES)
            half = exp.Mul(this=_term(radius), expression=number(math.pi / 360))
            sine = call("SQUARE", call("SIN", half))
            return exp.Paren(this=exp.Mul(this=sine, expression=number(4 * math.pi * _SQUARE_DEGREES)))
    return call("POLYGON_AREA", polygon_of(node))


def centroid(node: exp.Expr) -> exp.Expr:
    """The centre of a region as a point (ADQL 2.1, 4.2.9)."""
    match _kind(node):
        case Kind.POINT:
            return place_of(node)
        case Kind.CIRCLE:
            return circle_of(node)[0]
    return describe(call("POLYGON_CENTROID", polygon_of(node)), kinds.POINT)


# --- pieces


def _kind(node: exp.Expr) -> Kind:
    return kind_of(described(unwrapped(node)))


def _angle(first: Place, second: Place) -> exp.Expr:
    return describe(Angle(this=first, expression=second), kinds.DOUBLE)


def _polygon_distance(place: Place, array: exp.Expr) -> exp.Expr:
    """Degrees from a place to a polygon: none from inside it."""
    inside = Inside(this=duplicate(place), expression=duplicate(array))
    edge = _edge_distance(place, array)
    return exp.Case(ifs=[exp.If(this=inside, true=number(0.0))], default=edge)


def _edge_distance(place: Place, array: exp.Expr) -> exp.Expr:
    return call("EDGE_DISTANCE", duplicate(place.this), duplicate(place.expression), duplicate(array))


def _first_vertex(array: exp.Expr) -> Place:
    if isinstance(array, Call) and array.this == "TUPLE":
        return Place(this=duplicate(array.arguments[0]), expression=duplicate(array.arguments[1]))
    return Place(this=element(array, 1), expression=element(array, 2))


def _all(*conditions: exp.Expr) -> exp.Expr:
    return exp.Paren(this=exp.And(this=conditions[0], expression=conditions[1]))


def _term(node: exp.Expr) -> exp.Expr:
    return _parenthesised(node) if isinstance(node, exp.Binary | exp.Neg) else duplicate(node)


def _parenthesised(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=duplicate(node))
