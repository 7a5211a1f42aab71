"""Places that clients ask about: positions, circles, boxes, ranges, polygons, as arrays of `vo.regions`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vo.dali import Params
from vo.errors import UsageError
from vo.literals import number
from vo.regions.polygons import crossing_edges, polygon_area, vertices_of
from vo.shapes import Shape, parse_shape, shape_of_numbers

MOST_PLACES = 1_000
"""Places of one request; more of them are a table of positions."""

_MOST_VERTICES = 4_000  # of all polygons of a request
_FEWEST_VERTICES = 3
_NO_AREA = 1e-20  # steradians: 20 micro-arcseconds by as many
_WHOLE_SKY = (0.0, 0.0, 180.0)
_WIDEST_BOX = 180.0

Numbers = tuple[float, ...]


def places(params: Params) -> tuple[Numbers, ...]:
    """The places of POS, CIRCLE and POLYGON, each of which may be repeated; they are alternatives."""
    found = [
        place
        for name, read in (("POS", _any), ("CIRCLE", _circle), ("POLYGON", _polygon))
        for value in params.all(name)
        for place in read(value)
    ]
    if len(found) > MOST_PLACES:
        raise UsageError(
            f"{len(found):,} places are asked for, and may be {MOST_PLACES:,}.",
            hint="Send many positions as a table to /footprint/tiles/async.",
        )
    vertices = sum(len(place) // 2 for place in found)
    if vertices > _MOST_VERTICES:
        raise UsageError(f"The polygons have {vertices:,} vertices in all, and may have {_MOST_VERTICES:,}.")
    return tuple(found)


def _any(value: str) -> Iterator[Numbers]:
    word, *rest = value.split() or [""]
    match word.upper():
        case "POINT":
            yield from _regions(shape_of_numbers("POS", "CIRCLE", [*_exactly(2, "POINT", rest), "0"]))
        case "BOX":
            yield _box([number(each, "POS=BOX") for each in _exactly(4, "BOX", rest)])
        case _:
            yield from _regions(parse_shape("POS", value))


def _exactly(count: int, word: str, texts: Sequence[str]) -> Sequence[str]:
    if len(texts) != count:
        raise UsageError(f"A {word} has {count} numbers, not {len(texts)}.")
    return texts


def _box(numbers: Sequence[float]) -> Numbers:
    """A box as ADQL 2.1 (4.2.10) has it: a rectangle on the plane that touches the sky in its centre."""
    lon, lat, width, height = numbers
    if not (0 <= lon <= 360 and -90 <= lat <= 90):  # noqa: PLR2004
        raise UsageError(f"POS: ({lon:g}, {lat:g}) is no position in degrees.")
    if not (0 < width < _WIDEST_BOX and 0 < height < _WIDEST_BOX):
        raise UsageError(
            f"A BOX is wider than 0 and than {_WIDEST_BOX:g} degrees less, not {width:g} by {height:g}."
        )
    return lon, lat, width, height


def _circle(value: str) -> Iterator[Numbers]:
    yield from _regions(shape_of_numbers("CIRCLE", "CIRCLE", value.split()))


def _polygon(value: str) -> Iterator[Numbers]:
    yield from _regions(shape_of_numbers("POLYGON", "POLYGON", value.split()))


def _regions(shape: Shape) -> Iterator[Numbers]:
    """The arrays of a shape; a polygon must go round something."""
    if shape.word == "POLYGON":
        _check_polygon(shape.numbers)
    if shape.is_whole_sky:
        yield _WHOLE_SKY
        return
    yield from (numbers for _, numbers in shape.parts())


def _check_polygon(numbers: Numbers) -> None:
    if len(numbers) > 2 * _MOST_VERTICES:
        raise UsageError(
            f"A polygon has {len(numbers) // 2:,} vertices, and may have {_MOST_VERTICES:,}.",
            hint="Leave out vertices that change little.",
        )
    vertices = vertices_of(np.array(numbers))
    first, second = crossing_edges(vertices)
    if first >= 0:
        raise UsageError(
            f"The polygon crosses itself: its edges {first + 1} and {second + 1} cross.",
            hint="Send its vertices in the order of the border.",
        )
    if len(vertices) < _FEWEST_VERTICES or polygon_area(vertices) <= _NO_AREA:
        raise UsageError("The polygon has no inside.", hint="It needs three vertices that are not in line.")
