"""CSV, plain or gzipped, as a source of rows: RFC 4180 with a header line, and the usual separators."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
from pyarrow import csv as arrow_csv

from vo.errors import LoadError

SEPARATORS = ",;\t|"
"""What may stand between two values; the header decides."""

_BLOCK_BYTES = 4 << 20
_HEADER_BYTES = 1 << 20
_ROW = re.compile(r"Row #(\d+): ")


class CsvFile:
    """A CSV file, read in blocks; every value is a text, and an empty one without quotes is NULL."""

    rows: int | None = None

    hints: Mapping[str, Mapping[str, str]] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self._path = path
        header = _header_line(path)
        self._separator = max(SEPARATORS, key=header.count)
        self.names = tuple(next(csv.reader([header], delimiter=self._separator), ()))
        if not any(self.names):
            raise LoadError(f"{path.name} has no header: its first line must name the columns.")

    def batches(self, names: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns `names` as texts, in that order; the blocks decide on the rows of a batch."""
        options = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(self.names, pa.string()),
            include_columns=list(names),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        try:
            with arrow_csv.open_csv(
                self._path,
                # One thread, as only then Arrow's errors name the row.
                read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                parse_options=arrow_csv.ParseOptions(delimiter=self._separator, newlines_in_values=True),
                convert_options=options,
            ) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, batch_rows):
                        yield batch.slice(start, batch_rows)
        except (pa.ArrowException, OSError) as error:
            raise LoadError(f"{self._path.name}{_reason(error)}") from error


def _header_line(path: Path) -> str:
    """The first line, read through the decompression that Arrow finds from the file's name."""
    try:
        with pa.input_stream(path, compression="detect") as stream:
            text = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="replace")
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"{path.name} cannot be read: {error}") from error
    return str(text.partition("\n")[0].rstrip("\r"))


def _reason(error: Exception) -> str:
    """What Arrow says, with its row (which counts the header) as a row of data."""
    text = str(error).strip().splitlines()[0]
    match = _ROW.search(text)
    if match is None:
        return f" is not valid CSV: {text}"
    return f", row {int(match[1]) - 1}, is not valid CSV: {text[match.end() :]}"
