"""Every geometric function beside brute force in 80 bits; `bench/geometry.py` asks much more."""

from __future__ import annotations

import pytest
from adql.geometry_cases import EXPRESSIONS, Verdict, judged, judged_cones, judged_polygons
from adql.small_release import Release


def _judge(verdict: Verdict, *names: str) -> None:
    assert not verdict.wrong, verdict.wrong[:3]
    for name in names:
        assert verdict.right[name] > 10 * verdict.uncertain[name]


def test_shapes_of_columns_are_as_brute_force_has_them() -> None:
    """Points, circles and polygons of any size, at poles, seams and antipodes, relate as geometry says."""
    _judge(judged(1200), *EXPRESSIONS, "area", "centroid", "distance")


NORTH, SOUTH = [(lon, 10) for lon in range(0, 340, 20)], [(lon, -10) for lon in range(320, -1, -20)]
BELT = ", ".join(f"{lon}, {lat}" for lon, lat in NORTH + SOUTH)
"""A polygon that fits into no hemisphere: 20 degrees around the equator, but for a gap of 40 degrees."""


@pytest.mark.parametrize(
    ("lon", "lat", "expected"),
    [
        (0.1, 0, 1),
        (100, 5, 1),
        (200, -5, 1),
        (319, 0, 1),
        (340, 0, 0),
        (50, 30, 0),
        (50, -30, 0),
        (0, 90, 0),
    ],
)
def test_polygons_around_the_sky(release: Release, lon: float, lat: float, expected: int) -> None:
    """Which of its sides is the smaller one is found for a polygon of any extent."""
    query = f"SELECT TOP 1 CONTAINS(POINT({lon}, {lat}), POLYGON({BELT})) FROM sim1.extra"
    assert release.values(query) == [expected]
    area = release.values(f"SELECT TOP 1 AREA(POLYGON({BELT})) FROM sim1.extra")[0]
    assert 6400 < area < 6500


def test_circles_in_numbers_are_as_brute_force_has_them() -> None:
    """The stored index leaves no position out and lets none in."""
    _judge(judged_cones(60, 200), "point in written circle")


def test_polygons_in_numbers_are_as_brute_force_has_them() -> None:
    """Convex polygons, which are half-spaces, and others, which are functions, agree with the plane."""
    _judge(judged_polygons(300), "point in written polygon")
