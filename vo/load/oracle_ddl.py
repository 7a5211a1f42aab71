"""The statements that make a table: types, partitions, keys, index, comments, grants, statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from vo.catalog import Column, Table, is_regular
from vo.db.oracle_access import quoted_path
from vo.errors import LoadError

INDEX = "HPX29"
"""The column of the HEALPix cells of order 29 beside the published ones."""

LONGEST_TEXT = 4_000
"""Bytes of a VARCHAR2, where MAX_STRING_SIZE is STANDARD; a CLOB could be neither compared nor grouped."""

_LONGEST_NAME = 128  # bytes, since 12.2
_MARK = 9  # characters of the mark of a load at the end of a name
_MOST_COLUMNS = 1_000

_TYPES: Mapping[pa.DataType, str] = {
    pa.bool_(): "NUMBER(1)",
    pa.uint8(): "NUMBER(3)",
    pa.int16(): "NUMBER(5)",
    pa.int32(): "NUMBER(10)",
    pa.int64(): "NUMBER(19)",
    pa.float32(): "BINARY_FLOAT",
    pa.float64(): "BINARY_DOUBLE",
    pa.timestamp("us"): "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table to be made: `table` with the names that Oracle has for it and its columns, and its keys.

    `borders` are the first cells of each partition but the first; none: it is not partitioned.
    """

    table: Table
    required: frozenset[str]
    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    borders: tuple[int, ...] = ()

    @property
    def path(self) -> str:
        """Schema and name, quoted."""
        return quoted_path(*self.table.database_path)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns in Oracle, the index last."""
        named = tuple(column.db_name or column.name for column in self.table.columns)
        return (*named, INDEX) if self.table.spatial else named


def stored_name(table: Table, mark: str) -> str:
    """What a table is called in Oracle: the mark of its load tells it from those of other loads.

    >>> stored_name(Table("sim1", "B-V", ()), "L0BADCAF")
    'SIM1_B_V_L0BADCAF'
    """
    name = f"{table.schema}_{table.name}"
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return f"{plain.upper()[: _LONGEST_NAME - 2 * _MARK]}_{mark}"


def stored_column(name: str) -> str:
    """What a column is called: in capitals, unless it needs quotes anyway."""
    return name.upper() if is_regular(name) else name


def problems(table: Table) -> Iterator[str]:
    """What keeps a table from being stored in Oracle."""
    if len(table.columns) >= _MOST_COLUMNS:
        yield f"{table.qualified} has {len(table.columns):,} columns, and Oracle takes {_MOST_COLUMNS - 1}."
    for column in table.columns:
        if not column.is_string and column.arraysize not in (None, "1"):
            yield f"{table.qualified}: {column.name} is an array, which has no type in Oracle."
        if '"' in column.name or len(column.name.encode()) > _LONGEST_NAME:
            yield f"{table.qualified}: {column.name[:40]!r} cannot be the name of a column in Oracle."


def creation(stored: StoredTable) -> str:
    """CREATE TABLE, cut by the borders into ranges of cells; rows without a position are in the last."""
    lines = [
        f"{quoted_path(name)} {_type(column)}{' NOT NULL' if column.name in stored.required else ''}"
        for name, column in zip(stored.columns, stored.table.columns, strict=False)
    ]
    lines += [f"{quoted_path(INDEX)} NUMBER(19)"] if stored.table.spatial else []
    return f"CREATE TABLE {stored.path} ({', '.join(lines)}){_partitions(stored.borders)}"


def _type(column: Column) -> str:
    if not column.is_string or column.xtype == "timestamp":
        return _TYPES[column.arrow_type()]
    limit = int((column.arraysize or "1").rstrip("*") or LONGEST_TEXT)
    unit = " CHAR" if column.datatype == "unicodeChar" and limit < LONGEST_TEXT else ""
    return f"VARCHAR2({min(limit, LONGEST_TEXT)}{unit})"


def _partitions(borders: Sequence[int]) -> str:
    if not borders:
        return ""
    limits = (*map(str, borders), "MAXVALUE")
    parts = ", ".join(
        f"PARTITION {quoted_path(f'P{number}')} VALUES LESS THAN ({limit})"
        for number, limit in enumerate(limits, 1)
    )
    return f" PARTITION BY RANGE ({quoted_path(INDEX)}) ({parts})"


def finishing(stored: StoredTable, readers: Sequence[str]) -> Iterator[str]:
    """What follows the rows: keys, index, comments, grants, statistics; each may be repeated."""
    for number, names in enumerate(filter(None, (stored.primary, *stored.unique))):
        kind = "PRIMARY KEY" if stored.primary and not number else "UNIQUE"
        key = _beside(stored, f"K{number}")
        yield f"ALTER TABLE {stored.path} ADD CONSTRAINT {key} {kind} ({_named(stored, names)})"
    if stored.table.spatial:
        local = " LOCAL" if stored.borders else ""
        yield f"CREATE INDEX {_beside(stored, 'X')} ON {stored.path} ({quoted_path(INDEX)}){local}"
    yield from _comments(stored)
    for reader in readers:
        yield f"GRANT SELECT ON {stored.path} TO {quoted_path(reader)}"
    owner, name = (part.replace("'", "''") for part in stored.table.database_path)
    yield (
        f"BEGIN DBMS_STATS.GATHER_TABLE_STATS(ownname => '\"{owner}\"', tabname => '\"{name}\"', "
        "cascade => TRUE); END;"
    )


def _beside(stored: StoredTable, mark: str) -> str:
    """The name of a key or an index: that of the table and a mark, in its schema for an index."""
    return quoted_path(f"{stored.table.database_path[-1]}_{mark}")


def _named(stored: StoredTable, names: Sequence[str]) -> str:
    spelt = {column.name: column.db_name or column.name for column in stored.table.columns}
    return ", ".join(quoted_path(spelt[name]) for name in names)


def _comments(stored: StoredTable) -> Iterator[str]:
    if stored.table.description:
        yield f"COMMENT ON TABLE {stored.path} IS {_literal(stored.table.description)}"
    for name, column in zip(stored.columns, stored.table.columns, strict=False):
        said = " ".join(filter(None, (column.description, f"[{column.unit}]" if column.unit else "")))
        if said:
            yield f"COMMENT ON COLUMN {stored.path}.{quoted_path(name)} IS {_literal(said)}"


def _literal(text: str) -> str:
    """Text as a string of SQL, cut at the length of a comment."""
    cut = text.encode()[: LONGEST_TEXT // 2].decode(errors="ignore")
    return "'" + cut.replace("'", "''").replace("\0", " ") + "'"


def refuse_unstorable(tables: Sequence[Table]) -> None:
    """LoadError that tells all that Oracle cannot store."""
    found = [problem for table in tables for problem in problems(table)]
    if found:
        raise LoadError(found[0], hint="\n".join(found[1:]) or None)
