"""Geometry on the sphere by brute force, in 80 bits: what the queries must give, found by other formulae.

Polygons are judged in a gnomonic projection, where great circles are straight lines and the rules of the
plane hold. Nothing here is shared with the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
LONG = np.longdouble
DEGREE = np.arccos(LONG(-1)) / 180
FLAT = 1e-4
"""Radians below which a polygon's centre is nearer to that in the plane than 80 bits tell otherwise."""
UNCERTAIN = 2e-14
"""Radians from a border within which the doubles of a query, though exact, may tell either side."""


def separation(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> Array:
    """Radians between positions in degrees, by Vincenty's formula."""
    a, b, c, d = (np.asarray(value, LONG) * DEGREE for value in (lon1, lat1, lon2, lat2))
    turn = a - c
    north = np.sin(b - d) + 2 * np.sin(d) * np.cos(b) * np.sin(turn / 2) ** 2
    y = np.hypot(np.cos(b) * np.sin(turn), north)
    return np.asarray(np.arctan2(y, np.sin(d) * np.sin(b) + np.cos(d) * np.cos(b) * np.cos(turn)))


def projected(lon: ArrayLike, lat: ArrayLike, lon0: float, lat0: float) -> tuple[Array, Array, Array]:
    """Gnomonic x, y around a position, and the cosine of the distance from it: below 0 is behind."""
    a, b = np.asarray(lon, LONG) * DEGREE, np.asarray(lat, LONG) * DEGREE
    turn, d = a - LONG(lon0) * DEGREE, LONG(lat0) * DEGREE
    cosine = np.sin(d) * np.sin(b) + np.cos(d) * np.cos(b) * np.cos(turn)
    north = np.sin(b - d) + 2 * np.sin(d) * np.cos(b) * np.sin(turn / 2) ** 2
    return np.cos(b) * np.sin(turn) / cosine, north / cosine, cosine


@dataclass(frozen=True)
class Outline:
    """A polygon: a position in its middle, its radius in radians, and its vertices in degrees."""

    lon0: float
    lat0: float
    radius: float
    lon: Array
    lat: Array

    @property
    def numbers(self) -> list[float]:
        """lon1, lat1, lon2, …."""
        return [float(value) for pair in zip(self.lon, self.lat, strict=True) for value in pair]

    def plane(self) -> tuple[Array, Array]:
        """The vertices in the projection around the middle."""
        x, y, cosine = projected(self.lon, self.lat, self.lon0, self.lat0)
        assert (cosine > 0).all()
        return x, y


def destination(lon: Array, lat: Array, distance: Array, bearing: Array) -> tuple[Array, Array]:
    """The positions at a distance and bearing (radians) from positions in degrees."""
    b = np.radians(lat)
    sine, cosine = np.sin(distance), np.cos(distance)
    outward = np.cos(b) * cosine - np.sin(b) * sine * np.cos(bearing)
    up = np.sin(b) * cosine + np.cos(b) * sine * np.cos(bearing)
    across = sine * np.sin(bearing)
    return lon + np.degrees(np.arctan2(across, outward)), np.degrees(
        np.arctan2(up, np.hypot(outward, across))
    )


def near(
    rng: np.random.Generator, lon: float, lat: float, size: float, wildness: int = 0
) -> tuple[float, float]:
    """A position about `size` radians from another; right ascensions of any turn if wild."""
    distance = min(size * rng.uniform(0, 1.6), 3.14)
    x, y = destination(np.array(lon), np.array(lat), np.array(distance), np.array(rng.uniform(0, 2 * np.pi)))
    return float(x) + 360 * rng.integers(-wildness, wildness + 1), float(y)


def middle(rng: np.random.Generator) -> tuple[float, float]:
    """A position: anywhere, at a pole, beside one, on the seam of right ascension, on round numbers."""
    lon, lat = rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
    match rng.integers(8):
        case 0:
            return lon, float(rng.choice([-90.0, 90.0]))
        case 1:
            return lon, float(rng.choice([-1, 1]) * (90 - 10 ** rng.uniform(-9, 0)))
        case 2:
            return float(
                rng.choice([0.0, 360.0, 10 ** rng.uniform(-9, 0), 360 - 10 ** rng.uniform(-9, 0)])
            ), lat
        case 3:
            return float(rng.integers(0, 361)), float(rng.integers(-90, 91))
    return lon, lat


def outline(rng: np.random.Generator, lon0: float, lat0: float, radius: float) -> Outline:
    """A simple polygon: convex or a star, either way around, closed or not, with more than one turn in RA."""
    count = int(rng.integers(3, 13))
    bearing = (np.arange(count) + rng.uniform(0, 0.9, count)) * 2 * np.pi / count
    distance = np.full(count, radius) if rng.random() < 0.4 else radius * rng.uniform(0.15, 1, count)
    if count < 5:
        distance = radius * rng.uniform(0.6, 1, count)
    if rng.random() < 0.5:
        bearing, distance = bearing[::-1], distance[::-1]
    if rng.random() < 0.2:
        bearing, distance = np.append(bearing, bearing[0]), np.append(distance, distance[0])
    lon, lat = destination(np.full(len(bearing), lon0), np.full(len(bearing), lat0), distance, bearing)
    return Outline(lon0, lat0, radius, lon + 360 * rng.integers(-1, 2), lat)


def _edges(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    return x, y, np.roll(x, -1), np.roll(y, -1)


def inside(shape: Outline, lon: float, lat: float) -> tuple[bool, float]:
    """Whether a position is inside, and about how far (radians) it is from the border."""
    px, py, cosine = projected(lon, lat, shape.lon0, shape.lat0)
    if cosine <= 0:
        return False, 1.0
    return in_plane(*shape.plane(), px, py)


def in_plane(x: Array, y: Array, px: Array, py: Array) -> tuple[bool, float]:
    """Whether a point of the plane is inside, and its distance from the border."""
    ax, ay, bx, by = _edges(x - px, y - py)
    spanning = (ay > 0) != (by > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(spanning, ax - ay * (bx - ax) / (by - ay), -1)
    return bool((spanning & (crossing > 0)).sum() % 2), float(border_distance(x - px, y - py))


def border_distance(x: Array, y: Array) -> np.floating[Any]:
    """The distance of the origin from a polygon's border in the plane."""
    ax, ay, bx, by = _edges(x, y)
    dx, dy = bx - ax, by - ay
    square = np.where(dx**2 + dy**2 > 0, dx**2 + dy**2, 1)
    t = np.clip(-(ax * dx + ay * dy) / square, 0, 1)
    nearest: np.floating[Any] = np.hypot(ax + t * dx, ay + t * dy).min()
    return nearest


def meet(one: Outline, other: Outline) -> tuple[bool, float]:
    """Whether two polygons meet, and how far they are from beginning or ending to."""
    x, y = one.plane()
    u, v, cosine = projected(other.lon, other.lat, one.lon0, one.lat0)
    assert (cosine > 0).all()
    margins, held = [], False
    for px, py in zip(u, v, strict=True):
        within, margin = in_plane(x, y, px, py)
        held, margins = held or within, [*margins, margin]
    for px, py in zip(x, y, strict=True):
        within, margin = in_plane(u, v, px, py)
        held, margins = held or within, [*margins, margin]
    return held or _cross(x, y, u, v), float(min(margins))


def _cross(x: Array, y: Array, u: Array, v: Array) -> bool:
    ax, ay, bx, by = (value[:, None] for value in _edges(x, y))
    cx, cy, dx, dy = (value[None, :] for value in _edges(u, v))

    def side(px: Array, py: Array, qx: Array, qy: Array, rx: Array, ry: Array) -> Array:
        return np.asarray((qx - px) * (ry - py) - (qy - py) * (rx - px))

    first = side(ax, ay, bx, by, cx, cy) * side(ax, ay, bx, by, dx, dy) < 0
    second = side(cx, cy, dx, dy, ax, ay) * side(cx, cy, dx, dy, bx, by) < 0
    return bool((first & second).any())


def within(one: Outline, other: Outline) -> tuple[bool, float]:
    """Whether `one` is in `other`, and how far they are from a change."""
    x, y = other.plane()
    u, v, cosine = projected(one.lon, one.lat, other.lon0, other.lat0)
    assert (cosine > 0).all()
    told = [in_plane(x, y, px, py) for px, py in zip(u, v, strict=True)]
    back = [in_plane(u, v, px, py) for px, py in zip(x, y, strict=True)]
    return all(held for held, _ in told) and not _cross(x, y, u, v), min(margin for _, margin in told + back)


def circle_and_polygon(
    lon: float, lat: float, radius: float, shape: Outline
) -> tuple[bool, bool, bool, float]:
    """Whether they meet, the circle is in the polygon, and the reverse; how far from a change. Radians.

    The projection is around the circle's centre: it and the polygon must be on one side of the sphere.
    """
    x, y, cosine = projected(shape.lon, shape.lat, lon, lat)
    assert (cosine > 0).all()
    centre, _ = in_plane(x, y, np.zeros((), LONG), np.zeros((), LONG))
    edge, farthest = np.arctan(border_distance(x, y)), np.arctan(np.hypot(x, y).max())
    margin = float(min(abs(edge - radius), abs(farthest - radius)))
    return bool(centre or edge <= radius), bool(centre and edge >= radius), bool(farthest <= radius), margin


def area_and_centre(shape: Outline) -> tuple[float, Array]:
    """Steradians, and the direction of the centre of mass: flat where that is nearer to the truth."""
    x, y = shape.plane()
    ax, ay, bx, by = _edges(x, y)
    twice = ax * by - ay * bx
    lon, lat = np.asarray(shape.lon, LONG) * DEGREE, np.asarray(shape.lat, LONG) * DEGREE
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    if shape.radius < FLAT:
        mean = np.array([((ax + bx) * twice).sum(), ((ay + by) * twice).sum()]) / (3 * twice.sum())
        return float(abs(twice.sum()) / 2), _unprojected(mean, shape)
    following = np.roll(vectors, -1, axis=0)
    normals = np.cross(vectors, following)
    sines = np.sqrt((normals**2).sum(axis=1))
    angles = np.arctan2(sines, (vectors * following).sum(axis=1))
    weights = np.where(sines > 0, angles / np.where(sines > 0, sines, 1), 0)
    total = (normals * weights[:, None]).sum(axis=0) * np.sign(twice.sum())
    kept = sines > 0
    return _girard(vectors[kept], counter_clockwise=bool(twice.sum() > 0)), total / np.sqrt((total**2).sum())


def _girard(vectors: Array, *, counter_clockwise: bool) -> float:
    """The area by the turns at the corners."""
    total = LONG(0)
    for before, here, after in zip(
        np.roll(vectors, 1, axis=0), vectors, np.roll(vectors, -1, axis=0), strict=True
    ):
        first, second = np.cross(before, here), np.cross(here, after)
        total += np.arctan2(np.cross(first, second) @ here, (first * second).sum())
    turned = 360 * DEGREE - (total if counter_clockwise else -total)
    return float(turned)


def _unprojected(mean: Array, shape: Outline) -> Array:
    lon, lat = LONG(shape.lon0) * DEGREE, LONG(shape.lat0) * DEGREE
    zero = LONG(0)
    middle_ = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), zero])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    found = middle_ + mean[0] * east + mean[1] * north
    return np.asarray(found / np.sqrt((found**2).sum()))
