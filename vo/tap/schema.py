"""TAP_SCHEMA (TAP 1.1, 4): its own description, and its content for a catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa

from vo.catalog import Catalog, Column, ForeignKey, Schema, Table, quoted
from vo.vosi import published_keys

Row = tuple[str | int | None, ...]
_Columns = tuple[tuple[str, str], ...]

_INTEGERS = frozenset({"size", "indexed", "principal", "std", "schema_index", "table_index", "column_index"})
_MINOR = frozenset({"utype", "schema_index", "table_index", "column_index", "size", "std"})
_LENGTH = re.compile(r"([0-9]+)\*?\Z")

_UTYPE = ("utype", "Concept of a data model that this stands for")

# The columns are those of TAP 1.1, 4.1 to 4.5, in the order of its tables.
_SCHEMAS: _Columns = (
    ("schema_name", "Name of the schema, with quotes where a query needs them"),
    _UTYPE,
    ("description", "What the schema holds"),
    ("schema_index", "Recommended place of the schema in a list"),
)
_TABLES: _Columns = (
    ("schema_name", "Schema of the table, from TAP_SCHEMA.schemas"),
    ("table_name", "Qualified name of the table, as it is written in a query"),
    ("table_type", "table or view"),
    _UTYPE,
    ("description", "What the table holds"),
    ("table_index", "Recommended place of the table in a list"),
)
_COLUMNS: _Columns = (
    ("table_name", "Table of the column, from TAP_SCHEMA.tables"),
    ("column_name", "Name of the column, with quotes where a query needs them"),
    ("datatype", "Datatype of VOTable"),
    ("arraysize", "Length of a string or shape of an array, as in VOTable; NULL for a single value"),
    ("xtype", "Extended type of DALI, such as timestamp"),
    ("size", "Length of a string or list; deprecated, see arraysize"),
    ("description", "What the column holds"),
    _UTYPE,
    ("unit", "Unit of the values, as in VOUnits"),
    ("ucd", "Unified content descriptor of the values"),
    ("indexed", "1: a condition on the column makes a query fast"),
    ("principal", "1: the column belongs to a first choice of columns"),
    ("std", "1: the column is defined by a standard"),
    ("column_index", "Recommended place of the column in the table"),
)
_KEYS: _Columns = (
    ("key_id", "Identifier of the key"),
    ("from_table", "Table from which the key points, from TAP_SCHEMA.tables"),
    ("target_table", "Table to which the key points, from TAP_SCHEMA.tables"),
    ("description", "What the key relates"),
    _UTYPE,
)
_KEY_COLUMNS: _Columns = (
    ("key_id", "Key to which the pair of columns belongs, from TAP_SCHEMA.keys"),
    ("from_column", "Column of the table from which the key points"),
    ("target_column", "Column of the table to which the key points"),
)


def _column(name: str, description: str) -> Column:
    integer = name in _INTEGERS
    return Column(
        name,
        datatype="int" if integer else "char",
        arraysize=None if integer else "*",
        description=description,
        principal=name not in _MINOR,
        std=True,
    )


def _table(name: str, columns: _Columns, description: str, **keys: str) -> Table:
    """A table of TAP_SCHEMA; `keys` maps its columns to the `table.column` they point to (TAP 1.1, 4)."""
    targets = {here: target.split(".") for here, target in keys.items()}
    return Table(
        "TAP_SCHEMA",
        name,
        tuple(_column(*column) for column in columns),
        description=description,
        keys=tuple(
            ForeignKey(f"TAP_SCHEMA.{target}", ((here, there),)) for here, (target, there) in targets.items()
        ),
    )


TAP_SCHEMA = Schema(
    "TAP_SCHEMA",
    (
        _table("schemas", _SCHEMAS, "The schemas of this service"),
        _table("tables", _TABLES, "The tables of this service", schema_name="schemas.schema_name"),
        _table("columns", _COLUMNS, "The columns of the tables", table_name="tables.table_name"),
        _table(
            "keys",
            _KEYS,
            "The foreign keys between tables: joins that make sense",
            from_table="tables.table_name",
            target_table="tables.table_name",
        ),
        _table("key_columns", _KEY_COLUMNS, "The pairs of columns that a key joins", key_id="keys.key_id"),
    ),
    description="What can be queried here: schemas, tables, columns and the keys between tables",
)
"""The description of TAP_SCHEMA by itself."""


def describe(catalog: Catalog) -> tuple[Schema, dict[str, pa.Table]]:
    """TAP_SCHEMA and its rows for a catalogue that lacks it: what a database keeps beside its releases."""
    return TAP_SCHEMA, tap_schema_tables(Catalog((TAP_SCHEMA,)).merged(catalog))


def tap_schema_tables(catalog: Catalog) -> dict[str, pa.Table]:
    """The content of TAP_SCHEMA for `catalog`, which should include TAP_SCHEMA, by bare table name.

    Names are stored as a query writes them, with quotes where it needs them (TAP 1.1, 4.2).
    """
    rows: Mapping[str, Iterator[Row]] = {
        "schemas": _schema_rows(catalog),
        "tables": _table_rows(catalog),
        "columns": _column_rows(catalog),
        "keys": _key_rows(catalog),
        "key_columns": _key_column_rows(catalog),
    }
    return {table.name: _arrow(table, list(rows[table.name])) for table in TAP_SCHEMA.tables}


def _arrow(table: Table, rows: list[Row]) -> pa.Table:
    schema = pa.schema([pa.field(column.name, column.arrow_type()) for column in table.columns])
    values = list(zip(*rows, strict=True)) or [() for _ in schema]
    return pa.table(
        [pa.array(value, field.type) for value, field in zip(values, schema, strict=True)], schema=schema
    )


def _schema_rows(catalog: Catalog) -> Iterator[Row]:
    for index, schema in enumerate(catalog.schemas, 1):
        yield quoted(schema.name), schema.utype, schema.description, index


def _table_rows(catalog: Catalog) -> Iterator[Row]:
    for index, table in enumerate(catalog.tables(), 1):
        yield quoted(table.schema), table.qualified, table.kind, table.utype, table.description, index


def _column_rows(catalog: Catalog) -> Iterator[Row]:
    for table in catalog.tables():
        for index, column in enumerate(table.columns, 1):
            yield (
                table.qualified,
                quoted(column.name),
                column.datatype,
                column.arraysize,
                column.xtype,
                length(column.arraysize),
                column.description,
                column.utype,
                column.unit,
                column.ucd,
                int(column.indexed),
                int(column.principal),
                int(column.std),
                index,
            )


def _keys(catalog: Catalog) -> Iterator[tuple[str, Table, ForeignKey, Table]]:
    pairs = ((table, *pair) for table in catalog.tables() for pair in published_keys(catalog, table))
    for number, (table, key, target) in enumerate(pairs, 1):
        yield f"k{number}", table, key, target


def _key_rows(catalog: Catalog) -> Iterator[Row]:
    for key_id, table, key, target in _keys(catalog):
        yield key_id, table.qualified, target.qualified, key.description, key.utype


def _key_column_rows(catalog: Catalog) -> Iterator[Row]:
    for key_id, _, key, _ in _keys(catalog):
        for here, there in key.columns:
            yield key_id, quoted(here), quoted(there)


def length(arraysize: str | None) -> int | None:
    """The value of "size" (TAP 1.1, 4.3): the length where `arraysize` says one.

    >>> length("8*"), length("12"), length("*"), length("2x3"), length(None)
    (8, 12, None, None, None)
    """
    found = _LENGTH.match(arraysize or "")
    return int(found[1]) if found else None
