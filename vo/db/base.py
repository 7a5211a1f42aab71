"""What the service asks of a database, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from vo.catalog import Catalog, Table
from vo.result import Plan, Result, Statement


@dataclass(frozen=True, slots=True)
class Incoming:
    """A table that is not in the database: `batches` in the Arrow types of its columns, to be read once."""

    table: Table
    batches: Iterable[pa.RecordBatch]


class Database(Protocol):
    """A source of results; one object a process, used by many threads."""

    dialect: str
    """The name of the printer in `vo.adql` whose SQL this database takes."""

    takes_tables: bool
    """Whether `holding` works: TAP advertises uploads if and only if it does."""

    def catalog(self) -> Catalog:
        """What is published now; cheap, and new after `vo load` swapped a release in."""
        ...

    def stream(
        self,
        statement: Statement,
        *,
        maxrec: int | None = None,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Result:
        """Run `statement`; rows beyond `maxrec` are seen but not given.

        `on_start` is handed a function that stops the statement from any thread; the stream then ends
        with CancelledError.
        """
        ...

    def plan(self, statement: Statement) -> Plan:
        """What the database means to do with `statement`, which is not run."""
        ...

    def rows_read(self, statement: Statement) -> int | None:
        """The rows of `plan` alone, as quickly as they can be told."""
        ...

    def holding(
        self,
        schema: str,
        incoming: Sequence[Incoming],
        *,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> AbstractContextManager[Database]:
        """The same database with more tables, which nobody else sees and which go with the block.

        They are published as `schema`; their rows are read before the block begins.
        """
        ...

    def close(self) -> None:
        """Give everything back."""
        ...
