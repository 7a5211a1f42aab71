"""Spatial queries against brute force: cones, polygons and joins of positions, at poles and seam too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from adql.small_release import Release
from numpy.typing import ArrayLike, NDArray

CONES = [
    (40.0, -20.0, 0.3),
    (40.0, -20.0, 1 / 3600),
    (0.0, 5.0, 0.5),
    (359.9, 5.0, 1.0),
    (360.0, 5.0, 0.2),
    (123.4, 90.0, 1.0),
    (7.0, 89.5, 0.8),
    (200.0, -90.0, 2.0),
    (300.0, -89.9, 0.5),
    (10.0, 20.0, 25.0),
    (10.0, 20.0, 90.0),
    (10.0, 20.0, 120.0),
    (10.0, 20.0, 179.9),
    (10.0, 20.0, 180.0),
    (12.5, 90.0, 0.0),
    (-30.0, -20.0, 5.0),
]


def separation(stars: dict[str, Any], lon: float, lat: float) -> NDArray[np.float64]:
    """Degrees of every star from a position, by Vincenty's formula, which no query uses."""
    ra, dec, lon, lat = np.radians(stars["ra"]), np.radians(stars["dec"]), np.radians(lon), np.radians(lat)
    y = np.hypot(
        np.cos(dec) * np.sin(ra - lon),
        np.cos(lat) * np.sin(dec) - np.sin(lat) * np.cos(dec) * np.cos(ra - lon),
    )
    x = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(ra - lon)
    return np.degrees(np.arctan2(y, x))


SPELLINGS = [
    "1 = CONTAINS(POINT(ra, dec), CIRCLE({0}, {1}, {2}))",
    "CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {0}, {1}, {2})) = 1",
    "CONTAINS(POINT('', ra, dec), CIRCLE(POINT({0}, {1}), {2})) <> 0",
    "0 <> CONTAINS(POINT({0}, {1}), CIRCLE(ra, dec, {2}))",
    "DISTANCE(POINT(ra, dec), POINT({0}, {1})) <= {2}",
    "{2} >= DISTANCE(POINT({0}, {1}), POINT(ra, dec))",
    "DISTANCE(ra, dec, {0}, {1}) <= {2}",
    "NOT DISTANCE({0}, {1}, ra, dec) > {2}",
    "1 = INTERSECTS(CIRCLE({0}, {1}, {2}), POINT(ra, dec))",
    "DISTANCE(ra, dec, {0}, {1}) BETWEEN 0 AND {2}",
    "NOT (0 = CONTAINS(POINT(ra, dec), CIRCLE({0}, {1}, {2})))",
    "1 = CONTAINS(POINT(ra, dec), REGION('CIRCLE ICRS {0} {1} {2}'))",
    "(id < 0 OR 1 = CONTAINS(POINT(ra, dec), CIRCLE({0}, {1}, {2})))",
    "CASE WHEN DISTANCE(ra, dec, {0}, {1}) <= {2} THEN 1 ELSE 0 END = 1",
]


@pytest.mark.parametrize("cone", CONES, ids=str)
def test_every_spelling_of_a_cone_gives_the_rows_of_brute_force(
    release: Release, cone: tuple[float, ...]
) -> None:
    """A cone selects the same stars however it is written, and those that geometry says."""
    lon, lat, radius = cone
    expected = set(release.stars["id"][separation(release.stars, lon, lat) <= radius + 1e-12].tolist())
    for spelling in SPELLINGS:
        query = "SELECT id FROM sim1.stars WHERE " + spelling.format(*cone)
        found = release.values(query)
        assert len(found) == len(set(found))
        assert set(found) == expected, spelling


@pytest.mark.parametrize("spelling", SPELLINGS[:7] + SPELLINGS[8:10])
def test_every_spelling_uses_the_index(release: Release, spelling: str) -> None:
    """A cone below AND is narrowed by at most four ranges; none is used beyond 90 degrees."""
    statement = release.translate("SELECT id FROM sim1.stars WHERE " + spelling.format(10, 20, 0.5))
    assert statement.spatial_index
    assert 1 <= statement.sql.count('"hpx29" BETWEEN') <= 4
    wide = release.translate("SELECT id FROM sim1.stars WHERE flags > 1 AND " + spelling.format(10, 20, 91))
    assert "hpx29" not in wide.sql


