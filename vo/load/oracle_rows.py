"""Rows on their way from a release file into tables of Oracle, in their order, a round trip at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from vo.catalog import Table
from vo.config import Config
from vo.db.oracle_access import Connection, quoted_path
from vo.db.oracle_uploads import bindable
from vo.load.new_file import NEW_FILE, escaped, quoted
from vo.load.oracle_ddl import StoredTable
from vo.load.progress import Progress, Report

BATCH_ROWS = 20_000
"""Rows of a round trip, which are kept together or not at all."""


class StagedFile:
    """The release file in which rows were checked and put into the order of the sky; it is only read."""

    def __init__(self, path: Path, config: Config) -> None:
        self._connection = duckdb.connect(
            config={"memory_limit": config.duckdb_memory, "threads": config.duckdb_threads}
        )
        self._connection.execute(f"ATTACH '{escaped(path)}' AS {quoted(NEW_FILE)} (READ_ONLY)")

    def batches(self, table: Table, start: int) -> Iterator[pa.RecordBatch]:
        """The rows from number `start` on in the order in which they are stored, those of the index last."""
        names = [column.name for column in table.columns]
        names += [table.spatial.index] if table.spatial else []
        source = quoted(NEW_FILE, table.schema, table.name)
        selected = ", ".join(map(quoted, names))
        with closing(self._connection.cursor()) as cursor:
            rows = cursor.sql(f"SELECT {selected} FROM {source} WHERE rowid >= {start:d}")
            yield from rows.to_arrow_reader(BATCH_ROWS)

    def borders(self, table: Table, parts: int) -> tuple[int, ...]:
        """Cells that cut the placed rows into so many parts of equal size, as far as cells allow."""
        if table.spatial is None or parts < 2:  # noqa: PLR2004  one part needs no border
            return ()
        index, source = quoted(table.spatial.index), quoted(NEW_FILE, table.schema, table.name)
        shares = ", ".join(repr(part / parts) for part in range(1, parts))
        found = self._connection.execute(
            f"SELECT quantile_disc({index}, [{shares}]) FROM {source} WHERE {index} IS NOT NULL"
        ).fetchone()
        cells: list[int] = found[0] if found and found[0] else []
        return tuple(sorted(set(cells)))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def copy_rows(
    staged: StagedFile,
    source: Table,
    stored: StoredTable,
    connection: Connection,
    report: Report,
    *,
    direct: bool,
) -> None:
    """Bring the rows of `source` that are not there yet into `stored`.

    A batch is there as a whole or not at all, and they come in order: so the number of rows that are there
    says where a load that was cut off goes on. LoadError: there are more than that. `direct`: by direct path,
    which writes blocks beside the table and is committed by itself.
    """
    done = there(stored, connection)
    total = source.nrows or 0
    began, before = time.monotonic(), done
    for batch in staged.batches(source, done):
        what = f"{source.qualified}: The column"
        arrays = [
            bindable(array, f"{what} {name}") for name, array in zip(batch.schema.names, batch, strict=True)
        ]
        bound = pa.RecordBatch.from_arrays(arrays, names=list(stored.columns))
        _insert(connection, stored, bound, direct=direct)
        done += batch.num_rows
        rate = (done - before) / max(time.monotonic() - began, 1e-3)
        report(Progress("copy", source.qualified, done, total, rate, (total - done) / rate))


def _insert(connection: Connection, stored: StoredTable, rows: pa.RecordBatch, *, direct: bool) -> None:
    if direct:
        owner, name = stored.table.database_path
        connection.direct_path_load(owner, name, list(stored.columns), rows, batch_size=len(rows))
        return
    names = ", ".join(map(quoted_path, stored.columns))
    marks = ", ".join(f":{place}" for place in range(1, len(stored.columns) + 1))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {stored.path} ({names}) VALUES ({marks})", rows)
    connection.commit()


def there(stored: StoredTable, connection: Connection) -> int:
    """How many rows the table has."""
    with connection.cursor() as cursor:
        found: Any = cursor.execute(f"SELECT COUNT(*) FROM {stored.path}").fetchone()
    return int(found[0])
