"""Random cases of geometry, and the judge: a service's answers beside those of brute force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from adql.brute_force import (
    DEGREE,
    FLAT,
    LONG,
    UNCERTAIN,
    Outline,
    area_and_centre,
    circle_and_polygon,
    inside,
    meet,
    middle,
    near,
    outline,
    separation,
    within,
)
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from vo.adql import translate
from vo.catalog import Catalog, Column, Schema, SpatialKey, Table
from vo.db.duckdb_regions import add_region_functions

EXPRESSIONS = {
    "point in circle": "CONTAINS(POINT(lon, lat), CIRCLE(lon2, lat2, r))",
    "distance within": "CASE WHEN DISTANCE(lon2, lat2, lon, lat) <= r THEN 1 ELSE 0 END",
    "distance below": "CASE WHEN DISTANCE(POINT(lon, lat), POINT(lon2, lat2)) < r THEN 1 ELSE 0 END",
    "circles meet": "INTERSECTS(CIRCLE(lon, lat, r2), CIRCLE(lon2, lat2, r))",
    "circle in circle": "CONTAINS(CIRCLE(lon, lat, r2), CIRCLE(lon2, lat2, r))",
    "point in polygon": "CONTAINS(POINT(lon, lat), p)",
    "circle meets polygon": "INTERSECTS(p, CIRCLE(lon, lat, r2))",
    "circle in polygon": "CONTAINS(CIRCLE(lon, lat, r2), p)",
    "polygon in circle": "CONTAINS(p, CIRCLE(lon, lat, r2))",
    "polygons meet": "INTERSECTS(p, q)",
    "polygon in polygon": "CONTAINS(q, p)",
}
MEASURES = ("DISTANCE(POINT(lon, lat), POINT(lon2, lat2))", "AREA(p)", "CENTROID(p)")
LARGEST = 0.4
"""Radians: larger polygons and what is beside them would not be in one projection."""
_COLUMNS = (
    Column("id", "long"),
    *(Column(name, "double", unit="deg") for name in ("lon", "lat", "lon2", "lat2", "r", "r2")),
    *(Column(name, "double", "*", xtype="polygon", unit="deg") for name in "pq"),
)
CATALOG = Catalog((Schema("s", (Table("s", "cases", _COLUMNS, spatial=SpatialKey("lon", "lat")),)),), "r")


@dataclass
class Case:
    """A point, a second position with a radius, a second radius, two polygons; what is asked of all."""

    lon: float
    lat: float
    lon2: float
    lat2: float
    r: float
    r2: float
    p: Outline
    q: Outline

    def truth(self) -> Iterator[tuple[str, bool, float]]:
        """Each relation: whether it holds, and how many radians from a change."""
        apart = separation(self.lon, self.lat, self.lon2, self.lat2)
        reach, other = LONG(self.r) * DEGREE, LONG(self.r2) * DEGREE
        # A radius of a column is compared by sin², which has fewer digits towards half a turn.
        digits = min(1.0, float(2 * np.cos(apart / 2)) + 1e-9)
        for name in ("point in circle", "distance within", "distance below"):
            yield name, bool(apart <= reach), float(abs(apart - reach)) * digits
        yield "circles meet", bool(apart <= reach + other), float(abs(apart - reach - other)) * digits
        everything = self.r >= 180
        held = bool(apart + other <= reach) or everything
        yield "circle in circle", held, 1.0 if everything else float(abs(apart + other - reach))
        yield "point in polygon", *self.in_polygon()
        if self.p.radius > LARGEST:
            return
        told = circle_and_polygon(self.lon, self.lat, other, self.p)
        yield "circle meets polygon", told[0], told[3]
        yield "circle in polygon", told[1], told[3]
        yield "polygon in circle", told[2], told[3]
        yield "polygons meet", *meet(self.p, self.q)
        yield "polygon in polygon", *within(self.q, self.p)

    def in_polygon(self) -> tuple[bool, float]:
        """Whether the point is in the polygon; its corners are, for certain."""
        if (self.lon, self.lat) == tuple(self.p.numbers[:2]):
            return True, 1.0
        return inside(self.p, self.lon, self.lat)

    def row(self) -> tuple[Any, ...]:
        """The case as a row of the table."""
        numbers = (self.lon, self.lat, self.lon2, self.lat2, self.r, self.r2)
        return (*numbers, self.p.numbers, self.q.numbers)


def case(rng: np.random.Generator) -> Case:
    """A case of any size from a nano-radian to the whole sphere, its parts about as large as each other."""
    size = float(10 ** rng.uniform(-9, 0.13))  # of polygons, radians
    lon0, lat0 = middle(rng)
    p = outline(rng, lon0, lat0, size)
    lon, lat = near(rng, lon0, lat0, size, wildness=1)
    if rng.random() < 0.1:
        lon, lat = p.numbers[:2]  # on a corner
    q = outline(rng, *near(rng, lon0, lat0, size), float(size * 10 ** rng.uniform(-1, 0)))
    wide = size if rng.random() < 0.5 else float(rng.uniform(0, np.pi))
    lon2, lat2 = near(rng, lon, lat, wide)
    if rng.random() < 0.05:
        lon2, lat2 = lon + 180, -lat  # the antipode
    apart = float(separation(lon, lat, lon2, lat2) / DEGREE)
    r = min(
        apart * float(rng.choice([rng.uniform(0, 2), 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-12, -1)])),
        180.0,
    )
    if rng.random() < 0.05:
        r = float(rng.choice([0.0, 90.0, 180.0, np.nextafter(180, 0)]))
    return Case(
        float(lon), lat, float(lon2), float(lat2), float(r), float(np.degrees(size) * rng.uniform(0, 2)), p, q
    )


@dataclass
class Verdict:
    """How many answers were right, wrong or too near to a border to be judged, by relation."""

    right: Counter[str] = field(default_factory=Counter)
    uncertain: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, Case, Any]] = field(default_factory=list)

    def note(self, name: str, given: Case, answer: int | None, *, holds: bool, margin: float) -> None:
        """Count an answer of 1 or 0."""
        if answer == int(holds):
            self.right[name] += 1
        elif margin <= UNCERTAIN:
            self.uncertain[name] += 1
        else:
            self.wrong.append((name, given, answer))

    def measure(self, name: str, given: Case, answer: float, truth: float, tolerance: float) -> None:
        """Count a number."""
        if abs(answer - truth) <= tolerance:
            self.right[name] += 1
        else:
            self.wrong.append((name, given, (answer, truth)))


def judged(count: int, seed: int = 1) -> Verdict:
    """The verdict on `count` cases: all relations and measures, each asked of columns in one query."""
    rng = np.random.default_rng(seed)
    cases = [case(rng) for _ in range(count)]
    verdict = Verdict()
    with connected(cases) as connection:
        answers = _answers(connection, (*EXPRESSIONS.values(), *MEASURES))
    for given, row in zip(cases, answers, strict=True):
        told = dict(zip(EXPRESSIONS, row, strict=False))
        for name, holds, margin in given.truth():
            verdict.note(name, given, told[name], holds=holds, margin=margin)
        _measure(verdict, given, *row[len(EXPRESSIONS) :])
    return verdict


def _measure(verdict: Verdict, given: Case, distance: float, area: float, centre: list[float]) -> None:
    apart = separation(given.lon, given.lat, given.lon2, given.lat2)
    verdict.measure("distance", given, np.radians(distance), float(apart), 2e-15)
    truth, direction = area_and_centre(given.p)
    verdict.measure("area", given, np.radians(np.radians(area)), truth, 1e-6 * truth + 4e-15)
    lon = np.degrees(np.arctan2(direction[1], direction[0]))
    lat = np.degrees(np.arctan2(direction[2], np.hypot(direction[0], direction[1])))
    # The error of the truth: of the plane, or of 80 bits.
    own = 1e-17 / given.p.radius**2 if given.p.radius >= FLAT else given.p.radius**3
    off = float(separation(*centre, lon, lat))
    verdict.measure("centroid", given, off, 0.0, 1e-10 * given.p.radius + 5e-15 + own)


def judged_cones(count: int, positions: int, seed: int = 2) -> Verdict:
    """The verdict on `count` cones in numbers, each asked of many positions by way of the stored index."""
    rng = np.random.default_rng(seed)
    cases = [case(rng) for _ in range(positions)]
    lon, lat = (np.array([getattr(given, name) for given in cases]) for name in ("lon", "lat"))
    verdict = Verdict()
    with connected(cases) as connection:
        for given in (cases[i] for i in rng.integers(0, positions, count)):
            cone = f"POINT(lon, lat), CIRCLE({given.lon2!r}, {given.lat2!r}, {given.r!r})"
            found = np.zeros(positions, bool)
            found[
                [row[0] for row in _selected(connection, f"SELECT id FROM cases WHERE 1 = CONTAINS({cone})")]
            ] = True
            apart = separation(lon, lat, given.lon2, given.lat2)
            for i in range(positions):
                margin = float(abs(apart[i] - LONG(given.r) * DEGREE))
                holds = bool(apart[i] <= LONG(given.r) * DEGREE)
                verdict.note("point in written circle", given, int(found[i]), holds=holds, margin=margin)
    return verdict


def judged_polygons(count: int, seed: int = 3) -> Verdict:
    """The verdict on `count` polygons in numbers, each asked of its own position."""
    rng = np.random.default_rng(seed)
    cases = [case(rng) for _ in range(count)]
    verdict = Verdict()
    with connected(cases) as connection:
        for i, given in enumerate(cases):
            polygon = f"POLYGON({', '.join(map(repr, given.p.numbers))})"
            query = f"SELECT id FROM cases WHERE id = {i} AND 1 = CONTAINS(POINT(lon, lat), {polygon})"
            holds, margin = given.in_polygon()
            verdict.note(
                "point in written polygon",
                given,
                len(_selected(connection, query)),
                holds=holds,
                margin=margin,
            )
    return verdict


@contextmanager
def connected(cases: list[Case]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that has the cases as rows, with the stored columns of their main position."""
    rows = list(zip(*(given.row() for given in cases), strict=True))
    data = {column.name: pa.array(values) for column, values in zip(_COLUMNS[1:], rows, strict=True)}
    lon, lat = (np.asarray(values) for values in rows[:2])
    cells = lonlat_to_healpix(Longitude(lon, units.deg), Latitude(lat, units.deg), 29)
    ra, dec = np.radians(lon), np.radians(lat)
    stored = {
        "hpx29": cells.astype(np.int64),
        "unit_x": np.cos(dec) * np.cos(ra),
        "unit_y": np.cos(dec) * np.sin(ra),
        "unit_z": np.sin(dec),
    }
    with duckdb.connect() as connection:
        add_region_functions(connection)
        table = pa.table({"id": np.arange(len(cases)), **data, **stored})
        connection.register("incoming", table)
        connection.execute("CREATE SCHEMA s; CREATE TABLE s.cases AS SELECT * FROM incoming")
        yield connection


def _answers(connection: duckdb.DuckDBPyConnection, expressions: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return _selected(connection, f"SELECT {', '.join(expressions)} FROM s.cases ORDER BY id")


def _selected(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(translate(query, CATALOG).sql).fetchall()
