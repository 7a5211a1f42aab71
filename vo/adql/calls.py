"""Calls of functions and CAST: arguments judged by the table of functions, results described."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import advice, coordinate_systems, coverage, frames, kinds
from vo.adql.constants import constant
from vo.adql.functions import FUNCTIONS, Function
from vo.adql.kinds import Kind, kind_of, united
from vo.adql.nodes import describe, described, number
from vo.adql.operators import bits, common
from vo.adql.problems import span_of
from vo.adql.shapes import in_range, region
from vo.adql.units import factor, parsed, product
from vo.adql.user_defined import USER_DEFINED
from vo.catalog import Column, Frame

if TYPE_CHECKING:
    from vo.adql.reader import Reader

_UNCHANGED_INTEGERS = frozenset({"CEILING", "FLOOR"})
_STATISTICS = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean"}
_OF_TWO_SHAPES = frozenset({"CONTAINS", "INTERSECTS", "DISTANCE"})
_RESULTS: dict[str, Column] = {
    "double": kinds.DOUBLE,
    "int": kinds.INT,
    "long": kinds.LONG,
    "text": kinds.TEXT,
    "point": kinds.POINT,
    "circle": kinds.CIRCLE,
    "polygon": kinds.POLYGON,
    "moc": kinds.MOC,
}


def read(reader: Reader, node: exp.Expr) -> exp.Expr:
    """A call with its arguments read, its name, number and kinds judged, and its result described."""
    name: str = node.this
    function = FUNCTIONS.get(name)
    arguments = _arguments(reader, node, function)
    node.set("expressions", arguments)
    if function is None:
        reader.problems.add(
            f"There is no function {name}",
            span_of(node),
            rule="ADQL 2.1, 4.3",
            suggestion=advice.for_function(name),
        )
        return describe(node, kinds.NULL)
    frame: Frame | None = None
    if function.coosys:
        arguments, frame = _without_coosys(reader, arguments, function)
    node.set("expressions", arguments)
    if not _fits(reader, node, function, arguments):
        return describe(node, _RESULTS.get(function.result, kinds.NULL))
    if function.coosys:
        frame = coordinate_systems.of_shape(reader, arguments, frame)
    elif name in _OF_TWO_SHAPES:
        covered = coverage.in_moc(reader, node)
        if covered is not None:
            return covered
        arguments = coverage.beside_moc(reader, arguments) or coordinate_systems.agreeing(reader, arguments)
    node.set("expressions", arguments)
    if name in _REWRITTEN:
        return _REWRITTEN[name](reader, node)
    if name == "CENTROID":
        frame = described(arguments[0]).frame
    if frame is not None:
        return describe(node, frames.column_of(kind_of(_RESULTS[function.result]), frame))
    return _described(reader, node, function, arguments)


def _arguments(reader: Reader, node: exp.Expr, function: Function | None) -> list[exp.Expr]:
    if function is None or not function.aggregate:
        return [reader.value(argument) for argument in node.expressions]
    if reader.refused is not None:
        reader.problems.add(
            f"An aggregate function cannot stand in {reader.refused}",
            span_of(node),
            rule="ADQL 2.1, 2.2",
            suggestion="Conditions on aggregates go behind HAVING." if reader.refused == "WHERE" else None,
        )
    reader.found_aggregate = True
    inner = replace(reader, refused="another one")
    return [inner.value(argument) for argument in node.expressions]


def _without_coosys(
    reader: Reader, arguments: list[exp.Expr], function: Function
) -> tuple[list[exp.Expr], Frame | None]:
    """The arguments behind the deprecated coordinate system, and its frame (ADQL 2.1, 4.2.5)."""
    if not arguments or kind_of(described(arguments[0])) is not Kind.TEXT:
        return (arguments[1:] if _stands_for_none(arguments, function) else arguments), None
    first, *rest = arguments
    if isinstance(first, exp.Literal):
        return rest, coordinate_systems.named(reader, first, first.this)
    reader.problems.add(
        "The coordinate system must be a string literal",
        span_of(first),
        rule="ADQL 2.1, 4.2.5",
        suggestion="Leave it out.",
    )
    return rest, None


def _stands_for_none(arguments: list[exp.Expr], function: Function) -> bool:
    """Whether NULL is written in place of a coordinate system, as clients do."""
    if not arguments or not isinstance(arguments[0], exp.Null):
        return False
    rest = [kind_of(described(argument)) for argument in arguments[1:]]
    misfits = function.misfits([Kind.NULL, *rest])
    count = len(rest)
    return function.accepts(count) and (not function.accepts(count + 1) or bool(misfits) or count % 2 == 0)


def _fits(reader: Reader, node: exp.Expr, function: Function, arguments: list[exp.Expr]) -> bool:
    if not function.accepts(len(arguments)):
        reader.problems.add(
            f"{function.name} does not take {len(arguments)} argument{'s' * (len(arguments) != 1)}",
            span_of(node),
            rule="ADQL 2.1, 2.3 and 4",
            suggestion=f"Write {function.usage}.",
        )
        return False
    if function.name == "COUNT" and isinstance(arguments[0], exp.Star):
        return True
    misfits = function.misfits([kind_of(described(argument)) for argument in arguments])
    for place, wanted in misfits:
        reader.problems.add(
            f"Argument {place + 1} of {function.name} must be {_article(wanted)}, "
            f"not {kind_of(described(arguments[place])).value}",
            span_of(arguments[place]) or span_of(node),
            rule="ADQL 2.1, 2.3 and 4",
            suggestion=f"Write {function.usage}.",
        )
    for place in function.literal:
        misfit = any(place == other for other, _ in misfits)
        if place < len(arguments) and not misfit and not _is_literal(arguments[place]):
            reader.problems.add(
                f"Argument {place + 1} of {function.name} must be a literal",
                span_of(arguments[place]) or span_of(node),
                rule="ADQL 2.1, appendix A",
            )
            return False
    return not misfits and in_range(reader, node, arguments)


def _is_literal(node: exp.Expr) -> bool:
    while isinstance(node, exp.Neg | exp.Paren):
        node = node.this
    return isinstance(node, exp.Literal)


def _article(wanted: str) -> str:
    names = {"text": "a string", "ordered": "a number, string or timestamp", "region": "a circle or polygon"}
    return names.get(wanted) or f"{'an' if wanted[0] in 'aeiou' else 'a'} {wanted}"


def _described(reader: Reader, node: exp.Expr, function: Function, arguments: list[exp.Expr]) -> exp.Expr:
    first = described(arguments[0]) if arguments else kinds.DOUBLE
    if function.name in _UNCHANGED_INTEGERS and kind_of(first) is Kind.INTEGER:
        return describe(exp.Paren(this=arguments[0]), first, name="", ucd=None, utype=None, description=None)
    if function.result == "common":
        return describe(node, common(reader, node, arguments, function.name))
    unit = _unit(function, arguments)
    if function.aggregate:
        return _aggregated(node, function, arguments)
    if function.result == "same":
        column = _mixed(arguments) if len(function.signatures[0]) > 1 else first
        return describe(node, column, name="", unit=unit, ucd=None, utype=None, description=None)
    result = _RESULTS[function.result]
    return describe(node, result, unit=result.unit or unit)


def _mixed(arguments: list[exp.Expr]) -> Column:
    """The numeric column of MOD: the wider of both arguments."""
    united_column = united(described(arguments[0]), described(arguments[1]))
    return united_column or kinds.DOUBLE


def _aggregated(node: exp.Expr, function: Function, arguments: list[exp.Expr]) -> exp.Expr:
    if function.name == "COUNT":
        return describe(node, kinds.LONG, ucd="meta.number")
    column = described(arguments[0])
    ucd = (
        f"{column.ucd};{_STATISTICS[function.name]}" if column.ucd and function.name in _STATISTICS else None
    )
    if function.result == "sum":
        result = kinds.LONG if kind_of(column) is Kind.INTEGER else kinds.DOUBLE
    elif function.result == "double":
        result = kinds.DOUBLE
    else:
        result = replace(column, name="", utype=None, description=None, db_name=None)
    return describe(node, result, unit=column.unit, ucd=ucd, indexed=False, principal=False, std=False)


def _unit(function: Function, arguments: list[exp.Expr]) -> str | None:
    unit = described(arguments[0]).unit if arguments else None
    match function.units:
        case "keep":
            return unit
        case "rad" | "deg" | "deg**2":
            return function.units
        case "power":
            exponent = 0.5 if function.name == "SQRT" else constant(arguments[1])
            if unit is None or exponent is None or not math.isfinite(exponent):
                return None
            return product(None, unit, exponent)
    return None


def _in_unit(reader: Reader, node: exp.Expr) -> exp.Expr:
    """IN_UNIT as a multiplication (ADQL 2.1, 4.9)."""
    value, wanted = node.expressions
    target: str = wanted.this
    source = described(value).unit
    scale = factor(source, target) if source is not None else None
    if parsed(target) is None:
        message, place = f"'{target}' is no unit of VOUnits", wanted
    elif source is None:
        message, place = "The first argument of IN_UNIT has no unit", value
    elif scale is None:
        message, place = f"'{source}' cannot be converted to '{target}'", wanted
    else:
        column = replace(described(value), name="", datatype="double", unit=target)
        inner = describe(exp.Paren(this=value), described(value))
        product_node = exp.Mul(this=inner, expression=describe(number(scale), kinds.DOUBLE))
        return describe(exp.Paren(this=describe(product_node, column)), column)
    reader.problems.add(message, span_of(place) or span_of(node), rule="ADQL 2.1, 4.9")
    return describe(node, kinds.DOUBLE)


_REWRITTEN: Mapping[str, Callable[[Reader, exp.Expr], exp.Expr]] = {
    "REGION": region,
    "IN_UNIT": _in_unit,
    "MOC": coverage.moc,
    **USER_DEFINED,
    **dict.fromkeys(("BIT_AND", "BIT_OR", "BIT_XOR", "BIT_NOT"), bits),
}
"""Functions that stand for an expression of other nodes."""
