"""A set of HEALPix cells (nested) as sorted ranges of cells of order 29."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

FINEST = 29
"""The finest order (MOC 2.0, 4.1): its cells are numbered by 62 bits."""

ALL_CELLS: int = 12 * 4**FINEST
"""Cells of the finest order on the whole sky."""

Cells = NDArray[np.int64]
Ranges = NDArray[np.int64]
"""Half-open ranges of cells of order 29, shape (n, 2): sorted, and none touches the next."""

_SKY_DEG2 = 4 * math.pi * (180 / math.pi) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Moc:
    """The cells of `ranges`; `order` is that down to which the coverage is known, not finer than 29."""

    order: int
    ranges: Ranges

    @classmethod
    def from_cells(cls, order: int, cells: Cells, *, at: int | Cells | None = None) -> Self:
        """The coverage of some cells in any order; those of order `at` (`order`, where it is not given).

        >>> Moc.from_cells(1, np.array([0, 1, 2, 3, 5])).cells()
        {0: array([0]), 1: array([5])}
        """
        bits = shift(order if at is None else at)
        first = np.left_shift(cells.astype(np.int64), bits)
        return cls(order, joined(np.stack([first, first + np.left_shift(1, bits)], axis=1)))

    @classmethod
    def empty(cls, order: int) -> Self:
        """No coverage."""
        return cls(order, np.empty((0, 2), np.int64))

    def __eq__(self, other: object) -> bool:
        """Whether both cover the same, to the same order."""
        if not isinstance(other, Moc):
            return NotImplemented
        return self.order == other.order and np.array_equal(self.ranges, other.ranges)

    __hash__ = None  # type: ignore[assignment]  # the ranges are an array

    @property
    def cell_count(self) -> int:
        """Cells of the finest order in it."""
        return int((self.ranges[:, 1] - self.ranges[:, 0]).sum())

    @property
    def sky_fraction(self) -> float:
        """The part of the sky that it covers."""
        return self.cell_count / ALL_CELLS

    @property
    def area_deg2(self) -> float:
        """Square degrees."""
        return self.sky_fraction * _SKY_DEG2

    def cells(self) -> dict[int, Cells]:
        """The fewest cells that make it up, by order (MOC 2.0, 3.2: a cell stands for four full ones)."""
        found = dict(self._by_order())
        return {order: np.sort(cells) for order, cells in found.items() if len(cells)}

    def _by_order(self) -> Iterator[tuple[int, Cells]]:
        """Of each order the cells that fit into what coarser ones left over of the ranges."""
        rest = self.ranges
        for order in range(self.order + 1):
            size = 1 << shift(order)
            low, high = -(-rest[:, 0] // size), rest[:, 1] // size
            fits = high > low
            yield order, spelt_out(low[fits], high[fits])
            kept = np.stack([high[fits] * size, rest[fits, 1]], axis=1)
            rest = np.where(fits[:, None], np.stack([rest[:, 0], low * size], axis=1), rest)
            rest = np.concatenate([rest, kept])
            rest = rest[rest[:, 1] > rest[:, 0]]

    def holds(self, cells: Cells) -> NDArray[np.bool_]:
        """Which cells of order 29 it covers."""
        # Borders in one row: a cell inside a range has passed an odd number of them.
        return np.asarray(np.searchsorted(self.ranges.ravel(), cells, side="right") % 2 == 1)

    def degraded(self, order: int) -> Moc:
        """The coverage to a coarser order: a cell of which a part is covered is covered."""
        if order >= self.order:
            return self
        bits = shift(order)
        low, high = self.ranges[:, 0] >> bits, ((self.ranges[:, 1] - 1) >> bits) + 1
        return Moc(order, joined(np.stack([low << bits, high << bits], axis=1)))

    def __or__(self, other: Moc) -> Moc:
        """What either covers."""
        both = np.concatenate([self.ranges, other.ranges])
        return Moc(max(self.order, other.order), joined(both))

    def __and__(self, other: Moc) -> Moc:
        """What both cover."""
        return self._swept(other, 1, 1, wanted=2)

    def __invert__(self) -> Moc:
        """What it does not cover."""
        return Moc(self.order, np.array([[0, ALL_CELLS]])) - self

    def __sub__(self, other: Moc) -> Moc:
        """What this one covers and the other does not."""
        return self._swept(other, 1, -1, wanted=1)

    def _swept(self, other: Moc, ours: int, theirs: int, *, wanted: int) -> Moc:
        """Where the sum of weights of those that cover a place is the one `wanted`."""
        borders = np.concatenate([self.ranges.ravel(), other.ranges.ravel()])
        steps = np.concatenate(
            [np.tile([ours, -ours], len(self.ranges)), np.tile([theirs, -theirs], len(other.ranges))]
        )
        order = np.argsort(borders, kind="stable")
        borders, sums = borders[order], np.cumsum(steps[order])
        found = np.stack([borders[:-1], borders[1:]], axis=1)[sums[:-1] == wanted]
        return Moc(max(self.order, other.order), joined(found))


@overload
def shift(order: int) -> int: ...
@overload
def shift(order: Cells) -> Cells: ...
def shift(order: int | Cells) -> int | Cells:
    """The bits by which the number of a cell is longer at the finest order."""
    return 2 * (FINEST - order)


def joined(ranges: Ranges) -> Ranges:
    """Any ranges, sorted, those that touch or overlap as one and those without cells left out.

    >>> joined(np.array([[5, 7], [0, 3], [2, 5], [9, 9]])).tolist()
    [[0, 7]]
    """
    ranges = ranges[ranges[:, 1] > ranges[:, 0]]
    if not len(ranges):
        return np.empty((0, 2), np.int64)
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ranges[:, 1])
    begins = np.concatenate([[True], ranges[1:, 0] > reach[:-1]])
    return np.stack([ranges[begins, 0], reach[np.concatenate([begins[1:], [True]])]], axis=1)


def spelt_out(low: Cells, high: Cells) -> Cells:
    """Every number of the half-open ranges.

    >>> spelt_out(np.array([3, 8]), np.array([5, 9])).tolist()
    [3, 4, 8]
    """
    counts = high - low
    before = np.cumsum(counts) - counts
    return np.repeat(low - before, counts) + np.arange(counts.sum())
