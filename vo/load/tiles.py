"""`vo load tiles`: a survey's list of tiles becomes rows of `footprint.tiles` and `footprint.hpx32`.

The tables of all releases are in one release file of their own, like those of images.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from vo.catalog import TILE_RELEASE, Catalog, Table
from vo.config import Config
from vo.errors import LoadError
from vo.footprint.tables import (
    BANDS,
    ORDER,
    SCHEMA,
    TILE_NAME,
    hpx32_table,
    objects_table,
    schema,
    tiles_table,
)
from vo.load.new_file import NEW_FILE, escaped, new_file, quoted, write_catalog
from vo.load.release import only_release, refuse_taken, release_name, served
from vo.load.sky import FIELDS, sky_index
from vo.load.swap import replacing
from vo.load.tile_geometry import faults, remarks
from vo.load.tile_list import MOST_SHOWN, TileList, read_tiles, tell
from vo.regions.columns import area
from vo.tiling.outlines import CellTiles, Outlines, outlines_of, touched_cells

_OLD_FILE, _CATALOGUE = "old_tiles", "catalogue"
_TOLD = ("count_objects", *(f"depth_{band}" for band in BANDS))
"""The columns that the catalogue of the release tells, if it does."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class LoadedTiles:
    """What a load of tiles left behind; `told_by` are the tables that tell of depths and objects."""

    release: str
    tiles: int
    cells: int
    told_by: tuple[str, ...]
    remarks: Mapping[str, list[str]]
    seconds: float

    def __str__(self) -> str:
        """The summary, line by line."""
        about = f"told by {' and '.join(self.told_by)}" if self.told_by else "told by no table"
        tables = (
            f"{tiles_table().qualified}: {self.tiles:,}",
            f"{hpx32_table().qualified}: {self.cells:,} rows",
        )
        lines = [f"release {self.release}: {', '.join(tables)}, {self.seconds:.1f} s"]
        lines.append(f"objects and depths: {about}")
        for kind, named in self.remarks.items():
            lines.append(f"{kind}: {len(named):,}")
            lines += [f"  {each}" for each in named[:MOST_SHOWN]]
            lines += [f"  and {len(named) - MOST_SHOWN:,} more"] if len(named) > MOST_SHOWN else []
        return "\n".join(lines)


def load_tiles(source: Path, config: Config, *, release: str | None = None) -> LoadedTiles:
    """Publish the tiles in the list `source`, in place of those that the release had.

    `release` may be left out if only one is served. LoadError: nothing was changed.
    """
    started = time.monotonic()
    name = release_name(release or only_release(config, "tiles"))
    tiles = read_tiles(source)
    tell(source, faults(tiles))
    outlines, cells = _looked_up(tiles)
    check = partial(refuse_taken, (schema(0, 0, 0.0),), TILE_RELEASE, config.releases_dir)
    check()
    with (
        replacing(config.releases_dir, TILE_RELEASE, check=check) as target,
        new_file(target, config) as new,
    ):
        _create(new, _rows(tiles, name, outlines), _cell_rows(tiles, name, cells))
        told_by = _tell(new, config.releases_dir / f"{name}.duckdb")
        _keep_others(new, config.releases_dir / f"{TILE_RELEASE}.duckdb", name)
        _publish(new)
    return LoadedTiles(
        name,
        len(tiles.names),
        len(cells.tiles),
        told_by,
        remarks(tiles, outlines, cells),
        time.monotonic() - started,
    )


def _looked_up(tiles: TileList) -> tuple[Outlines, CellTiles]:
    """The outlines, and the tiles of each cell."""
    begins = np.arange(len(tiles.names) + 1) * 8
    outlines = outlines_of(tiles.outlines.ravel(), begins, tiles.ra, tiles.dec)
    tile, cell = touched_cells(outlines, ORDER)
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(12 * 4**ORDER + 1))
    return outlines, CellTiles(starts, tile[order], ORDER)


def _rows(tiles: TileList, release: str, outlines: Outlines) -> pa.Table:
    """All columns of footprint.tiles but those that the catalogue tells, with the sky index."""
    west, east, south, north = tiles.bounds.T
    corners = pa.array(list(tiles.outlines.reshape(-1, 8)), pa.list_(pa.float64()))
    height = np.sin(np.radians(north)) - np.sin(np.radians(south))
    columns = {
        "tilename": pa.array(tiles.names),
        "release": pa.repeat(release, len(tiles.names)),
        "ra": tiles.ra % 360.0,
        "dec": tiles.dec,
        "outline": corners,
        "fov": np.degrees(2 * outlines.reaches),
        "image_area": area(corners),
        **{
            name: pa.array(values, from_pandas=True)
            for name, values in {
                "ura_min": west,
                "ura_max": east,
                "udec_min": south,
                "udec_max": north,
                "unique_area": np.degrees(height) * (east - west),
            }.items()
        },
        "pixel_scale": tiles.pixel_scale,
        "naxis1": tiles.naxis[:, 0],
        "naxis2": tiles.naxis[:, 1],
        "archive_path": pa.array(tiles.archive, pa.string()),
    }
    fields = [
        pa.field(column.name, column.arrow_type())
        for column in tiles_table().columns
        if column.name not in _TOLD
    ]
    index = sky_index(pa.array(columns["ra"]), pa.array(columns["dec"]))
    published = [pa.array(columns[field.name]).cast(field.type) for field in fields]
    return pa.Table.from_arrays([*published, *index], schema=pa.schema([*fields, *FIELDS]))


