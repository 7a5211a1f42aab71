"""The DuckDB file of a release while it is being built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from vo.catalog import Catalog
from vo.config import Config
from vo.errors import LoadError

NEW_FILE = "new_release"
"""The alias of the file being built; names of three parts leave DuckDB nothing to guess."""


@contextmanager
def new_file(target: Path, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory with `target` attached, detached again at the end without a write-ahead log.

    What does not fit `config.duckdb_memory` is spilt to a directory beside `target`.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": config.duckdb_memory,
        "threads": config.duckdb_threads,
        "temp_directory": f"{target}.spill",
        "preserve_insertion_order": True,
    }
    connection = duckdb.connect(config=settings)
    try:
        connection.execute(f"ATTACH '{escaped(target)}' AS {quoted(NEW_FILE)}")
        yield connection
        connection.execute(f"DETACH {quoted(NEW_FILE)}")
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise LoadError(f"DuckDB could not write {target.name}: {reason}") from error
    finally:
        connection.close()


def write_catalog(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Write what the new file publishes into it, the last thing that is written."""
    connection.execute(f"CREATE SCHEMA {quoted(NEW_FILE, 'vo_meta')}")
    connection.execute(f"CREATE TABLE {quoted(NEW_FILE, 'vo_meta', 'catalog')} (json VARCHAR)")
    connection.execute(
        f"INSERT INTO {quoted(NEW_FILE, 'vo_meta', 'catalog')} VALUES (?)", [catalog.to_json()]
    )
    connection.execute(f"CHECKPOINT {quoted(NEW_FILE)}")


def quoted(*names: str) -> str:
    """`names` as a path of quoted identifiers."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def escaped(path: Path) -> str:
    """A path inside a string of SQL."""
    return str(path).replace("'", "''")
