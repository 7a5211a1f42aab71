"""Spatial conditions: every spelling of one is brought to one form, indexed, and written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from vo.adql import coverage, frames, kinds, regions, sphere
from vo.adql.boxes import box
from vo.adql.constants import constant
from vo.adql.crossmatch import add_cells
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import (
    Angle,
    Call,
    Covered,
    Flag,
    Inside,
    Place,
    Within,
    call,
    collected,
    describe,
    described,
    duplicate,
)
from vo.adql.regions import place_of, unwrapped
from vo.adql.spatial_index import add_ranges

_MIRRORED: Mapping[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
}


def compile_geometry(tree: exp.Query) -> bool:
    """Rewrite every geometric function of `tree`; whether a stored index takes part."""
    found = collected(tree, Call, Covered, exp.Select, exp.Between, *_MIRRORED)
    functions = [node for node in found if isinstance(node, Call) and node.this in _FUNCTIONS]
    if not functions and not any(isinstance(node, Covered) for node in found):
        return False
    for function in reversed(functions):
        _put(function, _FUNCTIONS[function.this](function))
    for node in found:
        if isinstance(node, exp.Between):
            _split_between(node)
        elif type(node) in _MIRRORED:
            _simplify(node)
    indexed = [add_ranges(node) | add_cells(node) for node in found if isinstance(node, exp.Select)]
    _write_out(tree)
    return any(indexed)


def _write_out(tree: exp.Query) -> None:
    """Replace places, angles and the conditions on them, inner ones first: outer ones take copies of them."""
    for node in reversed(collected(tree, *_WRITTEN_OUT)):
        _put(node, _WRITTEN_OUT[type(node)](node))
    for place in collected(tree, Place):
        _put(place, call("TUPLE", place.this, place.expression))


def _put(old: exp.Expr, new: exp.Expr) -> None:
    """Replace a node; what was known about it is known about the new one."""
    if "column" in old.meta:
        describe(new, described(old))
    old.replace(new)


# --- functions


def _point(node: Call) -> exp.Expr:
    lon, lat = node.arguments
    return Place(this=lon, expression=lat)


def _circle(node: Call) -> exp.Expr:
    if len(node.arguments) == _POINT_AND_RADIUS:
        place = place_of(node.arguments[0])
        return call("CIRCLE", place.this, place.expression, node.arguments[1])
    return node


def _polygon(node: Call) -> exp.Expr:
    if kind_of(described(node.arguments[0])) is not Kind.POINT:
        return node
    places = [place_of(argument) for argument in node.arguments]
    return call("POLYGON", *(value for place in places for value in (place.this, place.expression)))


def _flag(condition: exp.Expr) -> exp.Expr:
    return Flag(this=condition)


def _distance(node: Call) -> exp.Expr:
    if len(node.arguments) == _TWO_POINTS:
        first, second = map(place_of, node.arguments)
    else:
        lon1, lat1, lon2, lat2 = node.arguments
        first, second = Place(this=lon1, expression=lat1), Place(this=lon2, expression=lat2)
    return Angle(this=first, expression=second)


def _coordinate(node: Call) -> exp.Expr:
    place = place_of(node.arguments[0])
    return exp.Paren(this=place.this if node.this == "COORD1" else place.expression)


def _area(node: Call) -> exp.Expr:
    shape = node.arguments[0]
    return coverage.area(shape) if kind_of(described(shape)) is Kind.MOC else regions.area(shape)


def _frame_name(shape: exp.Expr) -> exp.Expr:
    frame = described(shape).frame
    return exp.Literal.string("ICRS" if frame is None else frame.name)


_POINT_AND_RADIUS = _TWO_POINTS = 2
_FUNCTIONS: Mapping[str, Callable[[Any], exp.Expr]] = {
    "POINT": _point,
    "CIRCLE": _circle,
    "POLYGON": _polygon,
    "BOX": lambda node: box(*node.arguments),
    "CONTAINS": lambda node: _flag(regions.contained(*node.arguments)),
    "INTERSECTS": lambda node: _flag(regions.meeting(*node.arguments)),
    "DISTANCE": _distance,
    "COORD1": _coordinate,
    "COORD2": _coordinate,
    "IVO_GEOM_TRANSFORM": frames.transformed,
    "COORDSYS": lambda node: _frame_name(node.arguments[0]),
    "AREA": _area,
    "CENTROID": lambda node: regions.centroid(node.arguments[0]),
}
# What angles and conditions of places are written out as.
_WRITTEN_OUT: Mapping[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    Inside: sphere.inside,
    Within: sphere.within,
    Angle: sphere.distance,
    Covered: coverage.written,
}


# --- conditions


def _split_between(node: exp.Expr) -> None:
    """`DISTANCE(…) BETWEEN a AND b` as two comparisons, of which the second can use the index."""
    value = unwrapped(node.this)
    if isinstance(value, Angle):
        low = exp.GTE(this=value, expression=node.args["low"])
        high = exp.LTE(this=duplicate(value), expression=node.args["high"])
        _put(node, exp.Paren(this=exp.And(this=low, expression=high)))
        _simplify(low)
        _simplify(high)


def _simplify(node: exp.Expr) -> None:
    """A comparison of CONTAINS with 0 or 1, or of DISTANCE with a radius, as the condition it stands for."""
    left, right, operation = unwrapped(node.this), unwrapped(node.expression), type(node)
    if _is_measure(right) and not _is_measure(left):
        left, right, operation = right, left, _MIRRORED[operation]
    if isinstance(left, Flag) and operation in (exp.EQ, exp.NEQ):
        value = constant(right)
        # A stored boolean is a number in some databases, and no condition by itself.
        if value in (0, 1) and not isinstance(left.this, exp.Column):
            truth = (value == 1) == (operation is exp.EQ)
            _put(node, left.this if truth else exp.Not(this=exp.Paren(this=left.this)))
    elif isinstance(left, Angle) and operation in _WITHIN:
        strict, negated = _WITHIN[operation]
        near = Within(this=left.this, expression=left.expression, radius=right, strict=strict)
        condition: exp.Expr = describe(near, kinds.CONDITION)
        _put(node, exp.Not(this=exp.Paren(this=condition)) if negated else condition)


_WITHIN: Mapping[type[exp.Expr], tuple[bool, bool]] = {
    exp.LT: (True, False),
    exp.LTE: (False, False),
    exp.GT: (False, True),
    exp.GTE: (True, True),
}


def _is_measure(node: exp.Expr) -> bool:
    return isinstance(node, Flag | Angle)
