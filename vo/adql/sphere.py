"""Formulae on the sphere, as expressions: constants are folded in Python, in doubles."""

from __future__ import annotations

import math

from sqlglot import exp

from vo.adql.constants import constant
from vo.adql.nodes import Angle, Inside, Place, Within, call, duplicate, number
from vo.adql.polygons import constant_polygon
from vo.adql.positions import unit_vector
from vo.regions.vectors import BORDER

RIGHT_ANGLE = 90
HALF_TURN = 180
"""Angles in degrees that end a range."""

COINCIDENT = (BORDER / 2) ** 2
"""The haversine up to which two positions are the same: at a pole, those of all right ascensions."""

_HALF = math.pi / 360
_DEGREE = math.pi / 180


def haversine(first: Place, second: Place) -> exp.Expr:
    """sin² of half the angle between two places: exact where a cosine has lost its digits."""
    first, second = _constant_last(first, second)
    values = _values(first, second)
    if values is not None:
        return number(haversine_value(*values))
    return _haversine(first, second, "SIN", exp.Sub)


def _beyond(first: Place, second: Place) -> exp.Expr:
    """cos² of half the angle, which is the haversine from the antipode: exact for angles near half a turn."""
    first, second = _constant_last(first, second)
    values = _values(first, second)
    if values is not None:
        lon1, lat1, lon2, lat2 = values
        return number(haversine_value(lon1, lat1, lon2 + HALF_TURN, -lat2))
    return _haversine(first, second, "COS", exp.Add)


def _haversine(first: Place, second: Place, function: str, sign: type[exp.Expr]) -> exp.Expr:
    half_turn = _square(function, exp.Sub, first.this, second.this)
    across = _product(_cosine(first.expression), _cosine(second.expression), half_turn)
    return exp.Add(this=_square("SIN", sign, first.expression, second.expression), expression=across)


def _values(first: Place, second: Place) -> list[float] | None:
    """The four numbers of two places in writing."""
    values = [constant(node) for place in (first, second) for node in (place.this, place.expression)]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def haversine_value(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """sin² of half the angle between two positions in degrees.

    >>> haversine_value(0, 0, 180, 0)
    1.0
    """
    across = math.cos(lat1 * _DEGREE) * math.cos(lat2 * _DEGREE) * math.sin((lon1 - lon2) * _HALF) ** 2
    return math.sin((lat1 - lat2) * _HALF) ** 2 + across


def distance(angle: Angle) -> exp.Expr:
    """An Angle written out: twice the angle whose sine and cosine are known."""
    roots = [call("SQRT", part(angle.this, angle.expression)) for part in (haversine, _beyond)]
    return exp.Paren(this=exp.Mul(this=call("ATAN2", *roots), expression=number(2 / _DEGREE)))


def within(node: Within) -> exp.Expr:
    """The condition of a Within."""
    radius = constant(node.args["radius"])
    strict = bool(node.args.get("strict"))
    compare = exp.LT if strict else exp.LTE
    angle = haversine(node.this, node.expression)
    if radius is None:
        return _within_variable(angle, node.args["radius"], compare)
    if radius < 0:
        # No angle is negative; written so that an unknown position stays unknown.
        return exp.Paren(this=exp.LT(this=angle, expression=number(0)))
    if radius > HALF_TURN or (radius == HALF_TURN and not strict):
        return exp.Paren(this=exp.GTE(this=angle, expression=number(0)))
    if radius > RIGHT_ANGLE:
        limit = math.sin((HALF_TURN - radius) * _HALF) ** 2
        beyond = _beyond(node.this, node.expression)
        if strict:
            return exp.Paren(this=exp.GT(this=beyond, expression=number(limit)))
        return exp.Paren(this=exp.GTE(this=beyond, expression=number(limit - COINCIDENT)))
    limit = math.sin(radius * _HALF) ** 2
    return exp.Paren(this=compare(this=angle, expression=number(limit if strict else limit + COINCIDENT)))


def inside(node: Inside) -> exp.Expr:
    """The condition of an Inside: half-spaces for a convex polygon in writing, else a function."""
    shape = constant_polygon(node.expression)
    vector = unit_vector(node.this)
    if shape is None or shape.half_spaces is None:
        return call("INSIDE", *vector, node.expression)
    # What is no position is no number less than another: so it is outside.
    sides: list[exp.Expr] = [
        exp.LTE(this=_scalar_product(vector, (-x, -y, -z)), expression=number(BORDER))
        for x, y, z in shape.half_spaces
    ]
    condition = sides[0]
    for side in sides[1:]:
        condition = exp.And(this=condition, expression=side)
    return exp.Paren(this=condition)


def _scalar_product(vector: list[exp.Expr], normal: tuple[float, float, float]) -> exp.Expr:
    terms = [
        exp.Mul(this=duplicate(axis), expression=_atom(number(factor)))
        for axis, factor in zip(vector, normal, strict=True)
    ]
    return exp.Add(this=exp.Add(this=terms[0], expression=terms[1]), expression=terms[2])


def _within_variable(angle: exp.Expr, radius: exp.Expr, compare: type[exp.Expr]) -> exp.Expr:
    """A radius that depends on the row: sin² turns back beyond 180 degrees and below 0."""
    half = call("SIN", _product(call("LEAST", _double(radius), number(180.0)), number(_HALF)))
    limit: exp.Expr = call("SQUARE", half)
    if compare is exp.LTE:
        limit = exp.Add(this=limit, expression=number(COINCIDENT))
    near = compare(this=angle, expression=limit)
    beyond = exp.GT(this=_atom(duplicate(radius)), expression=number(180))
    near_or_beyond = exp.Paren(this=exp.Or(this=near, expression=beyond))
    positive = exp.GTE(this=_atom(duplicate(radius)), expression=number(0))
    return exp.Paren(this=exp.And(this=near_or_beyond, expression=positive))


def _constant_last(first: Place, second: Place) -> tuple[Place, Place]:
    """The two places with the constant one last, so that every spelling of a cone is one expression."""
    is_constant = constant(first.this) is not None and constant(first.expression) is not None
    return (second, first) if is_constant else (first, second)


def _square(function: str, sign: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """sin² or cos² of half the sum or difference of two numbers in degrees."""
    operands = exp.Paren(this=sign(this=_double(left), expression=_double(right)))
    return call("SQUARE", call(function, exp.Mul(this=operands, expression=number(_HALF))))


def _cosine(latitude: exp.Expr) -> exp.Expr:
    value = constant(latitude)
    if value is not None:
        return number(math.cos(value * _DEGREE))
    return call("COS", exp.Mul(this=_double(latitude), expression=number(_DEGREE)))


def _double(node: exp.Expr) -> exp.Expr:
    """A fresh operand in double precision."""
    value = constant(node)
    if value is not None:
        return _atom(number(float(value)))
    column = node.meta.get("column")
    if column is not None and column.datatype == "double":
        return _atom(duplicate(node))
    return exp.Cast(this=duplicate(node), to=exp.DataType(this="DOUBLE"))


def _product(*factors: exp.Expr) -> exp.Expr:
    result = factors[0]
    for following in factors[1:]:
        result = exp.Mul(this=result, expression=following)
    return result


def _atom(node: exp.Expr) -> exp.Expr:
    """`node`, in parentheses where it could be torn apart."""
    return exp.Paren(this=node) if isinstance(node, exp.Binary | exp.Neg) else node
