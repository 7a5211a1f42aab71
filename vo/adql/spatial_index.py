"""The stored HEALPix index: what a cone means in ranges of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import cone_search, lonlat_to_healpix
from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.coverage import moc_of
from vo.adql.nodes import Call, Covered, Inside, Place, Within, conjuncts, describe, duplicate, joins, number
from vo.adql.polygons import constant_polygon
from vo.adql.positions import index_around, stored_beside
from vo.adql.scopes import Source

ORDER = 29
MAX_RANGES = 4
"""Ranges of one cone: more of them cost a database more than the rows that they save."""

_FEW_ROWS = 2_000  # are read sooner than one more range is planned
_CROWDING = 100  # times denser than a table spread over the whole sky is where people look
_ALL_CELLS = 12 * 4**ORDER

_MAX_RADIUS = 90.0
_MARGIN = 1e-9  # degrees; a position on the border of a cell may have been rounded into the next one
_DEEPER = 2  # orders by which the search looks closer than it answers
_CELL = 58.6  # degrees: the side of a cell of order 0


def add_ranges(select: exp.Expr) -> bool:
    """Add ranges of the index beside each cone on the main position of a table; whether there was one.

    A condition on the stored region of a table is a cone as well, larger by how far regions reach.

    Only conditions that AND joins directly below WHERE or ON can be narrowed: anywhere else, NOT or OR
    may give the excluded rows a meaning.
    """
    where = select.args.get("where")
    found = where is not None and _narrow(where.this)
    for join in joins(select.args["from_"].this):
        if join.args.get("on") is not None:
            found |= _narrow(join.args["on"])
    return found


def _narrow(condition: exp.Expr) -> bool:
    found = False
    for node in conjuncts(condition):
        ranges = _ranges(node)
        if ranges is not None:
            both = exp.And(this=ranges, expression=duplicate(node))
            node.replace(describe(exp.Paren(this=both), kinds.CONDITION))
            found = True
    return found


def _around_moc(node: Covered) -> exp.Expr | None:
    moc, index = moc_of(node), stored_beside(node.this)
    if moc is None or index is None or not len(moc.ranges):
        return None
    low, high = moc.ranges.T
    return _between(index, merged(low, high, _negligible_gap(index.meta["scanned"])))


_Cone = tuple[float | None, float | None, float | None]
"""Longitude, latitude and radius in degrees; None for what depends on rows."""


def _ranges(node: exp.Expr) -> exp.Expr | None:
    """The ranges of what `node` demands of a stored position, or None where it demands nothing known."""
    if isinstance(node, Covered):
        return _around_moc(node)
    for index, (lon, lat, radius) in _cones(node):
        if lon is None or lat is None or radius is None or not 0 <= radius <= _MAX_RADIUS:
            continue
        if index is not None:
            return _between(index, cone_ranges(lon, lat, radius, _negligible_gap(index.meta["scanned"])))
    return None


def _cones(node: exp.Expr) -> Iterator[tuple[exp.Column | None, _Cone]]:
    """Cones that hold the main positions of all rows which meet a condition, beside the index of each."""
    if isinstance(node, Within):
        radius = constant(node.args["radius"])
        for stored, centre in ((node.this, node.expression), (node.expression, node.this)):
            yield stored_beside(stored), (constant(centre.this), constant(centre.expression), radius)
    elif isinstance(node, Inside):
        shape = constant_polygon(node.expression)
        if shape is not None:
            yield stored_beside(node.this), (*shape.centre, shape.radius)
        place = (constant(node.this.this), constant(node.this.expression), 0.0)
        yield from _around(node.expression, place)
    elif isinstance(node, Call) and node.this in ("REGIONS_MEET", "REGION_CONTAINS"):
        first, second = node.arguments
        yield from _around(first, _cone_of(second))
        yield from _around(second, _cone_of(first))
        yield from _beside(first, _cone_of(second))
        yield from _beside(second, _cone_of(first))


def _around(region: exp.Expr, cone: _Cone) -> Iterator[tuple[exp.Column, _Cone]]:
    """The cone around the main positions of rows whose stored region has some of a cone."""
    found = index_around(region)
    if found is not None:
        index, reach = found
        lon, lat, radius = cone
        yield index, (lon, lat, None if radius is None or radius < 0 else radius + reach)


def _beside(circle: exp.Expr, cone: _Cone) -> Iterator[tuple[exp.Column | None, _Cone]]:
    """The cone around the main positions of rows whose circle, as large as written, has some of a cone."""
    match circle.expressions if isinstance(circle, Call) and circle.this == "TUPLE" else []:
        case [exp.Column() as lon, exp.Column() as lat, size]:
            reach = constant(size)
            if reach is not None and cone[2] is not None:
                place = Place(this=duplicate(lon), expression=duplicate(lat))
                yield stored_beside(place), (cone[0], cone[1], cone[2] + reach)


def _cone_of(array: exp.Expr) -> _Cone:
    """The cone around the array of a shape in writing."""
    values = [constant(argument) for argument in array.arguments] if isinstance(array, Call) else []
    match values:
        case [lon, lat]:
            return lon, lat, 0.0
        case [lon, lat, radius]:
            return lon, lat, radius
    shape = constant_polygon(array)
    return (None, None, None) if shape is None else (*shape.centre, shape.radius)


def _negligible_gap(source: Source) -> int:
    """Cells that hold too few rows of a table to be worth leaving out."""
    rows = source.table.nrows if source.table is not None else None
    return int(_ALL_CELLS * _FEW_ROWS / (rows * _CROWDING)) if rows else 0


def _between(index: exp.Expr, ranges: tuple[tuple[int, int], ...]) -> exp.Expr:
    conditions: list[exp.Expr] = [
        exp.Between(this=duplicate(index), low=number(low), high=number(high)) for low, high in ranges
    ]
    result = conditions[0]
    for condition in conditions[1:]:
        result = exp.Or(this=result, expression=condition)
    result.meta["ranges"] = ranges
    return exp.Paren(this=result)


@lru_cache(maxsize=1024)
def cone_ranges(lon: float, lat: float, radius: float, gap: int = 0) -> tuple[tuple[int, int], ...]:
    """Inclusive ranges of the index of order 29 that hold every position within `radius` degrees.

    At most MAX_RANGES of them, made by filling the smallest gaps, and all those of up to `gap` cells.
    """
    padded = radius + _MARGIN
    depth = min(ORDER - _DEEPER, max(0, int(math.log2(_CELL / padded)) + 3))
    cells, depths, _ = cone_search(
        Longitude(lon % 360, units.deg),
        Latitude(lat, units.deg),
        padded * units.deg,
        depth=depth,
        depth_delta=_DEEPER,
    )
    shift = (2 * (ORDER - depths.astype(np.int64))).astype(np.uint64)
    low = np.left_shift(cells.astype(np.uint64), shift)
    high = np.left_shift(cells.astype(np.uint64) + np.uint64(1), shift)
    return merged(low.astype(np.int64), high.astype(np.int64), gap)


@lru_cache(maxsize=1024)
def cell_of(lon: float, lat: float, order: int) -> int:
    """The HEALPix cell (nested) of a position in degrees."""
    cells = lonlat_to_healpix(Longitude(lon % 360, units.deg), Latitude(lat, units.deg), order)
    return int(cells[0])


def merged(low: np.ndarray, high: np.ndarray, gap: int = 0) -> tuple[tuple[int, int], ...]:
    """Half-open ranges as at most MAX_RANGES inclusive ones, the smallest gaps and those up to `gap` filled.

    >>> merged(np.array([9, 0, 5, 100, 200, 300]), np.array([10, 5, 8, 101, 201, 301]))
    ((0, 9), (100, 100), (200, 200), (300, 300))
    >>> merged(np.array([9, 0, 100]), np.array([10, 5, 101]), gap=10)
    ((0, 9), (100, 100))
    """
    order = np.argsort(low)
    low, high = low[order], high[order]
    gaps = low[1:] - high[:-1]
    kept = np.sort(np.argsort(gaps)[::-1][: MAX_RANGES - 1])
    kept = kept[gaps[kept] > gap]
    starts = low[np.concatenate(([0], kept + 1))]
    ends = high[np.concatenate((kept, [len(high) - 1]))]
    return tuple((int(first), int(last) - 1) for first, last in zip(starts, ends, strict=True))
