"""Regions in writing and positions and circles of rows: H2 gives the rows of DuckDB at the poles too."""

from __future__ import annotations

import numpy as np
import pytest
from adql.brute_force import destination, middle, outline
from adql.oracle_release import BothReleases
from adql.test_oracle_rows import release

__all__ = ["release"]

RELATIONS = (
    "CONTAINS(POINT(ra, dec), {polygon})",
    "INTERSECTS({polygon}, CIRCLE(ra, dec, {radius}))",
    "CONTAINS(CIRCLE(ra, dec, {radius}), {polygon})",
    "CONTAINS({polygon}, CIRCLE(ra, dec, {radius}))",
)
SOME = "id < 4 OR MOD(id, 9) = 1 OR id BETWEEN 780 AND 1010"
WHOLE_SKY = [
    (0, 0, 90, 0, 180, 0, 270, 0, 270, -60),
    (0, 80, 120, 80, 240, 80, 300, 20),
    (10, -80, 100, 85, 190, -80, 280, 85),
    (0, -5, 100, -5, 100, 5, 200, 5, 300, -60, 40, 69),
    (0, 0, 120, 1, 240, 0),
    (40, -21, 41, -19, 40, -19, 41, -21),
]
"""Polygons around half the sky and more, around a pole, and with edges that cross."""


def polygons() -> list[str]:
    """Simple polygons at poles, at the seam and elsewhere, both ways around, and larger ones."""
    rng = np.random.default_rng(11)
    centres = [(12.5, 90.0), (12.5, -90.0), (0.0, 5.0), (40.0, -20.0), *(middle(rng) for _ in range(4))]
    found = [outline(rng, lon, lat, float(10 ** rng.uniform(-2, 0.1))).numbers for lon, lat in centres]
    return [f"POLYGON({', '.join(map(repr, numbers))})" for numbers in (*found, *WHOLE_SKY)]


@pytest.mark.parametrize("polygon", polygons(), ids=range(len(polygons())))
def test_relations(release: BothReleases, polygon: str) -> None:
    """In SELECT, every relation of a polygon with the positions and circles of rows is that of DuckDB."""
    asked = release.asked
    for radius in (0.3, 20.0):
        items = ", ".join(relation.format(polygon=polygon, radius=radius) for relation in RELATIONS)
        release.rows(f"SELECT id, {items} FROM stars WHERE {SOME}")
    assert release.asked == asked + 2


@pytest.mark.parametrize("radius", ["flags * 25.0 - 10", "90", "140", "180", "0", "z"])
def test_radii(release: BothReleases, radius: str) -> None:
    """A radius of the row, below 0 or unknown too, and those of half the sky and more."""
    for polygon in (polygons()[4], polygons()[-4]):
        items = ", ".join(relation.format(polygon=polygon, radius=radius) for relation in RELATIONS)
        release.rows(f"SELECT id, {items} FROM stars LEFT JOIN extra USING (id) WHERE {SOME}")


def test_conditions_use_the_index(release: BothReleases) -> None:
    """A polygon that is not convex narrows the table by ranges, in each form of the condition."""
    polygon = "POLYGON(39.5, -20.5, 40.5, -20.5, 40, -20, 40.5, -19.5)"
    for condition in (
        f"1 = CONTAINS(POINT(ra, dec), {polygon})",
        f"INTERSECTS({polygon}, POINT(ra, dec)) <> 0",
        f"0 = CONTAINS(POINT(ra, dec), {polygon})",
        f"NOT (CONTAINS(POINT(z, z), {polygon}) = 1)",
    ):
        release.rows(f"SELECT id FROM stars LEFT JOIN extra USING (id) WHERE {condition}")
    sql = release.oracle(f"SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), {polygon})").sql
    assert '"HPX29" BETWEEN' in sql


@pytest.mark.parametrize("relation", RELATIONS[1:])
def test_circles_of_rows_use_the_index(release: BothReleases, relation: str) -> None:
    """As WHERE, a relation of circles as large as written has ranges, and the rows are those of SELECT."""
    polygon = "POLYGON(359.5, 4.5, 0.5, 4.5, 0, 5, 0.5, 5.5)"
    for radius in (0.05, 1, 20):
        condition = relation.format(polygon=polygon, radius=radius)
        told = release.rows(f"SELECT id, {condition} FROM stars WHERE {SOME} OR id < 1500")
        found = release.rows(f"SELECT id FROM stars WHERE ({SOME} OR id < 1500) AND {condition} = 1")
        assert {row[0] for row in found} == {number for number, answer in told if answer == 1}
        assert release.translate(f"SELECT id FROM stars WHERE {condition} = 1").spatial_index
        assert '"HPX29" BETWEEN' in release.oracle(f"SELECT id FROM stars WHERE {condition} = 1").sql


