"""Shapes in writing: their coordinates judged, and the strings of REGION read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import coordinate_systems, kinds
from vo.adql.constants import constant
from vo.adql.frames import column_of
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import call, describe, described, number
from vo.adql.polygons import polygon
from vo.adql.problems import span_of
from vo.adql.sphere import HALF_TURN, RIGHT_ANGLE
from vo.adql.stcs import shape

if TYPE_CHECKING:
    from vo.adql.reader import Reader

# The places of latitudes and of sizes, by function and number of arguments.
_LATITUDES: Mapping[tuple[str, int], tuple[int, ...]] = {
    ("POINT", 2): (1,),
    ("CIRCLE", 3): (1,),
    ("DISTANCE", 4): (1, 3),
    ("BOX", 4): (1,),
}
_SIZES: Mapping[tuple[str, int], tuple[int, ...]] = {
    ("CIRCLE", 3): (2,),
    ("CIRCLE", 2): (1,),
    ("BOX", 4): (2, 3),
    ("BOX", 3): (1, 2),
}
_RESULTS = {"POINT": kinds.POINT, "CIRCLE": kinds.CIRCLE, "BOX": kinds.POLYGON, "POLYGON": kinds.POLYGON}


def in_range(reader: Reader, node: exp.Expr, arguments: list[exp.Expr]) -> bool:
    """Whether the constants among the coordinates of a shape make sense; problems where not.

    Declinations are in [-90, 90] (ADQL 2.1, 4.2.4); right ascensions of any turn are taken.
    """
    key = (node.this, len(arguments))
    wrong: list[tuple[exp.Expr, str]] = []
    for place in _latitudes(node.this, arguments):
        value = constant(arguments[place])
        if value is not None and abs(value) > RIGHT_ANGLE:
            wrong.append((arguments[place], f"The latitude {value:g} is not between -90 and 90 degrees"))
    for place in _SIZES.get(key, ()):
        value = constant(arguments[place])
        if value is not None and value < 0:
            wrong.append((arguments[place], f"The size {value:g} of a {node.this} is negative"))
        elif value is not None and node.this == "BOX" and value >= HALF_TURN:
            wrong.append((arguments[place], f"The side {value:g} of a BOX is not below 180 degrees"))
    if node.this == "POLYGON":
        wrong += _of_polygon(node, arguments)
    for argument, message in wrong:
        reader.problems.add(message, span_of(argument) or span_of(node), rule="ADQL 2.1, 4.2.4")
    return not wrong


def _latitudes(name: str, arguments: list[exp.Expr]) -> tuple[int, ...]:
    if name == "POLYGON" and kind_of(described(arguments[0])) is not Kind.POINT:
        return tuple(range(1, len(arguments), 2))
    return _LATITUDES.get((name, len(arguments)), ())


def _of_polygon(node: exp.Expr, arguments: list[exp.Expr]) -> list[tuple[exp.Expr, str]]:
    if kind_of(described(arguments[0])) is Kind.POINT:
        return []
    if len(arguments) % 2:
        return [(node, "The last vertex of the POLYGON lacks its latitude")]
    values = [constant(argument) for argument in arguments]
    coordinates = tuple(value for value in values if value is not None)
    if len(coordinates) == len(values) and polygon(coordinates) is None:
        return [(node, "The POLYGON has no inside: it needs three vertices that are not on one great circle")]
    return []


def region(reader: Reader, node: exp.Expr) -> exp.Expr:
    """The shape of a REGION, as if its function had been written."""
    text = node.expressions[0]
    found = shape(text.this)
    if found is None:
        reader.problems.add(
            f"The REGION '{text.this}' is not understood",
            span_of(text),
            rule="ADQL 2.1, 4.2.20",
            suggestion="Write 'CIRCLE ICRS 10 20 0.5', 'BOX ICRS …', 'POLYGON ICRS …' or 'POSITION ICRS …'.",
        )
        return describe(node, kinds.CIRCLE)
    name, system, values = found
    written = of_numbers(reader, node, name, values)
    frame = coordinate_systems.named(reader, text, system)
    return written if frame is None else describe(written, column_of(kind_of(described(written)), frame))


def of_numbers(reader: Reader, node: exp.Expr, name: str, values: list[float]) -> exp.Expr:
    """The shape `name` of numbers, in place of the `node` that stands for it."""
    arguments = [describe(number(value), kinds.DOUBLE) for value in values]
    written = describe(call(name, *arguments), _RESULTS[name])
    written.meta["span"] = span_of(node)
    in_range(reader, written, arguments)
    return written
