"""CONTAINS and INTERSECTS by the kinds of their arguments, and the measures of regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Angle, Call, Inside, Place, Within, call, describe, described, duplicate, number
from vo.adql.polygons import constant_numbers
from vo.adql.positions import stored_region
from vo.regions import shapes
from vo.tiling.meeting import lies

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


def shape_of(node: exp.Expr) -> exp.Expr:
    """The array of a shape: lon, lat; or lon, lat, radius; or lon1, lat1, lon2, …."""
    node = unwrapped(node)
    stored = stored_region(node)
    if stored is not None:
        return stored
    if _kind(node) is Kind.REGION:
        return call("SHAPE_IN_WORDS", duplicate(node))
    if isinstance(node, Place):
        return call("TUPLE", duplicate(node.this), duplicate(node.expression))
    if isinstance(node, Call) and node.this in ("CIRCLE", "POLYGON"):
        return call("TUPLE", *map(duplicate, node.arguments))
    return duplicate(node)


def element(node: exp.Expr, position: int) -> exp.Expr:
    """One number of an array, counted from 1."""
    return describe(call("ELEMENT", duplicate(node), number(position)), kinds.DOUBLE)


# --- one shape inside another


def _point_in_circle(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    centre, radius = circle_of(outer)
    return Within(this=duplicate(place_of(inner)), expression=centre, radius=radius)


def _point_in_region(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    return Inside(this=duplicate(place_of(inner)), expression=shape_of(outer))


def _circle_in_circle(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    centre, radius = circle_of(inner)
    other, limit = circle_of(outer)
    reach = exp.Add(this=_angle(centre, other), expression=_term(radius))
    everything = exp.GTE(this=_term(duplicate(limit)), expression=number(180))
    held = exp.Or(this=exp.LTE(this=reach, expression=_term(limit)), expression=everything)
    real = exp.GTE(this=_term(duplicate(radius)), expression=number(0))
    return exp.Paren(this=exp.And(this=exp.Paren(this=held), expression=real))


def _held(inner: exp.Expr, outer: exp.Expr) -> exp.Expr:
    return call("REGION_CONTAINS", shape_of(inner), shape_of(outer))


# --- shapes that meet


def _points_meet(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    places = (duplicate(place_of(node)) for node in (first, second))
    return Within(this=next(places), expression=next(places), radius=number(0))


def _circles_meet(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    (centre, radius), (other, reach) = circle_of(first), circle_of(second)
    both = exp.Paren(this=exp.Add(this=_term(radius), expression=_term(reach)))
    return Within(this=centre, expression=other, radius=describe(both, kinds.DOUBLE))


def _met(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    return call("REGIONS_MEET", shape_of(first), shape_of(second))


# --- a region and a MOC


def _in_moc(region: exp.Expr, moc: exp.Expr) -> exp.Expr:
    return _beside_moc("MOC_HOLDS", region, moc)


def _meets_moc(region: exp.Expr, moc: exp.Expr) -> exp.Expr:
    return _beside_moc("MOC_MEETS", region, moc)


def _beside_moc(name: str, region: exp.Expr, moc: exp.Expr) -> exp.Expr:
    """The condition; where both are in writing, what is true of them."""
    shape, found = shape_of(region), unwrapped(moc).meta.get("moc")
    values = constant_numbers(shape)
    if found is None or values is None:
        return call(name, duplicate(moc), shape)
    meeting = name == "MOC_MEETS"
    is_true = lies(shapes.shape_of(np.array(values)), (found if meeting else ~found).ranges, meeting)
    return exp.EQ(this=number(int(is_true)), expression=number(1))


_Pair = Callable[[exp.Expr, exp.Expr], exp.Expr]
_CONTAINED: Mapping[tuple[Kind, Kind], _Pair] = {
    (Kind.POINT, Kind.CIRCLE): _point_in_circle,
    (Kind.POINT, Kind.POLYGON): _point_in_region,
    (Kind.CIRCLE, Kind.CIRCLE): _circle_in_circle,
    (Kind.CIRCLE, Kind.POLYGON): _held,
    (Kind.POLYGON, Kind.CIRCLE): _held,
    (Kind.POLYGON, Kind.POLYGON): _held,
    (Kind.POINT, Kind.REGION): _point_in_region,
    **{(kind, Kind.REGION): _held for kind in kinds.REGIONS},
    **{(Kind.REGION, kind): _held for kind in (Kind.CIRCLE, Kind.POLYGON)},
    **{(kind, Kind.MOC): _in_moc for kind in kinds.REGIONS},
}
_MEETING: Mapping[tuple[Kind, Kind], _Pair] = {
    (Kind.POINT, Kind.POINT): _points_meet,
    (Kind.POINT, Kind.CIRCLE): _point_in_circle,
    (Kind.POINT, Kind.POLYGON): _point_in_region,
    (Kind.CIRCLE, Kind.CIRCLE): _circles_meet,
    (Kind.CIRCLE, Kind.POLYGON): _met,
    (Kind.POLYGON, Kind.POLYGON): _met,
    (Kind.POINT, Kind.REGION): _point_in_region,
    **{(kind, Kind.REGION): _met for kind in kinds.REGIONS},
    **{(kind, Kind.MOC): _meets_moc for kind in kinds.REGIONS},
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
    shape = shape_of(node)
    values = constant_numbers(shape)
    if values is not None:
        return number(float(shapes.area(shapes.shape_of(np.array(values)))))
    return call("REGION_AREA", shape)


def centroid(node: exp.Expr) -> exp.Expr:
    """The centre of a region as a point (ADQL 2.1, 4.2.9)."""
    match _kind(node):
        case Kind.POINT:
            return place_of(node)
        case Kind.CIRCLE:
            return circle_of(node)[0]
    shape = shape_of(node)
    values = constant_numbers(shape)
    if values is not None:
        lon, lat = shapes.centroid(shapes.shape_of(np.array(values)))
        return Place(this=number(float(lon)), expression=number(float(lat)))
    return describe(call("REGION_CENTROID", shape), kinds.POINT)


# --- pieces


def _kind(node: exp.Expr) -> Kind:
    return kind_of(described(unwrapped(node)))


def _angle(first: Place, second: Place) -> exp.Expr:
    return describe(Angle(this=first, expression=second), kinds.DOUBLE)


def _term(node: exp.Expr) -> exp.Expr:
    return _parenthesised(node) if isinstance(node, exp.Binary | exp.Neg) else duplicate(node)


def _parenthesised(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=duplicate(node))