def test_conditions_that_are_not_demanded_use_no_index(release: Release) -> None:
    """Below OR and NOT the index would lose rows."""
    for condition in ("flags = 1 OR {}", "NOT {}", "NOT ({} AND flags = 1)"):
        query = f"SELECT id FROM sim1.stars WHERE {condition.format(SPELLINGS[0].format(40, -20, 0.3))}"
        assert not release.translate(query).spatial_index


def test_less_than_leaves_out_the_radius(release: Release) -> None:
    """DISTANCE < 0 is nothing, DISTANCE <= 0 the position itself."""
    query = "SELECT id FROM sim1.stars WHERE DISTANCE(ra, dec, 0, 0) {} 0"
    assert release.values(query.format("<")) == []
    assert release.values(query.format("<=")) == [0]
    assert release.values(query.format("<= -1 -")) == []


def test_outside_and_inside_are_everything(release: Release) -> None:
    """CONTAINS = 0 gives the other stars; rows without a position belong to neither."""
    circle = "CONTAINS(POINT(ra, dec), CIRCLE(40, -20, 0.3))"
    inside = release.values(f"SELECT COUNT(*) FROM sim1.stars WHERE {circle} = 1")[0]
    outside = release.values(f"SELECT COUNT(*) FROM sim1.stars WHERE 0 = {circle}")[0]
    assert 0 < inside < outside
    assert inside + outside == len(release.stars["id"])
    flags = release.rows(f"SELECT {circle} AS f, COUNT(*) FROM sim1.stars GROUP BY {circle} ORDER BY f")
    assert flags == [(0, outside), (1, inside), (None, 2)]


def test_distances_in_the_select_list(release: Release) -> None:
    """DISTANCE is exact to rounding for arcseconds and for half the sky alike."""
    rows = release.rows("SELECT id, DISTANCE(POINT(ra, dec), POINT(40, -20)) FROM sim1.stars ORDER BY id")
    expected = separation(release.stars, 40, -20)
    assert [distance for _, distance in rows[-2:]] == [None, None]
    for number, distance in rows[:-2]:
        assert distance == pytest.approx(expected[number], rel=1e-9, abs=1e-12)


def test_a_radius_that_depends_on_the_row(release: Release) -> None:
    """Radii from columns work, also negative ones and those beyond 180 degrees."""
    stars = release.stars
    found = set(
        release.values(
            "SELECT id FROM sim1.stars WHERE 1 = CONTAINS(POINT(40, -20), CIRCLE(ra, dec, flags * 40.0))"
        )
    )
    assert found == set(stars["id"][separation(stars, 40, -20) <= stars["flags"] * 40.0].tolist())


POLYGONS = [
    [(39, -21), (41, -21), (41, -19), (39, -19)],
    [(39, -19), (41, -19), (41, -21), (39, -21)],
    [(39, -21), (41, -21), (40, -20), (41, -19), (39, -19)],
    [(359, 4), (1, 4), (1, 6), (359, 6)],
    [(0, 89), (120, 89), (240, 89)],
    [(0, -88), (90, -88), (180, -88), (270, -88)],
    [(300, -40), (60, -40), (60, 40), (300, 40)],
    [(10, 10), (50, 10), (50, 50), (30, 20), (10, 50), (10, 10)],
]


def inside(stars: dict[str, Any], vertices: list[tuple[float, float]]) -> NDArray[np.bool_]:
    """Whether stars are inside: the arc to a position known to be inside crosses an even number of edges."""

    def vector(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float64]:
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    corners = np.array([vector(*vertex) for vertex in vertices])
    # Just left of the middle of the first edge, or just right of it, whichever is nearer to the mean.
    middle = corners[0] + corners[1]
    normal = np.cross(corners[0], corners[1])
    normal *= 1e-6 / np.linalg.norm(normal)
    turning = sum(np.cross(a, b) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True))
    sign = np.sign(turning @ corners.mean(axis=0))
    reference = middle / np.linalg.norm(middle) + sign * normal
    reference /= np.linalg.norm(reference)
    points = vector(stars["ra"], stars["dec"])
    crossings = np.zeros(len(points), dtype=int)
    plane = np.cross(points, reference)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge = np.cross(a, b)
        if np.linalg.norm(edge) < 1e-12:
            continue
        apart = ((plane @ a) * (plane @ b) < 0) & ((points @ edge) * (reference @ edge) < 0)
        meeting = np.cross(plane, edge)
        crossings += apart & ((meeting @ (a + b)) * np.einsum("ij,ij->i", meeting, points + reference) > 0)
    return crossings % 2 == 0


