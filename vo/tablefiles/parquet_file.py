"""Parquet as a source of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from vo.errors import LoadError

_BUFFER_BYTES = 1 << 20


class ParquetFile:
    """A Parquet file, read page by page."""

    hints: Mapping[str, Mapping[str, str]] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pq.ParquetFile(path) as file:
                self.names = tuple(file.schema_arrow.names)
                self.rows: int | None = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from error

    def batches(self, names: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns `names`, in that order and in the types of the file."""
        try:
            # Arrow's pre-buffering would keep the bytes of the whole file.
            with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
                for batch in file.iter_batches(batch_rows, columns=list(names)):
                    yield batch.select(list(names))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self._path, error) from error


def _unreadable(path: Path, error: Exception) -> LoadError:
    reason = str(error).strip().splitlines()[0]
    return LoadError(f"{path.name} is not a whole Parquet file: {reason}")
