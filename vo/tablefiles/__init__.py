"""Files of rows that people have: Parquet, FITS, VOTable and CSV, each read as a stream of Arrow batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from vo.errors import LoadError
from vo.tablefiles.csv_file import CsvFile
from vo.tablefiles.fits_file import FitsFile
from vo.tablefiles.fits_in_votable import opened_votable
from vo.tablefiles.parquet_file import ParquetFile


class DataFile(Protocol):
    """A file of rows; it is opened by its construction, which reads no rows."""

    names: tuple[str, ...]
    """Its columns."""

    rows: int | None
    """How many rows it has, where that is known beforehand."""

    hints: Mapping[str, Mapping[str, str]]
    """What it says of its columns, as keys of a description: units, UCDs."""

    def batches(self, names: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns `names`, in that order and in the types of the file."""
        ...


KINDS: Mapping[str, Callable[[Path, str], DataFile]] = {
    ".parquet": lambda path, _: ParquetFile(path),
    ".fits": FitsFile,
    ".fit": FitsFile,
    ".vot": lambda path, _: opened_votable(path),
    ".xml": lambda path, _: opened_votable(path),
    ".csv": lambda path, _: CsvFile(path),
    ".csv.gz": lambda path, _: CsvFile(path),
}
"""The kinds of data files by the end of their names; some choose among the tables within by the name."""


def opened(path: Path, table: str) -> DataFile:
    """The rows of `table` in the file `path`; what cannot be read is a LoadError that names it."""
    kind = suffix(path.name)
    if not kind:
        raise LoadError(f"{path.name} is not of a known kind: {', '.join(KINDS)}.")
    return KINDS[kind](path, table)


def stem(path: Path) -> str:
    """The name of a data file without what tells its kind.

    >>> stem(Path("stars.csv.gz"))
    'stars'
    """
    return path.name[: -len(suffix(path.name))] if suffix(path.name) else path.name


def suffix(name: str) -> str:
    """What tells the kind of a file at the end of its name; empty: no kind that is known."""
    return max((kind for kind in KINDS if name.lower().endswith(kind)), key=len, default="")
