"""Tables whose FIELDs are in a VOTable and whose rows are in a FITS file within it (VOTable 1.4, 5.2)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pyarrow as pa

from vo.catalog import Column
from vo.errors import LoadError, UsageError
from vo.tablefiles.fits_file import FitsFile
from vo.tablefiles.votable_file import VOTableFile, hints
from vo.votable.reader import fits_within


class FitsInVOTable:
    """The table as a data file, with the columns that the VOTable declares in the order of the FITS table.

    The FITS file is unpacked anew for each reading, so that nothing is left behind.
    """

    def __init__(self, path: Path, columns: tuple[Column, ...]) -> None:
        self._path = path
        self.columns = columns
        self.names = tuple(column.name for column in columns)
        self.hints: Mapping[str, Mapping[str, str]] = hints(columns)
        with self._unpacked() as fits:
            self.rows = fits.rows
            if len(fits.names) != len(columns):
                raise LoadError(
                    f"The VOTable declares {len(columns)} columns, "
                    f"and the FITS table in it has {len(fits.names)}."
                )

    @classmethod
    def within(cls, path: Path) -> Self | None:
        """The table of the VOTable in that file; None: its rows are no FITS."""
        with path.open("rb") as stream:
            found = fits_within(stream)
        return None if found is None else cls(path, found[0])

    def batches(self, names: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns `names`, in that order and in the types of the FITS table."""
        with self._unpacked() as fits:
            wanted = [fits.names[self.names.index(name)] for name in names]
            for batch in fits.batches(wanted, batch_rows):
                yield batch.rename_columns(list(names))

    @contextmanager
    def _unpacked(self) -> Iterator[FitsFile]:
        with self._path.open("rb") as stream, tempfile.NamedTemporaryFile(prefix="vo-fits-") as copy:
            found = fits_within(stream)
            if found is None:
                raise LoadError(f"{self._path.name} has changed while it was read.")
            copy.writelines(found[1])
            copy.flush()
            yield FitsFile(Path(copy.name), "")


def opened_votable(path: Path) -> VOTableFile | FitsInVOTable:
    """The first table of a VOTable, whatever its serialisation."""
    try:
        embedded = FitsInVOTable.within(path)
    except UsageError as error:
        raise LoadError(f"{path.name} is not a whole VOTable: {error}") from error
    return VOTableFile(path) if embedded is None else embedded
