"""CSV and TSV (TAP 1.1, 3.2): a line of names, then a line a row; NULL is an empty field.

Nothing but rows follows the names: neither overflow nor a late error is told within the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column
from vo.formats.blocks import Chunks, encoded
from vo.result import Result
from vo.votable.cells import cells_of, framed_rows, holds_any, raw
from vo.votable.document import Notes


@dataclass(frozen=True, slots=True)
class Delimiters:
    """How lines are made: what parts fields, what ends lines, how text is kept apart from both."""

    between: str
    end: str
    escaped: Callable[[pa.StringArray], pa.StringArray]


def write(delimiters: Delimiters, result: Result, notes: Notes) -> Chunks:  # noqa: ARG001  no place for notes
    """The whole text."""
    yield _header(result.columns, delimiters)
    yield from encoded(result, _encoder(result.columns, delimiters))


def _header(columns: Sequence[Column], delimiters: Delimiters) -> bytes:
    """The line of column names."""
    names = delimiters.escaped(pa.array([column.name for column in columns], pa.string()))
    return (delimiters.between.join(names.to_pylist()) + delimiters.end).encode()


def _encoder(columns: Sequence[Column], delimiters: Delimiters) -> Callable[[pa.RecordBatch], bytes]:
    """A function from batches to their lines."""
    last = len(columns) - 1
    frames = [
        (raw(""), raw(delimiters.end if i == last else delimiters.between)) for i in range(len(columns))
    ]
    return framed_rows([cells_of(column, delimiters.escaped) for column in columns], frames)


def _marked(characters: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    special = np.zeros(256, np.uint8)
    special[[ord(character) for character in characters]] = 1
    return special


_CSV_SPECIAL = _marked('",\r\n')
_TSV_SPECIAL = _marked("\t\r\n")


def _csv_escaped(array: pa.StringArray) -> pa.StringArray:
    """RFC 4180, 2: quotes where needed, doubled within; the empty string is "" and so is not NULL."""
    empty = pc.equal(array, "")
    text = pc.if_else(empty, '""', array) if pc.any(empty).as_py() else array
    if not holds_any(array, _CSV_SPECIAL):
        return text
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(array, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(array, '[",\r\n]'), quoted, text)


def _tsv_escaped(array: pa.StringArray) -> pa.StringArray:
    r"""text/tab-separated-values has no quotes: tabs and line breaks within text become blanks."""
    return pc.replace_substring_regex(array, "[\t\r\n]", " ") if holds_any(array, _TSV_SPECIAL) else array


CSV = Delimiters(",", "\r\n", _csv_escaped)
TSV = Delimiters("\t", "\n", _tsv_escaped)
