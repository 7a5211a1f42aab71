"""MOCs in queries, beside mocpy: in writing, of shapes, as columns; and what is no MOC."""

from __future__ import annotations

import numpy as np
import pytest
from adql.small_release import Release
from astropy import units
from astropy.coordinates import Latitude, Longitude, SkyCoord
from cdshealpix.nested import healpix_to_lonlat, vertices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mocpy import MOC

from vo.adql import translate
from vo.errors import QueryError
from vo.moc import cone_moc

MANY = "9/" + ",".join(map(str, range(0, 9000, 3)))
DENSE = "5/4000-4100,3000 7/1,2,5-8,70000"


def _ids(release: Release, where: str) -> list[int]:
    return sorted(release.values(f"SELECT id FROM sim1.stars WHERE {where}"))


def _expected(release: Release, moc: MOC) -> list[int]:
    lon, lat = release.stars["ra"] * units.deg, release.stars["dec"] * units.deg
    return np.flatnonzero(moc.contains_lonlat(lon, lat)).tolist()


@given(
    st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 10**9), max_size=120), min_size=1, max_size=4),
    st.sampled_from([", ", " ", ","]),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_positions_in_a_moc_are_those_of_mocpy(
    release: Release, cells: dict[int, list[int]], separator: str
) -> None:
    """Any cells of any orders, few or many, whichever way they are separated."""
    kept = {order: sorted({cell % (12 * 4**order) for cell in some}) for order, some in cells.items()}
    text = " ".join(f"{order}/{separator.join(map(str, some))}" for order, some in kept.items())
    found = _ids(release, f"CONTAINS(POINT(ra, dec), MOC('{text}')) = 1")
    mocs = [
        MOC.from_healpix_cells(np.array(some, np.uint64), np.full(len(some), order, np.uint8), max_depth=8)
        for order, some in kept.items()
    ]
    assert found == _expected(release, MOC.union(*mocs, MOC.new_empty(8)))


@pytest.mark.parametrize(
    ("shape", "moc"),
    [
        (
            "CIRCLE(40, -20, 0.4)",
            MOC.from_cone(
                Longitude(40 * units.deg), Latitude(-20 * units.deg), radius=0.4 * units.deg, max_depth=11
            ),
        ),
        (
            "CIRCLE(123, 89.9, 3)",
            MOC.from_cone(
                Longitude(123 * units.deg), Latitude(89.9 * units.deg), radius=3 * units.deg, max_depth=11
            ),
        ),
        (
            "POLYGON(359, 4, 1, 4, 1, 6, 0, 5, 359, 6)",
            MOC.from_polygon([359, 1, 1, 0, 359] * units.deg, [4, 4, 6, 5, 6] * units.deg, max_depth=11),
        ),
    ],
)
def test_the_moc_of_a_shape_is_that_of_mocpy(release: Release, shape: str, moc: MOC) -> None:
    """Circles and polygons across the pole and RA 0h, concave ones as well."""
    expected = _expected(release, moc)
    assert len(expected) > 20
    assert _ids(release, f"1 = CONTAINS(POINT(ra, dec), MOC(11, {shape}))") == expected
    text = release.values(f"SELECT TOP 1 MOC(11, {shape}) FROM sim1.extra")[0]
    assert MOC.from_string(text) == moc


def test_a_moc_has_all_of_its_shape(release: Release) -> None:
    """No position inside a shape is outside its MOC, and none in that far away."""
    for shape, near in (
        ("BOX(40, -20, 1, 0.5)", "BOX(40, -20, 1.3, 0.8)"),
        ("CIRCLE(0, 5, 0.7)", "CIRCLE(0, 5, 0.85)"),
    ):
        inside = set(_ids(release, f"CONTAINS(POINT(ra, dec), {shape}) = 1"))
        covered = set(_ids(release, f"CONTAINS(POINT(ra, dec), MOC(9, {shape})) = 1"))
        around = set(_ids(release, f"CONTAINS(POINT(ra, dec), {near}) = 1"))
        assert len(inside) > 20
        assert inside <= covered <= around


