"""Releases that tests load: a small one written on the spot, and real catalogues where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vo.config import Config
from vo.load import Loaded, load_release

CATALOGUES = {
    "hipparcos": "hipparcos_d3celestial.csv",
    "redmapper": "redmapper_dr8_public_v6.3_catalog_sourcery.fits",
    "bright_galaxies": "linea_bright_galaxies_i_band.csv",
}
"""Real catalogues by release, with their data files."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "catalogues"

POSITION = """\
      - {name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}
      - {name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}
"""

STARS = f"""\
name: sky
description: A release for tests.
tables:
  - name: stars
    primaryKey: id
    columns:
      - {{name: id, datatype: long}}
{POSITION}\
      - {{name: mag, datatype: float, ivoa:unit: mag}}
"""
"""The description of `sky.stars`, whose rows `write_stars` writes."""

STAR_ROWS: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4, 5, 6],
    "ra": [10.0, 359.999, 0.0, 187.25, None, 45.0],
    "dec": [-30.0, 90.0, -90.0, 2.05, 1.0, 0.0],
    "mag": [17.5, None, 21.25, 12.0, 9.0, 8.5],
}


def write_stars(directory: Path, *, description: str = STARS, **columns: list[Any]) -> Path:
    """A release of one Parquet file in `directory`, with `columns` in place of those of STAR_ROWS."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "release.yaml").write_text(description)
    pq.write_table(pa.table({**STAR_ROWS, **columns}), directory / "stars.parquet")
    return directory


def config_of(directory: Path) -> Config:
    """Settings under which releases lie in `directory`."""
    return Config(data_dir=directory, duckdb_memory="256MB", duckdb_threads=1)


def rows_of(loaded: Loaded, config: Config, sql: str) -> list[tuple[Any, ...]]:
    """The rows of `sql` on a loaded release, which is the database `r` there."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{config.releases_dir / loaded.release}.duckdb' AS r (READ_ONLY)")
        return connection.execute(sql).fetchall()


def load_catalogue(release: str, data_dir: Path) -> tuple[Loaded, Config]:
    """Load one of CATALOGUES below `data_dir`; the test is skipped where its data file is not at hand."""
    data = SHARED / CATALOGUES[release]
    if not data.is_file():
        pytest.skip(f"the catalogue {data.name} is not at hand")
    source = data_dir / "sources" / release
    source.mkdir(parents=True)
    described = Path(__file__).parent / "data" / "releases" / release / "release.yaml"
    (source / "release.yaml").write_text(described.read_text("utf-8"), "utf-8")
    (source / data.name).symlink_to(data)
    config = config_of(data_dir)
    return load_release(source, config), config
