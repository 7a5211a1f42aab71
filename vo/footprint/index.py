"""The tiles of all releases in memory: loaded once a process, asked by positions, shapes and names."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.adql import translate
from vo.catalog import Catalog, Column, nearest
from vo.db.base import Database
from vo.errors import NotFoundError
from vo.footprint.tables import ORDER, has_tiles, hpx32_table, tiles_table
from vo.images.sky import to_vectors
from vo.moc import Moc
from vo.regions.columns import intersects
from vo.tiling.outlines import (
    CellTiles,
    Indices,
    Numbers,
    Outlines,
    Pairs,
    found,
    meeting_cells,
    outlines_of,
    owns,
)

_BOX = 4  # numbers
_ON_IT = 1e-9  # radians by which circles are widened: what they let through is looked at exactly

TILES = "/footprint/tiles"
"""The resource that searches for tiles; below it are the tiles by name."""

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class TileIndex:
    """The rows of footprint.tiles by release and name, and arrays of them; a tile is a row number."""

    columns: tuple[Column, ...]
    rows: pa.Table
    outlines: Outlines
    bounds: Numbers
    cells: CellTiles

    @cached_property
    def names(self) -> pa.Array:
        """The name of each tile."""
        return self.rows.column("tilename").combine_chunks()

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """The releases that have tiles."""
        return tuple(pc.unique(self.rows.column("release")).to_pylist())

    @cached_property
    def paths(self) -> pa.Array:
        """Where all about each tile is told, below the service's root."""
        pairs = zip(self.names.to_pylist(), self.rows.column("release").to_pylist(), strict=True)
        return pa.array(
            [f"{TILES}/{quote(name, safe='')}?RELEASE={quote(release, safe='')}" for name, release in pairs]
        )

    def of_releases(self, releases: Sequence[str]) -> Mask:
        """Which tiles are of the releases named, in any case; of all, where none is named."""
        if not releases:
            return np.ones(self.rows.num_rows, np.bool_)
        known = {release.lower(): release for release in self.releases}
        for name in releases:
            if name.lower() not in known:
                raise NotFoundError(
                    f"There are no tiles of a release {name[:80]!r}.",
                    hint=f"There are {', '.join(self.releases)}.",
                )
        wanted = pa.array([known[name.lower()] for name in releases])
        mask: Mask = pc.is_in(self.rows.column("release"), wanted).to_numpy()
        return mask

    def holding(self, lon: Numbers, lat: Numbers) -> Pairs:
        """The tiles that hold each position in degrees, the owner first; NaN is in none."""
        return found(_own(lon), _own(lat), self.outlines, self.bounds, self.cells)

    def meeting(self, numbers: Sequence[float]) -> Indices:
        """The tiles with some of a shape of `vo.regions.shapes`: of a position, those first that own it.

        Then they come by the distance of their centres from its middle.
        """
        middle, reach = _around(np.array(numbers))
        chords = np.linalg.norm(self.outlines.centres - middle, axis=1)
        distances = 2 * np.arcsin(np.minimum(chords / 2, 1.0))
        near = np.flatnonzero(distances <= reach + self.outlines.reaches + _ON_IT)
        shapes = pa.array([list(numbers)]).take(pa.array(np.zeros(len(near), np.int64)))
        meets = intersects(shapes, self.rows.column("outline").take(pa.array(near)))
        tiles: Indices = near[meets.to_numpy(zero_copy_only=False)]
        others = np.ones(len(tiles), np.bool_)
        if is_position(numbers):
            others = np.array([not owns(self.bounds, tile, *numbers[:2]) for tile in tiles], np.bool_)
        return tiles[np.lexsort((tiles, distances[tiles], others))]

    def meeting_moc(self, moc: Moc) -> Indices:
        """The tiles with some of a MOC."""
        cells = moc.cells()
        orders = np.repeat(np.array(list(cells), np.int64), [len(each) for each in cells.values()])
        numbers = np.concatenate([np.empty(0, np.int64), *cells.values()])
        return meeting_cells(orders, numbers, self.outlines, self.cells)

    def named(self, name: str) -> Indices:
        """The tiles of that name, in any case, one a release; NotFoundError: there is none."""
        numbers = np.flatnonzero(pc.equal(self._lowered, name.strip().lower()))
        if len(numbers) == 0:
            close = nearest(name[:64], self.names.unique().to_pylist())
            hint = f"Did you mean {' or '.join(close)}?" if close else f"One of them is {self.names[0]}."
            raise NotFoundError(f"There is no tile {name[:64]!r}.", hint=hint)
        return numbers

    @cached_property
    def _lowered(self) -> pa.Array:
        return pc.ascii_lower(self.names)


