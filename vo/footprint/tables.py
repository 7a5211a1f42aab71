"""The two tables about tiles: the tiles themselves, and which of them touch each HEALPix cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from vo.catalog import Catalog, ForeignKey, RegionKey, Schema, SpatialKey, Table
from vo.column_list import column, rows

SCHEMA = "footprint"
"""The schema of the tables."""

MOC_PATH, MAP_PATH, JOBS_PATH = "/footprint/moc", "/footprint/map", "/footprint/async"
"""The resources that tell coverage: MOCs, maps, and jobs for both."""

ORDER = 5
"""The order of the cells by which tiles are looked up: NSIDE 32."""

TILE_NAME = "tilename"
"""The column by which catalogues name tiles, and we do."""

BANDS = ("g", "r", "i", "z", "y")
"""The bands whose depth is told."""


@cache
def tiles_table() -> Table:
    """`footprint.tiles`: one row a tile of a release."""
    return Table(
        SCHEMA,
        "tiles",
        tuple(column(row) for row in rows("vo.footprint", "tiles.csv")),
        "The tiles of all releases: where their images are on the sky, and what is known of each.",
        spatial=SpatialKey("ra", "dec"),
    )


@cache
def hpx32_table() -> Table:
    """`footprint.hpx32`: one row for each cell and each tile with some of it."""
    return Table(
        SCHEMA,
        "hpx32",
        tuple(column(row) for row in rows("vo.footprint", "hpx32.csv")),
        "The HEALPix cells of NSIDE 32, each with all tiles whose image has some of it.",
        keys=(
            ForeignKey(f"{SCHEMA}.tiles", (("tilename", "tilename"), ("release", "release")), "The tile."),
        ),
    )


def schema(tiles: int, cells: int, reach: float) -> Schema:
    """What is published of so many rows; no image reaches farther than `reach` degrees from its centre."""
    return Schema(
        SCHEMA,
        (
            replace(tiles_table(), nrows=tiles, region=RegionKey("outline", "outline", reach)),
            replace(hpx32_table(), nrows=cells),
        ),
        "What the survey covers.",
    )


def has_tiles(catalog: Catalog) -> bool:
    """Whether a catalogue publishes both tables."""
    return all(catalog.table(table.name, SCHEMA) is not None for table in (tiles_table(), hpx32_table()))


def has_coverage(catalog: Catalog) -> bool:
    """Whether a catalogue has anything that covers the sky."""
    return has_tiles(catalog) or any(table.spatial is not None for table in catalog.tables())


def objects_table(tables: Iterable[Table]) -> Table | None:
    """The table of a catalogue's objects, which have names and positions; None: there is none.

    Of several, one that names the tiles of its objects, then the largest.
    """
    found = [table for table in tables if table.spatial is not None and _has_names(table)]
    return max(found, key=lambda table: (_names_tiles(table), table.nrows or 0), default=None)


def _has_names(table: Table) -> bool:
    """Whether each row is named by an identifier other than that of a tile or an image."""
    named = (c.name != TILE_NAME and c.ucd == "meta.id;meta.main" for c in table.columns)
    return table.region is None and any(named)


def _names_tiles(table: Table) -> bool:
    return table.column(TILE_NAME, exact=True) is not None
