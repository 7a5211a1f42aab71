"""The sky that rows cover: of positions their cells, of regions all cells with some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from vo.adql.boxes import box_corners
from vo.adql.kinds import Kind, kind_of
from vo.adql.stcs import SHAPE_IN_WORDS, shape
from vo.catalog import Column, frames_agree
from vo.errors import UsageError
from vo.moc import Moc, cone_moc, polygon_moc, read_ascii
from vo.moc.moc import Cells, Ranges, joined, shift
from vo.moc.shapes import WIDEST

MOST_RANGES = 1_000_000
"""Ranges of cells of one MOC at the most."""

_JOINED_AT = 1_000_000  # ranges that wait to be joined
_CIRCLE = 3  # numbers
_IN_WORDS = re.compile(SHAPE_IN_WORDS, re.IGNORECASE)

Read = Callable[[pa.RecordBatch], Iterator[Ranges]]
"""The ranges of cells of order 29 that the rows of a batch cover."""


@dataclass(frozen=True, slots=True)
class Place:
    """The columns, counted from 0, that say where a row is: a position in two, or one shape."""

    kind: Kind
    columns: tuple[int, ...]


def place_of(columns: Sequence[Column]) -> Place:
    """Where the rows of a result are: its main position, a position, or a shape; UsageError: nowhere."""
    pairs = [_with_ucd(columns, f"pos.eq.{axis}") for axis in ("ra", "dec")]
    if all(pairs):
        return Place(Kind.REAL, (pairs[0][0], pairs[1][0]))
    for number, column in enumerate(columns):
        if kind_of(column) in _SHAPES:
            if not frames_agree(None, column.frame):
                raise UsageError(f"The column {column.name} is not in ICRS.")
            return Place(kind_of(column), (number,))
    raise UsageError(
        "The query tells no positions.",
        hint="Select right ascension and declination (UCDs pos.eq.ra and pos.eq.dec), or a POINT, CIRCLE, "
        "POLYGON, region or MOC.",
    )


def _with_ucd(columns: Sequence[Column], ucd: str) -> list[int]:
    """The numeric columns of a UCD, those of the main position first."""
    found = [
        number
        for number, column in enumerate(columns)
        if column.is_numeric and (column.ucd or "").lower().split(";")[0] == ucd
    ]
    return sorted(found, key=lambda number: "meta.main" not in (columns[number].ucd or "").lower())


def covered(place: Place, batches: Iterable[pa.RecordBatch], order: int, check: Callable[[], None]) -> Moc:
    """The MOC of an order of all rows; `check` is called between batches, to stop early."""

    def pieces() -> Iterator[Ranges]:
        for batch in batches:
            check()
            yield from _READERS[place.kind]([batch.column(number) for number in place.columns], order)

    return gathered(pieces(), order)


def cells_covered(batches: Iterable[pa.RecordBatch], order: int, check: Callable[[], None]) -> Moc:
    """The MOC of rows that are cells of an order."""

    def pieces() -> Iterator[Ranges]:
        for batch in batches:
            check()
            yield Moc.from_cells(order, batch.column(0).drop_null().to_numpy()).ranges

    return gathered(pieces(), order)


def gathered(pieces: Iterable[Ranges], order: int) -> Moc:
    """All ranges as one MOC, joined now and then so that few wait."""
    waiting: list[Ranges] = []
    count = 0
    for ranges in pieces:
        waiting.append(ranges)
        count += len(ranges)
        if count > _JOINED_AT:
            waiting = [_bounded(joined(np.concatenate(waiting)), order)]
            count = 0
    whole = joined(np.concatenate([np.empty((0, 2), np.int64), *waiting]))
    return Moc(order, _bounded(whole, order))


def _bounded(ranges: Ranges, order: int) -> Ranges:
    if len(ranges) > MOST_RANGES:
        raise UsageError(
            f"The MOC of order {order} has more than {MOST_RANGES:,} ranges of cells.",
            hint="Send a smaller ORDER.",
        )
    return ranges


def cells_of(lon: np.ndarray, lat: np.ndarray, order: int) -> Cells:
    """The cells of positions in degrees, those left out that are none."""
    known = np.isfinite(lon) & (np.abs(lat) <= 90)  # noqa: PLR2004  degrees
    found = lonlat_to_healpix(
        Longitude(lon[known] % 360, units.deg), Latitude(lat[known], units.deg), order, num_threads=1
    )
    return np.asarray(found, np.int64)


def _of_positions(columns: Sequence[pa.Array], order: int) -> Iterator[Ranges]:
    lon, lat = (_numbers(column) for column in columns)
    yield Moc.from_cells(order, np.unique(cells_of(lon, lat, order))).ranges


def _of_points(columns: Sequence[pa.Array], order: int) -> Iterator[Ranges]:
    points = columns[0].drop_null().flatten()
    values = _numbers(points)
    yield from _of_positions([pa.array(values[0::2]), pa.array(values[1::2])], order)


def _of_arrays(columns: Sequence[pa.Array], order: int) -> Iterator[Ranges]:
    return outlines(columns[0], order)


def outlines(column: pa.Array, order: int) -> Iterator[Ranges]:
    """The ranges of each circle or polygon, which their numbers tell apart; none of what is NULL."""
    array = column.cast(pa.list_(pa.float64()))
    array = pc.if_else(array.is_valid(), array, pa.scalar([], pa.list_(pa.float64())))
    numbers = _numbers(array.values)
    offsets = array.offsets.to_numpy(zero_copy_only=False)
    for begin, end in pairwise(offsets):
        yield _of_numbers(numbers[begin:end], order)


def _of_numbers(numbers: np.ndarray, order: int) -> Ranges:
    """The ranges of a point, circle or polygon; none of what is no shape."""
    if not np.isfinite(numbers).all() or len(numbers) < 2:  # noqa: PLR2004  a position
        return Moc.empty(order).ranges
    if len(numbers) > _CIRCLE:
        return polygon_moc(numbers, order).ranges
    lon, lat, radius = (*numbers.tolist(), 0.0)[:3]
    if radius > WIDEST:
        raise UsageError(f"A circle of a MOC may have a radius of {WIDEST:g} degrees, not {radius:g}.")
    return cone_moc(lon, lat, radius, order).ranges if radius >= 0 else Moc.empty(order).ranges


def _of_words(columns: Sequence[pa.Array], order: int) -> Iterator[Ranges]:
    """Regions in the words of STC-S, in ICRS; each way of writing one once."""
    for text in columns[0].unique().drop_null().to_pylist():
        known = shape(text) if _IN_WORDS.fullmatch(text) else None
        if known is not None:
            name, _, values = known
            yield _of_numbers(np.array(box_corners(*values) if name == "BOX" else values), order)


def _of_mocs(columns: Sequence[pa.Array], order: int) -> Iterator[Ranges]:
    for text in columns[0].unique().drop_null().to_pylist():
        yield read_ascii(text).degraded(order).ranges


def _numbers(column: pa.Array) -> np.ndarray:
    """The values as doubles, NaN where there is none."""
    return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False))


_SHAPES: Mapping[Kind, Callable[[Sequence[pa.Array], int], Iterator[Ranges]]] = {
    Kind.POINT: _of_points,
    Kind.CIRCLE: _of_arrays,
    Kind.POLYGON: _of_arrays,
    Kind.REGION: _of_words,
    Kind.MOC: _of_mocs,
}
_READERS = {Kind.REAL: _of_positions, **_SHAPES}


def shares(moc: Moc, order: int, most: int) -> tuple[Cells, np.ndarray]:
    """The cells of an order with some of a MOC, and the part of each that is covered."""
    bits = shift(order)
    first, last = moc.ranges[:, 0] >> bits, (moc.ranges[:, 1] - 1) >> bits
    if int((last - first + 1).sum()) > most:
        raise UsageError(
            f"The map has more than {most:,} cells of order {order}.", hint="Send a smaller ORDER."
        )
    counts = last - first + 1
    before = np.cumsum(counts) - counts
    cells = np.repeat(first - before, counts) + np.arange(counts.sum())
    row = np.repeat(np.arange(len(counts)), counts)
    low = np.maximum(moc.ranges[row, 0], cells << bits)
    high = np.minimum(moc.ranges[row, 1], (cells + 1) << bits)
    found, inverse = np.unique(cells, return_inverse=True)
    return found, np.bincount(inverse, weights=(high - low).astype(np.float64), minlength=len(found)) / (
        1 << bits
    )
