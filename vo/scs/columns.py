"""The columns of a cone search: the three that SCS 1.03 (2) asks for, and those of each VERB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from vo.catalog import Column, SpatialKey, Table, quoted
from vo.errors import NotFoundError

_AS_TEXT = "CAST({} AS VARCHAR(25))"
"""Any number of 64 bits as text."""

_WANTED: Mapping[int, Callable[[Column], bool]] = {
    1: lambda column: column.principal and column.std,
    2: lambda column: column.principal,
    3: lambda _column: True,
}
"""The columns of each VERB, beside identifier and position."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A column of the answer, and the ADQL that makes it."""

    column: Column
    term: str


def selected(table: Table, verb: int) -> tuple[Selected, ...]:
    """The columns of an answer: the identifier and the position first, as clients look for them."""
    position = position_of(table)
    first = (
        _identifier(table),
        _coordinate(table, position.lon, "POS_EQ_RA_MAIN"),
        _coordinate(table, position.lat, "POS_EQ_DEC_MAIN"),
    )
    taken = {each.column.name for each in first}
    return (*first, *(each for each in _others(table, verb) if each.column.name not in taken))


def position_of(table: Table) -> SpatialKey:
    """The main position of a table; NotFoundError: it has none."""
    if table.spatial is None:
        raise NotFoundError(f"{table.qualified} has no positions to search.")
    return table.spatial


def _others(table: Table, verb: int) -> Iterator[Selected]:
    for column in table.columns:
        if _WANTED[verb](column):
            yield Selected(column, quoted(column.name))


def _identifier(table: Table) -> Selected:
    """The one column ID_MAIN, which must be text; where no column names the rows, their position does."""
    found = table.identifier
    if found is None:
        position = position_of(table)
        lon, lat = (_AS_TEXT.format(quoted(name)) for name in (position.lon, position.lat))
        column = Column("position", "char", arraysize="*", description="Position, which names the row")
        return Selected(replace(column, ucd="ID_MAIN"), f"{lon} || ' ' || {lat} AS \"position\"")
    name = quoted(found.name)
    column = replace(found, ucd="ID_MAIN")
    if found.is_string:
        return Selected(column, name)
    column = replace(column, datatype="char", arraysize="*", unit=None, xtype=None)
    return Selected(column, f"{_AS_TEXT.format(name)} AS {name}")


def _coordinate(table: Table, name: str, ucd: str) -> Selected:
    column = next(column for column in table.columns if column.name == name)
    term = quoted(name)
    if column.datatype != "double":
        term = f"CAST({term} AS DOUBLE PRECISION) AS {term}"
    return Selected(replace(column, datatype="double", ucd=ucd), term)
