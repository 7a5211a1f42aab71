"""What is served from Oracle, written there: the catalogue and the rows of TAP_SCHEMA, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from vo.catalog import Catalog, Schema, Table
from vo.db.oracle_access import Connection, OracleAccess, quoted_path
from vo.db.oracle_catalog import PIECE_CHARACTERS
from vo.tap.schema import TAP_SCHEMA, tap_schema_tables

_INSERT_ROWS = 1_000
"""Rows of one round trip of INSERT."""

_TYPES = {pa.int32(): "NUMBER(10)", pa.string(): "VARCHAR2(4000)"}
"""The types of the columns of TAP_SCHEMA."""

_CATALOG = {"RELEASE": "VARCHAR2(200)", "PART": "NUMBER(10)", "TEXT": "VARCHAR2(4000)"}
"""The columns of the table with the catalogue."""


Change = Callable[[tuple[Schema, ...]], Sequence[Schema]]
"""What is to be published, of what is published now."""


def catalog_table(access: OracleAccess, own: str) -> tuple[str, ...]:
    """Schema and name of the table of the catalogue: in the schema `own`, unless the settings name one."""
    return access.catalog_path if len(access.catalog_path) > 1 else (own, *access.catalog_path)


def publish_schemas(change: Change, path: tuple[str, ...], connection: Connection) -> str:
    """Publish what `change` gives, in one transaction; the name of what is published then.

    Of two who publish at once, the later one sees what the other published.
    """
    prepare(path, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {quoted_path(*path)} IN EXCLUSIVE MODE")
    schemas = tuple(change(published(path, connection).schemas))
    release = f"{schemas[0].name}@{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    _fill(Catalog((_tap_schema(path), *schemas), release), path, connection)
    connection.commit()
    return release


def prepare(path: tuple[str, ...], connection: Connection) -> tuple[str, ...]:
    """Make the table of the catalogue and those of TAP_SCHEMA, or what they lack; all their names."""
    tables: dict[tuple[str, ...], Mapping[str, str]] = {path: _CATALOG}
    for table in _tap_schema(path).tables:
        tables[table.database_path] = {c.db_name or c.name: _TYPES[c.arrow_type()] for c in table.columns}
    for name, columns in tables.items():
        _make(connection, name, columns)
    return tuple(quoted_path(*name) for name in tables)


def published(path: tuple[str, ...], connection: Connection) -> Catalog:
    """What the table `path` publishes, without TAP_SCHEMA; the table must be there."""
    with connection.cursor() as cursor:
        pieces = cursor.execute(f"SELECT TEXT FROM {quoted_path(*path)} ORDER BY PART").fetchall()
    catalog = Catalog.from_json("".join(text for (text,) in pieces)) if pieces else Catalog()
    return replace(catalog, schemas=catalog.schemas[1:])


def current_schema(connection: Connection) -> str:
    """The account's own schema."""
    with connection.cursor() as cursor:
        (name,) = cursor.execute("SELECT USER FROM DUAL").fetchone()
    return str(name)


def _tap_schema(path: tuple[str, ...]) -> Schema:
    """TAP_SCHEMA with its tables beside the table `path`: VO_CATALOG_TABLES and so on."""
    return replace(TAP_SCHEMA, tables=tuple(_beside(path, table) for table in TAP_SCHEMA.tables))


def _beside(path: tuple[str, ...], table: Table) -> Table:
    columns = tuple(replace(column, db_name=column.name.upper()) for column in table.columns)
    return replace(table, columns=columns, db_name=(*path[:-1], f"{path[-1]}_{table.name.upper()}"))


def _fill(catalog: Catalog, path: tuple[str, ...], connection: Connection) -> None:
    """Replace all rows of the table of the catalogue and of those beside it."""
    document = catalog.to_json()
    pieces = range(0, len(document), PIECE_CHARACTERS)
    parts = [
        (catalog.release, part, document[start : start + PIECE_CHARACTERS])
        for part, start in enumerate(pieces)
    ]
    _refill(connection, path, tuple(_CATALOG), parts)
    contents = tap_schema_tables(catalog)
    for table in catalog.schemas[0].tables:
        rows = contents[table.name]
        _refill(connection, table.database_path, [name.upper() for name in rows.column_names], _rows(rows))


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
