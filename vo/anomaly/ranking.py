"""All scores of a run put in order, exactly and in bounded memory: DuckDB on the files of the shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from vo.config import Config
from vo.errors import CancelledError
from vo.lifeline import own_directory
from vo.uws.run import Run

BINS = 250
"""Steps of the histogram, from 0 to 1."""

CELL = "cell"
"""The column of scores with the HEALPix cell, where there are positions."""

_BATCH_ROWS = 65_536


class Ranking:
    """The scored rows by falling score, equal ones in the order of their numbers."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, run: Run, scores: Sequence[Path], rows: Sequence[Path]
    ) -> None:
        self._connection, self._run = connection, run
        self._scores, self._rows = _table(scores), _table(rows)
        self.count = self._number("count(*)")

    def at_least(self, threshold: float) -> int:
        """How many rows have this score or more."""
        return self._number(f"count(*) FILTER (score >= {threshold!r})")

    def score_at(self, rank: int) -> float:
        """The score of the row of a rank, from 1."""
        found = self._rowed(
            f"SELECT score FROM {self._scores} ORDER BY score DESC, row LIMIT 1 OFFSET {rank - 1}"
        )
        return float(found[0])

    def summary(self, levels: Sequence[float]) -> tuple[float, float, list[float]]:
        """The least and the greatest score, and those at the `levels` between 0 and 1."""
        shares = ", ".join(repr(level) for level in levels)
        low, high, quantiles = self._rowed(
            f"SELECT min(score), max(score), quantile_disc(score, [{shares}]) FROM {self._scores}"
        )
        return float(low), float(high), [float(value) for value in quantiles]

    def histogram(self) -> np.ndarray:
        """How many scores are in each of the BINS steps from 0 to 1."""
        found = self._fetched(
            f"SELECT least(greatest(CAST(floor(score * {BINS}) AS INTEGER), 0), {BINS - 1}) AS bin, "
            f"count(*) AS found FROM {self._scores} GROUP BY ALL"
        )
        counts = np.zeros(BINS, np.int64)
        counts[found["bin"].to_numpy()] = found["found"].to_numpy()
        return counts

    def cells(self) -> pa.Table:
        """The mean score of each cell of the sky, by cell; sums are whole numbers, so no order matters."""
        return self._fetched(
            f"SELECT {CELL}, sum(CAST(round(score * 1e9) AS BIGINT)) / (1e9 * count(*)) AS mean "
            f"FROM {self._scores} WHERE {CELL} IS NOT NULL GROUP BY {CELL} ORDER BY {CELL}"
        )

    def repeated(self, columns: Sequence[str]) -> int:
        """How many rows have the same values of `columns` as another before them."""
        named = ", ".join(columns)
        found = self._rowed(
            f"SELECT coalesce(sum(found - 1), 0) FROM (SELECT count(*) AS found FROM {self._rows} "
            f"GROUP BY {named} HAVING count(*) > 1)"
        )
        return int(found[0])

    def weightless(self, column: str) -> int:
        """How many rows have no weight, or 0, in a column in which NaN is none."""
        found = self._rowed(f"SELECT count(*) FILTER (isnan({column}) OR {column} <= 0) FROM {self._rows}")
        return int(found[0])

    def top(self, count: int) -> Iterator[pa.RecordBatch]:
        """The first rows: all that is known of each, with `score` and `rank`."""
        best = f"SELECT row, score FROM {self._scores} ORDER BY score DESC, row LIMIT {count}"
        sql = (
            f"WITH best AS MATERIALIZED ({best}), ranked AS (SELECT *, "
            f"row_number() OVER (ORDER BY score DESC, row) AS rank FROM best) "
            f"SELECT piece.*, score, rank FROM {self._rows} AS piece JOIN ranked USING (row) ORDER BY rank"
        )
        with closing(self._connection.cursor()) as cursor, _told():
            self._run.on_start(_stopping(cursor))
            yield from cursor.sql(sql).to_arrow_reader(_BATCH_ROWS)

    def ordinary(self, count: int, below: float) -> pa.Table:
        """Some rows of a score of at most `below`, spread over all of them; the same each time."""
        spread = "(row % 2147483647) * 2654435761 % 4294967291"
        some = (
            f"SELECT row, score FROM {self._scores} WHERE score <= {below!r} "
            f"ORDER BY {spread}, row LIMIT {count}"
        )
        return self._fetched(
            f"SELECT piece.*, score FROM {self._rows} AS piece JOIN ({some}) USING (row) ORDER BY row"
        )

    def _number(self, expression: str) -> int:
        return int(self._rowed(f"SELECT {expression} FROM {self._scores}")[0])

    def _rowed(self, sql: str) -> tuple[Any, ...]:
        with _told():
            found: tuple[Any, ...] = self._connection.execute(sql).fetchall()[0]
        return found

    def _fetched(self, sql: str) -> pa.Table:
        with _told():
            return self._connection.sql(sql).to_arrow_table()


@contextmanager
def ranking(scores: Sequence[Path], rows: Sequence[Path], run: Run, config: Config) -> Iterator[Ranking]:
    """The rows of these files in order; what does not fit into memory goes to disk and is gone afterwards."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{max(256, config.anomaly_memory_mb // 3)}MB",
        "threads": config.duckdb_threads,
        "python_enable_replacements": False,
    }
    with own_directory(config.spill_dir) as spill:
        connection = duckdb.connect(config={**settings, "temp_directory": str(spill)})
        with closing(connection):
            run.on_start(_stopping(connection))
            yield Ranking(connection, run, scores, rows)


def _stopping(connection: duckdb.DuckDBPyConnection) -> Callable[[], None]:
    """What stops the statement of a connection from any thread; one that is over needs no stopping."""

    def stop() -> None:
        with suppress(duckdb.ConnectionException):
            connection.interrupt()

    return stop


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException as error:
        raise CancelledError("The job was stopped.") from error


def _table(files: Sequence[Path]) -> str:
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    return f"read_parquet([{listed}])"
