"""Spatial conditions: every spelling of one is brought to one form, indexed, and written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from vo.adql import kinds, sphere
from vo.adql.constants import constant
from vo.adql.nodes import Angle, Call, Flag, Place, Within, call, describe, described, duplicate, number
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
    if not any(node.this in _FUNCTIONS for node in tree.find_all(Call)):
        return False
    for function in list(tree.find_all(Call, bfs=False))[::-1]:
        rule = _FUNCTIONS.get(function.this)
        if rule is not None:
            _put(function, rule(function))
    for between in list(tree.find_all(exp.Between)):
        _split_between(between)
    for comparison in list(tree.find_all(*_MIRRORED)):
        _simplify(comparison)
    indexed = add_ranges(tree)
    for within in list(tree.find_all(Within)):
        _put(within, sphere.within(within))
    for angle in list(tree.find_all(Angle)):
        _put(angle, sphere.distance(angle))
    for place in list(tree.find_all(Place)):
        _put(place, call("TUPLE", place.this, place.expression))
    return indexed


def _put(old: exp.Expr, new: exp.Expr) -> None:
    """Replace a node; what was known about it is known about the new one."""
    new.meta.setdefault("column", described(old) if "column" in old.meta else kinds.CONDITION)
    old.replace(new)


# --- functions


def place_of(node: exp.Expr) -> Place:
    """The position of a point: of a Place itself, or the elements of a stored array."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, Place):
        return node
    return Place(this=element(node, 1), expression=element(node, 2))


def element(node: exp.Expr, position: int) -> exp.Expr:
    """One number of an array, counted from 1."""
    return describe(call("ELEMENT", duplicate(node), number(position)), kinds.DOUBLE)


def _point(node: Call) -> exp.Expr:
    lon, lat = node.arguments
    return Place(this=lon, expression=lat)


def _circle(node: Call) -> exp.Expr:
    if len(node.arguments) == 3:
        return node
    place = place_of(node.arguments[0])
    return call("CIRCLE", place.this, place.expression, node.arguments[1])


def _contains(node: Call) -> exp.Expr:
    inner, outer = node.arguments
    lon, lat, radius = circle_of(outer)
    condition = Within(this=place_of(inner), expression=Place(this=lon, expression=lat), radius=radius)
    return Flag(this=describe(condition, kinds.CONDITION))


def circle_of(node: exp.Expr) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
    """Longitude, latitude and radius of a circle."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, Call) and node.this == "CIRCLE":
        lon, lat, radius = node.arguments
        return lon, lat, radius
    return element(node, 1), element(node, 2), element(node, 3)


def _distance(node: Call) -> exp.Expr:
    if len(node.arguments) == 2:
        first, second = map(place_of, node.arguments)
    else:
        lon1, lat1, lon2, lat2 = node.arguments
        first, second = Place(this=lon1, expression=lat1), Place(this=lon2, expression=lat2)
    return Angle(this=first, expression=second)


def _coordinate(position: int) -> Callable[[Call], exp.Expr]:
    def coordinate(node: Call) -> exp.Expr:
        place = place_of(node.arguments[0])
        return describe(
            exp.Paren(this=place.this if position == 1 else place.expression), kinds.DOUBLE, unit="deg"
        )

    return coordinate


_FUNCTIONS: Mapping[str, Callable[[Call], exp.Expr]] = {
    "POINT": _point,
    "CIRCLE": _circle,
    "CONTAINS": _contains,
    "DISTANCE": _distance,
    "COORD1": _coordinate(1),
    "COORD2": _coordinate(2),
}


# --- conditions


def _split_between(node: exp.Between) -> None:
    """`DISTANCE(…) BETWEEN a AND b` as two comparisons, of which the second can use the index."""
    value = _bare(node.this)
    if isinstance(value, Angle):
        low = exp.GTE(this=value, expression=node.args["low"])
        high = exp.LTE(this=duplicate(value), expression=node.args["high"])
        _put(node, exp.Paren(this=exp.And(this=low, expression=high)))


def _simplify(node: exp.Expr) -> None:
    """A comparison of CONTAINS with 0 or 1, or of DISTANCE with a radius, as the condition it stands for."""
    left, right, operation = _bare(node.this), _bare(node.expression), type(node)
    if _is_measure(right) and not _is_measure(left):
        left, right, operation = right, left, _MIRRORED[operation]
    if isinstance(left, Flag) and operation in (exp.EQ, exp.NEQ):
        value = constant(right)
        if value in (0, 1):
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


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node
