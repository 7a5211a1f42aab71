"""The kinds of value that the language tells apart, and the types of CAST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from vo.catalog import Column, Datatype, frames_agree


class Kind(Enum):
    """What a value is to the rules of the language; the text is how a message says it."""

    INTEGER = "an integer"
    REAL = "a number"
    TEXT = "a string"
    TIME = "a timestamp"
    BOOLEAN = "a boolean"
    POINT = "a point"
    CIRCLE = "a circle"
    POLYGON = "a polygon"
    REGION = "a region"
    MOC = "a MOC"
    ARRAY = "an array"
    NULL = "NULL"
    CONDITION = "a condition"


NUMBERS = frozenset({Kind.INTEGER, Kind.REAL})
SHAPES = frozenset({Kind.POINT, Kind.CIRCLE, Kind.POLYGON, Kind.REGION})
REGIONS = SHAPES - {Kind.POINT}
WORDS = frozenset({Kind.TEXT})
ORDERED = NUMBERS | {Kind.TEXT, Kind.TIME, Kind.BOOLEAN, Kind.NULL}
ANYTHING = frozenset(Kind) - {Kind.CONDITION}

_WIDTHS: Mapping[str, int] = {"unsignedByte": 0, "short": 1, "int": 2, "long": 3, "float": 4, "double": 5}
_SCALARS: Mapping[str, Kind] = {"float": Kind.REAL, "double": Kind.REAL, "boolean": Kind.BOOLEAN}
# What no catalogue publishes: the kinds of NULL and of a condition are told by an xtype of our own.
_XTYPES: Mapping[str | None, Kind] = {
    "timestamp": Kind.TIME,
    "moc": Kind.MOC,
    "null": Kind.NULL,
    "condition": Kind.CONDITION,
}
_SHAPES: Mapping[str | None, Kind] = {kind.name.lower(): kind for kind in SHAPES}
_IN_WORDS = frozenset({"adql:region", "adql:point", "adql:circle", "adql:polygon", "shape", "region"})
"""Extended types of strings that are shapes in the words of STC-S (TAP 1.0, 2.5) or DALI 1.2 (3.3)."""

CONDITION = Column("", "boolean", xtype="condition")
NULL = Column("", "char", "*", xtype="null")
LONG = Column("", "long")
INT = Column("", "int")
DOUBLE = Column("", "double")
TEXT = Column("", "unicodeChar", "*")
TIME = Column("", "char", "*", xtype="timestamp")
POINT = Column("", "double", "2", xtype="point", unit="deg", ucd="pos.eq")
CIRCLE = Column("", "double", "3", xtype="circle", unit="deg", ucd="pos.outline")
POLYGON = Column("", "double", "*", xtype="polygon", unit="deg", ucd="pos.outline")
MOC = Column("", "char", "*", xtype="moc", ucd="pos.outline")


def kind_of(column: Column) -> Kind:
    """The kind of a column's values.

    >>> kind_of(Column("ra", "double")), kind_of(Column("t", "char", "*", xtype="timestamp"))
    (<Kind.REAL: 'a number'>, <Kind.TIME: 'a timestamp'>)
    """
    if column.xtype in _XTYPES:
        return _XTYPES[column.xtype]
    if column.is_string:
        return Kind.REGION if column.xtype is not None and column.xtype.lower() in _IN_WORDS else Kind.TEXT
    if column.arraysize not in (None, "1"):
        return _SHAPES.get(column.xtype, Kind.ARRAY)
    return _SCALARS.get(column.datatype, Kind.INTEGER)


def wider(left: Datatype, right: Datatype) -> Datatype:
    """The narrowest numeric datatype that holds both without loss of digits.

    >>> wider("short", "int"), wider("int", "float"), wider("float", "short")
    ('int', 'double', 'float')
    """
    low, high = sorted((left, right), key=_WIDTHS.__getitem__)
    if high == "float" and low in ("int", "long"):
        return "double"
    return high


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
    return _united_arrays(left, right)


def _united_arrays(left: Column, right: Column) -> Column | None:
    """The same for arrays and shapes: those of different frames have no column in common."""
    if left.arrow_type() != right.arrow_type() or not frames_agree(left.frame, right.frame):
        return None
    return replace(left, frame=left.frame and right.frame)


def told(column: Column) -> str:
    """What the values of a column are, with the frame of shapes that name one, for messages.

    >>> from vo.catalog import Frame
    >>> told(POINT), told(replace(POINT, frame=Frame("GALACTIC")))
    ('a point', 'a point in GALACTIC')
    """
    frame = "" if column.frame is None else f" in {column.frame.name}"
    return kind_of(column).value + frame


@dataclass(frozen=True, slots=True)
class CastType:
    """A target of CAST (ADQL 2.1, 4.7.1): its name in SQL and the column that it makes."""

    sql: str
    column: Column


TYPES: Mapping[str, CastType] = {
    "SMALLINT": CastType("SMALLINT", Column("", "short")),
    "INTEGER": CastType("INT", INT),
    "BIGINT": CastType("BIGINT", LONG),
    "REAL": CastType("FLOAT", Column("", "float")),
    "DOUBLE": CastType("DOUBLE", DOUBLE),
    "CHAR": CastType("CHAR", TEXT),
    "VARCHAR": CastType("VARCHAR", TEXT),
    "TIMESTAMP": CastType("TIMESTAMP", TIME),
}
"""What CAST takes; DOUBLE is written DOUBLE PRECISION."""

SHAPE_TYPES: Mapping[str, Column] = {"POINT": POINT, "CIRCLE": CIRCLE, "POLYGON": POLYGON}
"""The shapes that CAST makes of strings in the form of DALI."""
