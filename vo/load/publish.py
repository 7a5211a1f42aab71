"""`vo publish`: tables that are in Oracle already, described in a directory, become what is served.

Rows are nobody's business here: a DBA loaded them. The catalogue and the rows of TAP_SCHEMA are written
beside one another, in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from vo.catalog import Catalog, Schema, Table
from vo.config import Config
from vo.db.oracle_access import Connection, OracleAccess, quoted_path, writing
from vo.db.oracle_catalog import PIECE_CHARACTERS
from vo.load.oracle_names import as_stored
from vo.load.release import described
from vo.tap.schema import TAP_SCHEMA, tap_schema_tables

_INSERT_ROWS = 1_000
"""Rows of one round trip of INSERT."""

_TYPES = {pa.int32(): "NUMBER(10)", pa.string(): "VARCHAR2(4000)"}
"""The types of the columns of TAP_SCHEMA."""

_CATALOG = {"RELEASE": "VARCHAR2(200)", "PART": "NUMBER(10)", "TEXT": "VARCHAR2(4000)"}
"""The columns of the table with the catalogue."""


@dataclass(frozen=True, slots=True)
class Published:
    """What `vo publish` left behind; `table` holds the catalogue."""

    release: str
    table: str
    tables: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        """The summary, line by line."""
        head = f"release {self.release} in {self.table}: {len(self.tables)} tables, {self.seconds:.1f} s"
        return "\n".join([head, *(f"  {name}" for name in self.tables), *(f"note: {n}" for n in self.notes)])


def publish(source: Path, config: Config, *, owner: str | None = None) -> Published:
    """Publish the tables that `source` describes in place of whatever was published.

    They are looked for in Oracle's schema `owner` (default: the account's own). LoadError tells every table
    and column that is not there.
    """
    started = time.monotonic()
    description = described(source)
    access = OracleAccess.from_config(config)
    with writing(access) as connection:
        own = _current_schema(connection)
        schemas, notes = as_stored(description, owner or own, connection)
        path = access.catalog_path if len(access.catalog_path) > 1 else (own, *access.catalog_path)
        release = f"{schemas[0].name}@{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        _write(Catalog((_tap_schema(path), *schemas), release), path, connection)
    names = tuple(table.qualified for schema in schemas for table in schema.tables)
    return Published(release, ".".join(path), names, notes, time.monotonic() - started)


def _current_schema(connection: Connection) -> str:
    with connection.cursor() as cursor:
        (name,) = cursor.execute("SELECT USER FROM DUAL").fetchone()
    return str(name)


def _tap_schema(path: tuple[str, ...]) -> Schema:
    """TAP_SCHEMA with its tables beside the table `path`: VO_CATALOG_TABLES and so on."""
    return replace(TAP_SCHEMA, tables=tuple(_beside(path, table) for table in TAP_SCHEMA.tables))


def _beside(path: tuple[str, ...], table: Table) -> Table:
    columns = tuple(replace(column, db_name=column.name.upper()) for column in table.columns)
    return replace(table, columns=columns, db_name=(*path[:-1], f"{path[-1]}_{table.name.upper()}"))


def _write(catalog: Catalog, path: tuple[str, ...], connection: Connection) -> None:
    """Replace everything in one transaction; tables and columns that are not there yet are made before it."""
    document = catalog.to_json()
    pieces = range(0, len(document), PIECE_CHARACTERS)
    parts = [
        (catalog.release, part, document[start : start + PIECE_CHARACTERS])
        for part, start in enumerate(pieces)
    ]
    contents = tap_schema_tables(catalog)
    tables = [(table.database_path, contents[table.name]) for table in catalog.schemas[0].tables]
    _make(connection, path, _CATALOG)
    for beside, table in tables:
        _make(connection, beside, {field.name.upper(): _TYPES[field.type] for field in table.schema})
    with connection.cursor() as cursor:
        # The lock first: of two who publish at once, the later one replaces the whole of the other's.
        cursor.execute(f"LOCK TABLE {quoted_path(*path)} IN EXCLUSIVE MODE")
    _refill(connection, path, tuple(_CATALOG), parts)
    for beside, table in tables:
        _refill(connection, beside, [name.upper() for name in table.column_names], _rows(table))
    connection.commit()


def _make(connection: Connection, path: tuple[str, ...], columns: Mapping[str, str]) -> None:
    """The table, or those of its columns that it lacks: it keeps its grants, and those who read it go on.

    Columns that an older version left stay, without values.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COLUMN_NAME FROM ALL_TAB_COLUMNS WHERE OWNER = :1 AND TABLE_NAME = :2", list(path)
        )
        there = {name for (name,) in cursor.fetchall()}
        lacking = ", ".join(f"{quoted_path(name)} {columns[name]}" for name in columns if name not in there)
        if not there:
            cursor.execute(f"CREATE TABLE {quoted_path(*path)} ({lacking})")
        elif lacking:
            cursor.execute(f"ALTER TABLE {quoted_path(*path)} ADD ({lacking})")


def _refill(
    connection: Connection, path: tuple[str, ...], columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    target = f"{quoted_path(*path)} ({', '.join(map(quoted_path, columns))})"
    marks = ", ".join(f":{place}" for place in range(1, len(columns) + 1))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {quoted_path(*path)}")
        for piece in _pieces(rows):
            cursor.executemany(f"INSERT INTO {target} VALUES ({marks})", piece)


def _pieces(rows: Sequence[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    for start in range(0, len(rows), _INSERT_ROWS):
        yield list(rows[start : start + _INSERT_ROWS])


def _rows(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
