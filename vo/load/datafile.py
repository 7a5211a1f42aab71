"""Where the rows of a described table are: its files, found and opened by their kind."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from vo.errors import LoadError
from vo.load.csv_file import CsvFile
from vo.load.description import DescribedTable, Description
from vo.load.document import Problems
from vo.load.fits_file import FitsFile
from vo.load.parquet_file import ParquetFile
from vo.load.votable_file import VOTableFile


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
    ".vot": lambda path, _: VOTableFile(path),
    ".xml": lambda path, _: VOTableFile(path),
    ".csv": lambda path, _: CsvFile(path),
    ".csv.gz": lambda path, _: CsvFile(path),
}
"""The kinds of data files by the end of their names; some choose among the tables within by the name."""


def opened(path: Path, table: str) -> DataFile:
    """The rows of `table` in the file `path`; what cannot be read is a LoadError that names it."""
    suffix = _suffix(path.name)
    if not suffix:
        raise LoadError(f"{path.name} is not of a known kind: {', '.join(KINDS)}.")
    return KINDS[suffix](path, table)


def stem(path: Path) -> str:
    """The name of a data file without what tells its kind.

    >>> stem(Path("stars.csv.gz"))
    'stars'
    """
    return path.name[: -len(_suffix(path.name))] if _suffix(path.name) else path.name


def find_files(description: Description) -> list[list[Path]]:
    """The data files of each table of the description; tables without any are told in one LoadError."""
    problems = Problems(description.path)
    found = [_files(described, description.path.parent, problems) for described in description.tables]
    problems.check()
    return found


def _files(described: DescribedTable, directory: Path, problems: Problems) -> list[Path]:
    try:
        if described.data is None:
            return [_file_of(described.table.name, directory)]
        return _matches(described.data, directory)
    except LoadError as error:
        problems.add(described.line, str(error))
        return []


def _file_of(name: str, directory: Path) -> Path:
    """The one file `<name>.<known suffix>` of the directory, in any case."""
    wanted = {(name + suffix).lower() for suffix in KINDS}
    found = sorted(path for path in directory.iterdir() if path.name.lower() in wanted and path.is_file())
    if not found:
        raise LoadError(
            f"The table {name} has no data: there is no {name}{{{','.join(KINDS)}}} in {directory}.",
            hint="Put the file there or name it by the table's key `data`.",
        )
    if len(found) > 1:
        raise LoadError(
            f"The table {name} has several data files: {', '.join(path.name for path in found)}.",
            hint="Name the right one by the table's key `data`.",
        )
    return found[0]


def _matches(pattern: str, directory: Path) -> list[Path]:
    """The files of a name or glob below the directory; only an absolute one may lead out of it."""
    if ".." in Path(pattern).parts:
        raise LoadError(f"`data: {pattern}` leads out of the release's directory.", hint="Write it absolute.")
    found = [directory / name for name in sorted(glob.glob(pattern, root_dir=directory, recursive=True))]  # noqa: PTH207  an absolute pattern is one of glob's, not of Path's
    if not found:
        raise LoadError(f"`data: {pattern}` matches no file in {directory}.")
    for path in found:
        if not path.is_file() or not _suffix(path.name):
            raise LoadError(f"`data: {path.name}` is not a file of a known kind: {', '.join(KINDS)}.")
    return found


def _suffix(name: str) -> str:
    return max((suffix for suffix in KINDS if name.lower().endswith(suffix)), key=len, default="")
