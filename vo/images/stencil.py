"""Stencils on the sky: which pixels of an image have their centre inside, exactly, whatever its projection.

Nothing is projected from the sky to the image: blocks of pixels are looked at on the sky, those that may
touch the border are split, and what is left is judged pixel by pixel. So there is no inverse that fails, no
pole and no wrap that is special.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import TooLargeError, UsageError
from vo.images.pixels import Box, Mask
from vo.images.sky import Numbers, Sky, to_vectors
from vo.regions.polygons import Frame, edge_distance, framed, is_inside, vertices_of
from vo.regions.vectors import BORDER, Vectors

_FIRST = 16  # blocks along the longer axis of the image at first
_SMALL = 8  # pixels along a block that is not split
_ROOM = 1.3  # a block is taken for as many times larger than the farthest of the nine positions looked at
_CHUNK = 1 << 18  # pixels judged at a time
_LOOK = 8  # times as long as for a pixel it takes to look at a block
_MOST_EFFORT = 1_000_000_000  # steps for one image: ten seconds
_ALL_AROUND = 360.0


class Stencil(Protocol):
    """A shape on the sphere, its border belonging to it."""

    @property
    def centre(self) -> tuple[float, float]:
        """A position in it, in degrees: which pixel is taken if the shape holds the centre of none."""

    @property
    def effort(self) -> int:
        """Steps that it takes to judge a position: its edges."""

    def inside(self, vectors: Numbers) -> Mask:
        """Which of the unit vectors are in it; those with NaN are not."""

    def clearance(self, vectors: Numbers) -> Numbers:
        """Radians that lie at least between each unit vector and the border."""


@dataclass(frozen=True)
class Circle:
    """All within `radius` degrees of a position."""

    ra: float
    dec: float
    radius: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle."""
        return self.ra, self.dec

    @property
    def effort(self) -> int:
        """One comparison."""
        return 1

    @cached_property
    def _axis(self) -> Numbers:
        return to_vectors(np.array(self.ra), np.array(self.dec))

    def inside(self, vectors: Numbers) -> Mask:
        """By chords, which tell small angles apart where cosines do not."""
        chord = 2 * math.sin(math.radians(min(self.radius, 180.0)) / 2)
        found: Mask = np.linalg.norm(vectors - self._axis, axis=-1) <= chord + BORDER
        return found

    def clearance(self, vectors: Numbers) -> Numbers:
        """The difference of angle and radius."""
        chord = np.minimum(np.linalg.norm(vectors - self._axis, axis=-1) / 2, 1.0)
        found: Numbers = np.abs(2 * np.arcsin(chord) - math.radians(self.radius))
        return found


