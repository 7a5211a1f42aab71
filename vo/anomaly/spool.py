"""What the shards of a run leave for each other: tables as Parquet and notes as JSON, whole or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vo.uws.results import SHARDS, ResultStore


class Spool:
    """The files of the runs of one job by one plan; `writer` tells apart those who write the same file."""

    def __init__(self, results: ResultStore, job_id: str, key: str, writer: str) -> None:
        self._results, self._job_id, self._key, self._writer = results, job_id, key, writer

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return f"{self._key}-{name}" in self._results.names(self._job_id, SHARDS)

    def path(self, name: str) -> Path:
        """Where the file is; NotFoundError: it is not there."""
        return self._results.path(self._job_id, SHARDS, f"{self._key}-{name}")

    def write_table(self, name: str, table: pa.Table) -> None:
        """Keep a table."""
        with self._file(name) as file:
            pq.write_table(table, file, compression="lz4", use_dictionary=False, write_statistics=False)

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table, or some of its columns."""
        return pq.read_table(self.path(name), columns=columns, partitioning=None)

    def write_note(self, name: str, note: Any) -> None:  # noqa: ANN401  whatever JSON can say
        """Keep a note."""
        with self._file(name) as file:
            file.write(json.dumps(note).encode())

    def read_note(self, name: str) -> Any:  # noqa: ANN401  whatever JSON can say
        """A note."""
        return json.loads(self.path(name).read_bytes())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Keep a file."""
        with self._file(name) as file:
            file.write(content)

    def _file(self, name: str) -> Any:  # noqa: ANN401  a context manager of the result store
        return self._results.create(self._job_id, SHARDS, f"{self._key}-{name}", writer=f".{self._writer}")
