"""Shapes on the sky as DALI writes them in parameters (DALI 1.1, 3.3; SIA 2.0, 2.1.1), in degrees, ICRS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
_WHOLE_SKY = (0.0, 360.0, -90.0, 90.0)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape by its word, CIRCLE, RANGE or POLYGON, and its numbers, judged.

    Those of a range are finite; its second longitude is above 360 where it passes 0 h.
    """

    word: str
    numbers: tuple[float, ...]

    @property
    def is_whole_sky(self) -> bool:
        """Whether it leaves nothing out."""
        return self.word == "RANGE" and self.numbers == _WHOLE_SKY

    def parts(self) -> Iterator[tuple[str, tuple[float, ...]]]:
        """The circles and polygons that make it: their words and numbers."""
        if self.word != "RANGE":
            yield self.word, self.numbers
            return
        for outline in _outlines(self.numbers):
            yield "POLYGON", tuple(value for lon, lat in outline for value in (lon % 360.0, lat))


def parse_shape(name: str, value: str) -> Shape:
    """The shape `value` of the parameter `name`, which begins with its word (SIA 2.0, 2.1.1).

    >>> parse_shape("POS", "circle 12 34 0.5"), parse_shape("POS", "RANGE 350 10 -Inf 0").numbers
    (Shape(word='CIRCLE', numbers=(12.0, 34.0, 0.5)), (350.0, 370.0, -90.0, 0.0))
    """
    word, *rest = value.split() or [""]
    if word.upper() not in _JUDGED:
        raise UsageError(
            f"{name} must begin with {', '.join(_JUDGED)}, not {word[:40]!r}.",
            hint=f"Send {name}=CIRCLE 12.0 34.0 0.5, for example.",
        )
    return shape_of_numbers(name, word.upper(), rest)


def shape_of_numbers(name: str, word: str, texts: Sequence[str]) -> Shape:
    """The shape of a known word from the texts of its numbers (DALI 1.1, 3.3.6 and 3.3.7)."""
    what = name if name == word else f"{name}={word}"
    numbers = [number(each, what, infinite=word == "RANGE") for each in texts]
    return Shape(word, tuple(_JUDGED[word](name, numbers)))


def _circle(name: str, numbers: Sequence[float]) -> Sequence[float]:
    if len(numbers) != 3:  # noqa: PLR2004  longitude, latitude, radius
        raise UsageError(f"A CIRCLE has longitude, latitude and radius, not {len(numbers)} numbers.")
    _check(name, numbers[:2])
    if not 0 <= numbers[2] <= 180:  # noqa: PLR2004
        raise UsageError(f"The radius of a CIRCLE must be between 0 and 180 degrees, but is {numbers[2]:g}.")
    return numbers


def _polygon(name: str, numbers: Sequence[float]) -> Sequence[float]:
    if len(numbers) % 2 or len(numbers) < 2 * _FEWEST_VERTICES:
        raise UsageError(f"A POLYGON has at least three pairs of numbers, not {len(numbers)} numbers.")
    _check(name, numbers)
    return numbers


def _range(name: str, numbers: Sequence[float]) -> Sequence[float]:
    """A range with its borders; a first longitude above the second passes 0 h."""
    if len(numbers) != 4:  # noqa: PLR2004  two longitudes, two latitudes
        raise UsageError(f"A RANGE has two longitudes and two latitudes, not {len(numbers)} numbers.")
    west, east = _finite(numbers[0], 0.0, 360.0), _finite(numbers[1], 0.0, 360.0)
    south, north = _finite(numbers[2], -90.0, 90.0), _finite(numbers[3], -90.0, 90.0)
    _check(name, (west, south, east, north))
    if south > north:
        raise UsageError(f"RANGE: {south:g} is above {north:g}.", hint="Send the lower latitude first.")
    return west, east + 360.0 * (west > east), south, north


def _finite(value: float, lowest: float, highest: float) -> float:
    """Infinity is the end of the axis (SIA 2.0, 2.1.1)."""
    return {-math.inf: lowest, math.inf: highest}.get(value, value)


def _check(name: str, numbers: Sequence[float]) -> None:
    """Longitudes are in [0, 360] and latitudes in [-90, 90] (SIA 2.0, 2.1.1)."""
    for lon, lat in zip(numbers[::2], numbers[1::2], strict=True):
        if not (0 <= lon <= 360 and -90 <= lat <= 90):  # noqa: PLR2004
            raise UsageError(f"{name}: ({lon:g}, {lat:g}) is no position in degrees.")


_JUDGED: Mapping[str, Callable[[str, Sequence[float]], Sequence[float]]] = {
    "CIRCLE": _circle,
    "RANGE": _range,
    "POLYGON": _polygon,
}


def _outlines(numbers: Sequence[float]) -> Iterator[list[Point]]:
    """Polygons that make a range."""
    west, east, south, north = numbers
    east = max(east, west + _NARROWEST)
    spare = _NARROWEST / 2 if north - south < _NARROWEST else 0.0
    south, north = max(-90.0, south - spare), min(90.0, north + spare)
    pieces = math.ceil((east - west) / _WIDEST)
    borders = [west + (east - west) * piece / pieces for piece in range(pieces + 1)]
    return (_outline(a, b, south, north) for a, b in pairwise(borders))


def _outline(west: float, east: float, south: float, north: float) -> list[Point]:
    """The border of a range, from its south-western corner by way of the east; a pole is one vertex."""
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
