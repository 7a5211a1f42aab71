"""Tables that the tests of formats write and read: one with every type and trap, and generated ones."""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from vo import formats
from vo.catalog import Column
from vo.result import Result, arrow_schema
from vo.votable.document import Notes

Cell = Any
"""A value of any type: None, a number, a text, a time, a list."""

Table = tuple[tuple[Column, ...], list[list[Cell]]]


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)  # without a zone, as Arrow has it


EVERYTHING: dict[Column, list[Cell]] = {
    Column("id", "long", ucd="meta.id;meta.main"): [1, None, 2**63 - 1, -(2**63)],
    Column("ra", "double", unit="deg", description="a < b & c"): [1.5, None, math.nan, -0.0],
    Column("mag", "float", utype="x:y.z"): [math.inf, -math.inf, None, 1e-30],
    Column("flag", "boolean"): [True, None, False, True],
    Column("quality", "unsignedByte"): [0, 255, None, 7],
    Column("s", "short"): [-(2**15), None, 2**15 - 1, 0],
    Column("n", "int"): [-(2**31), None, 2**31 - 1, 0],
    Column("name", "char", "*"): ["a<b]]>&amp;", None, " \t x\r\ny ", "'\""],
    Column("notes", "unicodeChar", "*"): ["é😀", None, "q", "\ufffd"],
    Column("one", "char"): ["x", None, "&", "]"],
    Column("fixed", "char", "5"): ["ab", "abcde", None, "x"],
    Column("wide", "unicodeChar", "3*"): ["äöü", None, "a", "bc"],
    Column("t", "char", "*", xtype="timestamp"): [
        _time("2020-02-29"),
        _time("0001-01-01T02:03:04.000005"),
        None,
        _time("9999-12-31T23:59:59.999999"),
    ],
    Column("v", "double", "*"): [[1.0, 2.5], None, [math.nan], [math.inf, -math.inf]],
    Column("m", "float", "3"): [[1, 2, 3], None, [math.nan, 0, 1e-30], [4, 5, 6]],
    Column("matrix", "short", "2x2"): [[1, 2, 3, 4], None, [5, 6, 7, 8], [0, 0, 0, 0]],
    Column("bits", "boolean", "*"): [[True, False], None, [False], [True]],
    Column("name", "int"): [1, 2, None, 4],
    Column("B-V", "long", "4*"): [[2**62], None, [1, 2, 3, 4], [-1]],
    Column("nothing", "double"): [None] * 4,
    Column("nowhere", "char", "*"): [None] * 4,
}
"""A column for every type, with its extremes; two share a name, one has no XML name, two are all NULL."""


def record_batch(columns: tuple[Column, ...], values: list[list[Cell]]) -> pa.RecordBatch:
    """The values, a list a column, in the declared Arrow types."""
    schema = arrow_schema(columns)
    arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def written(responseformat: str, batch: pa.RecordBatch, columns: tuple[Column, ...], **options: Any) -> bytes:
    """The document, its rows handed over `step` at a time."""
    step = options.pop("step", 2)
    pieces: Iterator[pa.RecordBatch] = (batch.slice(row, step) for row in range(0, batch.num_rows, step))
    notes = options.pop("notes", Notes())
    return b"".join(formats.find(responseformat).write(Result(columns, pieces, **options), notes))


def _text(alphabet: st.SearchStrategy[str], largest: int = 12) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=largest)


_ASCII = st.characters(min_codepoint=32, max_codepoint=126)
_XML = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
_TIMES = st.datetimes(_time("0001-01-01"), _time("9999-12-31"))
_SINGLES = st.floats(width=32)


def _integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_KINDS: dict[Column, st.SearchStrategy[Any]] = {
    Column("l", "long"): _integers(64),
    Column("i", "int"): _integers(32),
    Column("s", "short"): _integers(16),
    Column("u", "unsignedByte"): st.integers(0, 255),
    Column("d", "double"): st.floats(),
    Column("f", "float"): _SINGLES,
    Column("b", "boolean"): st.booleans(),
    Column("c", "char", "*"): _text(_ASCII),
    Column("c5", "char", "5"): _text(_ASCII, 5),
    Column("c9", "char", "9*"): _text(_ASCII, 9),
    Column("x", "unicodeChar", "*"): _text(_XML),
    Column("t", "char", "*", xtype="timestamp"): _TIMES,
    Column("dv", "double", "*"): st.lists(st.floats(), min_size=1, max_size=4),
    Column("f2", "float", "2"): st.lists(_SINGLES, min_size=2, max_size=2),
    Column("iv", "int", "*"): st.lists(_integers(32), min_size=1, max_size=4),
    Column("bv", "boolean", "*"): st.lists(st.booleans(), min_size=1, max_size=4),
}


@st.composite
def tables(draw: st.DrawFn, *, without: tuple[str, ...] = ()) -> Table:
    """Columns of any types, their names apart, and up to nine rows with NULLs anywhere."""
    kinds = [column for column in _KINDS if column.name not in without]
    columns = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=10, unique=True))
    rows = draw(st.integers(0, 9))
    values = [draw(st.lists(st.none() | _KINDS[column], min_size=rows, max_size=rows)) for column in columns]
    return tuple(columns), values


def same(left: Cell, right: Cell) -> bool:
    """Equality to the last bit, NaN being equal to NaN, within lists too."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or struct.pack("d", left) == struct.pack("d", right)
    return type(left) is type(right) and left == right
