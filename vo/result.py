"""What a query becomes: a statement for the database, then a stream of column batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import pyarrow as pa

from vo.catalog import Column, Table, arrow_schema

Ranges = tuple[tuple[int, int], ...]
"""Inclusive ranges of a stored spatial index; none of them: nothing is known to bound it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A stored table that a statement reads, and the ranges of its spatial index that hold what it needs."""

    table: Table
    ranges: Ranges = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL for one database, and the columns of its rows in order.

    The SQL names its output columns c1, c2, …, so that duplicate, reserved and long names never reach the
    database; `columns` carries the published names. `spatial_index` says whether the stored index prunes;
    `scans` are the stored tables that it names. `widths` are the columns of the SQL that make each of the
    published ones, where a database without arrays gives a shape as numbers: c2_1, c2_2, …; none: one each.
    `parted` is the stored table by whose rows the statement can be taken in parts (`translate`), if it can.
    """

    sql: str
    columns: tuple[Column, ...]
    spatial_index: bool = False
    scans: tuple[Scan, ...] = ()
    widths: tuple[int, ...] = ()
    parted: Table | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database means to do with a statement: its own account, for people, and the rows it will read.

    `rows` are those of stored tables that are looked at, however few of them come out; None: it does not say.
    """

    text: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class Recast:
    """Rows made into others, as many: `batch` makes those of `columns` of a batch in the declared types."""

    columns: tuple[Column, ...]
    batch: Callable[[pa.RecordBatch], pa.RecordBatch]


class Result:
    """Rows on their way: Arrow batches in the types of `columns`, cut at `maxrec`.

    The first batch is fetched on construction, so that an error of the database appears before any byte
    is sent. `batches` must have been asked for `maxrec` + 1 rows: `overflow` is True once that one more
    row was seen, so a result of exactly `maxrec` rows is complete (TAP 1.1, 2.7.4). `is_over`: all were seen.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        batches: Iterator[pa.RecordBatch],
        *,
        maxrec: int | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.columns = columns
        self.schema = arrow_schema(columns)
        self._made: Callable[[pa.RecordBatch], pa.RecordBatch] = partial(as_declared, schema=self.schema)
        self.overflow = False
        self.is_over = False
        self.rows = 0
        self.byte_limit: int | None = None
        self.maxrec = maxrec
        self._batches = batches
        self._on_close = on_close
        try:
            self._first = next(batches, None)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Each batch once, in the declared Arrow types, none beyond `maxrec` rows in all."""
        batch = self._first
        self._first = None
        while batch is not None and not self.overflow:
            yield self._taken(batch)
            batch = None if self.overflow else next(self._batches, None)
        self.is_over = True

    def _taken(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.maxrec is not None and self.rows + batch.num_rows > self.maxrec:
            batch = batch.slice(0, self.maxrec - self.rows)
            self.overflow = True
        self.rows += batch.num_rows
        return self._made(batch)

    def recast(self, recast: Recast) -> None:
        """Hand out other rows in place of those of the database."""
        made = self._made
        self.columns, self.schema = recast.columns, arrow_schema(recast.columns)
        self._made = lambda batch: recast.batch(made(batch))

    def cut(self, rows: int) -> None:
        """Note that only so many rows were written, as `byte_limit` allows no more."""
        self.overflow = True
        self.rows = rows

    def close(self) -> None:
        """Give the cursor back; may be called more than once, from `finally`."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> Self:
        """The result itself; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the result, whatever happened."""
        self.close()


def as_declared(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """`batch` with the names and types of `schema`; a value that does not fit is an error, never cut."""
    if batch.schema.equals(schema):
        return batch
    arrays = [
        array if array.type.equals(field.type) else array.cast(field.type)
        for array, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
