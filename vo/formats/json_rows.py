"""Results as JSON: `metadata`, an object a column; `data`, an array a row; `query_status` at the end.

NULL is null. What JSON (RFC 8259, 6) has no numbers for are the strings "NaN", "+Inf" and "-Inf"; integers
have all their digits, more than JavaScript keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column
from vo.formats.blocks import Chunks, encoded
from vo.formats.format import cut_note, told
from vo.result import Result
from vo.votable.arrays import is_list, is_null, numpy_type, values
from vo.votable.cells import Cells, CellsOf, cells_of, framed_rows, holds_any, raw, string_cells
from vo.votable.document import Notes

_ESCAPES = {character: json.dumps(character)[1:-1] for character in ('\\"' + "".join(map(chr, range(0x20))))}
_SPECIAL = np.zeros(256, np.uint8)
_SPECIAL[[ord(character) for character in _ESCAPES]] = 1


def write(result: Result, notes: Notes) -> Chunks:
    """The whole document; a late error is told at its end, and raised behind it."""
    encode = encoder(result.columns)
    yield _head(result.columns, notes)
    between = b"\n"
    try:
        for chunk in encoded(result, encode):
            if chunk:
                yield between + chunk.removesuffix(b",\n")
                between = b",\n"
    except Exception as error:
        yield _tail("ERROR", told(error))
        raise
    yield _tail("OVERFLOW", cut_note(result)) if result.overflow else _tail("OK")


def _head(columns: Sequence[Column], notes: Notes) -> bytes:
    words = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")
    metadata = [{word: value for word in words if (value := getattr(column, word))} for column in columns]
    info: dict[str, str] = {}
    for name, value in notes.pairs():
        info[name] = f"{info[name]}, {value}" if name in info else value
    described = ",\n".join(map(json.dumps, metadata))
    return f'{{"info": {json.dumps(info)},\n"metadata": [\n{described}],\n"data": ['.encode()


def _tail(status: str, message: str = "") -> bytes:
    told_of = f',\n"message": {json.dumps(message)}' if message else ""
    return f'],\n"query_status": "{status}"{told_of}}}\n'.encode()


def encoder(columns: Sequence[Column]) -> Callable[[pa.RecordBatch], bytes]:
    """A function from batches to their rows, each an array and a comma."""
    last = len(columns) - 1
    frames = [(raw("[" if i == 0 else ""), raw("],\n" if i == last else ",")) for i in range(len(columns))]
    return framed_rows([_cells_of(column) for column in columns], frames, raw("null"))


def _cells_of(column: Column) -> CellsOf:
    kind = column.arrow_type()
    if is_list(kind):
        return lambda array: string_cells(_bracketed(array))
    plain = cells_of(column, _quoted)
    if pa.types.is_timestamp(kind):
        return lambda array: string_cells(_quoted(_strings(plain(array), array)))
    if pa.types.is_floating(kind):
        return lambda array: _with_words(plain(array), values(array, numpy_type(kind)))
    return plain


def _quoted(array: pa.StringArray) -> pa.StringArray:
    if holds_any(array, _SPECIAL):
        for character, escape in _ESCAPES.items():
            array = pc.replace_substring(array, character, escape)
    return pc.binary_join_element_wise('"', array, '"', "")


def _strings(cells: Cells, array: pa.Array) -> pa.StringArray:
    """Times as an array of text: their cells lie side by side."""
    bounds = np.append(cells.starts, cells.starts[-1] + cells.lengths[-1]).astype(np.int32)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(cells.data)]
    return pc.if_else(array.is_null(), None, pa.Array.from_buffers(pa.string(), len(array), buffers))


_NOT_NUMBERS = raw('"NaN""+Inf""-Inf"')


def _with_words(cells: Cells, numbers: np.ndarray[Any, Any]) -> Cells:
    """The cells, those in quotes that are no numbers."""
    odd = ~np.isfinite(numbers) & (cells.lengths > 0)
    if not odd.any():
        return cells
    place = len(cells.data) + np.select(
        [np.isnan(numbers), numbers > 0], [0, len('"NaN"')], len('"NaN""+Inf"')
    )
    lengths = np.where(np.isnan(numbers), len('"NaN"'), len('"+Inf"'))
    return replace(
        cells,
        starts=np.where(odd, place, cells.starts),
        lengths=np.where(odd, lengths, cells.lengths),
        data=np.concatenate([cells.data, _NOT_NUMBERS]),
    )


def _bracketed(array: pa.Array) -> pa.StringArray:
    """Arrays of numbers or booleans as JSON's, in text."""
    flat = array.flatten()
    text = flat.cast(pa.string())
    if pa.types.is_floating(flat.type):
        text = pc.replace_substring_regex(text, r"^(-?\d+)$", r"\1.0")  # -0 would be read as an integer
        for wrong, word in (
            (pc.is_nan(flat), "NaN"),
            (pc.equal(flat, np.inf), "+Inf"),
            (pc.equal(flat, -np.inf), "-Inf"),
        ):
            text = pc.if_else(wrong.fill_null(fill_value=False), f'"{word}"', text)
    missing = is_null(array)
    lengths = np.where(missing, 0, pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False))
    bounds = np.append(0, np.cumsum(lengths)).astype(np.int32)
    rows = pa.ListArray.from_arrays(bounds, text.fill_null("null"), mask=pa.array(missing))
    return pc.binary_join_element_wise("[", pc.binary_join(rows, ","), "]", "")
