"""The two tables about images: `images` of each release, and `ivoa.obscore`, which is made from it by SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa

from vo import column_list
from vo.catalog import Catalog, Column, RegionKey, Schema, SpatialKey, Table
from vo.images.inventory import ImageRecord

IMAGES = "images"
"""The name of the table of each release that says where its images lie."""

LINKS = "/datalink/links?ID="
"""Where the links of an image are, below the service's URL; its identifier follows."""

FILE = "/datalink/file?ID="
"""Where the file of an image is, in the same way."""

_NUMBERS = "s_region_numbers"
"""Beside the published columns of obscore: the region without its words."""

_ONLY_THE_SERVICE_KNOWS = {"access_url": LINKS}
_OBSCORE_MODEL = "obscore:"


def images_table(release: str) -> Table:
    """`<release>.images`: one row an image."""
    return Table(
        release,
        IMAGES,
        tuple(_column(row) for row in _rows("images.csv")),
        "The images of the release: where they are on the sky, and in which file.",
        spatial=SpatialKey("ra", "dec"),
    )


@cache
def obscore_table() -> Table:
    """`ivoa.obscore` (ObsCore 1.1, table 5 and erratum 1; the optional s_pixel_scale; three columns more)."""
    return Table(
        "ivoa",
        "obscore",
        tuple(_column(row) for row in _rows("obscore.csv")),
        "The images of all releases as observations of the data model ObsCore 1.1.",
        utype="ivo://ivoa.net/std/ObsCore#core-1.1",
        spatial=SpatialKey("s_ra", "s_dec"),
    )


def has_obscore(catalog: Catalog) -> bool:
    """Whether `catalog` publishes ivoa.obscore with every mandatory column (ObsCore 1.1, 3.1, table 1)."""
    found = catalog.table("obscore", "ivoa")
    return found is not None and all(
        found.column(row["column"]) for row in _rows("obscore.csv") if "m" in row["flags"]
    )


def identifies_images(column: Column) -> bool:
    """Whether the values are identifiers of images here, whatever a query calls the column."""
    return (column.ucd, column.utype, column.description) in _identifiers()


@cache
def _identifiers() -> frozenset[tuple[str | None, ...]]:
    tables = (images_table("any"), obscore_table())
    found = (column for table in tables for column in table.columns if column.name == "obs_publisher_did")
    return frozenset((column.ucd, column.utype, column.description) for column in found)


@dataclass(frozen=True, slots=True)
class Held:
    """What a release has: how many images, and how far one reaches from its middle at most, in degrees."""

    images: int
    reach: float


def schemas(held: Mapping[str, Held]) -> tuple[Schema, ...]:
    """What is published of the images of some releases, by name; the rows of obscore are those of all."""
    total = sum(each.images for each in held.values())
    reach = max((each.reach for each in held.values()), default=0.0)
    obscore = replace(obscore_table(), nrows=total, region=RegionKey("s_region", _NUMBERS, reach))
    return (
        *(
            Schema(
                release,
                (
                    replace(
                        images_table(release),
                        nrows=each.images,
                        region=RegionKey("outline", "outline", each.reach),
                    ),
                ),
            )
            for release, each in held.items()
        ),
        Schema("ivoa", (obscore,), "Tables that the IVOA defines."),
    )


def obscore_sql(release: str, source: str) -> str:
    """The SELECT that makes rows of obscore of the `images` table `source`, with its sky index.

    `release` must be an identifier, `source` a quoted path.
    """
    terms = ", ".join(
        f'CAST({row["sql"].format(release=f"{release!r}")} AS {_SQL[column.datatype]}) AS "{column.name}"'
        for row, column in zip(_rows("obscore.csv"), obscore_table().columns, strict=True)
    )
    return f"SELECT {terms}, outline AS {_NUMBERS}, hpx29, unit_x, unit_y, unit_z FROM {source}"  # noqa: S608  names of our own


_SQL: Mapping[str, str] = {"char": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "double": "DOUBLE"}


def as_batch(records: Sequence[ImageRecord], release: str, identify: str) -> pa.RecordBatch:
    """Rows of `<release>.images`; `identify` is what the IVOIDs begin with, `ivo://authority/collection`."""
    columns = images_table(release).columns
    rows = [_row(record, identify) for record in records]
    schema = pa.schema([pa.field(column.name, column.arrow_type()) for column in columns])
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def _row(record: ImageRecord, identify: str) -> dict[str, Any]:
    outline, taken = record.footprint, record.observation
    return {
        "image_id": record.image_id,
        "obs_publisher_did": f"{identify}?{record.image_id}",
        "obs_collection": identify.rpartition("/")[2],
        "path": record.path,
        "hdu": record.image_hdu,
        "mask_hdu": record.mask_hdu,
        "weight_hdu": record.weight_hdu,
        "ra": outline.ra,
        "dec": outline.dec,
        "fov": outline.fov,
        "outline": outline.region,
        "pixel_scale": outline.pixel_arcsec,
        "naxis1": record.naxis1,
        "naxis2": record.naxis2,
        "header": record.header,
        "checksum": record.checksum or None,
        "file_size": record.stamp.size,
        "file_date": record.stamp.modified.replace(tzinfo=None),
        **{name: getattr(taken, name) for name in taken.__slots__},
        **{name: getattr(record.linear, name) for name in record.linear.__slots__},
    }


def _rows(name: str) -> tuple[dict[str, str], ...]:
    return column_list.rows("vo.images", name)


def _column(row: dict[str, str]) -> Column:
    utype = _OBSCORE_MODEL + row["utype"] if row.get("utype") else None
    return column_list.column(row, utype=utype, prefix=_ONLY_THE_SERVICE_KNOWS.get(row["column"]))
