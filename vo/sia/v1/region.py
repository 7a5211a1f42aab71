"""The region of interest (SIA 1.0, 4.1.1), and how an image may lie to it, as ADQL on s_region."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from vo.shapes import Point, Shape

NOWHERE = "1 = 0"
"""The condition that no image meets."""

_DEFAULT_SIZE = 0.05
"""Degrees along the sides of a cutout where SIZE is 0 (SIA 1.0, 4.1.1)."""

_ANYWHERE = "s_region IS NOT NULL"
_TURN, _HALF_TURN, _RIGHT_ANGLE = 360.0, 180.0, 90.0


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle, north up, of `width` and `height` degrees around (`ra`, `dec`), in degrees (ICRS).

    It is one of longitudes and latitudes on a sphere that is turned so that POS lies on its equator: the
    plate carrée with POS for reference that the standard asks for. So it is as wide at a pole as elsewhere.
    """

    ra: float
    dec: float
    width: float
    height: float

    @property
    def is_point(self) -> bool:
        """Whether SIZE is 0: then the images are wanted that hold the position."""
        return self.width == self.height == 0

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """West, east, south and north on the turned sphere."""
        width, height = min(self.width, _TURN), min(self.height, _HALF_TURN)
        return -width / 2, width / 2, -height / 2, height / 2

    @property
    def can_be_cut(self) -> bool:
        """Whether it has four corners on one half of the sky."""
        return max(self.width, self.height) < _HALF_TURN

    @property
    def cut_size(self) -> tuple[float, float]:
        """Width and height of what is cut: a side of no length has the default size."""
        return self.width or _DEFAULT_SIZE, self.height or _DEFAULT_SIZE

    def corners(self) -> list[Point]:
        """Corners of what is cut, on the sky, from the south-west by way of the south-east.

        Great circles between them leave out nothing of the region.
        """
        east, north = (side / 2 for side in self.cut_size)
        return [
            self.place(*corner) for corner in ((-east, -north), (east, -north), (east, north), (-east, north))
        ]

    def place(self, lon: float, lat: float) -> Point:
        """The position on the sky of one on the turned sphere."""
        lon, lat, dec = map(math.radians, (lon, lat, self.dec))
        outward, east, north = math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)
        across = outward * math.cos(dec) - north * math.sin(dec)
        up = outward * math.sin(dec) + north * math.cos(dec)
        return self.ra + math.degrees(math.atan2(east, across)), math.degrees(
            math.atan2(up, math.hypot(across, east))
        )

    def polygons(self, west: float, east: float, south: float, north: float) -> list[str]:
        """Polygons of ADQL that make up a range on the turned sphere."""
        parts = (numbers for _, numbers in Shape("RANGE", (west, east, south, north)).parts())
        return [f"POLYGON({self._numbers(zip(part[::2], part[1::2], strict=True))})" for part in parts]

    def circle(self, lon: float, lat: float, radius: float) -> str:
        """A circle of ADQL around a position on the turned sphere."""
        return f"CIRCLE({self._numbers([(lon, lat)])}, {radius!r})"

    def _numbers(self, points: Iterable[Point]) -> str:
        """Positions on the turned sphere as numbers on the sky."""
        places = (self.place(*point) for point in points)
        return ", ".join(f"{ra % _TURN!r}, {dec!r}" for ra, dec in places)


def _overlaps(region: Region) -> str:
    if region.is_point:
        return _center(region)
    if region.width >= _TURN:
        # As an image is in one piece, it has some of a band if it has some of each of the caps that share it.
        return _all_of(f"INTERSECTS(s_region, {cap}) = 1" for cap in _caps(region))
    pieces = region.polygons(*region.sides)
    return f"({' OR '.join(f'INTERSECTS(s_region, {piece}) = 1' for piece in pieces)})"


def _covers(region: Region) -> str:
    if region.is_point:
        return _center(region)
    return _all_of(f"CONTAINS({piece}, s_region) = 1" for piece in region.polygons(*region.sides))


def _enclosed(region: Region) -> str:
    if region.is_point:
        return NOWHERE
    west, east, _, _ = region.sides
    circles = _caps(region)
    if region.width <= _HALF_TURN:
        circles.append(region.circle(west + _RIGHT_ANGLE, 0.0, _RIGHT_ANGLE))
        circles.append(region.circle(east - _RIGHT_ANGLE, 0.0, _RIGHT_ANGLE))
    terms = [f"CONTAINS(s_region, {circle}) = 1" for circle in circles]
    if _HALF_TURN < region.width < _TURN:
        rest = region.polygons(east, west + _TURN, -_RIGHT_ANGLE, _RIGHT_ANGLE)
        terms += [f"INTERSECTS(s_region, {piece}) = 0" for piece in rest]
    return _all_of(terms)


def _center(region: Region) -> str:
    return f"CONTAINS(POINT({region.ra!r}, {region.dec!r}), s_region) = 1"


def _caps(region: Region) -> list[str]:
    """What is north of the south side, and what is south of the north side, unless that is everything."""
    if region.height >= _HALF_TURN:
        return []
    radius = _RIGHT_ANGLE + region.height / 2
    return [region.circle(0.0, pole, radius) for pole in (_RIGHT_ANGLE, -_RIGHT_ANGLE)]


def _all_of(terms: Iterable[str]) -> str:
    return " AND ".join(terms) or _ANYWHERE


INTERSECT: Mapping[str, Callable[[Region], str]] = {
    "COVERS": _covers,
    "ENCLOSED": _enclosed,
    "CENTER": _center,
    "OVERLAPS": _overlaps,
}
"""What an image must do to the region, and the condition that it does."""
