"""Every geometric function beside brute force in 80 bits; `bench/geometry.py` asks much more."""

from __future__ import annotations

from adql.geometry_cases import EXPRESSIONS, Verdict, judged, judged_cones, judged_polygons


def _judge(verdict: Verdict, *names: str) -> None:
    assert not verdict.wrong, verdict.wrong[:3]
    for name in names:
        assert verdict.right[name] > 10 * verdict.uncertain[name]


def test_shapes_of_columns_are_as_brute_force_has_them() -> None:
    """Points, circles and polygons of any size, at poles, seams and antipodes, relate as geometry says."""
    _judge(judged(1200), *EXPRESSIONS, "area", "centroid", "distance")


def test_circles_in_numbers_are_as_brute_force_has_them() -> None:
    """The stored index leaves no position out and lets none in."""
    _judge(judged_cones(60, 200), "point in written circle")


def test_polygons_in_numbers_are_as_brute_force_has_them() -> None:
    """Convex polygons, which are half-spaces, and others, which are functions, agree with the plane."""
    _judge(judged_polygons(300), "point in written polygon")