@pytest.mark.parametrize(
    "condition",
    [
        "CONTAINS(POINT(ra, dec), MOC('{}')) = 1",
        "1 = INTERSECTS(POINT(ra, dec), MOC('{}'))",
        "INTERSECTS(MOC('{}'), POINT(ra, dec)) = 1",
        "NOT CONTAINS(POINT(ra, dec), MOC('{}')) = 0",
        "CONTAINS(POINT(ra + 0, dec), MOC('{}')) = 1",
        "CONTAINS(POINT('ICRS', ra, dec), MOC('{}')) > 0",
        "id > 100000 OR CONTAINS(POINT(ra, dec), MOC('{}')) = 1",
        "CONTAINS(POINT('FK5', ra, dec), MOC('{}')) IN (1)",
        "id IN (SELECT id FROM sim1.stars WHERE CONTAINS(POINT(ra, dec), MOC('{}')) = 1)",
        (
            "id IN (SELECT id FROM (SELECT id, ra, dec FROM sim1.stars) AS q "
            "WHERE CONTAINS(POINT(ra, dec), MOC('{}')) = 1)"
        ),
        (
            "id IN (SELECT id FROM (SELECT id, POINT(ra, dec) AS p, MOC('{}') AS m FROM sim1.stars) AS q "
            "WHERE CONTAINS(p, m) = 1)"
        ),
        (
            "id IN (SELECT s.id FROM sim1.stars AS s JOIN sim1.stars AS u ON s.id = u.id "
            "AND CONTAINS(POINT(u.ra, u.dec), MOC('{}')) = 1)"
        ),
        (
            "id IN (SELECT s.id FROM sim1.stars AS s LEFT JOIN sim1.stars AS u ON s.id = u.id "
            "AND CONTAINS(POINT(u.ra, u.dec), MOC('{}')) = 1 WHERE u.id IS NOT NULL)"
        ),
    ],
)
def test_every_spelling_finds_the_same(release: Release, condition: str) -> None:
    """Stored cells and computed ones, negated, in alternatives, in joins, through sub-queries."""
    many = "6/" + ",".join(map(str, range(0, 49152, 30)))
    for text in (DENSE, many):
        expected = _expected(release, MOC.from_string(text.replace(",", " ")))
        assert len(expected) > 10
        assert _ids(release, condition.format(text)) == expected


SOME = "3/300,301 4/5 6/100-140,7000,7001 9/1000000-1000200"
MIDDLES = [(3, 300), (4, 5), (6, 7000), (9, 1000100)]
"""Cells of it, by order."""


def _shape(rng: np.random.Generator) -> list[float]:
    """A circle or a convex polygon of some size, often across a border of the MOC."""
    order, cell = MIDDLES[rng.integers(len(MIDDLES))]
    lon, lat = (float(angle.deg[0]) for angle in healpix_to_lonlat([cell], order))
    lon, lat = (lon + rng.normal(0, 40 / 2**order)) % 360, lat + rng.normal(0, 40 / 2**order)
    size = 10 ** rng.uniform(-1.5, 1)
    if rng.random() < 0.5:
        return [lon, lat, size]
    turns = np.sort(rng.uniform(0, 360, 4)) * units.deg
    corners = SkyCoord(lon, lat, unit="deg").directional_offset_by(turns, size * units.deg)
    return [float(each) for corner in corners for each in (corner.ra.deg, corner.dec.deg)]


def _overlap(around: MOC, surely: MOC, part: MOC) -> bool | None:
    if not surely.intersection(part).empty():
        return True
    return False if around.intersection(part).empty() else None


def _known(numbers: list[float], moc: MOC) -> tuple[bool | None, bool | None]:
    """Whether a shape meets a MOC, and whether it lies in it, as far as cells of order 12 can tell."""
    lon, lat = numbers[0] * units.deg, numbers[1] * units.deg
    if len(numbers) == 3:
        radius = numbers[2] * units.deg
        around = MOC.from_cone(Longitude(lon), Latitude(lat), radius=radius, max_depth=12, delta_depth=2)
    else:
        around = MOC.from_polygon(numbers[::2] * units.deg, numbers[1::2] * units.deg, max_depth=12)
    surely = around.contracted().contracted()  # without the cells along the border of the shape
    some, whole = (_overlap(around, surely, part) for part in (moc, moc.complement()))
    return some, None if whole is None else not whole


def test_regions_meet_and_lie_in_mocs_as_mocpy_has_it(release: Release) -> None:
    """INTERSECTS and CONTAINS of shapes in numbers, of rows and in words, in either order."""
    rng, moc = np.random.default_rng(5), MOC.from_string(SOME.replace(",", " "))
    decided = {True: 0, False: 0}
    for _ in range(80):
        numbers = _shape(rng)
        word, (first, *rest) = "CIRCLE" if len(numbers) == 3 else "POLYGON", map(repr, numbers)
        shapes = (
            f"{word}({first}, {', '.join(rest)})",
            f"{word}({first} + 0 * id, {', '.join(rest)})",
            f"REGION('{word} {first} {' '.join(rest)}')",
        )
        asked = ", ".join(
            f"INTERSECTS({each}, m), INTERSECTS(m, {each}), CONTAINS({each}, m)".replace(
                "m", f"MOC('{SOME}')"
            )
            for each in shapes
        )
        found = release.rows(f"SELECT TOP 1 {asked} FROM sim1.stars")[0]
        assert found[:3] == found[3:6] == found[6:]
        assert found[0] == found[1] >= found[2]
        for told, known in zip((found[0], found[2]), _known(numbers, moc), strict=True):
            if known is not None:
                assert told == known, shapes[0]
                decided[known] += 1
    assert min(decided.values()) > 30