def _cell_rows(tiles: TileList, release: str, cells: CellTiles) -> pa.Table:
    numbers = np.repeat(np.arange(len(cells.begins) - 1), np.diff(cells.begins))
    columns = [
        pa.array(numbers, pa.int32()),
        pa.array(tiles.names).take(pa.array(cells.tiles)),
        pa.repeat(release, len(numbers)),
    ]
    return pa.Table.from_arrays(columns, names=[column.name for column in hpx32_table().columns])


def _create(connection: duckdb.DuckDBPyConnection, rows: pa.Table, cells: pa.Table) -> None:
    """Create both tables; what the catalogue tells is NULL."""
    connection.execute(f"CREATE SCHEMA {quoted(NEW_FILE, SCHEMA)}")
    connection.register("incoming", rows)
    terms = ", ".join(
        f"CAST(NULL AS {'BIGINT' if column.datatype == 'long' else 'FLOAT'}) AS {quoted(column.name)}"
        if column.name in _TOLD
        else quoted(column.name)
        for column in tiles_table().columns
    )
    index = ", ".join(field.name for field in FIELDS)
    connection.execute(f"CREATE TABLE {_path(tiles_table())} AS SELECT {terms}, {index} FROM incoming")
    connection.register("incoming", cells)
    connection.execute(f"CREATE TABLE {_path(hpx32_table())} AS FROM incoming")
    connection.unregister("incoming")


def _tell(connection: duckdb.DuckDBPyConnection, catalogue: Path) -> tuple[str, ...]:
    """Fill in what a catalogue says of the tiles; the tables that say it.

    A table about tiles tells all it has; where none counts the objects, the largest table of them is counted.
    """
    about, objects = _tables(served(catalogue)) if catalogue.exists() else (None, None)
    if about is None and objects is None:
        return ()
    connection.execute(f"ATTACH '{escaped(catalogue)}' AS {_CATALOGUE} (READ_ONLY)")
    told_by = []
    if about is not None:
        names = [name for name in _TOLD if about.column(name, exact=True)]
        _update(connection, names, f"SELECT * FROM {_in_catalogue(about)}")
        told_by.append(about.qualified)
    if objects is not None and (about is None or "count_objects" not in names):
        counted = (
            f"SELECT tilename, count(*) AS count_objects FROM {_in_catalogue(objects)} GROUP BY tilename"
        )
        _update(connection, ["count_objects"], counted)
        told_by.append(objects.qualified)
    return tuple(told_by)


def _update(connection: duckdb.DuckDBPyConnection, names: Sequence[str], source: str) -> None:
    terms = ", ".join(f"{quoted(name)} = told.{quoted(name)}" for name in names)
    table = _path(tiles_table())
    connection.execute(
        f"UPDATE {table} AS tile SET {terms} FROM ({source}) AS told WHERE told.tilename = tile.tilename"
    )


def _tables(catalog: Catalog) -> tuple[Table | None, Table | None]:
    """The table about tiles of a catalogue, and that of its objects, if they are named."""
    named = [table for table in catalog.tables() if table.column(TILE_NAME, exact=True)]
    about = [table for table in named if any(table.column(name, exact=True) for name in _TOLD)]
    smallest = min(about, key=lambda table: table.nrows or 0, default=None)
    return smallest, objects_table(table for table in named if table is not smallest)


def _in_catalogue(table: Table) -> str:
    return quoted(_CATALOGUE, table.schema, table.name)


def _keep_others(connection: duckdb.DuckDBPyConnection, old: Path, release: str) -> None:
    """Copy the rows of all other releases from the file that is being replaced."""
    if not old.exists():
        return
    if any(theirs.columns != ours.columns for theirs, ours in _same_tables(served(old))):
        raise LoadError(
            f"{old} was written by another version of this program.",
            hint="Remove it, and load the tiles of all releases anew.",
        )
    connection.execute(f"ATTACH '{escaped(old)}' AS {_OLD_FILE} (READ_ONLY)")
    for table in (tiles_table(), hpx32_table()):
        source = quoted(_OLD_FILE, table.schema, table.name)
        connection.execute(f"INSERT INTO {_path(table)} SELECT * FROM {source} WHERE release <> ?", [release])
    connection.execute(f"DETACH {_OLD_FILE}")


def _same_tables(catalog: Catalog) -> list[tuple[Table, Table]]:
    known = ((catalog.table(table.name, SCHEMA), table) for table in (tiles_table(), hpx32_table()))
    return [(theirs, ours) for theirs, ours in known if theirs is not None]


def _publish(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the rows of all releases in order, and write what the file publishes."""
    counts = []
    for table, order in (
        (tiles_table(), "hpx29, tilename, release"),
        (hpx32_table(), "hpx32, tilename, release"),
    ):
        ordered = quoted(NEW_FILE, SCHEMA, "ordered")
        connection.execute(f"CREATE TABLE {ordered} AS SELECT * FROM {_path(table)} ORDER BY {order}")
        connection.execute(f"DROP TABLE {_path(table)}")
        connection.execute(f"ALTER TABLE {ordered} RENAME TO {quoted(table.name)}")
        ((count,),) = connection.execute(f"SELECT count(*) FROM {_path(table)}").fetchall()
        counts.append(count)
    ((fov,),) = connection.execute(f"SELECT max(fov) FROM {_path(tiles_table())}").fetchall()
    held = schema(counts[0], counts[1], fov / 2 * (1 + _ROUNDING))
    write_catalog(connection, Catalog((held,), f"{TILE_RELEASE}@{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"))


def _path(table: Table) -> str:
    return quoted(NEW_FILE, table.schema, table.name)
