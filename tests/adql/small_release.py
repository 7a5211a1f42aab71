"""A small release as the loader would write it: stars where it hurts, a second table, footprints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from vo.adql import translate
from vo.catalog import Catalog, Column, SpatialKey, Table
from vo.result import Statement

_COUNT = 4000


def star_columns() -> dict[str, Any]:
    """The stars as columns of NumPy: the whole sky, both poles, the seam of RA, one dense field."""
    rng = np.random.default_rng(7)
    ra = rng.uniform(0, 360, _COUNT)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, _COUNT)))
    ra[:600], dec[:600] = 40 + rng.normal(0, 0.2, 600), -20 + rng.normal(0, 0.2, 600)
    ra[600:800], dec[600:800] = rng.normal(0, 0.3, 200) % 360, rng.normal(5, 0.3, 200)
    ra[800:900], dec[800:900] = rng.uniform(0, 360, 100), 90 - rng.exponential(0.5, 100)
    ra[900:1000], dec[900:1000] = rng.uniform(0, 360, 100), -90 + rng.exponential(0.5, 100)
    ra[:4], dec[:4] = (0, 359.999999, 12.5, 12.5), (0, 0, 90, -90)
    mag = rng.normal(20, 2, _COUNT).astype(np.float32)
    return {
        "id": np.arange(_COUNT, dtype=np.int64),
        "ra": ra,
        "dec": dec,
        "mag_g": np.ma.masked_array(mag, mask=rng.uniform(size=_COUNT) < 0.1),
        "mag_r": mag - rng.normal(0.5, 0.2, _COUNT).astype(np.float32),
        "flags": rng.integers(-3, 8, _COUNT).astype(np.int16),
        "name": np.array([f"{'ABC'[i % 3]}{'x' * (i % 2)}{i % 7}" for i in range(_COUNT)]),
    }


def stars_table() -> Table:
    """The table of stars, with a spatial key."""
    columns = (
        Column("id", "long", ucd="meta.id;meta.main", description="Number of the star"),
        Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", db_name="ALPHA"),
        Column("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main"),
        Column("mag_g", "float", unit="mag", ucd="phot.mag;em.opt.B", description="Magnitude in g"),
        Column("mag_r", "float", unit="mag", ucd="phot.mag;em.opt.R"),
        Column("flags", "short"),
        Column("name", "char", "*"),
        Column("Size", "int", db_name="extent"),
    )
    return Table(
        "sim1",
        "Stars",
        columns,
        spatial=SpatialKey("ra", "dec"),
        nrows=_COUNT,
        db_name=("r1", "sim1", "stars"),
    )


def extra_table() -> Table:
    """A table without a key: a timestamp, shapes, a boolean, a list."""
    columns = (
        Column("id", "long"),
        Column("z", "double"),
        Column("seen", "char", "*", xtype="timestamp"),
        Column("pos", "double", "2", xtype="point", unit="deg"),
        Column("footprint", "double", "*", xtype="polygon", unit="deg"),
        Column("disc", "double", "3", xtype="circle", unit="deg"),
        Column("good", "boolean"),
        Column("bands", "char", "*"),
    )
    return Table("sim1", "extra", columns, db_name=("r1", "sim1", "extra"))


@dataclass
class Release:
    """The catalogue, a connection to its file, and the stars as arrays."""

    catalog: Catalog
    connection: Any
    stars: dict[str, Any]

    def translate(self, query: str, maxrec: int | None = None) -> Statement:
        """The statement of a query."""
        return translate(query, self.catalog, maxrec=maxrec)

    def table(self, query: str, maxrec: int | None = None) -> pa.Table:
        """The rows of a query, which must come in the declared types."""
        statement = self.translate(query, maxrec)
        table = self.connection.cursor().sql(statement.sql).to_arrow_table()
        declared = [column.arrow_type() for column in statement.columns]
        assert table.schema.types == declared, (query, statement.sql)
        assert table.schema.names == [f"c{i}" for i in range(1, len(declared) + 1)]
        return table

    def rows(self, query: str, maxrec: int | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query as tuples."""
        columns = [column.to_pylist() for column in self.table(query, maxrec).columns]
        return list(zip(*columns, strict=True))

    def values(self, query: str) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in self.rows(query)]


def write_release(path: Path, stars: dict[str, Any]) -> None:
    """Write the release file of `stars`."""
    lon, lat = Longitude(stars["ra"], units.deg), Latitude(stars["dec"], units.deg)
    ra, dec = np.radians(stars["ra"]), np.radians(stars["dec"])
    mag = stars["mag_g"]
    arrow = pa.table(
        {
            "id": stars["id"],
            "ALPHA": stars["ra"],
            "dec": stars["dec"],
            "mag_g": pa.array(mag.data, mask=np.ma.getmaskarray(mag)),
            "mag_r": stars["mag_r"],
            "flags": stars["flags"],
            "name": stars["name"].tolist(),
            "extent": (stars["id"] % 50).astype(np.int32),
            "hpx29": lonlat_to_healpix(lon, lat, 29).astype(np.int64),
            "unit_x": np.cos(dec) * np.cos(ra),
            "unit_y": np.cos(dec) * np.sin(ra),
            "unit_z": np.sin(dec),
        }
    )
    with duckdb.connect(str(path)) as writer:
        writer.execute("CREATE SCHEMA sim1")
        writer.register("arrow", arrow)
        writer.execute("CREATE TABLE sim1.stars AS SELECT * FROM arrow ORDER BY hpx29")
        writer.execute(
            "INSERT INTO sim1.stars (id, name, flags) VALUES (9001, 'nowhere', 1), (9002, NULL, NULL)"
        )
        writer.execute(
            """CREATE TABLE sim1.extra AS SELECT * FROM (VALUES
              (1, 0.5, TIMESTAMP '2020-01-01 00:00:00', [40, -20]::DOUBLE[2],
               [39, -21, 41, -21, 41, -19, 39, -19]::DOUBLE[], [40, -20, 1]::DOUBLE[3], true, 'g#r'),
              (2, NULL, TIMESTAMP '2021-06-01 12:30:00', [0, 5]::DOUBLE[2],
               [359, 4, 1, 4, 1, 6, 359, 6]::DOUBLE[], [0, 5, 2]::DOUBLE[3], false, 'g#r#i'),
              (3, 2.5, NULL, NULL, NULL, NULL, NULL, NULL),
              (7, 7.5, TIMESTAMP '2022-01-01 00:00:00', [0, 90]::DOUBLE[2],
               [0, 89, 120, 89, 240, 89]::DOUBLE[], [0, 90, 0.5]::DOUBLE[3], true, 'y'))
              AS t(id, z, seen, pos, footprint, disc, good, bands)"""
        )
        writer.execute(
            "ALTER TABLE sim1.extra ALTER id TYPE BIGINT; ALTER TABLE sim1.extra ALTER z TYPE DOUBLE"
        )
