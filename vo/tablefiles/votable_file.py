"""VOTable as a source of rows: the first table of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from vo.catalog import Column
from vo.errors import LoadError, UsageError
from vo.votable.reader import read_votable

_SAID = {"ivoa:unit": "unit", "ivoa:ucd": "ucd", "votable:utype": "utype", "description": "description"}
"""Keys of a description, and where a FIELD says the same."""


class VOTableFile:
    """A VOTable of any serialisation, read in one go from its beginning to its end."""

    rows: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as stream:
                columns, _ = read_votable(stream)
        except UsageError as error:
            raise LoadError(f"{path.name} is not a whole VOTable: {error}") from error
        self.names = tuple(column.name for column in columns)
        self.hints = hints(columns)

    def batches(self, names: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns `names`, in that order and in the types of the file."""
        wanted = [self.names.index(name) for name in names]
        try:
            with self._path.open("rb") as stream:
                for batch in read_votable(stream, batch_rows=batch_rows)[1]:
                    yield batch.select(wanted)
        except UsageError as error:
            raise LoadError(f"{self._path.name} is broken: {error}") from error


def hints(columns: Sequence[Column]) -> Mapping[str, Mapping[str, str]]:
    """What FIELDs say of themselves, as keys of a description."""
    return {
        column.name: {key: said for key, name in _SAID.items() if (said := getattr(column, name))}
        for column in columns
    }
