"""The published catalogue as it lies in Oracle, and when it is read again.

One table holds the whole of it as JSON in pieces of text, so that no LOB is needed; its first column names
the release. Whoever publishes replaces all rows in one transaction, so a reader sees the old release or the
new one. The tables of TAP_SCHEMA lie beside it, under names that begin like its own, and change with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pyarrow as pa

from vo.catalog import Catalog, Column
from vo.db.oracle_access import quoted_path
from vo.errors import ConfigError, VOError
from vo.result import Result, Statement

PIECE_CHARACTERS = 4_000
"""Characters of a piece of the document, all of them ASCII: the longest VARCHAR2 of every server."""

FRESH_S = 5.0
"""Seconds for which the release that was active is not asked for again."""

_TEXT = (Column("text", "char", arraysize="*"),)
_MISSING = "ORA-00942"
_MEND = "Write it with `vo publish`, grant SELECT on it to VO_ORACLE_USER, or mend VO_ORACLE_CATALOG."


class PublishedCatalog:
    """The catalogue in the table `path`, asked for by many threads and read once a release.

    `read` runs a statement.
    """

    def __init__(self, path: tuple[str, ...], read: Callable[[Statement], Result]) -> None:
        self._table = quoted_path(*path)
        self._name = ".".join(path)
        self._read = read
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._checked = 0.0

    def current(self) -> Catalog:
        """What is published now, at the most FRESH_S seconds late; ConfigError: nothing is."""
        with self._lock:
            now = time.monotonic()
            if self._catalog is None or now - self._checked > FRESH_S:
                if self._catalog is None or self._release() != self._catalog.release:
                    self._catalog = self._whole()
                self._checked = now
            return self._catalog

    def _release(self) -> str:
        found = self._texts(f'SELECT RELEASE AS "c1" FROM {self._table} WHERE PART = 0')
        return found[0] if found else ""

    def _whole(self) -> Catalog:
        pieces = self._texts(f'SELECT TEXT AS "c1" FROM {self._table} ORDER BY PART')
        if not pieces:
            raise ConfigError(f"The table {self._name} publishes nothing.", hint=_MEND)
        try:
            return Catalog.from_json("".join(pieces))
        except ValueError as error:
            raise ConfigError(f"The catalogue in {self._name} is {error}.", hint=_MEND) from error

    def _texts(self, sql: str) -> list[str]:
        try:
            with self._read(Statement(sql, _TEXT)) as result:
                return [text for batch in result for text in _strings(batch)]
        except VOError as error:
            if _MISSING in error.message:
                raise ConfigError(
                    f"There is no table {self._name} that the account may read ({_MISSING}).", hint=_MEND
                ) from error
            raise


def _strings(batch: pa.RecordBatch) -> Iterator[str]:
    yield from batch.column(0).to_pylist()
