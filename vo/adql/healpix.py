"""HEALPix cells in nested numbering (Górski et al. 2005, ApJ 622, 759), as expressions of the language.

Both directions go through the plane on which all cells are squares: there the sky is four columns of
90 degrees, m and p count cells along the two diagonals, and their bits, interleaved, number the cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.definitions import Values, let
from vo.adql.nodes import call, describe, number

if TYPE_CHECKING:
    from vo.adql.reader import Reader

ORDER = 29
"""The finest order: its cells are numbered by 62 bits."""

_EQUATORIAL = "0.6666666666666666"  # |sin| of the latitudes between which cells lie in straight rows
_SQRT_6 = "2.449489742783178"
_KNOWN = "lat BETWEEN -90 AND 90 AND lon BETWEEN -1e9 AND 1e9"


def index(reader: Reader, order: int, lon: exp.Expr, lat: exp.Expr) -> exp.Expr:
    """The number of the cell of a position in degrees; NULL for what is no position."""
    in_plane = (
        # t: columns of 90 degrees; c: √(3 (1 - |z|)), which keeps its digits at the poles
        {
            "z": "SIN(RADIANS(lat))",
            "t": "lon / 90 - 4 * FLOOR(lon / 360)",
            "c": f"{_SQRT_6} * SIN(RADIANS(90 - ABS(lat)) / 2)",
        },
        {"q": "FLOOR(t)"},
        {"near": "n * (t - q) * c", "far": "n * (1 - (t - q)) * c"},
        {
            "m": f"CASE WHEN ABS(z) <= {_EQUATORIAL} THEN FLOOR(n * (t + 0.75 * z + 0.5)) "
            "WHEN z > 0 THEN (q + 2) * n - 1 - FLOOR(far) ELSE q * n + FLOOR(near) END",
            "p": f"CASE WHEN ABS(z) <= {_EQUATORIAL} THEN CEILING(n * (t - 0.75 * z + 0.5)) - 1 "
            "WHEN z > 0 THEN q * n + FLOOR(near) ELSE (q + 2) * n - 1 - FLOOR(far) END",
        },
        {"f": "FLOOR(m / n)", "g": "FLOOR(p / n)"},
        {
            "face": "CAST(FLOOR(CASE WHEN f = g THEN 4 + MOD(f, 4) WHEN g < f THEN MOD(g + 4, 4) "
            "ELSE 8 + MOD(f, 4) END) AS BIGINT)",
            "x": "CAST(FLOOR(m - f * n) AS BIGINT)",
            "y": "CAST(FLOOR(n - 1 - (p - g * n)) AS BIGINT)",
        },
        {"cell": "face * cells + SPREAD_BITS(x, bits) + 2 * SPREAD_BITS(y, bits)"},
    )
    values = {"lon": lon, "lat": lat, **_sizes(order)}
    return let(reader, f"hpx{order}_", values, in_plane, where=_KNOWN)


def center(reader: Reader, order: int, cell: exp.Expr) -> exp.Expr:
    """The centre of a cell as a point; NULL for a number that no cell has."""
    in_plane = (
        {"f": "CAST(cell / cells AS DOUBLE PRECISION)", "rest": "MOD(cell, cells)"},
        {"x": "CAST(EVEN_BITS(rest, bits) AS DOUBLE PRECISION)", "half": "rest / 2"},
        {"y": "CAST(EVEN_BITS(half, bits) AS DOUBLE PRECISION)"},
        {
            "a": "CASE WHEN f < 4 THEN f + 1 WHEN f < 8 THEN f - 4 ELSE f - 8 END + (x + 0.5) / n",
            "b": "CASE WHEN f < 4 THEN f + 1 WHEN f < 8 THEN f - 3 ELSE f - 6 END - (y + 0.5) / n",
        },
        {"u": "(a + b - 1) / 2", "v": "(a - b) / 2"},
    )
    lon = (
        {"q": "FLOOR(u) + 0.5"},
        {"t": "CASE WHEN ABS(v) <= 0.5 THEN u ELSE q + (u - q) / (2 - 2 * ABS(v)) END"},
        {"lon": "90 * (t - 4 * FLOOR(t / 4))"},
    )
    lat = (
        {"half": f"CASE WHEN ABS(v) <= 0.5 THEN 0.5 ELSE 2 * (1 - ABS(v)) / {_SQRT_6} END"},
        {"h": "90 - 2 * DEGREES(ASIN(half))"},
        {"lat": "CASE WHEN ABS(v) <= 0.5 THEN DEGREES(ASIN(v * 4 / 3)) WHEN v > 0 THEN h ELSE -h END"},
    )
    values = {"cell": cell, **_sizes(order)}
    exists = f"cell BETWEEN 0 AND {12 * 4**order - 1}"
    angles = [let(reader, f"hpc{order}_", values, (*in_plane, *angle), where=exists) for angle in (lon, lat)]
    return describe(call("POINT", *angles), kinds.POINT)


def _sizes(order: int) -> Values:
    """n: cells along the side of a face; cells: those of a face; bits: those of n."""
    return {
        "n": describe(number(float(2**order)), kinds.DOUBLE),
        "cells": describe(number(4**order), kinds.LONG),
        "bits": describe(number(order), kinds.INT),
    }
