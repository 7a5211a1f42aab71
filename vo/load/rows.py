"""The rows of a table on their way from its files to the database: converted, checked, indexed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column, nearest
from vo.errors import LoadError
from vo.load.description import DescribedTable
from vo.load.sky import FIELDS, sky_index
from vo.tablefiles import DataFile, opened
from vo.tablefiles.cast import BrokenValueError, converted

BATCH_ROWS = 65_536

_NO_NUMBER = ("NULL", "null", "\\N")
"""What CSV files write for a missing number beside nothing at all."""

Check = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one table; `sources` are its files with their names of its columns, in its order."""

    described: DescribedTable
    sources: tuple[tuple[Path, DataFile, tuple[str, ...]], ...]
    extra: tuple[str, ...]

    @property
    def total(self) -> int | None:
        """The number of rows, where all files know theirs beforehand."""
        counts = [file.rows for _, file, _ in self.sources]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def schema(self) -> pa.Schema:
        """The physical columns: the published ones by name, then those of the sky index."""
        published = [pa.field(c.name, c.arrow_type()) for c in self.described.table.columns]
        return pa.schema(published + (list(FIELDS) if self.described.table.spatial else []))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every row of every file in the order of the files; the first broken value is a LoadError."""
        for _, _, batch in self.placed_batches():
            yield batch

    def placed_batches(self) -> Iterator[tuple[Path, int, pa.RecordBatch]]:
        """As `batches`, each with its file and how many rows of the file went before."""
        for path, file, names in self.sources:
            row = 0
            for batch in file.batches(names, BATCH_ROWS):
                yield path, row, self._checked(batch, path, row)
                row += batch.num_rows

    def _checked(self, batch: pa.RecordBatch, path: Path, first_row: int) -> pa.RecordBatch:
        required = self.described.required
        position = self.described.table.spatial
        arrays = {}
        for raw, column in zip(batch.columns, self.described.table.columns, strict=True):
            values = raw
            try:
                values = converted(_without_null_words(raw, column), column)
                if position is not None and column.name in (position.lon, position.lat):
                    values = pc.if_else(pc.is_nan(values), None, values)
                for reason, check in _checks(column, required, is_lon=_is_lon(self.described, column)):
                    _refuse_first(check(values), reason)
            except BrokenValueError as error:
                raise _broken(path, first_row, column.name, raw, error) from error
            arrays[column.name] = values
        index = sky_index(arrays[position.lon], arrays[position.lat]) if position is not None else []
        return pa.RecordBatch.from_arrays([*arrays.values(), *index], schema=self.schema)


def open_rows(described: DescribedTable, paths: Sequence[Path]) -> TableRows:
    """Open the files of a table; the columns of each are those described, in any order and case.

    Columns that a file lacks are a LoadError; those not described are left out and named in `extra`.
    """
    sources = []
    extra: dict[str, None] = {}
    for path in paths:
        file = opened(path, described.table.name)
        names = _names_in(file.names, [column.data for column in described.columns], path)
        sources.append((path, file, names))
        extra |= dict.fromkeys(name for name in file.names if name not in names)
    return TableRows(described, tuple(sources), tuple(extra))


def _names_in(names: Sequence[str], wanted: Sequence[str], path: Path) -> tuple[str, ...]:
    """The file's spellings of the columns `wanted`: the same to the letter, else the only one in any case."""
    by_lower: dict[str, list[str]] = {}
    for name in names:
        by_lower.setdefault(name.lower(), []).append(name)
    found = [[name] if names.count(name) == 1 else by_lower.get(name.lower(), []) for name in wanted]
    missing = [name for name, matches in zip(wanted, found, strict=True) if not matches]
    if missing:
        close = [match for name in missing for match in nearest(name, names, 1)]
        raise LoadError(
            f"{path.name} has no column {', '.join(missing)}.",
            hint=f"It has {', '.join(close or names)}; a column's key `data` names the one to read.",
        )
    for name, matches in zip(wanted, found, strict=True):
        if len(matches) > 1:
            raise LoadError(f"{path.name} has {len(matches)} columns of the name {name} (in any case).")
    return tuple(matches[0] for matches in found)


def _is_lon(described: DescribedTable, column: Column) -> bool | None:
    """Whether the column is the longitude of the main position or its latitude; None: neither."""
    position = described.table.spatial
    if position is None or column.name not in (position.lon, position.lat):
        return None
    return column.name == position.lon


def _without_null_words(array: pa.Array, column: Column) -> pa.Array:
    """A text for a column that is not of text: NULL where it says so."""
    if pa.types.is_string(array.type) and (not column.is_string or column.xtype == "timestamp"):
        return pc.if_else(pc.is_in(array, pa.array(_NO_NUMBER)), None, array)
    return array


def _checks(column: Column, required: frozenset[str], *, is_lon: bool | None) -> Iterator[tuple[str, Check]]:
    """What the values of a column must satisfy: the reason told, and the mask of those that break it."""
    if column.name in required:
        yield "must not be NULL", pc.is_null
    limit = (column.arraysize or "").rstrip("*")
    if column.xtype != "timestamp" and column.is_string:
        if limit:
            yield f"is longer than {limit} characters", _longer(pc.utf8_length, int(limit))
        if column.datatype == "char":
            yield (
                "has characters beyond ASCII, which need the datatype unicode (VOTable 1.4, 2.1)",
                lambda values: pc.invert(pc.string_is_ascii(values)),
            )
    elif column.arraysize not in (None, "*", limit):
        yield f"has more than {limit} elements", _longer(pc.list_value_length, int(limit))
    if is_lon is not None:
        yield _RANGES[is_lon]


def _longer(length: Callable[[pa.Array], pa.Array], limit: int) -> Check:
    return lambda values: pc.greater(length(values), limit)


_RANGES: Mapping[bool, tuple[str, Check]] = {
    True: (
        "is not a right ascension in [0, 360)",
        lambda values: pc.or_(pc.less(values, 0), pc.greater_equal(values, 360)),
    ),
    False: ("is not a declination in [-90, 90]", lambda values: pc.greater(pc.abs(values), 90)),
}


def _refuse_first(broken: pa.Array, reason: str) -> None:
    index = pc.index(broken, pa.scalar(value=True)).as_py()
    if index >= 0:
        raise BrokenValueError(index, reason)


def _broken(path: Path, first_row: int, name: str, raw: pa.Array, error: BrokenValueError) -> LoadError:
    value = repr(raw[error.index].as_py())
    shown = value if len(value) <= 80 else value[:77] + "..."  # noqa: PLR2004  a line of a terminal
    return LoadError(
        f"{path.name}, row {first_row + error.index + 1}, column {name}: {_null(shown)} {error.reason}."
    )


def _null(shown: str) -> str:
    return "NULL" if shown == "None" else shown
