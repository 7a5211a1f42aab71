"""A described release: what is published, and what only loading it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vo.catalog import Column, Schema, Table


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A published column, its `@id`, its name in the data file, and its place in order and YAML."""

    column: Column
    id: str
    data: str
    nullable: bool
    order: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key as written: `columns` are names of its own table, `referenced` ids of another's."""

    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    description: str | None
    utype: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the rows of a table must satisfy, in names of columns; `unused` says what is only read."""

    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedTable:
    """A published table, where its rows are, and what they must satisfy.

    `columns` are in the order of `table.columns`; `data` is a file or glob, None: a file of the table's
    name.
    """

    table: Table
    columns: tuple[DescribedColumn, ...]
    constraints: Constraints
    data: str | None
    order: int | None
    line: int

    @property
    def required(self) -> frozenset[str]:
        """The columns without NULL: those declared so and those of the primary key."""
        return frozenset(c.column.name for c in self.columns if not c.nullable) | frozenset(
            self.constraints.primary
        )


@dataclass(frozen=True, slots=True)
class Description:
    """A whole release; `schemas` and their tables are in publication order."""

    path: Path
    schemas: tuple[Schema, ...]
    tables: tuple[DescribedTable, ...]
    notes: tuple[str, ...]
