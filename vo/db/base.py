"""What the service asks of a database, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vo.catalog import Catalog
from vo.result import Plan, Result, Statement


class Database(Protocol):
    """A source of results; one object a process, used by many threads."""

    dialect: str
    """The name of the printer in `vo.adql` whose SQL this database takes."""

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

    def close(self) -> None:
        """Give everything back."""
        ...
