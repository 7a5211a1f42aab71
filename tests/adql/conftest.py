"""The release on which queries are tried."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from adql.small_release import Release, extra_table, star_columns, stars_table, write_release

from vo.catalog import Catalog, Schema
from vo.db.duckdb_regions import add_region_functions


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release file, attached read-only as every reader does."""
    path: Path = tmp_path_factory.mktemp("releases") / "r1.duckdb"
    stars = star_columns()
    write_release(path, stars)
    connection = duckdb.connect()
    add_region_functions(connection)
    connection.execute(f"ATTACH '{path}' AS r1 (READ_ONLY)")
    catalog = Catalog((Schema("sim1", (stars_table(), extra_table())),), "r1")
    return Release(catalog, connection, stars)
