"""What one job does on one connection of Oracle: its clock, its end from any thread, its rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa

from vo.db.oracle_access import SETUP_S, Connection
from vo.db.oracle_faults import STOPPED_CODE, as_vo_error, codes_of
from vo.errors import CancelledError, TimeLimitError, TransientError, VOError

BATCH_ROWS = 8_192
"""Rows of an Arrow batch and of a fetch, which is one round trip."""


class OracleRun:
    """One statement on one connection, or those of one job one after the other.

    Each round trip gets the time that is left as the driver's `call_timeout`, so the sum of them keeps the
    limit however many there are.
    """

    def __init__(self, driver: Any, connection: Connection, limit_s: float) -> None:  # noqa: ANN401
        self._driver = driver
        self.connection = connection
        self._deadline = time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._calling = False
        self._stopped = False
        self._break_unanswered = False
        self._frames: Generator[Any, None, None] | None = None

    def stop(self) -> None:
        """End what runs, from any thread, for good; a second time does nothing."""
        with self._lock:
            is_first, self._stopped = not self._stopped, True
            # A break between two calls would hit whoever uses the connection next, and one on a connection
            # that is known to be dead makes the driver crash.
            if is_first and self._calling and self.connection.is_healthy():
                self._break_unanswered = True
                with suppress(self._driver.Error):
                    self.connection.cancel()

    def execute(self, sql: str, rows: pa.RecordBatch | None = None) -> None:
        """A statement that gives nothing; with `rows`, once for each of them, which are its binds."""

        def work() -> None:
            with self.connection.cursor() as cursor:
                if rows is None:
                    cursor.execute(sql)
                else:
                    cursor.executemany(sql, rows)

        self.connection.action = "query"
        self._call(work)

    def commit(self) -> None:
        """Keep what was written, and end the transaction."""
        self._call(self.connection.commit)

    def batches(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of `sql` in the types of `schema`."""
        self.execute("SET TRANSACTION READ ONLY")
        frames = self.connection.fetch_df_batches(sql, size=BATCH_ROWS, requested_schema=schema)
        self._frames = frames
        while (frame := self._call(lambda: next(frames, None))) is not None:
            yield from pa.RecordBatchReader.from_stream(frame)

    def ended_cleanly(self) -> bool:
        """Roll back; False: the connection is dead, or may still have a break coming, and must be dropped."""
        if self._frames is not None:
            self._frames.close()  # gives the cursor back before the connection goes to someone else
        if self._break_unanswered or not self.connection.is_healthy():
            return False
        try:
            self.connection.call_timeout = SETUP_S * 1000
            self.connection.action = "idle"
            self.connection.rollback()
        except self._driver.Error:
            return False
        return True

    def _call(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401  what the driver gives
        left_s = self._deadline - time.monotonic()
        with self._lock:
            if self._stopped:
                raise CancelledError("The query was stopped.")
            if left_s <= 0:
                raise _out_of_time()
            if not self.connection.is_healthy():  # setting the time limit would crash the driver
                raise TransientError("The database closed the connection.")
            self.connection.call_timeout = max(1, int(left_s * 1000))
            self._calling = True
        try:
            return work()
        except (self._driver.Error, OSError) as error:
            raise self._judged(error) from error
        finally:
            with self._lock:
                self._calling = False

    def _judged(self, error: Exception) -> VOError:
        if STOPPED_CODE in codes_of(error):
            self._break_unanswered = False
        if self._stopped:
            return CancelledError("The query was stopped.")
        return _out_of_time() if time.monotonic() >= self._deadline else as_vo_error(error)


def _out_of_time() -> TimeLimitError:
    return TimeLimitError("The query used up its time.")