@pytest.mark.parametrize("vertices", POLYGONS, ids=str)
def test_polygons_give_the_rows_of_brute_force(release: Release, vertices: list[tuple[float, float]]) -> None:
    """Convex and not, either way around, on the seam and around a pole: the smaller side is inside."""
    numbers = ", ".join(f"{lon}, {lat}" for lon, lat in vertices)
    points = ", ".join(f"POINT({lon}, {lat})" for lon, lat in vertices)
    region = " ".join(f"{lon} {lat}" for lon, lat in vertices)
    expected = set(release.stars["id"][inside(release.stars, vertices)].tolist())
    for shape in (f"POLYGON({numbers})", f"POLYGON({points})", f"REGION('Polygon ICRS {region}')"):
        query = f"SELECT id FROM sim1.stars WHERE 1 = CONTAINS(POINT(ra, dec), {shape})"
        assert set(release.values(query)) == expected
        both = f"SELECT id FROM sim1.stars WHERE id >= 0 AND NOT INTERSECTS({shape}, POINT(ra, dec)) = 0"
        assert set(release.values(both)) == expected


def test_stored_polygons_agree_with_written_ones(release: Release) -> None:
    """The condition on a polygon column is that on the same polygon in numbers."""
    rows = release.rows("SELECT id, footprint FROM sim1.extra WHERE footprint IS NOT NULL")
    for number, polygon in rows:
        written = ", ".join(map(str, polygon))
        joined = release.values(
            "SELECT s.id FROM sim1.stars AS s JOIN sim1.extra AS e "
            f"ON 1 = CONTAINS(POINT(s.ra, s.dec), e.footprint) WHERE e.id = {number}"
        )
        direct = release.values(
            f"SELECT id FROM sim1.stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON({written}))"
        )
        assert sorted(joined) == sorted(direct)
        assert direct


SQUARE = "POLYGON(39, -21, 41, -21, 41, -19, 39, -19)"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"CONTAINS(CIRCLE(40, -20, 0.5), {SQUARE})", 1),
        (f"CONTAINS(CIRCLE(40, -20, 1.1), {SQUARE})", 0),
        (f"CONTAINS({SQUARE}, CIRCLE(40, -20, 1.5))", 1),
        (f"CONTAINS({SQUARE}, CIRCLE(40, -20, 1.2))", 0),
        (f"CONTAINS({SQUARE}, {SQUARE})", 1),
        (f"CONTAINS({SQUARE}, BOX(40, -20, 3, 3))", 1),
        (f"CONTAINS(BOX(40, -20, 3, 3), {SQUARE})", 0),
        ("CONTAINS(CIRCLE(0, 0, 1), CIRCLE(0, 0.5, 1.6))", 1),
        ("CONTAINS(CIRCLE(0, 0, 1), CIRCLE(0, 0.7, 1.6))", 0),
        ("CONTAINS(CIRCLE(0, 0, 100), CIRCLE(0, 0, 180))", 1),
        ("INTERSECTS(CIRCLE(0, 0, 1), CIRCLE(1.5, 0, 0.6))", 1),
        ("INTERSECTS(CIRCLE(359.5, 0, 1), CIRCLE(1.5, 0, 0.6))", 0),
        (f"INTERSECTS({SQUARE}, CIRCLE(40, -22, 1.1))", 1),
        (f"INTERSECTS(CIRCLE(40, -22, 0.9), {SQUARE})", 0),
        (f"INTERSECTS(CIRCLE(40, -20, 0.01), {SQUARE})", 1),
        (f"INTERSECTS({SQUARE}, BOX(41, -19, 1, 1))", 1),
        (f"INTERSECTS({SQUARE}, BOX(40, -20, 0.1, 5))", 1),
        (f"INTERSECTS({SQUARE}, BOX(45, -20, 1, 1))", 0),
        (f"INTERSECTS({SQUARE}, BOX(220, 20, 2, 2))", 0),
        (f"INTERSECTS(BOX(40, -20, 0.1, 0.1), {SQUARE})", 1),
        ("INTERSECTS(POINT(1, 2), POINT(1, 2))", 1),
        ("INTERSECTS(POINT(1, 2), POINT(1, 2.001))", 0),
        ("CONTAINS(POINT(40, -20.99), BOX(40, -20, 2, 2))", 1),
        ("CONTAINS(POINT(40, -21.01), BOX(40, -20, 2, 2))", 0),
        ("CONTAINS(POINT(0, 90), BOX(POINT(77, 90), 0.1, 0.1))", 1),
        ("COORDSYS(POINT(1, 2))", "ICRS"),
    ],
)
def test_relations_of_shapes(release: Release, expression: str, expected: object) -> None:
    """CONTAINS and INTERSECTS for every pair of kinds."""
    assert release.values(f"SELECT TOP 1 {expression} FROM sim1.extra") == [expected]


