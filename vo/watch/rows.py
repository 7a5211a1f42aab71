"""Entries of the stream as columns: many rows in Arrow, or one row whose fields are texts."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ARROW = b"arrow"
"""The field of an entry that holds a stream of Arrow; without it, an entry is one row."""

MOST_ROWS = 100_000
"""Rows of one entry."""

Entry = tuple[bytes, Mapping[bytes, bytes]]
"""An id, and fields with values."""

_LONGEST_TEXT = 1_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one entry or of many: `columns` by feature; `entry` and `row` give those of a place."""

    columns: list[NDArray[Any]]
    entry: Callable[[int], bytes]
    row: Callable[[int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry that holds no such rows, and why."""

    entry: bytes
    reason: str


def pieces(entries: Sequence[Entry], names: Sequence[str]) -> Iterator[Piece | Broken]:
    """All rows of `entries` that have the columns `names`, and the entries that are broken."""
    single = []
    for entry in entries:
        if ARROW in entry[1]:
            yield _of_arrow(entry, names)
        else:
            single.append(entry)
    yield from _of_fields(single, names)


def _of_arrow(entry: Entry, names: Sequence[str]) -> Piece | Broken:
    number, fields = entry
    try:
        with pa.ipc.open_stream(io.BytesIO(fields[ARROW])) as stream:
            table = stream.read_all()
        if table.num_rows > MOST_ROWS:
            return Broken(number, f"It has {table.num_rows:,} rows, and {MOST_ROWS:,} are the limit.")
        lacking = [name for name in names if table.column_names.count(name) != 1]
        if lacking:
            return Broken(number, f"It has no column {lacking[0]}, or several.")
        columns = [_numbers(table.column(name)) for name in names]
    except (pa.ArrowException, OSError) as error:
        return Broken(number, f"It is no stream of Arrow with numbers: {error}"[:_LONGEST_TEXT])
    return Piece(columns, lambda _: number, lambda place: _plain(table.slice(place, 1).to_pylist()[0]))


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    kind = pa.float32() if column.type == pa.float32() else pa.float64()
    return np.ascontiguousarray(column.cast(kind).to_numpy())


def _of_fields(entries: Sequence[Entry], names: Sequence[str]) -> Iterator[Piece | Broken]:
    """Rows whose values are texts; one that is missing or empty is not known."""
    keys = [name.encode() for name in names]
    good: list[Entry] = []
    for number, fields in entries:
        wrong = next((key for key in keys if not _is_number(fields.get(key, b""))), None)
        if wrong is None:
            good.append((number, fields))
        else:
            yield Broken(number, f"{wrong.decode()} is {fields[wrong][:40]!r}, which is no number.")
    if good:
        columns = [np.array([float(fields.get(key) or "nan") for _, fields in good]) for key in keys]
        yield Piece(columns, lambda place: good[place][0], lambda place: _texts(good[place][1]))


def _is_number(text: bytes) -> bool:
    try:
        float(text or b"nan")
    except ValueError:
        return False
    return True


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: there is no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def as_json(row: Mapping[str, Any]) -> str:
    """A row for those who listen."""
    return json.dumps(row, default=str, ensure_ascii=False)