@dataclass(frozen=True)
class Polygon:
    """The smaller side of a loop of great circles: lon1, lat1, lon2, … in degrees."""

    vertices: tuple[float, ...]

    @cached_property
    def _loop(self) -> tuple[Vectors, Frame]:
        found = vertices_of(np.array(self.vertices, np.float64))
        if len(found) < 3:  # noqa: PLR2004  sides of a triangle
            raise UsageError("A polygon has three different vertices or more.")
        return found, framed(found)

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the vertices."""
        x, y, z = self._loop[1][2]
        return math.degrees(math.atan2(y, x)) % _ALL_AROUND, math.degrees(math.atan2(z, math.hypot(x, y)))

    @property
    def effort(self) -> int:
        """All edges are looked at."""
        return len(self._loop[0])

    def inside(self, vectors: Numbers) -> Mask:
        """By the parity of crossings."""
        flat = np.ascontiguousarray(vectors.reshape(-1, 3))
        return _in_polygon(flat, *self._loop).reshape(vectors.shape[:-1])

    def clearance(self, vectors: Numbers) -> Numbers:
        """The distance to the nearest edge."""
        flat = np.ascontiguousarray(vectors.reshape(-1, 3))
        return _to_edges(flat, self._loop[0]).reshape(vectors.shape[:-1])


@dataclass(frozen=True)
class Range:
    """All between two longitudes, eastward from the first, and two latitudes: degrees, or infinite."""

    lon: tuple[float, float]
    lat: tuple[float, float]

    @property
    def _width(self) -> float:
        """Degrees from west to east."""
        west, east = self.lon
        if math.isinf(west) or math.isinf(east) or east - west >= _ALL_AROUND:
            return _ALL_AROUND
        return (east - west) % _ALL_AROUND

    @property
    def _west(self) -> float:
        return 0.0 if math.isinf(self.lon[0]) else self.lon[0]

    @property
    def centre(self) -> tuple[float, float]:
        """Half-way in longitude and latitude."""
        low, high = max(self.lat[0], -90.0), min(self.lat[1], 90.0)
        return (self._west + self._width / 2) % _ALL_AROUND, (low + high) / 2

    @property
    def effort(self) -> int:
        """One comparison."""
        return 1

    def inside(self, vectors: Numbers) -> Mask:
        """By longitude and latitude; at a pole every longitude is right."""
        rounding = math.degrees(BORDER)
        lat = np.degrees(np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1])))
        east = (np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) - self._west) % _ALL_AROUND
        along = (
            (east <= self._width + rounding)
            | (east >= _ALL_AROUND - rounding)
            | (np.abs(lat) >= 90 - rounding)
        )
        found: Mask = along & (lat >= self.lat[0] - rounding) & (lat <= self.lat[1] + rounding)
        return found

    def clearance(self, vectors: Numbers) -> Numbers:
        """The nearest of both parallels and the great circles of both meridians."""
        lat = np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1]))
        borders = [np.abs(lat - math.radians(end)) for end in self.lat if math.isfinite(end)]
        if self._width < _ALL_AROUND:
            for lon in (math.radians(self._west), math.radians(self._west + self._width)):
                across = vectors[..., 1] * math.cos(lon) - vectors[..., 0] * math.sin(lon)
                borders.append(np.arcsin(np.minimum(np.abs(across), 1.0)))
        return np.min(borders, axis=0) if borders else np.full(lat.shape, math.pi)


@compiled
def _in_polygon(vectors: Vectors, vertices: Vectors, frame: Frame) -> Mask:
    found = np.empty(len(vectors), np.bool_)
    for i in range(len(vectors)):
        found[i] = is_inside((vectors[i, 0], vectors[i, 1], vectors[i, 2]), vertices, frame)
    return found


@compiled
def _to_edges(vectors: Vectors, vertices: Vectors) -> Numbers:
    found = np.empty(len(vectors))
    for i in range(len(vectors)):
        found[i] = edge_distance((vectors[i, 0], vectors[i, 1], vectors[i, 2]), vertices)
    return found


def stencil_box(sky: Sky, stencil: Stencil) -> Box | None:
    """The smallest box of all pixels of the image whose centres are in the stencil; None without overlap.

    A stencil between the centres of pixels, or smaller than one, has the pixel that its own centre is in.
    """
    whole = Box(0, 0, sky.width, sky.height)
    within, border = _blocks(sky, stencil, whole)
    found = _around(within)
    # Of the blocks on the border only those matter that stick out of what is known to be inside.
    outer = border if found is None else border[~_contains(found, border)]
    for block, mask in _judged(sky, stencil, outer):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            left, bottom = int(block[0]), int(block[1])
            extent = left + columns[0], bottom + rows[0], left + columns[-1] + 1, bottom + rows[-1] + 1
            found = _around(np.array([extent] if found is None else [extent, _corners(found)]))
    return found or _central_pixel(sky, stencil)


def stencil_mask(sky: Sky, stencil: Stencil, box: Box) -> Mask:
    """Which pixels of a box have their centres in the stencil: True inside, shape (rows, columns)."""
    found = np.zeros((box.height, box.width), np.bool_)
    within, border = _blocks(sky, stencil, box)
    for left, bottom, right, top in within:
        found[bottom - box.bottom : top - box.bottom, left - box.left : right - box.left] = True
    for (left, bottom, right, top), mask in _judged(sky, stencil, border):
        found[bottom - box.bottom : top - box.bottom, left - box.left : right - box.left] = mask
    if not found.any():
        pixel = _central_pixel(sky, stencil)
        if pixel is not None and _contains(box, np.array([_corners(pixel)]))[0]:
            found[pixel.bottom - box.bottom, pixel.left - box.left] = True
    return found


Blocks = NDArray[np.int64]
"""Boxes of pixels, a row each: left, bottom, right, top."""


def _blocks(sky: Sky, stencil: Stencil, box: Box) -> tuple[Blocks, Blocks]:
    """Blocks of a box that are inside for sure, and small ones on the border; the others are outside."""
    size = max(_SMALL, -(-max(box.width, box.height) // _FIRST))
    blocks = _split(np.array([_corners(box)], np.int64), size)
    within: list[Blocks] = []
    while True:
        _check_effort(stencil, len(blocks) * _LOOK)
        inside, near = _looked_at(sky, stencil, blocks)
        within.append(blocks[inside & ~near])
        blocks = blocks[near]
        if size <= _SMALL or not len(blocks):
            return np.concatenate(within), blocks
        size = max(_SMALL, -(-size // 2))
        blocks = _split(blocks, size)


def _check_effort(stencil: Stencil, positions: int) -> None:
    """TooLargeError where a border has more corners and goes through more pixels than anybody should draw."""
    if positions * stencil.effort > _MOST_EFFORT:
        raise TooLargeError(
            f"A polygon of {stencil.effort:,} vertices with so long a border in the image is not cut out.",
            hint="Send one with fewer vertices.",
        )


def _split(blocks: Blocks, size: int) -> Blocks:
    """Blocks of at most `size` pixels along an axis."""
    for axis in (0, 1):
        counts = -(-(blocks[:, axis + 2] - blocks[:, axis]) // size)
        rows = np.repeat(blocks, counts, axis=0)
        steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows[:, axis] += steps * size
        rows[:, axis + 2] = np.minimum(rows[:, axis] + size, rows[:, axis + 2])
        blocks = rows
    return blocks


def _looked_at(sky: Sky, stencil: Stencil, blocks: Blocks) -> tuple[Mask, Mask]:
    """Whether the middle of each block is inside, and whether the border may run through the block."""
    x, y = (np.linspace(blocks[:, i], blocks[:, i + 2] - 1.0, 3, axis=1) for i in (0, 1))
    vectors = sky.vectors(*np.broadcast_arrays(x[:, :, None], y[:, None, :])).reshape(len(blocks), 9, 3)
    middle = vectors[:, 4]
    chord = np.minimum(np.linalg.norm(vectors - middle[:, None], axis=2).max(axis=1) * _ROOM / 2, 1.0)
    radius = 2 * np.arcsin(chord)
    # Where the projection ends, in NaN, everything is possible.
    return stencil.inside(middle), ~(stencil.clearance(middle) > radius)


def _judged(sky: Sky, stencil: Stencil, blocks: Blocks) -> list[tuple[Blocks, Mask]]:
    """The mask of each block, pixel by pixel; blocks are small."""
    _check_effort(stencil, len(blocks) * _SMALL**2)
    found = []
    for part in np.array_split(blocks, max(1, len(blocks) * _SMALL**2 // _CHUNK + 1)):
        if len(part):
            steps = np.arange(_SMALL, dtype=np.float64)
            x = np.broadcast_to(part[:, None, None, 0] + steps, (len(part), _SMALL, _SMALL))
            y = np.broadcast_to(part[:, None, None, 1] + steps[:, None], x.shape)
            masks = stencil.inside(sky.vectors(x, y))
            found += [(b, mask[: b[3] - b[1], : b[2] - b[0]]) for b, mask in zip(part, masks, strict=True)]
    return found


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.bottom, box.right, box.top


def _around(blocks: Blocks) -> Box | None:
    if not len(blocks):
        return None
    low, high = blocks[:, :2].min(axis=0), blocks[:, 2:].max(axis=0)
    return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def _contains(box: Box, blocks: Blocks) -> Mask:
    low, high = np.array([box.left, box.bottom]), np.array([box.right, box.top])
    inside = np.concatenate([blocks[:, :2] >= low, blocks[:, 2:] <= high], axis=1)
    found: Mask = np.logical_and.reduce(inside, axis=1)
    return found


def _central_pixel(sky: Sky, stencil: Stencil) -> Box | None:
    """The pixel that the centre of a stencil is in."""
    ra, dec = stencil.centre
    place = sky.place(ra, dec)
    if place is None or not stencil.inside(to_vectors(np.array([ra]), np.array([dec])))[0]:
        return None
    left, bottom = math.floor(place[0] + 0.5), math.floor(place[1] + 0.5)
    return Box(left, bottom, left + 1, bottom + 1)


def warm_up() -> None:
    """Compile, or load from the cache, what judges polygons."""
    triangle = Polygon((0.0, 0.0, 1.0, 0.0, 0.0, 1.0))
    centre = to_vectors(*np.array([triangle.centre]).T)
    triangle.inside(centre)
    triangle.clearance(centre)