def test_regions_and_mocs_at_their_limits(release: Release) -> None:
    """All of the sky, none of it, what is no shape, a negative radius, and a column of MOCs."""
    cases = {
        "INTERSECTS(CIRCLE(10, 10, 1), MOC('0/'))": 0,
        "CONTAINS(CIRCLE(10, 10, 1), MOC('0/0-11'))": 1,
        "CONTAINS(CIRCLE(10, 10, 180), MOC('0/0-11'))": 1,
        "CONTAINS(CIRCLE(10, 10, 180), MOC('0/0-10'))": 0,
        "INTERSECTS(CIRCLE(10, 10, -1 - 0 * id), MOC('0/0-11'))": 0,
        "CONTAINS(CIRCLE(10, 10, -1 - 0 * id), MOC('0/0-11'))": 0,
        "INTERSECTS(CIRCLE(10, 10, NULL), MOC('0/0-11'))": None,
        "INTERSECTS(CIRCLE('GALACTIC', 0, 90, 0.1), MOC(8, CIRCLE(192.85948, 27.12825, 0.1)))": 1,
        "INTERSECTS(CIRCLE('GALACTIC', 0 * id, 90, 0.1), MOC(8, CIRCLE(0, 90, 0.1)))": 0,
    }
    found = release.rows(f"SELECT TOP 1 {', '.join(cases)} FROM sim1.stars WHERE id = 0")[0]
    assert dict(zip(cases, found, strict=True)) == cases
    column = (
        "SELECT COUNT(*) FROM (SELECT id, ra, dec, MOC('4/5') AS m FROM sim1.stars) AS q "
        "WHERE INTERSECTS(CIRCLE(ra, dec, 2), m) = 1"
    )
    written = "SELECT COUNT(*) FROM sim1.stars WHERE INTERSECTS(CIRCLE(ra, dec, 2), MOC('4/5')) = 1"
    assert release.values(column) == release.values(written)


def test_borders_that_run_along_each_other_end_the_search(release: Release) -> None:
    """A polygon a hundredth of an arcsecond beside a meridian that is a border of cells: near is touching."""
    beside = "POLYGON(90.000003 + 0 * id, 45, 95, 45, 95, 80, 90.000003, 80)"
    away = "POLYGON(90.1 + 0 * id, 45, 95, 45, 95, 80, 90.1, 80)"
    asked = f"SELECT TOP 1 INTERSECTS({beside}, MOC('0/0')), INTERSECTS({away}, MOC('0/0')) FROM sim1.stars"
    assert release.rows(asked)[0] == (1, 0)


@pytest.mark.parametrize("order", [3, 8])
@pytest.mark.parametrize("radius", [90.5, 120, 179.9, 180])
def test_mocs_of_wide_circles(radius: float, order: int) -> None:
    """All cells with some of the circle, and no cell that is clear of it by more than its own size."""
    found = cone_moc(123.0, -35.0, radius, order)
    cells = np.arange(12 * 4**order)
    lon, lat = healpix_to_lonlat(cells, order)
    away = SkyCoord(lon, lat).separation(SkyCoord(123, -35, unit="deg")).deg
    covered = found.holds(cells << (2 * (29 - order)))
    reach = 60 / 2**order
    assert covered[away <= radius].all()
    assert not covered[away > radius + reach].any()
    corners = vertices(cells, order)
    touched = (SkyCoord(*corners).separation(SkyCoord(123, -35, unit="deg")).deg <= radius).any(axis=1)
    assert covered[touched].all()


def test_a_moc_uses_the_stored_index(release: Release) -> None:
    """Where AND demands it, the rows around the MOC are all that is read."""
    query = f"SELECT id FROM sim1.stars WHERE CONTAINS(POINT(ra, dec), MOC('{DENSE}')) = 1 AND mag_r < 20"
    statement = release.translate(query)
    assert statement.spatial_index
    assert 1 <= len(statement.scans[0].ranges) <= 4


