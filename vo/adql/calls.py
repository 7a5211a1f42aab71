"""Calls of functions and CAST: arguments judged by the table of functions, results described."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import advice, kinds
from vo.adql.constants import constant
from vo.adql.functions import FUNCTIONS, Function
from vo.adql.kinds import NUMBERS, TYPES, Kind, kind_of, wider
from vo.adql.nodes import Call, call, describe, described, number
from vo.adql.problems import span_of
from vo.adql.times import timestamp
from vo.adql.units import factor, parsed, product
from vo.catalog import Column

if TYPE_CHECKING:
    from vo.adql.values import Values

_UNCHANGED_INTEGERS = frozenset({"CEILING", "FLOOR"})
_STATISTICS = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean"}
_RESULTS: dict[str, Column] = {
    "double": kinds.DOUBLE,
    "int": kinds.INT,
    "long": kinds.LONG,
    "text": kinds.TEXT,
    "point": kinds.POINT,
    "circle": kinds.CIRCLE,
    "polygon": kinds.POLYGON,
}


def read(values: Values, node: exp.Expr) -> exp.Expr:
    """A call with its arguments read, its name, number and kinds judged, and its result described."""
    name: str = node.this
    function = FUNCTIONS.get(name)
    arguments = _arguments(values, node, function)
    if function is None:
        values.problems.add(
            f"There is no function {name}",
            span_of(node),
            rule="ADQL 2.1, 4.3",
            suggestion=advice.for_function(name),
        )
        return describe(node, kinds.NULL)
    if function.coosys:
        arguments = _without_coosys(values, arguments)
    node.set("expressions", arguments)
    if not _fits(values, node, function, arguments):
        return describe(node, _RESULTS.get(function.result, kinds.NULL))
    if name == "IN_UNIT":
        return _in_unit(values, node, arguments)
    return _described(values, node, function, arguments)


def _arguments(values: Values, node: exp.Expr, function: Function | None) -> list[exp.Expr]:
    if function is None or not function.aggregate:
        return [values.value(argument) for argument in node.expressions]
    if values.aggregates is not None:
        values.problems.add(
            f"An aggregate function cannot stand in {values.aggregates}",
            span_of(node),
            rule="ADQL 2.1, 2.2",
            suggestion="Conditions on aggregates go behind HAVING." if values.aggregates == "WHERE" else None,
        )
    values.found_aggregate = True
    inner = replace(values, aggregates="another one")
    return [inner.value(argument) for argument in node.expressions]


def _without_coosys(values: Values, arguments: list[exp.Expr]) -> list[exp.Expr]:
    """The arguments behind the deprecated coordinate system, which must be ICRS or empty (ADQL 2.1, 4.2.5)."""
    if not arguments or kind_of(described(arguments[0])) is not Kind.TEXT:
        return arguments
    first = arguments[0]
    if not isinstance(first, exp.Literal):
        message = "The coordinate system must be a string literal"
    elif first.this.strip().upper().partition(" ")[0] not in ("", "ICRS", "UNKNOWNFRAME"):
        message = f"The coordinate system '{first.this}' is not offered: all positions are ICRS"
    else:
        return arguments[1:]
    values.problems.add(message, span_of(first), rule="ADQL 2.1, 4.2.5", suggestion="Leave it out.")
    return arguments[1:]


def _fits(values: Values, node: exp.Expr, function: Function, arguments: list[exp.Expr]) -> bool:
    if not function.accepts(len(arguments)):
        values.problems.add(
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
        values.problems.add(
            f"Argument {place + 1} of {function.name} must be {_article(wanted)}, "
            f"not {kind_of(described(arguments[place])).value}",
            span_of(arguments[place]) or span_of(node),
            rule="ADQL 2.1, 2.3 and 4",
            suggestion=f"Write {function.usage}.",
        )
    for place in function.literal:
        if place < len(arguments) and not _is_literal(arguments[place]):
            values.problems.add(
                f"Argument {place + 1} of {function.name} must be a literal",
                span_of(arguments[place]) or span_of(node),
                rule="ADQL 2.1, appendix A",
            )
            return False
    return not misfits and _in_range(values, node, function, arguments)


def _is_literal(node: exp.Expr) -> bool:
    while isinstance(node, exp.Neg | exp.Paren):
        node = node.this
    return isinstance(node, exp.Literal)


def _article(wanted: str) -> str:
    names = {"text": "a string", "ordered": "a number, string or timestamp", "region": "a circle or polygon"}
    return names.get(wanted) or f"{'an' if wanted[0] in 'aeiou' else 'a'} {wanted}"


_LATITUDES = {"POINT": (1,), "CIRCLE": (1,), "DISTANCE": (1, 3), "BOX": (1,)}
_RADII = {("CIRCLE", 3): 2, ("CIRCLE", 2): 1}


def _in_range(values: Values, node: exp.Expr, function: Function, arguments: list[exp.Expr]) -> bool:
    """Judge constant coordinates: declinations in [-90, 90] and radii not negative (ADQL 2.1, 4.2.4)."""
    fine = True
    for place in _LATITUDES.get(function.name, ()):
        if place < len(arguments) and kind_of(described(arguments[place])) in NUMBERS:
            latitude = constant(arguments[place])
            if latitude is not None and not -90 <= latitude <= 90:
                values.problems.add(
                    f"The latitude {latitude:g} is not between -90 and 90 degrees",
                    span_of(arguments[place]) or span_of(node),
                    rule="ADQL 2.1, 4.2.4",
                )
                fine = False
    place = _RADII.get((function.name, len(arguments)), -1)
    radius = constant(arguments[place]) if place >= 0 else None
    if radius is not None and radius < 0:
        values.problems.add(
            "The radius of a circle is negative",
            span_of(arguments[place]) or span_of(node),
            rule="ADQL 2.1, 4.2.10",
        )
        fine = False
    return fine


def _described(values: Values, node: exp.Expr, function: Function, arguments: list[exp.Expr]) -> exp.Expr:
    first = described(arguments[0]) if arguments else kinds.DOUBLE
    if function.name in _UNCHANGED_INTEGERS and kind_of(first) is Kind.INTEGER:
        return describe(exp.Paren(this=arguments[0]), first, name="", ucd=None, utype=None, description=None)
    unit = _unit(function, arguments)
    if function.result == "common":
        return describe(node, values.common(node, arguments, function.name), unit=unit)
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
        case "rad" | "deg":
            return function.units
        case "power":
            exponent = 0.5 if function.name == "SQRT" else constant(arguments[1])
            if unit is None or exponent is None or not math.isfinite(exponent):
                return None
            return product(None, unit, exponent)
    return None


def _in_unit(values: Values, node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """IN_UNIT as a multiplication (ADQL 2.1, 4.9)."""
    value, target = arguments[0], arguments[1].this
    source = described(value).unit
    scale = factor(source, target) if source is not None else None
    if parsed(target) is None:
        message, place = f"'{target}' is no unit of VOUnits", arguments[1]
    elif source is None:
        message, place = "The first argument of IN_UNIT has no unit", value
    elif scale is None:
        message, place = f"{source} cannot be converted to {target}", arguments[1]
    else:
        column = replace(described(value), name="", datatype="double", unit=target)
        inner = describe(exp.Paren(this=value), described(value))
        product_node = exp.Mul(this=inner, expression=describe(number(scale), kinds.DOUBLE))
        return describe(exp.Paren(this=describe(product_node, column)), column)
    values.problems.add(message, span_of(place) or span_of(node), rule="ADQL 2.1, 4.9")
    return describe(node, kinds.DOUBLE)


def united(left: Column, right: Column) -> Column | None:
    """The column that holds the values of both, with the metadata of the left; None if there is none."""
    first, second = kind_of(left), kind_of(right)
    if second is Kind.NULL:
        return left
    if first is Kind.NULL:
        return replace(right, name=left.name)
    if {first, second} <= NUMBERS:
        unit = left.unit if left.unit == right.unit or right.unit is None else None
        return replace(left, datatype=wider(left.datatype, right.datatype), unit=unit)
    if first is not second:
        return None
    if first is Kind.TEXT:
        datatype = left.datatype if left.datatype == right.datatype else "unicodeChar"
        arraysize = left.arraysize if left.arraysize == right.arraysize else "*"
        return replace(left, datatype=datatype, arraysize=arraysize)
    return left if left.arrow_type() == right.arrow_type() else None


_CASTS: dict[Kind, frozenset[Kind]] = {
    Kind.TEXT: frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.TIME, Kind.NULL}),
    Kind.INTEGER: frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.BOOLEAN, Kind.NULL}),
    Kind.REAL: frozenset({Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.NULL}),
    Kind.TIME: frozenset({Kind.TEXT, Kind.TIME, Kind.NULL}),
}


def cast(values: Values, node: exp.Expr) -> exp.Expr:
    """CAST to one of the types of ADQL 2.1 (4.7.1)."""
    value = values.value(node.this)
    node.set("this", value)
    target: exp.DataType = node.args["to"]
    name = next(name for name, kind in TYPES.items() if exp.DataType(this=kind.sql).this == target.this)
    column = TYPES[name].column
    kind = kind_of(described(value))
    if kind not in _CASTS[kind_of(column)]:
        values.problems.add(
            f"{kind.value.capitalize()} cannot be cast to {name}", span_of(node), rule="ADQL 2.1, 4.7.1"
        )
    length = target.expressions
    if length:
        column = replace(column, arraysize=f"{length[0].name}*")
    if kind_of(column) in NUMBERS:
        column = replace(column, unit=described(value).unit)
    if isinstance(value, exp.Literal) and value.is_string and kind_of(column) is Kind.TIME:
        text = timestamp(value.this)
        if text is None:
            values.problems.add(f"'{value.this}' is no timestamp", span_of(value), rule="DALI 1.1, 3.3.3")
            return describe(node, column)
        return describe(call("TIMESTAMP", exp.Literal.string(text)), column)
    result: Call = call(f"CAST_{name}", value, *length)
    return describe(result, column)
