"""Whether the tiles of a list fit together: what is wrong with one of them, and what between neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vo.load.sky import unit_vectors
from vo.load.tile_list import Floats, TileList
from vo.sample.tiles import gnomonic
from vo.tiling.outlines import CellTiles, Outlines, found

Indices = NDArray[np.int64]

_LARGEST_DEG = 60.0  # side of an image: TAN has no more than half of the sky
_STRAY = 0.05  # of the side of an image: how far a listed corner may be from its own
_ROUNDING_DEG = 3e-5  # a tenth of an arcsecond: lists round their numbers
_CORNER_NAMES = ("LL", "UL", "UR", "LR")


def faults(tiles: TileList) -> list[str]:
    """What makes tiles useless, each with its name."""
    return [fault for judge in _JUDGES for fault in judge(tiles)]


def _repeated(tiles: TileList) -> Iterator[str]:
    for name, count in Counter(tiles.names).items():
        if count > 1:
            yield f"{name} is listed {count} times."


def _too_large(tiles: TileList) -> Iterator[str]:
    sides = (tiles.naxis * tiles.pixel_scale[:, None] / 3600.0).max(axis=1)
    for i in np.flatnonzero(sides > _LARGEST_DEG):
        yield f"{tiles.names[i]} would be {sides[i]:g} degrees wide."


def _crossed(tiles: TileList) -> Iterator[str]:
    """Corners that go round turn the same way at each of them."""
    turns = _turns(tiles)
    for i in np.flatnonzero((turns.max(axis=1) > 0) & (turns.min(axis=1) < 0)):
        yield f"{tiles.names[i]}: its corners in their order do not go round it."


def _stray(tiles: TileList) -> Iterator[str]:
    """Listed in any order, each corner is near one of the image's own."""
    listed, own = _vectors(tiles.corners), _vectors(tiles.outlines)
    chord = np.linalg.norm(listed[:, :, None] - own[:, None], axis=-1).min(axis=-1)
    off = np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1.0)))
    side = tiles.naxis.min(axis=1) * tiles.pixel_scale / 3600.0
    for i, k in np.argwhere(off > _STRAY * side[:, None]):
        yield f"{tiles.names[i]}: {_CORNER_NAMES[k]} is {off[i, k]:.2g} degrees from any corner of its image."


def _vectors(positions: Floats) -> Floats:
    return np.stack(unit_vectors(positions[..., 0], positions[..., 1]), axis=-1)


def _empty(tiles: TileList) -> Iterator[str]:
    west, east, south, north = tiles.bounds.T
    for i in np.flatnonzero((east <= west) | (east > west + 360.0) | (north <= south)):
        yield f"{tiles.names[i]}: its unique area ends before it begins."


_JUDGES: tuple[Callable[[TileList], Iterator[str]], ...] = (_repeated, _too_large, _crossed, _stray, _empty)


def remarks(tiles: TileList, outlines: Outlines, cells: CellTiles) -> Mapping[str, list[str]]:
    """What is odd about tiles that are taken nevertheless: by kind, each with its name."""
    pairs = _Pairs(tiles, *_neighbours(cells))
    return {
        "corners that run clockwise": list(_clockwise(tiles)),
        "unique areas that reach out of their image": list(_reaching_out(tiles)),
        "overlaps of unique areas": list(pairs.overlaps()),
        "gaps between unique areas": list(pairs.gaps(outlines, cells)),
    }


def _clockwise(tiles: TileList) -> Iterator[str]:
    """As seen from inside the sphere; DALI 1.1 (3.3.7) has polygons run counter-clockwise."""
    yield from (tiles.names[i] for i in np.flatnonzero(_turns(tiles).min(axis=1) > 0))


def _reaching_out(tiles: TileList) -> Iterator[str]:
    west, east, south, north = tiles.bounds.T
    middle = (west + east) / 2
    places = [(west, south), (west, north), (east, north), (east, south), (middle, south), (middle, north)]
    off = np.abs(_on_plane(tiles, np.stack([np.stack(place, axis=-1) for place in places], axis=1)))
    room = (tiles.naxis * tiles.pixel_scale[:, None] / 7200.0).T[:, :, None] + _ROUNDING_DEG
    yield from (tiles.names[i] for i in np.flatnonzero((off > room).any(axis=(0, 2))))


