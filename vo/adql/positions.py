"""Positions of rows: which are the main position of a table, and their unit vectors."""

from __future__ import annotations

import math

from sqlglot import exp

from vo.adql.constants import constant
from vo.adql.nodes import Place, call, duplicate, number
from vo.adql.scopes import Source

_AXES = ("unit_x", "unit_y", "unit_z")
_DEGREE = math.pi / 180


def key_of(place: Place) -> Source | None:
    """The table whose main position `place` is."""
    lon, lat = place.this, place.expression
    if not isinstance(lon, exp.Column) or not isinstance(lat, exp.Column):
        return None
    source: Source | None = lon.meta.get("source")
    table = source.table if source is not None else None
    if source is not lat.meta.get("source") or table is None or table.spatial is None:
        return None
    key = [table.column(name) for name in (table.spatial.lon, table.spatial.lat)]
    physical = [column.db_name or column.name for column in key if column is not None]
    return source if physical == [lon.name, lat.name] else None


def stored_column(source: Source, name: str) -> exp.Column:
    """A column that the release has and does not publish."""
    return exp.Column(
        this=exp.Identifier(this=name, quoted=True), table=exp.Identifier(this=source.alias, quoted=True)
    )


def unit_vector(place: Place) -> list[exp.Expr]:
    """x, y and z of a position: as stored beside a main position, else computed from its angles."""
    source = key_of(place)
    if source is not None:
        return [stored_column(source, axis) for axis in _AXES]
    lon, lat = place.this, place.expression
    cos_lat, sin_lat = _trigonometric("COS", lat), _trigonometric("SIN", lat)
    cos_lon, sin_lon = _trigonometric("COS", lon), _trigonometric("SIN", lon)
    across = exp.Mul(this=duplicate(cos_lat), expression=sin_lon)
    return [exp.Mul(this=cos_lat, expression=cos_lon), across, sin_lat]


def _trigonometric(name: str, degrees: exp.Expr) -> exp.Expr:
    value = constant(degrees)
    if value is not None:
        return number((math.cos if name == "COS" else math.sin)(value * _DEGREE))
    return call(name, exp.Mul(this=exp.Paren(this=duplicate(degrees)), expression=number(_DEGREE)))
