"""Angles in hours or degrees, minutes and seconds: 3:34:45.4, 3h34m45.4s or 033445.4 (UDF catalogue 1.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.definitions import let
from vo.adql.nodes import describe, number

if TYPE_CHECKING:
    from vo.adql.reader import Reader

_SHAPES = (
    "^ *{sign}([0-9]{{1,3}}):([0-5]?[0-9]):([0-5]?[0-9]([.][0-9]*)?) *$",
    "^ *{sign}([0-9]{{1,3}})[{letters}]([0-5]?[0-9])[mM]([0-5]?[0-9]([.][0-9]*)?)[sS] *$",
    "^ *{sign}([0-9][0-9])([0-5][0-9])([0-5][0-9]([.][0-9]*)?) *$",
)
"""What is understood, in the regular expressions that all databases and Python have in common.

Groups are the sign, hours or degrees, minutes, seconds.
"""

_UNITS: Mapping[str, tuple[str, str, float]] = {
    # the sign that is allowed, the letter of the unit, and degrees in it
    "IVO_HMS_TO_DEGREES": ("([+]?)", "hH", 15.0),
    "IVO_DMS_TO_DEGREES": ("([+-]?)", "dD", 1.0),
}


def degrees(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_hms_to_degrees and ivo_dms_to_degrees; NULL for what is no such angle."""
    sign, letters, unit = _UNITS[node.this]
    patterns = [shape.format(sign=sign, letters=letters) for shape in _SHAPES]
    text = node.expressions[0]
    if isinstance(text, exp.Literal):
        value = _read(text.this, patterns, unit)
        return describe(exp.Null() if value is None else number(value), kinds.DOUBLE, unit="deg")
    parts = []
    for group in (1, 2, 3, 4):
        found = (f"MATCHED(given, '{pattern}', {group})" for pattern in patterns)
        parts.append(f"COALESCE({', '.join(found)})")
    steps = (
        dict(zip(("sign", "whole", "minutes", "seconds"), parts, strict=True)),
        {
            "found": f"CASE WHEN sign = '-' THEN -{unit} ELSE {unit} END * (CAST(whole AS DOUBLE PRECISION) "
            "+ CAST(minutes AS DOUBLE PRECISION) / 60 + CAST(seconds AS DOUBLE PRECISION) / 3600)"
        },
    )
    return describe(let(reader, "sexagesimal", {"given": text}, steps), kinds.DOUBLE, unit="deg")


def _read(text: str, patterns: list[str], unit: float) -> float | None:
    for pattern in patterns:
        match = re.search(pattern, text, re.ASCII)
        if match is not None:
            sign, whole, minutes, seconds = match.groups()[:4]
            value = unit * (float(whole) + float(minutes) / 60 + float(seconds) / 3600)
            return -value if sign == "-" else value
    return None
