"""What names mean inside a query: tables under their names, the columns in sight, and the queries of WITH."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from sqlglot import exp

from vo.adql.nodes import call, describe
from vo.catalog import Column, Table


class Field(NamedTuple):
    """A column of a source: what it is in the query, and its name in the database."""

    column: Column
    physical: str


@dataclass(frozen=True, eq=False)
class Source:
    """A table, sub-query or WITH query of a FROM, under the alias that the SQL gives it.

    `table` is None for what the catalogue does not hold, and `query` for what it does; `known` is False
    where the name was wrong, so that its columns are not complained about as well; `weight` is the number
    of tables that it reads. A source equals itself alone.
    """

    alias: str
    name: str
    exact: bool
    fields: tuple[Field, ...]
    schema: str | None = None
    table: Table | None = None
    known: bool = True
    query: exp.Expr | None = None
    weight: int = 1

    def is_called(self, name: exp.Identifier, schema: exp.Identifier | None) -> bool:
        """Whether `name`, or `schema.name`, in front of a column means this source."""
        if schema is not None and (self.schema is None or not same(schema, self.schema)):
            return False
        return same(name, self.name)

    @property
    def index(self) -> str:
        """The column of the stored spatial index; empty if the table has none."""
        return self.table.spatial.index if self.table is not None and self.table.spatial is not None else ""

    @cached_property
    def visible(self) -> tuple[Visible, ...]:
        """The columns in order."""
        return tuple(Visible(item.column, ((self, item),)) for item in self.fields)

    @cached_property
    def _by_name(self) -> Mapping[str, list[Visible]]:
        return _indexed(self.visible)

    def find(self, name: exp.Identifier) -> list[Visible]:
        """The columns of that name."""
        return [item for item in self._by_name.get(name.this.lower(), ()) if same(name, item.column.name)]


class Visible(NamedTuple):
    """A column in sight: of one source, or shared by several through NATURAL or USING."""

    column: Column
    parts: tuple[tuple[Source, Field], ...]

    def reference(self) -> exp.Expr:
        """A new node for the column; where several sources share it, the first value that is there."""
        columns = [_column(source, item) for source, item in self.parts]
        return columns[0] if len(columns) == 1 else describe(call("COALESCE", *columns), self.column)


@dataclass
class Relation:
    """The sources below a node of FROM, and the columns that they show, in order."""

    sources: tuple[Source, ...] = ()
    columns: tuple[Visible, ...] = ()

    @cached_property
    def _by_name(self) -> Mapping[str, list[Visible]]:
        return _indexed(self.columns)

    @cached_property
    def aliases(self) -> frozenset[str]:
        """The aliases of all sources."""
        return frozenset(source.alias for source in self.sources)

    def find(self, name: exp.Identifier) -> list[Visible]:
        """The columns of that name."""
        return [item for item in self._by_name.get(name.this.lower(), ()) if same(name, item.column.name)]

    def called(self, name: exp.Identifier, schema: exp.Identifier | None) -> list[Source]:
        """The sources of that name."""
        return [
            source for source in self._called.get(name.this.lower(), ()) if source.is_called(name, schema)
        ]

    @cached_property
    def _called(self) -> Mapping[str, list[Source]]:
        index: dict[str, list[Source]] = {}
        for source in self.sources:
            index.setdefault(source.name.lower(), []).append(source)
        return index


@dataclass
class Scope:
    """A relation, the scope around its query, and the columns of its SELECT once they are known.

    `unread` are the words of columns of SELECT that were not understood: one may be a name used elsewhere.
    """

    relation: Relation
    parent: Scope | None = None
    selected: list[tuple[str, exp.Expr]] = field(default_factory=list)
    unread: frozenset[str] = frozenset()

    def outwards(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def names(self) -> list[str]:
        """Every column name in sight, once."""
        return list(dict.fromkeys(item.column.name for s in self.outwards() for item in s.relation.columns))

    @property
    def all_known(self) -> bool:
        """Whether every table in sight was found."""
        return all(source.known for scope in self.outwards() for source in scope.relation.sources)

    def lacks(self, name: str) -> bool:
        """Whether `name`, which was not found, cannot be in what was not understood."""
        return self.all_known and not any(name.lower() in scope.unread for scope in self.outwards())


def _indexed(columns: Iterable[Visible]) -> Mapping[str, list[Visible]]:
    """The columns by their names in lower case."""
    index: dict[str, list[Visible]] = {}
    for visible in columns:
        index.setdefault(visible.column.name.lower(), []).append(visible)
    return index


def same(identifier: exp.Identifier, name: str) -> bool:
    """Whether an identifier means `name`: to the letter if delimited, else in any case (ADQL 2.1, 2.1.7).

    >>> same(exp.to_identifier("RA"), "ra"), same(exp.to_identifier("RA", quoted=True), "ra")
    (True, False)
    """
    written: str = identifier.this
    return written == name or (not identifier.args.get("quoted") and written.lower() == name.lower())


def _column(source: Source, item: Field) -> exp.Expr:
    node = exp.Column(
        this=exp.Identifier(this=item.physical, quoted=True),
        table=exp.Identifier(this=source.alias, quoted=True),
    )
    node.meta["source"] = source
    return describe(node, item.column)
