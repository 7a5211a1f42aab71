"""Places in MOCs in the SQL of DuckDB, and polygons that a query turns: lon1, lat1, lon2, …, all in degrees.

Written as an expression of list functions: DuckDB takes twice as long to bind one for each around it, so
that what needs more than a few of them is a function of vo.db.duckdb_regions instead.
"""

from __future__ import annotations

from vo.adql.coverage import FEW_RANGES, lists
from vo.moc import Moc
from vo.moc.moc import shift


def in_moc(cell: str, moc: Moc) -> str:
    """Whether a cell of order 29 is in a MOC.

    A look-up in tables of hashes reads 20 million rows in half the time that a tree of comparisons takes, and
    stands wherever a condition does; a join with the ranges is faster yet, but only where AND demands it.
    """
    if not len(moc.ranges):
        return f"({cell} <> {cell})"
    if len(moc.ranges) <= FEW_RANGES:
        terms = [f"{cell} BETWEEN {low} AND {high - 1}" for low, high in moc.ranges.tolist()]
    else:
        terms = [
            f"({cell} >> {shift(order)}) IN (SELECT UNNEST(CAST({cells.tolist()} AS BIGINT[])))"
            for order, cells in lists(moc)
        ]
    return f"({' OR '.join(terms)})"


def turned(polygon: str, *matrix: str) -> str:
    """The polygon after a rotation, given by the nine elements of its matrix."""
    rows = [matrix[i : i + 3] for i in (0, 3, 6)]
    x, y, z = (" + ".join(f"{a} * v.{axis}" for a, axis in zip(row, "xyz", strict=True)) for row in rows)
    angles = _let(
        "w",
        f"{{'x': {x}, 'y': {y}, 'z': {z}}}",
        "[(DEGREES(ATAN2(w.y, w.x)) + 360) % 360, DEGREES(ATAN2(w.z, SQRT(w.x * w.x + w.y * w.y)))]",
    )
    vertex = _let("v", _vector("p[2 * i + 1]", "p[2 * i + 2]"), angles)
    vertices = f"FLATTEN(LIST_TRANSFORM(RANGE(0, LEN(p) // 2), lambda i: {vertex}))"
    # Functions of lists pass over missing elements: with one of them, the polygon is unknown.
    return _let("p", polygon, f"CASE WHEN LIST_COUNT(p) = LEN(p) THEN {vertices} END")


def _let(name: str, value: str, body: str) -> str:
    """`body` with a name for `value`: an expression has no other way to use one twice."""
    return f"LIST_TRANSFORM([{value}], lambda {name}: {body})[1]"


def _vector(lon: str, lat: str) -> str:
    return (
        f"{{'x': COS(RADIANS({lat})) * COS(RADIANS({lon})), "
        f"'y': COS(RADIANS({lat})) * SIN(RADIANS({lon})), 'z': SIN(RADIANS({lat}))}}"
    )
