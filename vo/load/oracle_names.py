"""Described tables as Oracle spells them: owners, tables, columns and the stored index, as they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vo.catalog import Schema, SpatialKey, Table, nearest
from vo.db.oracle_access import Connection
from vo.errors import LoadError
from vo.load.description import DescribedTable, Description

_COLUMNS = "SELECT TABLE_NAME, COLUMN_NAME FROM ALL_TAB_COLUMNS WHERE OWNER = :1 ORDER BY 1, 2"
_ROWS = "SELECT TABLE_NAME, NUM_ROWS FROM ALL_TABLES WHERE OWNER = :1"
_FETCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is in one schema of Oracle: the columns by table, and how many rows its statistics count."""

    owner: str
    columns: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, int]


def as_stored(
    description: Description, owner: str, connection: Connection
) -> tuple[tuple[Schema, ...], tuple[str, ...]]:
    """The described schemas with the true spelling of everything, and what is worth a note.

    Names are compared without regard to case unless two differ in case only, where the letters count.
    LoadError: a table or a column is not there, or holds arrays.
    """
    stored = _stored(owner, connection)
    placed: dict[str, Table] = {}
    problems: list[str] = []
    notes = list(description.notes)
    for item in description.tables:
        table, wrong, noted = _placed(item, stored)
        problems += wrong
        notes += noted
        placed[table.qualified] = table
    if problems:
        raise LoadError(problems[0], hint="\n".join(problems[1:]) or None)
    schemas = (
        replace(schema, tables=tuple(placed[table.qualified] for table in schema.tables))
        for schema in description.schemas
    )
    return tuple(schemas), tuple(notes)


def _stored(owner: str, connection: Connection) -> _Stored:
    columns: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.arraysize = _FETCH_ROWS
        for table, column in cursor.execute(_COLUMNS, [owner]):
            columns.setdefault(table, []).append(column)
        counts = dict(cursor.execute(_ROWS, [owner]).fetchall())
    rows = {table: int(count) for table, count in counts.items() if count is not None}
    return _Stored(owner, {table: tuple(names) for table, names in columns.items()}, rows)


def _placed(item: DescribedTable, stored: _Stored) -> tuple[Table, list[str], list[str]]:
    """The table as it is stored, what is wrong with it, and what is worth a note."""
    table = item.table
    name = spelling(table.name, list(stored.columns))
    if name is None:
        return (
            table,
            [f"Oracle's schema {stored.owner} has no table {table.name} that this account sees."],
            [],
        )
    there = stored.columns[name]
    columns, problems = [], []
    for described in item.columns:
        wanted = described.column
        found = spelling(described.data, there)
        columns.append(replace(wanted, db_name=found))
        if found is None:
            near = nearest(described.data, there, 1)
            advice = f" Is it {near[0]}?" if near else ""
            problems.append(f"{table.qualified}: {stored.owner}.{name} has no {described.data}.{advice}")
        elif not wanted.is_string and wanted.arraysize not in (None, "1"):
            problems.append(
                f"{table.qualified}: {wanted.name} is an array, which cannot be read from Oracle."
            )
    spatial, notes = _indexed(table, there)
    placed = replace(
        table,
        columns=tuple(columns),
        spatial=spatial,
        nrows=stored.rows.get(name),
        db_name=(stored.owner, name),
    )
    return placed, problems, list(notes)


def _indexed(table: Table, there: Sequence[str]) -> tuple[SpatialKey | None, Iterator[str]]:
    """The key with the true spelling of its index; a table without that column is searched as a whole."""
    if table.spatial is None:
        return None, iter(())
    index = spelling(table.spatial.index, there)
    if index is not None:
        return replace(table.spatial, index=index), iter(())
    return None, iter([f"{table.qualified} has no column {table.spatial.index}: cones read the whole table."])


def spelling(name: str, there: Sequence[str]) -> str | None:
    """The one of `there` that is meant by `name`; None: none, or several that differ in case.

    >>> spelling("ra", ["DEC", "RA"]), spelling("ra", ["Ra", "RA"]), spelling("Ra", ["Ra", "RA"])
    ('RA', None, 'Ra')
    """
    if name in there:
        return name
    found = [candidate for candidate in there if candidate.lower() == name.lower()]
    return found[0] if len(found) == 1 else None
