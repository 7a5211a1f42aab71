"""A release's rows brought into a new DuckDB file: streamed in, sorted on the sky, checked for repeats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Catalog, Schema
from vo.config import Config
from vo.errors import LoadError
from vo.load.new_file import NEW_FILE, new_file, quoted, write_catalog
from vo.load.progress import Progress, Report
from vo.load.rows import TableRows

_WATCH_S = 0.2


def build(
    target: Path,
    schemas: Sequence[Schema],
    rows: Sequence[TableRows],
    *,
    release: str,
    config: Config,
    report: Report,
) -> Catalog:
    """Write the release file `target` and give the catalogue within it, `nrows` filled in.

    Rows of a table with a position are stored in the order of their HEALPix cells, so that DuckDB's zone
    maps prune; others keep the order of their files. What does not fit `config.duckdb_memory` is spilt
    to a directory beside `target`.
    """
    with new_file(target, config) as connection:
        for schema in schemas:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(NEW_FILE, schema.name)}")
        counts = {table.described.table.qualified: _store(connection, table, report) for table in rows}
        catalog = Catalog(
            tuple(
                replace(s, tables=tuple(replace(t, nrows=counts[t.qualified]) for t in s.tables))
                for s in schemas
            ),
            release,
        )
        write_catalog(connection, catalog)
    return catalog


def _store(connection: duckdb.DuckDBPyConnection, rows: TableRows, report: Report) -> int:
    """Create one table from its rows and say how many there are."""
    table = rows.described.table
    path = quoted(NEW_FILE, table.schema, table.name)
    order = f" ORDER BY {quoted(table.spatial.index)} NULLS LAST" if table.spatial else ""
    stream = _Stream(rows)
    connection.register("incoming", pa.RecordBatchReader.from_batches(rows.schema, stream.batches()))
    try:
        _run(connection, f"CREATE TABLE {path} AS FROM incoming{order}", lambda: report(stream.progress()))
    except duckdb.Error as error:
        if stream.error is not None:  # it reached DuckDB as text only
            raise stream.error from error
        raise
    finally:
        connection.unregister("incoming")
    _refuse_repeats(connection, rows, stream.count, report)
    return stream.count


def _run(
    connection: duckdb.DuckDBPyConnection, sql: str, watch: Callable[[], None]
) -> tuple[object, ...] | None:
    """Run a long statement and give the first row of its result; `watch` is called now and then.

    DuckDB works in a thread of its own, as it would hold a signal back for as long as a whole sort.
    """
    with ThreadPoolExecutor(1) as pool:
        first_row = pool.submit(lambda: connection.execute(sql).fetchone())
        try:
            watch()  # however short it is
            while wait([first_row], _WATCH_S).not_done:
                watch()
        except BaseException:
            connection.interrupt()
            raise
        return first_row.result()


class _Stream:
    """The batches of a table as DuckDB draws them: counted, and their error kept."""

    def __init__(self, rows: TableRows) -> None:
        self.count = 0
        self.error: Exception | None = None
        self._rows = rows
        self._started = time.monotonic()
        self._is_read = False

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every batch once."""
        try:
            for batch in self._rows.batches():
                yield batch
                self.count += batch.num_rows
        except Exception as error:
            self.error = error
            raise
        self._is_read = True

    def progress(self) -> Progress:
        """How many rows DuckDB has drawn; once it has them all, it sorts or stores them."""
        table = self._rows.described.table
        if self._is_read:
            return Progress("sort" if table.spatial else "store", table.qualified, self.count)
        rate = self.count / (time.monotonic() - self._started)
        total = self._rows.total
        eta_s = (total - self.count) / rate if total is not None and rate else None
        return Progress("read", table.qualified, self.count, total, rate, eta_s)


def _refuse_repeats(
    connection: duckdb.DuckDBPyConnection, rows: TableRows, count: int, report: Report
) -> None:
    """Raise a LoadError where two rows share a primary key or the columns of a Unique constraint."""
    table = rows.described.table
    constraints = rows.described.constraints
    keys = [("primary key", constraints.primary)] if constraints.primary else []
    for what, names in [*keys, *(("unique key", names) for names in constraints.unique)]:
        columns = ", ".join(quoted(name) for name in names)
        known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)
        repeated = _run(
            connection,
            f"SELECT {columns} FROM {quoted(NEW_FILE, table.schema, table.name)} WHERE {known} "
            f"GROUP BY {columns} HAVING count(*) > 1 LIMIT 1",
            partial(report, Progress("check", table.qualified, count)),
        )
        if repeated is not None:
            values = ", ".join(f"{name} = {value!r}" for name, value in zip(names, repeated, strict=True))
            places = _first_places(rows, dict(zip(names, repeated, strict=True)))
            raise LoadError(f"{' and '.join(places)} of {table.qualified} have the same {what}: {values}.")


def _first_places(rows: TableRows, values: dict[str, object], count: int = 2) -> list[str]:
    """The files and rows of the first rows that have `values`; the files are read once more for it."""
    places: list[str] = []
    for path, first_row, batch in rows.placed_batches():
        same = pa.array([True] * batch.num_rows)
        for name, value in values.items():
            column = batch.column(name)
            same = pc.and_(same, pc.equal(column, pa.scalar(value, column.type)))
        places += [f"{path.name}, row {first_row + i.as_py() + 1}," for i in pc.indices_nonzero(same)]
        if len(places) >= count:
            break
    return places[:count]
