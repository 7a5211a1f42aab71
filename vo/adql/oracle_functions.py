"""What the functions and types of ADQL are called in Oracle, and what is refused there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from sqlglot import exp

from vo.adql.kinds import SHAPES, Kind, kind_of
from vo.adql.nodes import Call, Let, Local, described
from vo.adql.problems import RefusalError
from vo.catalog import Column
from vo.errors import Problem

MAX_LENGTH = 1_000_000
"""Characters of one statement at the most: Oracle has no names for values, so some are written repeatedly."""

LONGEST_STRING = 4000  # bytes of a VARCHAR2, where MAX_STRING_SIZE is STANDARD


# {0}, {1} are the arguments, {} all of them. What is not here is refused.
FUNCTIONS: Mapping[str, str] = {
    "ABS": "ABS({0})",
    "CEILING": "CEIL({0})",
    "FLOOR": "FLOOR({0})",
    "MOD": "MOD({0}, {1})",
    "DIVIDE": "TRUNC({0} / {1})",
    "PI": "CAST(3.141592653589793 AS BINARY_DOUBLE)",
    "RAND": "DBMS_RANDOM.VALUE",
    "COUNT": "COUNT({})",
    "MIN": "MIN({})",
    "MAX": "MAX({})",
    "SUM": "SUM({})",
    "LOWER": "LOWER({0})",
    "UPPER": "UPPER({0})",
    "LEAST": "(CASE WHEN {0} > {1} THEN {1} ELSE {0} END)",
    "SQUARE": "({0} * {0})",
    "BIT_AND": "BITAND({0}, {1})",
    "BIT_OR": "({0} + {1} - BITAND({0}, {1}))",
    "BIT_XOR": "({0} + {1} - 2 * BITAND({0}, {1}))",
    "BIT_NOT": "(-1 - {0})",
    "MATCHED": "REGEXP_SUBSTR({0}, {1}, 1, 1, 'c', {2})",
    "HASH_LIST_HAS": "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND INSTR({1}, '#') = 0 "
    "THEN INSTR('#' || LOWER({0}) || '#', '#' || LOWER({1}) || '#') "
    "WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN 0 END > 0",
}
# Functions of doubles: of NUMBER they would be slow, and errors where doubles give Inf and NaN.
OF_DOUBLES: Mapping[str, str] = {
    **{name: f"{name}({{0}})" for name in ("ACOS", "ASIN", "ATAN", "COS", "SIN", "TAN", "EXP", "SQRT")},
    "ATAN2": "ATAN2({0}, {1})",
    "COT": "(CAST(1 AS BINARY_DOUBLE) / TAN({0}))",
    "LOG": "LN({0})",
    "LOG10": "LOG(10, {0})",
    "POWER": "POWER({0}, {1})",
    "DEGREES": "({0} * CAST(57.29577951308232 AS BINARY_DOUBLE))",
    "RADIANS": "({0} * CAST(0.017453292519943295 AS BINARY_DOUBLE))",
    "AVG": "AVG({})",
}
ROUNDED = (
    "(CASE WHEN ABS({0} - TRUNC({0})) >= CAST(0.5 AS BINARY_DOUBLE) THEN TRUNC({0}) + SIGN({0}) "
    "ELSE TRUNC({0}) END)"
)
"""Halves away from zero: ROUND of a BINARY_DOUBLE takes them to the even neighbour."""

DAYS = (
    "(EXTRACT(DAY FROM ({0})) + EXTRACT(HOUR FROM ({0})) / 24.0 + EXTRACT(MINUTE FROM ({0})) / 1440.0 "
    "+ EXTRACT(SECOND FROM ({0})) / 86400.0)"
)
CASTS: Mapping[str, str] = {"DOUBLE": "BINARY_DOUBLE", "FLOAT": "BINARY_FLOAT", "BIGINT": "NUMBER(19)"}
TARGETS: Mapping[str, str] = {
    "CAST_SMALLINT": "NUMBER(5)",
    "CAST_INTEGER": "NUMBER(10)",
    "CAST_BIGINT": "NUMBER(19)",
    "CAST_REAL": "BINARY_FLOAT",
    "CAST_DOUBLE": "BINARY_DOUBLE",
}
_LARGEST: Mapping[str, int] = {"CAST_SMALLINT": 2**15 - 1, "CAST_INTEGER": 2**31 - 1}
_SHAPE = "A point, a circle or a polygon as a value"
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("TUPLE", "CIRCLE", "POLYGON"), _SHAPE),
    **{f"CAST_{shape}": f"CAST to {shape}" for shape in ("POINT", "CIRCLE", "POLYGON")},
    "ELEMENT": "A number out of an array",
    "INSIDE": "CONTAINS with a polygon that depends on the row",
    "REGION_CONTAINS": "CONTAINS of two shapes that both depend on the row",
    "REGIONS_MEET": "INTERSECTS of two shapes that both depend on the row",
    "MOC_COVERS": "CONTAINS with the MOC of a row",
    "MOC_MEETS": "INTERSECTS of a MOC and a region that depends on the row",
    "MOC_HOLDS": "CONTAINS of a region and a MOC that depends on the row",
    "MOC_AREA": "AREA of the MOC of a row",
    "REGION_AREA": "AREA of a polygon that depends on the row",
    "REGION_CENTROID": "CENTROID of a polygon that depends on the row",
    "SHAPE_IN_WORDS": "A region in words",
    "TURNED": "A shape in another frame",
}
"""What users call the nodes that have no counterpart here and are not functions by their own names."""

_TYPES: Mapping[str, str] = {
    "boolean": "NUMBER(1)",
    "unsignedByte": "NUMBER(3)",
    "short": "NUMBER(5)",
    "int": "NUMBER(10)",
    "long": "NUMBER(19)",
    "float": "BINARY_FLOAT",
    "double": "BINARY_DOUBLE",
}


def sql_type(column: Column) -> str:
    """The type of a column in Oracle.

    >>> sql_type(Column("n", "char", "8*")), sql_type(Column("ra", "double"))
    ('VARCHAR2(4000)', 'BINARY_DOUBLE')
    """
    kind = kind_of(column)
    if (kind in SHAPES and not column.is_string) or kind is Kind.ARRAY:
        refuse(f"{kind.value[0].upper()}{kind.value[1:]} as a result", "Select its numbers one by one.")
    if kind is Kind.TIME:
        return "TIMESTAMP"
    return f"VARCHAR2({LONGEST_STRING})" if column.is_string else _TYPES[column.datatype]


def narrowed(name: str, value: str) -> str:
    """A value cast to a type; what does not fit is an error (ADQL 2.1, 4.7.2), though NUMBER would hold it.

    >>> narrowed("CAST_BIGINT", "x")
    'CAST(x AS NUMBER(19))'
    """
    cast, largest = f"CAST({value} AS {TARGETS[name]})", _LARGEST.get(name)
    if largest is None:
        return cast
    beyond = f"CAST({value} * 10000000000 AS {TARGETS[name]})"  # for NUMBER as well (ORA-01438)
    fits = f"{value} BETWEEN {-largest - 1} AND {largest} OR {value} IS NULL"
    return f"CASE WHEN {fits} THEN {cast} ELSE {beyond} END"


def refuse_function(name: str) -> NoReturn:
    """Raise the RefusalError for a function that Oracle lacks, in the words of ADQL."""
    what = _REFUSED.get(name) or (name.lower() if name.startswith("IVO_") else name)
    refuse(what, "Points, circles, and polygons in numbers can be used.")


def refuse(what: str, suggestion: str | None = None) -> NoReturn:
    """Raise the RefusalError that says what Oracle is not asked for."""
    raise RefusalError(
        Problem(f"{what} is not offered on this database, which is Oracle", suggestion=suggestion)
    )


def bounded(sql: str) -> str:
    """`sql`, unless it has grown too long."""
    if len(sql) > MAX_LENGTH:
        refuse(f"A statement of more than {MAX_LENGTH} characters", "Nest fewer functions.")
    return sql


def is_binary(node: exp.Expr) -> bool:
    """Whether a value is a BINARY_DOUBLE or BINARY_FLOAT for certain: columns may be NUMBER."""
    found = False
    match node:
        case exp.Paren() | exp.Neg() | Let():
            found = is_binary(node.this)
        case exp.Literal():
            found = not node.is_string and "e" in node.this
        case exp.Cast():
            found = str(node.args["to"].this) != "BIGINT"
        case Local():
            found = kind_of(described(node)) is Kind.REAL
        case Call() if node.this in ("ABS", "FLOOR", "CEILING"):
            found = is_binary(node.arguments[0])
        case Call():
            found = node.this in OF_DOUBLES or node.this in ("PI", "CAST_REAL", "CAST_DOUBLE")
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
            found = is_binary(node.expression) or is_binary(node.this)
    return found


def _cell_term(value: str) -> str:
    """The place of a value on one axis of the grid; NULL for what is no number, which NUMBER cannot hold."""
    counted = f"CAST(FLOOR({value}) AS NUMBER(10)) + 1048576"
    return f"CASE WHEN {value} BETWEEN -1048576 AND 1048575 THEN {counted} END"


def cell(values: list[str]) -> str:
    """The number of the cube with three values as its coordinates."""
    x, y, z = map(_cell_term, values)
    return f"(({x}) * 4398046511104 + ({y}) * 2097152 + ({z}))"


def interleaved(name: str, value: str, bits: int) -> str:
    """SPREAD_BITS or EVEN_BITS of a number with so many bits to spread or to keep, looked up in strings.

    Oracle has no operator that shifts bits.
    """
    spreads = name == "SPREAD_BITS"
    taken, given = (5, 10) if spreads else (6, 3)
    found = [_spread(i) if spreads else _gathered(i) for i in range(1 << taken)]
    width = len(str(max(found)))
    table = "".join(f"{item:0{width}d}" for item in found)
    terms = []
    for start in range(0, bits if spreads else 2 * bits, taken):
        digit = f"MOD(FLOOR({value} / {1 << start}), {1 << taken})"
        looked_up = f"CAST(SUBSTR('{table}', {digit} * {width} + 1, {width}) AS NUMBER(19))"
        terms.append(f"{looked_up} * {1 << (start // taken * given)}")
    return f"({' + '.join(terms)})" if terms else "0"


def _spread(value: int) -> int:
    return sum((value >> i & 1) << 2 * i for i in range(value.bit_length()))


def _gathered(value: int) -> int:
    return sum((value >> 2 * i & 1) << i for i in range(value.bit_length()))