def test_two_regions_in_writing(release: BothReleases) -> None:
    """What is asked of constants is known before the query runs; areas and centres are numbers."""
    one, other = "POLYGON(0, 0, 10, 0, 10, 10)", "POLYGON(1, 0.5, 2, 0.5, 2, 1.5)"
    items = [f"INTERSECTS({one}, {other})", f"CONTAINS({one}, {other})", f"CONTAINS({other}, {one})"]
    items += [f"CONTAINS(CIRCLE(8, 3, 1), {one})", f"INTERSECTS(CIRCLE(-3, 3, 1), {one})", f"AREA({one})"]
    items += [f"COORD1(CENTROID({one}))", f"DISTANCE(CENTROID(BOX(10, 80, 5, 5)), POINT({10}, {80}))"]
    query = f"SELECT {', '.join(items)} FROM stars WHERE id = 1"
    assert release.rows(query)[0][:5] == (1, 0, 1, 1, 0)
    assert "CASE" not in release.oracle(query).sql


def test_borders_of_random_polygons(release: BothReleases) -> None:
    """Positions near an edge, from a degree to a nano-degree away, are on the side that DuckDB says."""
    rng = np.random.default_rng(3)
    for star in (1, 2, 3, 500, 700, 2000):
        lon, lat = (float(release.stars[name][star]) for name in ("ra", "dec"))
        for exponent in (-12, -9, -6, -3):
            distance, bearing = np.array(10.0**exponent), rng.uniform(0, 6.28)
            corner = destination(np.array(lon), np.array(lat), distance, bearing)
            numbers = outline(rng, float(corner[0]), float(corner[1]), float(distance) * 1.5).numbers
            polygon = f"POLYGON({', '.join(map(repr, numbers))})"
            release.rows(f"SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), {polygon}) = 1")


SHAPES = [
    "SELECT id, POINT(ra, dec), mag_r FROM stars WHERE id < 50 ORDER BY 3, 1",
    "SELECT TOP 9 POINT(ra, dec), id FROM stars ORDER BY id DESC",
    "SELECT CIRCLE(ra, dec, flags), BOX(ra, dec, 1, 2), POLYGON(1, 1, 2, 1, 2, 2) FROM stars WHERE id < 9",
    "SELECT DISTINCT CENTROID(POLYGON(0, 0, 90, 0, 0, 90)) FROM stars",
    "SELECT p, COORD2(p), CIRCLE(p, 1) FROM (SELECT POINT(ra, dec) AS p FROM stars WHERE id < 9) AS s",
    "SELECT id FROM (SELECT id, POINT(ra, dec) AS p FROM stars) AS s WHERE DISTANCE(p, POINT(40, -20)) < 0.1",
    "WITH a AS (SELECT CIRCLE(ra, dec, 1) AS c FROM extra NATURAL JOIN stars) SELECT a.c, b.c FROM a, a b",
    "SELECT CASE WHEN id = 1 THEN POINT(ra, dec) WHEN id < 5 THEN POINT(1, 2) END FROM stars WHERE id < 9",
    "SELECT id, POINT(ra, dec) AS p FROM stars WHERE id < 9 UNION SELECT -id, NULL FROM extra ORDER BY 1",
    "SELECT NULL FROM extra UNION ALL SELECT POINT(ra, dec) FROM stars WHERE id < 9",
    "SELECT POINT(ra, dec) FROM stars WHERE id < 9 EXCEPT ALL SELECT POINT(ra, dec) FROM stars WHERE id < 5",
    "SELECT id, POINT(z, 1), ivo_geom_transform('ICRS', 'GALACTIC', POINT(z, z)) FROM extra",
    "SELECT id, p FROM extra NATURAL LEFT JOIN (SELECT id, POINT(ra, dec) AS p FROM stars WHERE id < 3) AS s",
    "SELECT ivo_healpix_center(2, id) FROM extra",
]


@pytest.mark.parametrize("query", SHAPES)
def test_shapes_are_results(release: BothReleases, query: str) -> None:
    """Points, circles and polygons come out of sub-queries, set operators and CASE as DuckDB has them."""
    asked = release.asked
    release.rows(query)
    assert release.asked == asked + 1, release.refused