def test_measures_of_shapes(release: Release) -> None:
    """AREA is exact on the sphere, CENTROID is the centre of mass, COORD1 and COORD2 take points apart."""
    ((octant, cap, dot, centre, lon, lat),) = release.rows(
        "SELECT AREA(POLYGON(0, 0, 90, 0, 0, 90)), AREA(CIRCLE(10, 20, 90)), AREA(POINT(1, 2)), "
        "CENTROID(POLYGON(0, 0, 0, 90, 90, 0)), COORD1(CENTROID(CIRCLE(10, 20, 1))), COORD2(pos) "
        "FROM sim1.extra WHERE id = 1"
    )
    square_degrees = (180 / np.pi) ** 2
    assert octant == pytest.approx(np.pi / 2 * square_degrees)
    assert cap == pytest.approx(2 * np.pi * square_degrees)
    assert dot == 0
    assert centre == pytest.approx([45, np.degrees(np.arcsin(1 / np.sqrt(3)))])
    assert (lon, lat) == (10, -20)


def test_shapes_come_out_as_dali_has_them(release: Release) -> None:
    """A shape in the select list is an array of doubles with its xtype."""
    statement = release.translate(
        "SELECT POINT(ra, dec), CIRCLE(ra, dec, 1), BOX(1, 2, 3, 4), pos FROM stars, extra"
    )
    assert [(column.xtype, column.arraysize) for column in statement.columns] == [
        ("point", "2"),
        ("circle", "3"),
        ("polygon", "*"),
        ("point", "2"),
    ]
    rows = release.rows("SELECT POINT(ra, dec), CIRCLE(POINT(ra, dec), 1) FROM stars WHERE id = 0")
    assert rows == [([0.0, 0.0], [0.0, 0.0, 1.0])]


