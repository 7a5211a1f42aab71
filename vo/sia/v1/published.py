"""What is searched: ivoa.obscore, where it is published with all that a reply needs."""

from __future__ import annotations

from dataclasses import dataclass

from vo.adql import translate
from vo.catalog import Catalog, Table
from vo.db.base import Database
from vo.errors import NotFoundError
from vo.images.tables import has_obscore
from vo.sia.v1.fields import missing_from


def searched(catalog: Catalog) -> Table | None:
    """The table; None where no images are published, or too little is known of them."""
    table = catalog.table("obscore", "ivoa")
    return None if table is None or not has_obscore(catalog) or missing_from(table) else table


def obscore_of(catalog: Catalog) -> Table:
    """The table, or NotFoundError."""
    table = searched(catalog)
    if table is None:
        raise NotFoundError("No images are published here that SIA 1.0 could tell of.")
    return table


@dataclass(frozen=True, slots=True)
class Largest:
    """An image than which none has a wider field: its centre and `fov`, in degrees."""

    ra: float
    dec: float
    fov: float


def largest_image(database: Database) -> Largest | None:
    """One of the largest images; None: there are none."""
    catalog = database.catalog()
    query = (
        f"SELECT TOP 1 s_ra, s_dec, s_fov FROM {obscore_of(catalog).qualified} "  # noqa: S608  a name of the catalogue
        "WHERE dataproduct_type = 'image' AND s_fov IS NOT NULL ORDER BY s_fov DESC"
    )
    with database.stream(translate(query, catalog, dialect=database.dialect)) as result:
        for batch in result:
            for ra, dec, fov in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                return Largest(ra, dec, fov)
    return None
