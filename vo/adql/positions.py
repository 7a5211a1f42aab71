"""Positions of rows: which are the main position of a table, and their unit vectors."""

from __future__ import annotations

import math

from sqlglot import exp

from vo.adql.constants import constant
from vo.adql.kinds import DOUBLE, POLYGON
from vo.adql.nodes import Call, Place, call, describe, duplicate, number
from vo.adql.scopes import Source

_AXES = ("unit_x", "unit_y", "unit_z")
_DEGREE = math.pi / 180


def place_in(arguments: list[exp.Expr]) -> Place:
    """The position that the arguments give: two numbers, or a point."""
    if len(arguments) == 1:
        point = arguments[0]
        while isinstance(point, exp.Paren):
            point = point.this
        if isinstance(point, Call) and point.this == "POINT":
            arguments = point.arguments
        else:
            both = (describe(call(name, duplicate(point)), DOUBLE) for name in ("COORD1", "COORD2"))
            return Place(this=next(both), expression=next(both))
    return Place(this=duplicate(arguments[0]), expression=duplicate(arguments[1]))


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


def stored_beside(place: Place, name: str | None = None) -> exp.Column | None:
    """What a release stores beside a main position: the column `name`, or the index; None for other places.

    Sub-queries that pass a main position on are made to pass this on as well, without publishing it: it
    depends on the position alone, so not even DISTINCT tells the difference.
    """
    if not isinstance(place.this, exp.Column) or not isinstance(place.expression, exp.Column):
        return None
    key = key_of(place)
    if key is not None:
        column = stored_column(key, name or key.index)
        column.meta["scanned"] = key
        return column
    source = place.this.meta.get("source")
    if source is not place.expression.meta.get("source") or not isinstance(source, Source):
        return None
    return _passed_on(source, place, name)


def _passed_on(source: Source, place: Place, name: str | None) -> exp.Column | None:
    """The stored column as an output of a sub-query; None if that groups or cuts its rows, or computes."""
    select = source.query
    if not isinstance(select, exp.Select) or any(
        select.args.get(part) for part in ("group", "limit", "offset")
    ):
        return None
    outputs = {item.alias: item.this for item in select.expressions}
    inner_place = Place(
        this=duplicate(outputs[place.this.name]), expression=duplicate(outputs[place.expression.name])
    )
    inner = stored_beside(inner_place, name)
    if inner is None:
        return None
    passed = f"{inner.table}_{inner.name}"
    if passed not in outputs:
        select.append("expressions", exp.Alias(this=inner, alias=exp.Identifier(this=passed, quoted=True)))
    column = stored_column(source, passed)
    column.meta["scanned"] = inner.meta["scanned"]
    return column


def stored_region(node: exp.Expr) -> exp.Column | None:
    """The numbers that a release stores of the region that `node` is in words; None for other regions."""
    source = node.meta.get("source")
    if not isinstance(node, exp.Column) or not isinstance(source, Source) or source.table is None:
        return None
    key = source.table.region
    column = source.table.column(key.column) if key is not None else None
    if key is None or column is None or node.name != (column.db_name or column.name):
        return None
    numbers = stored_column(source, key.numbers)
    numbers.meta.update(source=source, column=POLYGON)
    return numbers


def index_around(region: exp.Expr) -> tuple[exp.Column, float] | None:
    """The index of the rows whose stored regions these are, and how many degrees they reach from there."""
    source = region.meta.get("source")
    if not isinstance(region, exp.Column) or not isinstance(source, Source) or source.table is None:
        return None
    key = source.table.region
    if key is None or region.name != key.numbers or not source.index:
        return None
    index = stored_column(source, source.index)
    index.meta["scanned"] = source
    return index, key.reach


def unit_vector(place: Place) -> list[exp.Expr]:
    """x, y and z of a position: as stored beside a main position, else computed from its angles."""
    stored = [column for column in (stored_beside(place, axis) for axis in _AXES) if column is not None]
    if stored:
        return list(stored)
    return computed_vector(place)


def computed_vector(place: Place) -> list[exp.Expr]:
    """x, y and z of a position from its angles."""
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
