"""Motion of stars in space, straight and uniform (ESA SP-1200, vol. 1, 1.5.5; UDF catalogue 1.2).

The axes are those of the star's meridian, so that its vector is (c, 0, s) and its longitude changes by
the angle of (x, y): no digit is lost in differences of longitudes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.definitions import Values, defined, let
from vo.adql.nodes import call, describe
from vo.catalog import Column

if TYPE_CHECKING:
    from vo.adql.reader import Reader

PARAMETERS = ("ra", "dec", "parallax", "pmra", "pmdec", "rv", "ref_epoch", "out_epoch")
"""The arguments of both functions."""

SIX = Column("", "double", "6")
"""Longitude and latitude in deg, parallax in mas, both proper motions in mas/yr, radial velocity in km/s."""

_MAS = "4.84813681109536e-9"  # radians
_AU = "4.740470463533349"  # km/s: an astronomical unit in a Julian year

_MOTION = (
    # u, v, w: radians a year to the east, to the north and away; t: years
    {
        "s": "SIN(RADIANS(dec))",
        "c": "COS(RADIANS(dec))",
        "u": f"COALESCE(pmra, 0.0) * {_MAS}",
        "v": f"COALESCE(pmdec, 0.0) * {_MAS}",
        "w": f"COALESCE(rv * parallax, 0.0) * {_MAS} / {_AU}",
        "t": "out_epoch - ref_epoch",
    },
    {"x": "(1 + w * t) * c - v * t * s", "y": "u * t", "z": "(1 + w * t) * s + v * t * c"},
)
_DISTANCE = ({"h": "SQRT(x * x + y * y)", "r": "SQRT(x * x + y * y + z * z)"},)
_VELOCITY = (
    *_DISTANCE,
    {
        "vx": "-v * s * (1 + w * t) - c * (u * u + v * v) * t",
        "vy": "u * (1 + w * t)",
        "vz": "v * c * (1 + w * t) - s * (u * u + v * v) * t",
    },
)
_LONGITUDE = ({"l": "ra + DEGREES(ATAN2(y, x))"}, {"lon": "l - 360 * FLOOR(l / 360)"})
_LATITUDE = ({"lat": "DEGREES(ATAN2(z, SQRT(x * x + y * y)))"},)
_PARALLAX = (*_DISTANCE, {"found": "parallax / r"})
_PROPER_MOTIONS = (
    (
        *_VELOCITY,
        {"found": f"CASE WHEN pmra IS NOT NULL THEN (x * vy - y * vx) / (h * r * r * r) / {_MAS} END"},
    ),
    (
        *_VELOCITY,
        {
            "found": "CASE WHEN pmra IS NOT NULL "
            f"THEN (h * vz - z * (x * vx + y * vy) / h) / (r * r * r * r) / {_MAS} END"
        },
    ),
)
_RADIAL_VELOCITY = (
    *_DISTANCE,
    {
        "found": "CASE WHEN parallax <> 0 THEN "
        f"(w + (u * u + v * v + w * w) * t) / r * {_AU} / (parallax * {_MAS}) * (rv * 0 + 1) ELSE rv END"
    },
)


def moved_position(reader: Reader, values: Values) -> exp.Expr:
    """The position at the other epoch, as a point."""
    angles = [_found(reader, values, steps) for steps in (_LONGITUDE, _LATITUDE)]
    return describe(call("POINT", *angles), kinds.POINT)


def moved(reader: Reader, values: Values) -> exp.Expr:
    """All six parameters at the other epoch; what was unknown stays so, and half a proper motion is none."""
    known = {
        name: f"CASE WHEN pmra IS NOT NULL AND pmdec IS NOT NULL THEN {name} END"
        for name in ("pmra", "pmdec")
    }
    values = {**values, **{name: defined(reader, text, values) for name, text in known.items()}}
    wanted = (_LONGITUDE, _LATITUDE, _PARALLAX, *_PROPER_MOTIONS, _RADIAL_VELOCITY)
    return describe(call("IVO_EPOCH_PROP", *(_found(reader, values, steps) for steps in wanted)), SIX)


def _found(reader: Reader, values: Values, steps: tuple[dict[str, str], ...]) -> exp.Expr:
    return let(reader, "moved", values, (*_MOTION, *steps))
