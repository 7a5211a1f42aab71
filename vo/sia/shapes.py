"""The shapes of POS (SIA 2.0, 2.1.1) as conditions of ADQL on s_region."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from vo.errors import UsageError
from vo.literals import number

_PARALLEL_STEP = 0.25
"""Degrees between vertices along a parallel: the great circles between are off by 0.25 arcsec at most."""

_MERIDIAN_STEP = 45.0
_WIDEST = 30.0
"""Degrees of longitude of one polygon of a range."""

_NARROWEST = 1e-7
"""Degrees to which a range without any width is widened: a polygon needs an inside."""

_FEWEST_VERTICES = 3

Point = tuple[float, float]


def meets(name: str, value: str) -> str:
    """The condition that an image meets the shape `value` of the parameter `name`."""
    word, *rest = value.split() or [""]
    shape = _SHAPES.get(word.upper())
    if shape is None:
        raise UsageError(
            f"{name} must begin with {', '.join(_SHAPES)}, not {word[:40]!r}.",
            hint=f"Send {name}=CIRCLE 12.0 34.0 0.5, for example.",
        )
    return shape([number(each, f"{name}={word}", infinite=word.upper() == "RANGE") for each in rest])


def _circle(numbers: Sequence[float]) -> str:
    if len(numbers) != 3:  # noqa: PLR2004  longitude, latitude, radius
        raise UsageError(f"A CIRCLE has longitude, latitude and radius, not {len(numbers)} numbers.")
    _check(numbers[:2])
    if not 0 <= numbers[2] <= 180:  # noqa: PLR2004
        raise UsageError(f"The radius of a CIRCLE must be between 0 and 180 degrees, but is {numbers[2]:g}.")
    return _intersects("CIRCLE", numbers)


def _polygon(numbers: Sequence[float]) -> str:
    if len(numbers) % 2 or len(numbers) < 2 * _FEWEST_VERTICES:
        raise UsageError(f"A POLYGON has at least three pairs of numbers, not {len(numbers)} numbers.")
    _check(numbers)
    return _intersects("POLYGON", numbers)


def _range(numbers: Sequence[float]) -> str:
    """Any images in the range, its borders included; a first longitude above the second passes 0 h."""
    if len(numbers) != 4:  # noqa: PLR2004  two longitudes, two latitudes
        raise UsageError(f"A RANGE has two longitudes and two latitudes, not {len(numbers)} numbers.")
    west, east = _finite(numbers[0], 0.0, 360.0), _finite(numbers[1], 0.0, 360.0)
    south, north = _finite(numbers[2], -90.0, 90.0), _finite(numbers[3], -90.0, 90.0)
    _check((west, south, east, north))
    if south > north:
        raise UsageError(f"RANGE: {south:g} is above {north:g}.", hint="Send the lower latitude first.")
    if west > east:
        east += 360.0
    if (west, east, south, north) == (0.0, 360.0, -90.0, 90.0):
        return "s_region IS NOT NULL"
    east = max(east, west + _NARROWEST)
    south, north = max(-90.0, south - _spare(south, north)), min(90.0, north + _spare(south, north))
    pieces = math.ceil((east - west) / _WIDEST)
    borders = [west + (east - west) * piece / pieces for piece in range(pieces + 1)]
    outlines = (_outline(a, b, south, north) for a, b in pairwise(borders))
    return " OR ".join(
        _intersects("POLYGON", [value for lon, lat in outline for value in (lon % 360.0, lat)])
        for outline in outlines
    )


def _spare(south: float, north: float) -> float:
    return _NARROWEST / 2 if north - south < _NARROWEST else 0.0


def _finite(value: float, lowest: float, highest: float) -> float:
    """Infinity is the end of the axis (SIA 2.0, 2.1.1)."""
    return {-math.inf: lowest, math.inf: highest}.get(value, value)


def _outline(west: float, east: float, south: float, north: float) -> list[Point]:
    """The border of a range, counter-clockwise from its south-western corner; a pole is one vertex."""
    return [
        *_parallel(west, east, south),
        *((east, lat) for lat in _between(south, north)),
        *_parallel(east, west, north),
        *((west, lat) for lat in _between(north, south)),
    ]


def _parallel(start: float, end: float, lat: float) -> Iterator[Point]:
    if abs(lat) == 90.0:  # noqa: PLR2004
        yield start, lat
        return
    steps = math.ceil(abs(end - start) / _PARALLEL_STEP)
    yield from ((start + (end - start) * step / steps, lat) for step in range(steps + 1))


def _between(start: float, end: float) -> Iterator[float]:
    steps = math.ceil(abs(end - start) / _MERIDIAN_STEP)
    yield from (start + (end - start) * step / steps for step in range(1, steps))


def _check(numbers: Sequence[float]) -> None:
    """Longitudes are in [0, 360] and latitudes in [-90, 90] (SIA 2.0, 2.1.1)."""
    for lon, lat in zip(numbers[::2], numbers[1::2], strict=True):
        if not (0 <= lon <= 360 and -90 <= lat <= 90):  # noqa: PLR2004
            raise UsageError(f"POS: ({lon:g}, {lat:g}) is no position in degrees.")


def _intersects(shape: str, numbers: Sequence[float]) -> str:
    return f"INTERSECTS(s_region, {shape}({', '.join(map(repr, numbers))})) = 1"


_SHAPES: Mapping[str, Callable[[Sequence[float]], str]] = {
    "CIRCLE": _circle,
    "RANGE": _range,
    "POLYGON": _polygon,
}