def pairs(stars: dict[str, Any], radius: float) -> set[tuple[int, int]]:
    """The pairs of stars within `radius` degrees, by all distances."""
    ra, dec = np.radians(stars["ra"]), np.radians(stars["dec"])
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    chord2 = ((vectors[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2)
    first, second = np.nonzero(chord2 < 4 * np.sin(np.radians(radius) / 2) ** 2)
    return {(int(a), int(b)) for a, b in zip(first, second, strict=True) if a != b}


@pytest.mark.parametrize("radius", [0.001, 0.03, 0.5])
def test_joins_of_positions_give_the_pairs_of_brute_force(release: Release, radius: float) -> None:
    """Every pair once, also across the poles and the seam, whichever way the join is written."""
    expected = pairs(release.stars, radius)
    assert expected
    queries = [
        "stars AS a JOIN stars AS b ON DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) < {}",
        "stars AS a, stars AS b WHERE 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, {}))",
        "(SELECT id, ra AS x, dec FROM stars) AS a JOIN stars AS b ON {} > DISTANCE(b.ra, b.dec, a.x, a.dec)",
    ]
    for query in queries:
        rows = [(a, b) for a, b in release.rows("SELECT a.id, b.id FROM " + query.format(radius)) if a != b]
        assert len(rows) == len(set(rows))
        assert set(rows) == expected


def test_outer_joins_of_positions_keep_rows_without_partner(release: Release) -> None:
    """LEFT, RIGHT and FULL joins by DISTANCE give each lonely row once."""
    near = {number for pair in pairs(release.stars, 0.03) for number in pair}
    condition = "ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.03 AND a.id <> b.id"
    everyone = set(release.stars["id"].tolist()) | {9001, 9002}
    left = release.rows(f"SELECT a.id, b.id FROM stars AS a LEFT JOIN stars AS b {condition}")
    assert {a for a, b in left if b is None} == everyone - near
    assert len(left) == len(set(left))
    right = release.rows(f"SELECT a.id, b.id FROM stars AS a RIGHT JOIN stars AS b {condition}")
    assert {(b, a) for a, b in right} == set(left)
    full = release.rows(f"SELECT a.id, b.id FROM stars AS a FULL JOIN stars AS b {condition}")
    assert set(full) == set(left) | set(right)


def test_joins_of_positions_meet_in_cells(release: Release) -> None:
    """An inner join by distance is an equality for the database; a full one keeps the exact test alone."""
    query = "SELECT 1 AS x FROM stars AS a {} JOIN stars AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.01"
    for kind, spread in (("INNER", True), ("LEFT", True), ("RIGHT", True), ("FULL", False)):
        assert ("cell_" in release.translate(query.format(kind)).sql) is spread


CONE = "1 = CONTAINS(POINT({}, {}), CIRCLE(40, -20, 0.3))"
PASSED_ON = [
    "SELECT id FROM (SELECT id, ra AS x, dec AS y FROM stars) AS s WHERE " + CONE.format("x", "y"),
    "SELECT id FROM (SELECT DISTINCT dec, ra, id FROM stars WHERE id >= 0) AS s WHERE "
    + CONE.format("s.ra", "s.dec"),
    "WITH w AS (SELECT id, ra, dec FROM stars) SELECT id FROM w WHERE DISTANCE(ra, dec, 40, -20) <= 0.3",
    "WITH w AS (SELECT id, ra, dec FROM stars) SELECT a.id FROM w AS a JOIN w AS b ON a.id = b.id WHERE "
    + CONE.format("b.ra", "b.dec"),
    "WITH w AS (SELECT * FROM stars) SELECT id FROM (SELECT ra, id, dec FROM (SELECT * FROM w) AS u) AS v "
    "WHERE " + CONE.format("ra", "dec"),
    "SELECT s.id FROM (SELECT a.id, a.ra, a.dec FROM stars AS a LEFT JOIN extra AS b ON a.id = b.id) AS s "
    "WHERE " + CONE.format("ra", "dec"),
    "SELECT id FROM (SELECT id FROM stars WHERE " + CONE.format("ra", "dec") + ") AS s",
    "SELECT id FROM stars JOIN (SELECT id, name FROM stars) AS n USING (id) WHERE "
    + CONE.format("ra", "dec"),
]


@pytest.mark.parametrize("query", PASSED_ON)
def test_a_cone_uses_the_index_through_sub_queries(release: Release, query: str) -> None:
    """Where a sub-query passes the main position on, the index comes with it, and is not published."""
    expected = set(release.stars["id"][separation(release.stars, 40, -20) <= 0.3].tolist())
    found = release.values(query)
    assert set(found) == expected
    assert len(found) == len(expected)
    statement = release.translate(query)
    assert statement.spatial_index
    assert "hpx29" in statement.sql
    assert len(statement.columns) == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM (SELECT id, ra + 0 AS ra, dec FROM stars) AS s WHERE " + CONE.format("ra", "dec"),
        "SELECT id FROM (SELECT TOP 9999 id, ra, dec FROM stars ORDER BY id) AS s WHERE "
        + CONE.format("ra", "dec"),
        "SELECT id FROM (SELECT MAX(id) AS id, ra, dec FROM stars GROUP BY ra, dec) AS s WHERE "
        + CONE.format("ra", "dec"),
        "SELECT id FROM (SELECT id, dec AS ra, ra AS dec FROM stars) AS s WHERE "
        + CONE.format("dec", "ra + 0"),
    ],
)
def test_what_computes_a_position_has_no_index(release: Release, query: str) -> None:
    """Behind a sub-query that computes, groups or cuts, a cone is compared without the index."""
    assert not release.translate(query).spatial_index
    expected = set(release.stars["id"][separation(release.stars, 40, -20) <= 0.3].tolist())
    assert set(release.values(query)) == expected


def test_sub_queries_about_neighbours_meet_in_cells(release: Release) -> None:
    """EXISTS and NOT EXISTS that look for neighbours give the rows of brute force."""
    near = {number for pair in pairs(release.stars, 0.03) for number in pair}
    everyone = set(release.stars["id"].tolist())
    inner = "SELECT b.id FROM stars AS b WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.03 AND a.id <> b.id"
    queries = {
        f"SELECT id FROM stars AS a WHERE EXISTS ({inner})": near,
        f"SELECT id FROM stars AS a WHERE id < 9000 AND NOT EXISTS ({inner})": everyone - near,
    }
    for query, expected in queries.items():
        assert set(release.values(query)) == expected
        assert "cell_" in release.translate(query).sql