def _on_plane(tiles: TileList, positions: Floats) -> Floats:
    """Offsets of some positions of each tile on the plane that touches the sky in its centre."""
    with np.errstate(invalid="ignore"):
        return gnomonic(positions[..., 0], positions[..., 1], tiles.ra[:, None], tiles.dec[:, None])


def _turns(tiles: TileList) -> Floats:
    """By how much each listed corner turns, to the left where east is to the right; 0: it is not known."""
    plane = _on_plane(tiles, tiles.corners)
    edges = np.roll(plane, -1, axis=-1) - plane
    following = np.roll(edges, -1, axis=-1)
    turns: Floats = np.nan_to_num(edges[0] * following[1] - edges[1] * following[0])
    return turns


def _neighbours(cells: CellTiles) -> tuple[Indices, Indices]:
    """All pairs of tiles that share a cell, each once."""
    cell = np.repeat(np.arange(len(cells.begins) - 1), np.diff(cells.begins))
    most = int(np.diff(cells.begins).max(initial=0))
    beside = [np.flatnonzero(cell[step:] == cell[: len(cell) - step]) for step in range(1, most)]
    pairs = [np.sort([cells.tiles[at], cells.tiles[at + step]], axis=0) for step, at in enumerate(beside, 1)]
    first, second = np.unique(np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1), axis=1)
    return first, second


@dataclass(frozen=True)
class _Pairs:
    """Pairs of tiles that may be neighbours, by their unique areas."""

    tiles: TileList
    one: Indices
    other: Indices

    def overlaps(self) -> Iterator[str]:
        """What is more than one tile's."""
        across, along = self._shared(self.one, self.other)
        shrunk = across * np.cos(np.radians(self.tiles.dec[self.one]))
        for k in np.flatnonzero((shrunk > _ROUNDING_DEG) & (along > _ROUNDING_DEG)):
            yield f"{self._named(k)} share {across[k]:.2g} degrees of RA by {along[k]:.2g} of Dec"

    def gaps(self, outlines: Outlines, cells: CellTiles) -> Iterator[str]:
        """What is no tile's, between two that are less than half a tile apart."""
        west, east, south, north = self.tiles.bounds.T
        across, along = self._shared(self.one, self.other)
        room = np.minimum(east - west, 180.0)[self.one] / 2, (north - south)[self.one] / 2
        middle = self._between(0), self._between(2)
        for axis, gap, beside, most in (("RA", -across, along, room[0]), ("Dec", -along, across, room[1])):
            near = np.flatnonzero((gap > _ROUNDING_DEG) & (gap < most) & (beside > _ROUNDING_DEG))
            lon, lat = middle[0][near] % 360.0, middle[1][near]
            here = found(lon, lat, outlines, self.tiles.bounds, cells)
            place = np.repeat(np.arange(len(near)), np.diff(here.begins))
            is_owned = np.isin(np.arange(len(near)), place[here.owned])
            for k in near[~is_owned]:
                yield f"{self._named(k)} leave out {gap[k]:.2g} degrees of {axis}"

    def _shared(self, one: Indices, other: Indices) -> tuple[Floats, Floats]:
        """Degrees of RA and of Dec that both areas have; negative: that are between them."""
        bounds = self.tiles.bounds
        a, b = bounds[one], bounds[other] + self._turned(one, other)[:, None] * [1.0, 1.0, 0.0, 0.0]
        low, high = np.maximum(a, b), np.minimum(a, b)
        return high[:, 1] - low[:, 0], high[:, 3] - low[:, 2]

    def _turned(self, one: Indices, other: Indices) -> Floats:
        """The whole turns by which the second area is moved to be next to the first."""
        middle = self.tiles.bounds[:, :2].mean(axis=1)
        turned: Floats = -360.0 * np.round((middle[other] - middle[one]) / 360.0)
        return turned

    def _between(self, first: int) -> Floats:
        """The middle of what both areas have, or of what is between them, on one axis."""
        bounds = self.tiles.bounds[:, first : first + 2]
        a, b = bounds[self.one], bounds[self.other]
        if first == 0:
            b = b + self._turned(self.one, self.other)[:, None]
        middle: Floats = (np.maximum(a, b)[:, 0] + np.minimum(a, b)[:, 1]) / 2
        return middle

    def _named(self, k: np.intp) -> str:
        return f"{self.tiles.names[self.one[k]]} and {self.tiles.names[self.other[k]]}"
