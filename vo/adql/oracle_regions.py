"""Regions in writing by the plain arithmetic of Oracle, which has no functions of ours: tree → tree.

A polygon of which all numbers are in the query can hold positions, and hold, meet or be held by circles, of
rows; what is asked of two regions in writing is known at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.crossings import Edge, Outline, Shadow, outline
from vo.adql.nodes import Call, Flag, Let, Local, Place, call, collected, describe, duplicate, number
from vo.adql.polygons import Vector, constant_numbers
from vo.adql.positions import computed_vector
from vo.adql.sphere import COINCIDENT, HALF_TURN, RIGHT_ANGLE
from vo.regions import shapes
from vo.regions.vectors import BORDER

_SCOPE = "region"
_DEGREE = math.pi / 180
_CIRCLE = 3  # numbers
_LARGEST = 1e100  # of a radius that is a number


def compute_regions(tree: exp.Expr) -> None:
    """Rewrite what can be computed, inner calls first; the printer refuses the others."""
    for node in reversed(collected(tree, Call)):
        rule = _RULES.get(node.this)
        answer = None if rule is None else rule(*node.expressions)
        if answer is not None:
            # An answer is 1, 0 or NULL, as is the Flag of the condition that it is 1.
            flag = node.parent if isinstance(node.parent, Flag) else None
            (flag or node).replace(answer if flag else _is_one(answer))


def _inside(x: exp.Expr, y: exp.Expr, z: exp.Expr, polygon: exp.Expr) -> exp.Expr | None:
    """A position in a polygon."""
    shape = _outline(polygon)
    return None if shape is None else _named([x, y, z], _is_inside(shape))


def _met(one: exp.Expr, other: exp.Expr) -> exp.Expr | None:
    """Two regions that meet: a circle of the row and a polygon in writing."""
    known = _known(one, other, shapes.meet)
    if known is not None:
        return known
    circle, polygon = (one, other) if _is_circle(one) else (other, one)
    shape = _outline(polygon)
    if not _is_circle(circle) or shape is None:
        return None
    radius = _radius(circle)
    met = exp.Or(this=_is_one(_is_inside(shape)), expression=_is_near(shape, radius, exp.LTE))
    return _of_circle(circle, exp.And(this=_is_at_least(radius, 0), expression=exp.Paren(this=met)))


def _held(inner: exp.Expr, outer: exp.Expr) -> exp.Expr | None:
    """A region inside another: a circle of the row in a polygon in writing, or the reverse."""
    known = _known(outer, inner, shapes.holds)
    if known is not None:
        return known
    if _is_circle(inner) and (shape := _outline(outer)) is not None:
        radius = _radius(inner)
        clear = exp.Not(this=exp.Paren(this=_is_near(shape, radius, exp.LT)))
        return _of_circle(inner, _all(exp.And, [_is_at_least(radius, 0), _is_one(_is_inside(shape)), clear]))
    if _is_circle(outer) and (shape := _outline(inner)) is not None:
        return _of_circle(outer, _is_in_circle(shape, _radius(outer)))
    return None


_RULES: Mapping[str, Callable[..., exp.Expr | None]] = {
    "INSIDE": _inside,
    "REGIONS_MEET": _met,
    "REGION_CONTAINS": _held,
}


def _known(
    one: exp.Expr, other: exp.Expr, decide: Callable[[shapes.Shape, shapes.Shape], bool]
) -> exp.Expr | None:
    numbers = [constant_numbers(array) for array in (one, other)]
    first, second = (shapes.shape_of(np.array(values)) if values else None for values in numbers)
    return None if first is None or second is None else number(int(decide(first, second)))


def _is_circle(array: exp.Expr) -> bool:
    return isinstance(array, Call) and array.this == "TUPLE" and len(array.arguments) == _CIRCLE


def _outline(array: exp.Expr) -> Outline | None:
    values = constant_numbers(array)
    return outline(values) if values is not None and len(values) > _CIRCLE else None


# --- positions and circles with names


def _named(vector: list[exp.Expr], answer: exp.Expr, **others: exp.Expr) -> exp.Expr:
    """`answer`, in which x, y and z are those of a unit vector."""
    values = dict(zip("xyz", vector, strict=True)) | others
    described = [describe(duplicate(value), kinds.DOUBLE) for value in values.values()]
    return Let(this=answer, expressions=described, names=list(values), scope=_SCOPE)


def _name(name: str) -> exp.Expr:
    return describe(Local(this=_SCOPE, expression=name), kinds.DOUBLE)


def _of_circle(circle: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """1 or 0 for the condition on a centre x, y, z and a radius r in degrees; NULL for what is no circle."""
    lon, lat, radius = circle.expressions
    limits: list[exp.Expr] = [exp.LTE(this=_name(axis), expression=number(2.0)) for axis in "xyz"]
    limits.append(exp.Between(this=_radius(circle), low=_atom(number(-_LARGEST)), high=number(_LARGEST)))
    answer = exp.Case(ifs=[exp.If(this=condition, true=number(1))], default=number(0))
    whole = exp.Case(ifs=[exp.If(this=_all(exp.And, limits), true=answer)])
    centre = computed_vector(Place(this=duplicate(lon), expression=duplicate(lat)))
    return _named(centre, whole, r=duplicate(radius))


def _radius(circle: exp.Expr) -> exp.Expr:
    """Degrees: a number in writing, or the name of one."""
    value = constant(circle.expressions[2])
    return (
        describe(Local(this=_SCOPE, expression="r"), kinds.DOUBLE) if value is None else number(float(value))
    )


# --- polygons


def _is_inside(shape: Outline) -> exp.Expr:
    """1 or 0 for the position x, y, z; NULL for an unknown one."""
    counted = [number(int(shape.begins_inside)), *map(_is_behind, shape.shadows)]
    # Turned round, as what is no number is less than none: so it is outside.
    near = exp.LTE(this=_product(_opposite(shape.axis)), expression=_atom(number(-shape.limit)))
    known = exp.Not(this=exp.Is(this=_name("x"), expression=exp.Null()))
    odd = call("MOD", _all(exp.Add, counted), number(2))
    return exp.Case(ifs=[exp.If(this=near, true=odd), exp.If(this=known, true=number(0))])


def _is_behind(shadow: Shadow) -> exp.Expr:
    planes = [
        exp.GTE(this=_product(shadow.begin), expression=number(0.0)),
        exp.LT(this=_product(shadow.end), expression=number(0.0)),
        exp.LT(this=_product(shadow.plane), expression=_atom(number(shadow.limit))),
    ]
    return exp.Case(ifs=[exp.If(this=_all(exp.And, planes), true=number(1))], default=number(0))


def _is_in_circle(shape: Outline, radius: exp.Expr) -> exp.Expr:
    """Whether a polygon is in the circle: of one smaller than half the sky, its vertices will do."""
    vertices = [_is_within(edge.start, radius, exp.LTE) for edge in shape.edges]
    small = _all(exp.And, [_is_at_least(radius, 0), *vertices])
    value = constant(radius)
    if value is not None and value < RIGHT_ANGLE:
        return small
    # What is outside is a circle around the antipode, and the polygon must be clear of it.
    mirrored = _mirrored(shape)
    room = exp.Paren(this=exp.Sub(this=number(float(HALF_TURN)), expression=radius))
    outside = exp.EQ(this=_is_inside(mirrored), expression=number(0))
    clear = exp.Not(this=exp.Paren(this=_is_near(mirrored, room, exp.LT)))
    large = _all(exp.And, [_is_at_least(radius, RIGHT_ANGLE), outside, clear])
    below = exp.LT(this=duplicate(radius), expression=number(float(RIGHT_ANGLE)))
    either = (large, exp.And(this=below, expression=small))
    return _all(exp.Or, [_is_at_least(radius, HALF_TURN), *(exp.Paren(this=each) for each in either)])


def _is_at_least(radius: exp.Expr, degrees: float) -> exp.Expr:
    return exp.GTE(this=duplicate(radius), expression=number(float(degrees)))


def _is_near(shape: Outline, radius: exp.Expr, compare: type[exp.Expr]) -> exp.Expr:
    """Whether the border is within a radius of the position, or nearer where `compare` is LT."""
    return _all(exp.Or, [_edge_is_near(edge, radius, compare) for edge in shape.edges])


def _edge_is_near(edge: Edge, radius: exp.Expr, compare: type[exp.Expr]) -> exp.Expr:
    """Whether its start is, or its great circle where that is nearest between the ends."""
    margin = number(BORDER if compare is exp.LTE else -BORDER)
    radians = exp.Mul(this=duplicate(radius), expression=number(_DEGREE))
    flat = [call("SQUARE", exp.Paren(this=_product(axis))) for axis in (edge.start, edge.along)]
    angle = call("ATAN2", call("ABS", _product(edge.normal)), call("SQRT", _all(exp.Add, flat)))
    between = [exp.GTE(this=_product(axis), expression=number(0.0)) for axis in (edge.along, edge.back)]
    beside = [*between, compare(this=angle, expression=exp.Add(this=radians, expression=_atom(margin)))]
    either = [_is_within(edge.start, radius, compare), exp.Paren(this=_all(exp.And, beside))]
    return _all(exp.Or, either)


def _is_within(vertex: Vector, radius: exp.Expr, compare: type[exp.Expr]) -> exp.Expr:
    """Whether a vertex is within a radius, by the chord: exact for small ones."""
    ways = [
        exp.Paren(this=exp.Sub(this=_name(axis), expression=_atom(number(value))))
        for axis, value in zip("xyz", vertex, strict=True)
    ]
    chord = _all(exp.Add, [call("SQUARE", way) for way in ways])
    limit, margin = _square_of_chord(radius, compare), number(4 * COINCIDENT)
    return compare(
        this=chord if compare is exp.LTE else exp.Add(this=chord, expression=margin), expression=limit
    )


def _square_of_chord(radius: exp.Expr, compare: type[exp.Expr]) -> exp.Expr:
    """(2 sin(r / 2))², and a little more where the border counts."""
    margin = BORDER / 2 if compare is exp.LTE else 0.0
    value = constant(radius)
    if value is not None:
        return number(4 * math.sin(min(value, HALF_TURN) * _DEGREE / 2 + margin) ** 2)
    least = call("LEAST", duplicate(radius), number(float(HALF_TURN)))
    half = exp.Add(this=exp.Mul(this=least, expression=number(_DEGREE / 2)), expression=number(margin))
    return exp.Mul(this=number(4.0), expression=call("SQUARE", call("SIN", half)))


def _mirrored(shape: Outline) -> Outline:
    """The polygon at the antipodes."""
    shadows = (
        replace(
            shadow, begin=_opposite(shadow.begin), end=_opposite(shadow.end), plane=_opposite(shadow.plane)
        )
        for shadow in shape.shadows
    )
    edges = (
        Edge(_opposite(edge.start), _opposite(edge.normal), _opposite(edge.along), _opposite(edge.back))
        for edge in shape.edges
    )
    return replace(shape, shadows=tuple(shadows), edges=tuple(edges), axis=_opposite(shape.axis))


# --- pieces


def _opposite(vector: Vector) -> Vector:
    x, y, z = vector
    return -x, -y, -z


def _product(vector: Vector) -> exp.Expr:
    """The scalar product with x, y, z."""
    pairs = zip("xyz", vector, strict=True)
    return _all(
        exp.Add, [exp.Mul(this=_name(axis), expression=_atom(number(value))) for axis, value in pairs]
    )


def _all(operation: type[exp.Expr], terms: Sequence[exp.Expr]) -> exp.Expr:
    return reduce(lambda left, right: operation(this=left, expression=right), terms)


def _is_one(answer: exp.Expr) -> exp.Expr:
    return exp.EQ(this=answer, expression=number(1))


def _atom(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node) if isinstance(node, exp.Neg) else node
