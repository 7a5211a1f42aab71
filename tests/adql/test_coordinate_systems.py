"""Shapes that name a coordinate system (ADQL 2.1, 4.2.5): beside astropy's transformations.

The queries are asked of DuckDB here, and of H2 as Oracle in `test_oracle_rows.py`.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from adql.small_release import Release
from astropy.coordinates import GeocentricMeanEcliptic, SkyCoord
from astropy.io.votable import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo.catalog import Frame
from vo.errors import QueryError
from vo.votable.document import Notes, without_data

# What a query writes, astropy's frame, and the arcseconds by which rotations are wrong.
SYSTEMS = [
    ("ICRS GEOCENTER", "icrs", 1e-7),
    ("unknownframe", "icrs", 1e-7),
    ("GALACTIC", "galactic", 1e-7),
    ("galactic ii unknownrefpos spherical2", "galactic", 1e-7),
    ("SUPER_GALACTIC", "supergalactic", 1e-7),
    ("FK5 J2000", "fk5", 0.05),
    ("j2000", "fk5", 0.05),
    ("FK4", "fk4noeterms", 0.3),
    ("ECLIPTIC BARYCENTER", GeocentricMeanEcliptic(), 25.0),
]
FRAMES = pytest.mark.parametrize(("system", "frame", "limit"), SYSTEMS, ids=[name for name, *_ in SYSTEMS])


def sky(release: Release) -> SkyCoord:
    """The stars."""
    return SkyCoord(release.stars["ra"], release.stars["dec"], unit="deg")


def place(lon: float, lat: float, frame: object) -> SkyCoord:
    """A position in a frame, in ICRS."""
    return SkyCoord(lon, lat, unit="deg", frame=frame).icrs


@FRAMES
def test_cones_in_other_systems(release: Release, system: str, frame: object, limit: float) -> None:
    """A cone holds the stars that astropy finds around its centre, and the stored index finds them."""
    condition = f"1 = CONTAINS(POINT(ra, dec), CIRCLE('{system}', 213.5, -41.25, 25))"
    query = f"SELECT id FROM stars WHERE {condition} ORDER BY id"
    apart = sky(release).separation(place(213.5, -41.25, frame)).deg
    found = release.values(query)
    assert set(release.stars["id"][apart < 25 - limit / 3600]) <= set(found)
    assert set(found) <= set(release.stars["id"][apart < 25 + limit / 3600])
    assert release.translate(query).spatial_index


@FRAMES
def test_distances_between_systems(release: Release, system: str, frame: object, limit: float) -> None:
    """DISTANCE of points in different systems is astropy's separation, of numbers and of columns alike."""
    rows = release.rows(
        f"SELECT DISTANCE(POINT('{system}', ra, dec), POINT('GALACTIC', 120, 30)), "
        f"DISTANCE(POINT(ra, dec), POINT('{system}', 33, 44)) FROM stars WHERE MOD(id, 53) = 0 ORDER BY id"
    )
    found = np.array(rows)
    some = sky(release)[::53]
    there = place(some.ra.deg, some.dec.deg, frame)
    first = there.separation(place(120, 30, "galactic")).arcsec
    second = some.separation(place(33, 44, frame)).arcsec
    assert np.abs(found[:, 0] * 3600 - first).max() < limit
    assert np.abs(found[:, 1] * 3600 - second).max() < limit