def test_a_moc_is_counted_and_measured(release: Release) -> None:
    """CONTAINS is 1 or 0 as a value, NULL of no position; AREA is in square degrees."""
    rows = release.rows(
        f"SELECT CONTAINS(POINT(ra, dec), MOC('{DENSE}')) AS inside, COUNT(*) FROM sim1.stars "
        f"GROUP BY CONTAINS(POINT(ra, dec), MOC('{DENSE}'))"
    )
    count = len(_expected(release, MOC.from_string(DENSE.replace(",", " "))))
    assert {inside: number for inside, number in rows if inside is not None} == {
        1: count,
        0: len(release.stars["id"]) - count,
    }
    areas = release.rows(
        f"SELECT TOP 1 AREA(MOC('{DENSE}')), AREA(m) FROM (SELECT MOC('{DENSE}') AS m FROM sim1.stars) AS q"
    )[0]
    sky = MOC.from_string(DENSE.replace(",", " ")).sky_fraction * 4 * np.pi * (180 / np.pi) ** 2
    assert areas == pytest.approx((sky, sky))
    assert release.translate(f"SELECT TOP 1 MOC('{DENSE}') FROM sim1.stars").columns[0].xtype == "moc"
    nowhere = (
        "SELECT TOP 1 CONTAINS(POINT(NULL, dec), MOC('3/1')), CONTAINS(POINT(1, 1), MOC('3/')) FROM stars"
    )
    assert release.rows(nowhere) == [(None, 0)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("CONTAINS(POINT(ra, dec), MOC('^30/1')) = 1", "no order 30: the finest is 29"),
        ("CONTAINS(POINT(ra, dec), MOC('6/1,2 3/^800')) = 1", "Order 3 has no cell 800"),
        ("CONTAINS(POINT(ra, dec), MOC('6/1 ^x')) = 1", "neither an order"),
        ("CONTAINS(POINT(ra, dec), MOC('6/^5-3')) = 1", "ends before it begins"),
        ("CONTAINS(POINT(ra, dec), MOC('^5')) = 1", "before any order"),
        ("CONTAINS(POINT(ra, dec), MOC('^')) = 1", "empty"),
        ("CONTAINS(POINT(ra, dec), MOC(^30, CIRCLE(1, 2, 3))) = 1", "from 0 to 29"),
        ("CONTAINS(POINT(ra, dec), MOC(8, ^CIRCLE(ra, dec, 3))) = 1", "in numbers"),
        ("CONTAINS(POINT(ra, dec), MOC(3, ^CIRCLE(1, 2, 181))) = 1", "radius"),
        ("CONTAINS(POINT(ra, dec), MOC(29, ^CIRCLE(1, 2, 3))) = 1", "more than 200,000 cells"),
        ("CONTAINS(^MOC('6/1'), CIRCLE(ra, dec, 1)) = 1", "Argument 1 of CONTAINS"),
        ("INTERSECTS(^MOC('6/1'), MOC('6/1')) = 1", "of INTERSECTS"),
        (
            f"INTERSECTS(CIRCLE(ra, dec, 1), ^MOC('9/{','.join(map(str, range(0, 9000, 3)))}')) = 1",
            "10,000 char",
        ),
        ("CONTAINS(POINT(ra, dec), MOC(^name)) = 1", "must be a literal"),
        ("^MOC('6/1') = MOC('6/1')", "cannot be compared"),
    ],
)
def test_what_is_no_moc_is_told_with_its_place(release: Release, query: str, message: str) -> None:
    """A problem points at the character of the MOC where it is wrong."""
    text = f"SELECT id FROM sim1.stars WHERE {query}"
    with pytest.raises(QueryError, match=message) as caught:
        release.translate(text.replace("^", ""))
    first = caught.value.problems[0]
    assert (first.line, first.column) == (1, text.index("^") + 1), first


def test_oracle_compares_with_ranges_or_says_that_it_cannot(release: Release) -> None:
    """A small MOC becomes ranges of the index; a large one, or that of a column, is refused at its place."""
    query = "SELECT id FROM sim1.stars WHERE CONTAINS(POINT(ra, dec), MOC('{}')) = 1"
    sql = translate(query.format("29/5-7"), release.catalog, dialect="oracle").sql
    assert 'hpx29" BETWEEN 5 AND 7' in sql
    many = query.format("9/" + ",".join(map(str, range(0, 5000, 3))))
    with pytest.raises(QueryError, match="MOC of more than 1000 ranges") as caught:
        translate(many, release.catalog, dialect="oracle")
    assert caught.value.problems[0].column == many.index("CONTAINS") + 1
    column = "SELECT CONTAINS(POINT(ra, dec), m) FROM (SELECT ra, dec, MOC('3/1') AS m FROM stars) AS q"
    with pytest.raises(QueryError, match="MOC of a row"):
        translate(column, release.catalog, dialect="oracle")
    known = "SELECT INTERSECTS(CIRCLE(1, 2, 3), MOC('3/1')) FROM stars"
    assert "1" in translate(known, release.catalog, dialect="oracle").sql
    with pytest.raises(QueryError, match="INTERSECTS of a MOC and a region"):
        translate(known.replace("(1,", "(ra,"), release.catalog, dialect="oracle")
