"""Functions of the catalogue of user-defined functions: its own examples, and what others compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from adql.small_release import Release
from astropy import units
from astropy.coordinates import GeocentricMeanEcliptic, SkyCoord
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAN = math.nan
STAR = "7.606083572, 11.79044105"
# The examples of the catalogue (IVOA Endorsed Note 1.2): expression, value.
EXAMPLES: list[tuple[str, object]] = [
    ("ivo_healpix_index(0, 1, 1)", 4),
    ("ivo_healpix_index(17, 1, 1)", 81609757711),
    ("ivo_healpix_index(17, 359, -1)", 73009064944),
    ("ivo_healpix_index(0, POINT(1, 1))", 4),
    ("ivo_healpix_index(17, POINT('ICRS', 1, 1))", 81609757711),
    ("ivo_healpix_index(17, CENTROID(CIRCLE(359, -1, 3)))", 73009064944),
    ("ivo_healpix_center(0, 6)", [180.0, 0.0]),
    (
        "ivo_healpix_center(17, ivo_healpix_index(17, 23.4, 56.7))",
        [23.399843462947466, 56.70016214363192],
    ),
    (
        f"ivo_epoch_prop_pos({STAR}, 125, 300, -428.8, 52.51, 2016.0, 1992.25)",
        [7.604061404627978, 11.7932703828279],
    ),
    (
        f"ivo_epoch_prop_pos({STAR}, 125, 300, -428.8, 52.51, 2016.0, 1875.0)",
        [7.594068213694308, 11.807251375203935],
    ),
    (
        f"ivo_epoch_prop_pos({STAR}, 125, 300, -428.8, NULL, 2016.0, 1875.0)",
        [7.594079587029898, 11.807235464326332],
    ),
    (
        f"ivo_epoch_prop_pos({STAR}, 125, 300, NULL, NULL, 2016.0, 1875.0)",
        [7.594080321498365, 11.790440798509207],
    ),
    (
        f"ivo_epoch_prop_pos({STAR}, NULL, 300, -428.8, 52.51, 2016.0, 1875.0)",
        [7.594079587020846, 11.807235464339055],
    ),
    (
        f"ivo_epoch_prop({STAR}, 125, 300, -428.8, 52.51, 2016.0, 1992.25)",
        [
            *(7.6040614046279735, 11.793270382827929, 125.01993165584682),
            *(300.09877325973605, -428.934593565712, 52.50880381775256),
        ],
    ),
    (
        f"ivo_epoch_prop({STAR}, 125, NULL, NULL, NULL, 2016.0, 1992.25)",
        [7.606083572, 11.79044105, 125, NAN, NAN, NAN],
    ),
    (
        f"ivo_epoch_prop({STAR}, NULL, 300, -428.8, 52.51, 2016.0, 1992.25)",
        [7.604061727024453, 11.79326993174991, NAN, 300.0030911918108, -428.79783514643105, 52.51],
    ),
    (
        f"ivo_epoch_prop({STAR}, 125, 21, NULL, NULL, 2016.0, 1992.25)",
        [7.606083572000001, 11.79044105, 125.0, NAN, NAN, NAN],
    ),
    (
        f"ivo_epoch_prop({STAR}, 125, 300, -428.8, NULL, 2016.0, 1992.25)",
        [
            *(7.604061727024712, 11.793269931749549, 124.9999997730655),
            *(300.0030911152833, -428.79783503705033, NAN),
        ],
    ),
    ("ivo_geom_transform('ICRS', 'GALACTIC', POINT(120, -23))", [241.121831182, 3.62785788087]),
    (
        "ivo_geom_transform('FK4', 'GALACTIC', CIRCLE(189.70303055, 22.96240006, 3))",
        [275.00025405, 84.99996154, 3],
    ),
    (
        "ivo_geom_transform('GALACTIC', 'FK5', POLYGON(5, 3, 4, 4, 4.5, 2))",
        [266.44721, -23.107310, 264.95088, -23.434037, 267.09936, -24.051919],
    ),
    ("ivo_to_jd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 2451546.0),
    ("ivo_to_jd('1910-12-31T06:00:00')", 2419036.75),
    ("ivo_to_jd(NULL)", None),
    ("ivo_to_mjd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 51545.5),
    ("ivo_to_mjd('1910-12-31T06:00:00')", 19036.25),
    ("ivo_to_mjd(NULL)", None),
    ("ivo_nocasematch('abcabc', 'ab%')", 1),
    ("ivo_nocasematch('ABcabc', 'ab__bc')", 1),
    ("ivo_nocasematch('abcabc', '%BC')", 1),
    ("ivo_nocasematch('abcabc', 'ABCABC')", 1),
    ("ivo_nocasematch('abcabc', 'abcab')", 0),
    ("ivo_hasword('Miller and Urey have', 'miller')", 1),
    ("ivo_hasword('shown that a primordial', 'show')", 0),
    ("ivo_hasword('shown that a primordial', 'soup')", 0),
    ("ivo_hasword('shown that a primordial', 'shown primordial')", 1),
    ("ivo_hasword('shown that a primordial', 'shown soup')", 0),
    ("ivo_hasword('shown that a primordial', 'primordial' || ' SHOWN')", 1),
    ("ivo_hasword('shown that a primordial', 'soup' || ' shown')", 0),
    ("ivo_hashlist_has('red#green#blue', 'red')", 1),
    ("ivo_hashlist_has('Red#green#blue', 'red')", 1),
    ("ivo_hashlist_has('red#green#blue', 're')", 0),
    ("ivo_hashlist_has('red#green#blue', 'red#green')", 0),
    ("ivo_interval_overlaps(-3, -2, 2, 3)", 0),
    ("ivo_interval_overlaps(-2, 55.3, 2, 3)", 1),
    ("ivo_interval_overlaps(2, 3, -2, 55.3)", 1),
    ("ivo_interval_overlaps(-2, 55.3, 3, 2)", 0),
    ("ivo_interval_overlaps(-2, 2, 2, 3)", 1),
    ("ivo_hms_to_degrees('3:34:45.4')", 53.6891667),
    ("ivo_hms_to_degrees('3h34m45.4s')", 53.6891667),
    ("ivo_hms_to_degrees('3H34M45.4S')", 53.6891667),
    ("ivo_hms_to_degrees('033445.4')", 53.6891667),
    ("ivo_hms_to_degrees('three')", None),
    ("ivo_dms_to_degrees('42:9:6.768')", 42.15188),
    ("ivo_dms_to_degrees('42d9m6.768s')", 42.15188),
    ("ivo_dms_to_degrees('42D9M6.768S')", 42.15188),
    ("ivo_dms_to_degrees('420906.768')", 42.15188),
    ("ivo_dms_to_degrees('-00:15:00')", -0.25),
    ("ivo_dms_to_degrees('+00:15:00')", 0.25),
    ("ivo_dms_to_degrees('-0d15m0s')", -0.25),
    ("ivo_dms_to_degrees('+0d15m0s')", 0.25),
    ("ivo_dms_to_degrees('12:60:00')", None),
]


# The catalogue gives some to few digits, and does not say what it takes for no parallax.
DIGITS = {"FK5": 6e-6, "to_degrees": 5e-8, "ivo_epoch_prop(": 2e-7}


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES)
def test_examples_of_the_catalogue(release: Release, expression: str, expected: object) -> None:
    """Each example has the value that the catalogue gives, to the digits that it gives."""
    (found,) = release.values(f"SELECT {expression} AS v FROM extra WHERE id = 1")
    if expected is None or isinstance(expected, int):
        assert found == expected
    else:
        digits = next((digits for part, digits in DIGITS.items() if part in expression), 6e-9)
        assert found == pytest.approx(expected, rel=1e-11, abs=digits, nan_ok=True)


@pytest.mark.parametrize(
    "expression", [item for item, _ in EXAMPLES if "epoch_prop_pos" in item or "center" in item]
)
def test_points_by_their_coordinates(release: Release, expression: str) -> None:
    """The coordinates of a computed point are values on every database."""
    rows = release.rows(f"SELECT COORD1({expression}), COORD2({expression}) FROM extra WHERE id = 1")
    assert list(rows[0]) == release.values(f"SELECT {expression} FROM extra WHERE id = 1")[0]


@pytest.mark.parametrize(
    "angle", ["3:34:45.4", "03h34m45.4s", "033445.4", "-1:2:3", "+10d0m59.5s", "1:2", ""]
)
def test_angles_in_columns(release: Release, angle: str) -> None:
    """What a database reads from a column is what is read from a literal."""
    for function in ("ivo_hms_to_degrees", "ivo_dms_to_degrees"):
        (row,) = release.rows(
            f"SELECT {function}('{angle}'), {function}(LOWER('{angle}')) FROM extra WHERE id = 1"
        )
        assert row[0] == pytest.approx(row[1])


@pytest.mark.parametrize("order", [0, 5, 29])
def test_cells_of_computed_positions(release: Release, order: int) -> None:
    """A cell is computed as it was stored, at both poles and elsewhere; no position has no cell."""
    rows = release.rows(
        f"SELECT id, ivo_healpix_index({order}, 0 + ra, POINT_DEC) FROM "
        "(SELECT id, ra, dec AS point_dec FROM stars) AS s ORDER BY id"
    )
    stars = release.stars
    lon, lat = stars["ra"] * units.deg, stars["dec"] * units.deg
    expected = lonlat_to_healpix(lon, lat, order).astype(np.int64)
    assert [cell for _, cell in rows[: len(expected)]] == expected.tolist()
    assert [cell for _, cell in rows[len(expected) :]] == [None, None]


@pytest.mark.parametrize("order", [0, 5, 29])
def test_centres_of_cells(release: Release, order: int) -> None:
    """The centre of each cell is where HEALPix has it, and lies in the cell."""
    cell = f"ivo_healpix_index({order}, ra, dec)"
    centre = f"ivo_healpix_center({order}, {cell})"
    rows = np.array(
        release.rows(
            f"SELECT {cell}, COORD1({centre}), COORD2({centre}), ivo_healpix_index({order}, {centre}) "
            "FROM stars WHERE MOD(id, 23) = 0 AND ra IS NOT NULL"
        ),
        dtype=object,
    )
    cells = rows[:, 0].astype(np.int64)
    lon, lat = healpix_to_lonlat(cells, order)
    found = SkyCoord(rows[:, 1].astype(float), rows[:, 2].astype(float), unit="deg")
    assert found.separation(SkyCoord(lon, lat)).deg.max() < 1e-12
    assert (rows[:, 3] == rows[:, 0]).all()
    wrong = release.rows(f"SELECT COORD1(ivo_healpix_center({order}, id - 2)) FROM extra ORDER BY id")
    assert wrong[0] == (None,)


@given(
    lon=st.floats(-720, 720).map(lambda lon: round(lon, 9)),
    lat=st.floats(-90, 90).map(lambda lat: round(lat, 9)),
    order=st.integers(0, 29),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cell(release: Release, lon: float, lat: float, order: int) -> None:
    """A cell in numbers and one that the database computes differ on borders alone."""
    written = f"ivo_healpix_index({order}, {lon!r}, {lat!r})"
    computed = f"ivo_healpix_index({order}, {lon!r} + z - z, {lat!r} + z - z)"
    (cells,) = release.rows(f"SELECT {written}, {computed} FROM extra WHERE id = 1")
    here = SkyCoord(lon % 360, lat, unit="deg")
    for cell in cells:
        centre = SkyCoord(*healpix_to_lonlat(np.array([cell]), order))
        assert centre.separation(here).deg[0] <= 62 / 2**order + 1e-12


def test_groups_of_computed_cells(release: Release) -> None:
    """Rows are grouped by cells in another frame: a map of the sky in galactic coordinates."""
    cell = "ivo_healpix_index(1, ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec)))"
    rows = release.rows(f"SELECT {cell}, COUNT(*) FROM stars WHERE ra IS NOT NULL GROUP BY {cell}")
    stars = release.stars
    galactic = SkyCoord(stars["ra"], stars["dec"], unit="deg").galactic
    cells, counts = np.unique(lonlat_to_healpix(galactic.l, galactic.b, 1), return_counts=True)
    assert dict(rows) == dict(zip(cells.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("frame", "other", "limit"),
    [
        ("GALACTIC", "galactic", 1e-8),
        ("SUPER_GALACTIC", "supergalactic", 1e-8),
        ("FK5", "fk5", 0.05),
        ("FK4", "fk4noeterms", 0.3),
        ("ECLIPTIC", GeocentricMeanEcliptic(), 25.0),  # the light of a star comes to the Earth aslant
    ],
)
def test_frames(release: Release, frame: str, other: object, limit: float) -> None:
    """Positions in another frame are those of astropy, to the arcseconds by which rotations are wrong."""
    point = f"ivo_geom_transform('ICRS', '{frame}', POINT(ra, dec))"
    back = f"ivo_geom_transform('{frame}', 'ICRS', {point})"
    rows = release.rows(
        f"SELECT COORD1({point}), COORD2({point}), COORD1({back}), COORD2({back}) "
        "FROM stars WHERE MOD(id, 41) = 0 ORDER BY id"
    )
    found = np.array(rows, dtype=float)
    stars = release.stars
    here = SkyCoord(stars["ra"], stars["dec"], unit="deg")[::41]
    there = here.transform_to(other)
    longitude, latitude = there.spherical.lon, there.spherical.lat
    turned = SkyCoord(found[:, 0], found[:, 1], unit="deg")
    assert turned.separation(SkyCoord(longitude, latitude)).arcsec.max() < limit
    again = SkyCoord(found[:, 2], found[:, 3], unit="deg")
    assert again.separation(here).arcsec.max() < 1e-8


def test_shapes_in_other_frames(release: Release) -> None:
    """A cone in one frame is the same cone in another, however it is written; so is a polygon."""
    cone = "CIRCLE(200, -50, 30)"
    spellings = [
        f"1 = CONTAINS(POINT(ra, dec), ivo_geom_transform('GALACTIC', 'ICRS', {cone}))",
        f"1 = CONTAINS(ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec)), {cone})",
        "DISTANCE(ivo_geom_transform('GALACTIC', 'FK5', POINT(200, -50)), POINT(ra, dec)) <= 30",
    ]
    found = [sorted(release.values(f"SELECT id FROM stars WHERE {text}")) for text in spellings]
    assert found[0] == found[1] == found[2]
    stars = release.stars
    galactic = SkyCoord(stars["ra"], stars["dec"], unit="deg").galactic
    near = galactic.separation(SkyCoord(l=200, b=-50, unit="deg", frame="galactic")).deg <= 30
    assert found[0] == stars["id"][near].tolist()
    stored, written = (
        release.values(
            f"SELECT AREA(ivo_geom_transform('GALACTIC', 'ICRS', {shape})) FROM extra WHERE id = 1"
        )
        for shape in ("footprint", "POLYGON(39, -21, 41, -21, 41, -19, 39, -19)")
    )
    assert stored == pytest.approx(written, rel=1e-9)
    assert stored == pytest.approx(release.values("SELECT AREA(footprint) FROM extra WHERE id = 1"), rel=1e-9)


def test_an_index_serves_a_cone_in_another_frame(release: Release) -> None:
    """A shape in numbers is turned before the query runs, so that the stored index finds its rows."""
    cone = "ivo_geom_transform('GALACTIC', 'ICRS', CIRCLE(200, -50, 1))"
    assert release.translate(f"SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), {cone})").spatial_index
    degrees = "ivo_hms_to_degrees('2:40:00'), ivo_dms_to_degrees('-20:00:00')"
    text = f"SELECT COUNT(*) FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({degrees}, 0.5))"
    assert release.translate(text).spatial_index
    assert release.values(text) == release.values(
        "SELECT COUNT(*) FROM stars WHERE DISTANCE(ra, dec, 40, -20) <= 0.5"
    )


def test_motion_of_stars(release: Release) -> None:
    """Stars move straight on in space, as vectors of NumPy do."""
    arguments = "ra, dec, 50 + mag_r, 900 * flags, 1000 * mag_r, 30 * flags, 2016.0, 1991.25"
    point = f"ivo_epoch_prop_pos({arguments})"
    rows = release.rows(
        f"SELECT id, COORD1({point}), COORD2({point}) FROM stars WHERE MOD(id, 37) = 3 AND ra >= 0 "
        "ORDER BY id"
    )
    found = np.array([row[1:] for row in rows])
    chosen = np.array([row[0] for row in rows])
    stars = {name: column[chosen].astype(float) for name, column in release.stars.items() if name != "name"}
    lon, lat, mas = np.radians(stars["ra"]), np.radians(stars["dec"]), np.radians(1 / 3.6e6)
    radial = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0 * lon])
    north = np.cross(radial, east, axis=0)
    away = 30 * stars["flags"] * (50 + stars["mag_r"]) * mas / 4.740470463533349
    motion = 900 * stars["flags"] * mas * east + 1000 * stars["mag_r"] * mas * north + away * radial
    moved = radial + motion * (1991.25 - 2016.0)
    expected = SkyCoord(*moved, representation_type="cartesian")
    found_there = SkyCoord(found[:, 0], found[:, 1], unit="deg")
    there = SkyCoord(expected.spherical.lon, expected.spherical.lat)
    assert found_there.separation(there).arcsec.max() < 1e-8


def test_histograms(release: Release) -> None:
    """Counts are those of NumPy, with what is unknown below and what is too large above."""
    (counts,) = release.values("SELECT ivo_histogram(mag_g, 18, 22, 8) FROM stars")
    mags = release.stars["mag_g"]
    known = mags.compressed().astype(float)
    inside, _ = np.histogram(known, 8, (18, 22))
    below = int((known < 18).sum()) + int(np.ma.getmaskarray(mags).sum()) + 2
    assert counts == [below, *inside.tolist(), int((known > 22).sum())]
    rows = release.rows(
        "SELECT flags, ivo_histogram(ra, 0, 360, 3) FROM stars WHERE flags > 5 GROUP BY flags ORDER BY flags"
    )
    assert [sum(counts) for _, counts in rows] == [int((release.stars["flags"] == n).sum()) for n in (6, 7)]
    assert release.values("SELECT ivo_histogram(id, 1, 3, 2) FROM stars WHERE id < 0") == [[0, 0, 0, 0]]
    assert release.values("SELECT ivo_histogram(id, 1, 3, 2) FROM stars WHERE id < 9") == [[1, 1, 2, 5]]


def test_normal_random_numbers(release: Release) -> None:
    """Mean and width are those asked for, and the tails those of the normal distribution."""
    drawn = np.array(release.values("SELECT ivo_normal_random(10, 5) FROM stars"))
    assert abs(drawn.mean() - 10) < 0.5
    assert abs(drawn.std() - 5) < 0.4
    assert 0.27 < (abs(drawn - 10) > 5).mean() < 0.37
    (unknown,) = release.values("SELECT ivo_normal_random(10, NULL) FROM extra WHERE id = 1")
    assert unknown is None