def _around(numbers: Numbers) -> tuple[Numbers, float]:
    """The middle of a circle with all of a shape, as a unit vector, and its radius, at most half a turn."""
    if len(numbers) <= _BOX:
        sizes = numbers[2:]  # none, a radius, or two sides
        return to_vectors(numbers[0], numbers[1]), float(np.radians(sizes.sum() / max(1, len(sizes))))
    vertices = to_vectors(numbers[::2], numbers[1::2])
    middle = vertices.sum(axis=0)
    middle /= np.linalg.norm(middle) or 1.0
    # A circle of less than half the sky has all of a polygon whose vertices it has.
    reach = float(2 * np.arcsin(min(np.linalg.norm(vertices - middle, axis=1).max() / 2, 1.0)))
    return middle, reach if reach < np.pi / 2 else np.pi


def is_position(numbers: Sequence[float]) -> bool:
    """Whether a shape is a single position."""
    return len(numbers) == 2 or (len(numbers) == 3 and numbers[2] == 0)  # noqa: PLR2004  lon, lat, radius


class _Latest:
    """The index of the newest catalogue that was asked for, which all threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._index: TileIndex | None = None

    def of(self, database: Database) -> TileIndex:
        catalog = database.catalog()
        with self._lock:
            if self._index is None or self._catalog is not catalog:
                self._index, self._catalog = _read(database, catalog), catalog
            return self._index


_LATEST = _Latest()


def index_of(database: Database) -> TileIndex:
    """The tiles that are published now; NotFoundError: there are none."""
    check_published(database.catalog())
    return _LATEST.of(database)


def check_published(catalog: Catalog) -> None:
    """NotFoundError where no tiles are published."""
    if not has_tiles(catalog):
        raise NotFoundError("No tiles are published here.")


def _read(database: Database, catalog: Catalog) -> TileIndex:
    columns = tiles_table().columns
    rows = _all(database, catalog, "SELECT * FROM footprint.tiles", [column.name for column in columns])
    rows = rows.sort_by([("release", "ascending"), ("tilename", "ascending")])
    corners = rows.column("outline").combine_chunks()
    ra, dec = (_own(rows.column(name).to_numpy()) for name in ("ra", "dec"))
    outlines = outlines_of(_own(corners.values.to_numpy()), np.array(corners.offsets, np.int64), ra, dec)
    bounds = [rows.column(name).to_numpy() for name in ("ura_min", "ura_max", "udec_min", "udec_max")]
    cells = _all(database, catalog, "SELECT * FROM footprint.hpx32", [c.name for c in hpx32_table().columns])
    tiles = pc.index_in(_key(cells), _key(rows))
    pairs = (
        pa.table({"cell": cells.column("hpx32"), "tile": tiles})
        .drop_null()
        .sort_by([("cell", "ascending"), ("tile", "ascending")])
    )
    begins = np.searchsorted(pairs.column("cell").to_numpy(), np.arange(12 * 4**ORDER + 1))
    cell_tiles = CellTiles(begins, pairs.column("tile").to_numpy().astype(np.int64), ORDER)
    return TileIndex(columns, rows, outlines, np.stack(bounds, axis=-1), cell_tiles)


def _own(numbers: Numbers) -> Numbers:
    """The numbers where they may be written to: loops would be compiled once more for what is Arrow's."""
    return np.require(numbers, np.float64, ("C", "W"))


def _all(database: Database, catalog: Catalog, query: str, names: Sequence[str]) -> pa.Table:
    statement = translate(query, catalog, dialect=database.dialect)
    with database.stream(statement) as result:
        return pa.Table.from_batches(list(result), result.schema).rename_columns(list(names))


def _key(rows: pa.Table) -> pa.ChunkedArray:
    """What names a tile among those of all releases."""
    return pc.binary_join_element_wise(rows.column("release"), rows.column("tilename"), "/")