@given(
    lon=st.floats(0, 360).map(lambda lon: round(lon, 6)),
    lat=st.floats(-90, 90).map(lambda lat: round(lat, 6)),
    other=st.sampled_from(["ICRS", "SUPER_GALACTIC"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_position(release: Release, lon: float, lat: float, other: str) -> None:
    """A position is 0 from itself and as far from others as astropy has it, computed or folded."""
    written = f"POINT('GALACTIC', {lon!r}, {lat!r})"
    computed = f"POINT('GALACTIC', {lon!r} + z - z, {lat!r} + z - z)"
    target = f"POINT('{other}', 10, 20)"
    ((folded, found, nothing),) = release.rows(
        f"SELECT DISTANCE({written}, {target}), DISTANCE({computed}, {target}), "
        f"DISTANCE({written}, {computed}) FROM extra WHERE id = 1"
    )
    frame = {"ICRS": "icrs", "SUPER_GALACTIC": "supergalactic"}[other]
    expected = place(lon, lat, "galactic").separation(place(10, 20, frame)).deg
    assert abs(folded - expected) < 1e-10
    assert abs(found - expected) < 1e-10
    assert nothing < 1e-10


SHAPES = [
    "CIRCLE('GALACTIC', 195, -50, 20)",
    "CIRCLE(POINT('GALACTIC', 195, -50), 20)",
    "CIRCLE('ICRS', POINT('GALACTIC', 195, -50), 20)",
    "CIRCLE('GALACTIC', POINT('GALACTIC II', 195, -50), 20)",
    "CIRCLE('FK4', POINT('GALACTIC', 195, -50), 20)",
    "REGION('Circle GALACTIC TOPOCENTER 195 -50 20')",
    "ivo_geom_transform('GALACTIC', 'ICRS', CIRCLE('GALACTIC', 195, -50, 20))",
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("point", ["POINT(ra, dec)", "POINT('ICRS', ra, dec)", "POINT('FK5', ra, dec)"])
def test_spellings_of_a_cone(release: Release, shape: str, point: str) -> None:
    """However a cone in galactic coordinates is written, it holds the same stars."""
    near = sky(release).separation(place(195, -50, "galactic")).deg <= 20
    expected = release.stars["id"][near].tolist()
    assert sorted(release.values(f"SELECT id FROM stars WHERE 1 = CONTAINS({point}, {shape})")) == expected
    assert (
        release.values(f"SELECT id FROM stars WHERE INTERSECTS({shape}, {point}) = 1 ORDER BY id") == expected
    )


def test_a_converted_point_meets_both_kinds_of_shape(release: Release) -> None:
    """The point of ivo_geom_transform meets shapes without a system as they stand, others on the sky."""
    turned = "ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec))"
    inner = f"(SELECT id, {turned} AS g FROM stars) AS s"
    found = [
        sorted(release.values(f"SELECT id FROM {source} WHERE 1 = CONTAINS({point}, {cone})"))
        for source, point in (("stars", turned), (inner, "g"))
        for cone in (
            "CIRCLE(195, -50, 20)",
            "CIRCLE('GALACTIC', 195, -50, 20)",
            "CIRCLE('SUPER_GALACTIC', POINT('GALACTIC', 195, -50), 20)",
        )
    ]
    near = sky(release).separation(place(195, -50, "galactic")).deg <= 20
    assert all(ids == release.stars["id"][near].tolist() for ids in found)


def test_boxes_along_the_axes_of_their_system(release: Release) -> None:
    """BOX has its sides along the axes of its own frame, whether its numbers are written or computed."""
    lon, lat = 197.0, -52.0
    galactic = sky(release).galactic
    # In the plane that touches the sphere in the centre, the box is a rectangle.
    offset = np.radians(galactic.l.deg - lon)
    up, middle = galactic.b.rad, np.radians(lat)
    towards = np.sin(middle) * np.sin(up) + np.cos(middle) * np.cos(up) * np.cos(offset)
    x = np.cos(up) * np.sin(offset) / towards
    y = (np.cos(middle) * np.sin(up) - np.sin(middle) * np.cos(up) * np.cos(offset)) / towards
    held = (towards > 0) & (np.abs(x) <= np.tan(np.radians(30))) & (np.abs(y) <= np.tan(np.radians(6)))
    expected = release.stars["id"][held].tolist()
    assert len(expected) > 20
    for box in (f"BOX('GALACTIC', {lon}, {lat}, 60, 12)", f"BOX(POINT('GALACTIC', {lon}, {lat}), 60, 12)"):
        query = f"SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), {box}) = 1 ORDER BY id"
        assert release.values(query) == expected
        assert release.translate(query).spatial_index
    computed = f"BOX('GALACTIC', {lon} + extra.id - 1, {lat}, 60, 12)"
    query = (
        f"SELECT stars.id FROM stars, extra WHERE extra.id = 1 AND CONTAINS(POINT(ra, dec), {computed}) = 1"
    )
    assert sorted(release.table(query).column(0).to_pylist()) == expected


def test_polygons_in_other_systems(release: Release) -> None:
    """A polygon of points in several systems is the one of the same places in one system."""
    corners = [(170, -65), (225, -65), (225, -40), (170, -40)]
    icrs = [place(*corner, "galactic") for corner in corners]
    written = ", ".join(f"{lon}, {lat}" for lon, lat in corners)
    mixed = ", ".join(
        f"POINT('GALACTIC', {lon}, {lat})" if i % 2 else f"POINT({here.ra.deg}, {here.dec.deg})"
        for i, ((lon, lat), here) in enumerate(zip(corners, icrs, strict=True))
    )
    plain = ", ".join(f"{here.ra.deg}, {here.dec.deg}" for here in icrs)
    found = [
        release.values(f"SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), {polygon}) ORDER BY id")
        for polygon in (f"POLYGON('GALACTIC', {written})", f"POLYGON({mixed})", f"POLYGON({plain})")
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 20


def test_a_join_of_systems(release: Release) -> None:
    """Columns that hold galactic coordinates are matched with those that hold equatorial ones."""
    turned = "ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec))"
    inner = f"SELECT id, COORD1({turned}) AS l, COORD2({turned}) AS b FROM stars WHERE MOD(id, 40) = 3"
    rows = release.rows(
        f"SELECT g.id, s.id FROM ({inner}) AS g "
        "JOIN (SELECT id, ra, dec FROM stars WHERE MOD(id, 8) = 3) AS s "
        "ON DISTANCE(POINT('GALACTIC', g.l, g.b), POINT(s.ra, s.dec)) < 0.05"
    )
    stars = sky(release)
    first, second = np.arange(3, len(stars), 40), np.arange(3, len(stars), 8)
    apart = stars[first][:, None].separation(stars[second][None, :]).deg
    pairs = [(int(first[i]), int(second[j])) for i, j in zip(*np.nonzero(apart < 0.05), strict=True)]
    assert sorted(rows) == sorted(pairs)
    assert len(rows) >= len(first)


def test_what_a_shape_tells_is_its_own(release: Release) -> None:
    """COORD1, COORD2 and COORDSYS give back what was written; CENTROID stays in the system."""
    assert release.rows(
        "SELECT COORD1(POINT('GALACTIC', z, 2)), COORD2(POINT('GALACTIC', 1, id)), "
        "COORDSYS(POINT('galactic', 1, 2)), "
        "COORDSYS(CENTROID(CIRCLE('J2000 GEOCENTER', 1, 2, 3))), COORD1(CENTROID(CIRCLE('FK4', 5, 2, 3))), "
        "COORDSYS(pos), COORDSYS(POINT('UNKNOWNFRAME', 1, 2)), COORDSYS(BOX(POINT('FK4', 1, 2), 3, 4)), "
        "COORDSYS(ivo_geom_transform('ICRS', 'ECLIPTIC', pos)), COORDSYS(REGION('Position ECLIPTIC 1 2')), "
        "AREA(CIRCLE('GALACTIC', 1, 2, 90)) - AREA(CIRCLE(1, 2, 90)) FROM extra WHERE id = 1"
    ) == [
        (0.5, 1.0, "GALACTIC", "FK5", 5.0, "ICRS", "ICRS", "FK4", "ECLIPTIC", "ECLIPTIC", 0.0),
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("POINT('GALACTIC', 0, 90) = POINT('GALACTIC', 10, 90)", 1),
        ("POINT('GALACTIC', 0, 90) = POINT('ICRS', 192.85947789477606, 27.128252414968028)", 1),
        ("POINT('GALACTIC', 0, 90) = POINT('ICRS', 0, 90)", 0),
        ("POINT('FK5', 1, 2) = POINT(1, 2)", 1),
        ("CIRCLE('FK5', 1, 2, 3) = CIRCLE('ICRS', 1, 2, 3)", 1),
        ("CIRCLE('GALACTIC', 1, 2, 3) = CIRCLE('ICRS', 1, 2, 3)", 0),
        ("COALESCE(POINT('GALACTIC', 1, 2), POINT('GALACTIC', z, z)) = POINT('GALACTIC', 1, 2)", 1),
        ("INTERSECTS(CIRCLE('GALACTIC', 0, 90, 1), CIRCLE(192, 27, 1)) = 1", 1),
        ("INTERSECTS(CIRCLE('GALACTIC', 0, 90, 1), CIRCLE(0, 90, 1)) = 1", 0),
        ("CONTAINS(CIRCLE('GALACTIC', 0, 90, 1), BOX('ICRS', 192, 27, 8, 8)) = 1", 1),
        ("CONTAINS(BOX('SUPER_GALACTIC', 1, 2, 3, 4), CIRCLE('SUPER_GALACTIC', 1, 2, 5)) = 1", 1),
        (
            "ivo_healpix_index(5, POINT('GALACTIC', 0, 90)) = ivo_healpix_index(5, 192.8594779, 27.1282524)",
            True,
        ),
        ("DISTANCE(POINT('GALACTIC', z + NULL, 2), POINT(1, 2)) > 0", 0),
    ],
)
def test_relations_across_systems(release: Release, condition: str, expected: int) -> None:
    """Shapes are compared where they are on the sky, and nothing where they are unknown."""
    assert len(release.values(f"SELECT id FROM extra WHERE id = 1 AND {condition}")) == expected


def test_conversions_of_rows_are_limited(release: Release) -> None:
    """What is converted row by row is written out at length, so there is a limit; numbers have none."""
    many = " OR ".join(f"1 = CONTAINS(POINT('GALACTIC', ra, dec), CIRCLE({i}, 8, 1))" for i in range(200))
    with pytest.raises(QueryError, match="converts more than 150 positions"):
        release.translate(f"SELECT id FROM stars WHERE {many}")
    nested = "ra"
    for _ in range(3):
        nested = f"DISTANCE(POINT('GALACTIC', {nested}, dec), POINT('FK4', {nested}, dec))"
    with pytest.raises(QueryError, match="converts more than 150 positions"):
        release.translate(f"SELECT {nested} AS x FROM stars")
    vertices = ", ".join(f"POINT('GALACTIC', {i * 0.72}, 80)" for i in range(500))
    query = f"SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON('FK4', {vertices}))"
    near = sky(release).separation(place(0, 90, "galactic")).deg < 9.99
    assert set(release.stars["id"][near]) <= set(release.values(query))
    assert release.translate(query).spatial_index


@pytest.mark.parametrize(
    ("value", "frame", "system"),
    [
        ("POINT('GALACTIC', ra, dec)", "GALACTIC", "galactic"),
        ("CIRCLE('FK5', ra, dec, 1)", "FK5", "eq_FK5"),
        ("BOX('FK4', 1, 2, 3, 4)", "FK4", "eq_FK4"),
        ("POLYGON('ECLIPTIC', 1, 2, 3, 4, 5, 0)", "ECLIPTIC", "ecl_FK5"),
        (
            "ivo_geom_transform('ICRS', 'SUPER_GALACTIC', CIRCLE(ra, dec, 1))",
            "SUPER_GALACTIC",
            "supergalactic",
        ),
        ("POINT('ICRS', ra, dec)", "ICRS", "ICRS"),
        ("POINT(ra, dec)", None, "ICRS"),
    ],
)
def test_columns_of_results_name_their_frame(
    release: Release, value: str, frame: str | None, system: str
) -> None:
    """A shape in the result has its own coordinates, and its FIELD refers to their COOSYS."""
    inner = f"SELECT p FROM (SELECT {value} AS p FROM stars) AS s"
    (column,) = release.translate(inner).columns
    assert column.frame == (None if frame is None else Frame(frame, stated="ivo" not in value))
    document = parse(BytesIO(without_data([column], Notes())), verify="exception")
    (found,) = document.iter_coosys()
    (field,) = document.get_first_table().fields
    assert (found.system, field.ref) == (system, found.ID)
