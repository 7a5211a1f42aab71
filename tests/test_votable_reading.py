"""Reading VOTables: everything that is valid arrives, everything else is an error with its place."""

from __future__ import annotations

import base64
import io
import math
import struct
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import from_table
from astropy.io.votable.tree import VOTableFile
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from votable_tables import EVERYTHING, Cell, Table, record_batch, same, tables, written

from vo.catalog import Column
from vo.errors import UsageError
from vo.result import arrow_schema
from vo.votable.reader import read_votable

bounded = settings(max_examples=60, deadline=None)

HEAD = '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
TAIL = "</TABLE></RESOURCE></VOTABLE>"


class Trickle(io.RawIOBase):
    """A stream that gives few bytes at a time, whatever is asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self._rest = data
        self._size = size

    def read(self, _size: int = -1) -> bytes:
        """The next few bytes."""
        chunk, self._rest = self._rest[: self._size], self._rest[self._size :]
        return chunk


def read(document: bytes | str, **options: Any) -> tuple[tuple[Column, ...], list[list[Cell]]]:
    """The columns, and the values of each as Python has them."""
    data = document.encode() if isinstance(document, str) else document
    size = options.pop("chunk", len(data))
    columns, batches = read_votable(cast("BinaryIO", Trickle(data, size)), **options)
    table = pa.Table.from_batches(batches, schema=arrow_schema(columns))
    return columns, [column.to_pylist() for column in table.columns]


def tabledata(fields: str, rows: str) -> str:
    """A document with these FIELDs and rows in XML."""
    return f"{HEAD}{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA>{TAIL}"


def binary(fields: str, rows: bytes, kind: str = "BINARY") -> str:
    """A document with these FIELDs and rows in base64."""
    text = base64.encodebytes(rows).decode()
    return f'{HEAD}{fields}<DATA><{kind}><STREAM encoding="base64">{text}</STREAM></{kind}></DATA>{TAIL}'


def field(datatype: str, **attributes: str) -> str:
    """A FIELD named a."""
    others = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<FIELD name="a" datatype="{datatype}"{others}/>'


@pytest.mark.parametrize("serialisation", ["votable/td", "votable/b2"])
@bounded
@given(table=tables(), chunk=st.sampled_from([7, 100, 10_000]), batch_rows=st.integers(1, 5))
def test_what_was_written_is_read(serialisation: str, table: Table, chunk: int, batch_rows: int) -> None:
    """Columns and values come back equal to the last bit, however the bytes arrive."""
    columns, values = table
    batch = record_batch(columns, values)
    document = written(serialisation, batch, columns)
    read_columns, read_values = read(document, chunk=chunk, batch_rows=batch_rows)
    assert read_columns == columns
    assert same(read_values, [column.to_pylist() for column in batch.columns])


@pytest.mark.parametrize("serialisation", ["votable/td", "votable/b2"])
def test_every_type_comes_back(serialisation: str) -> None:
    """So do the extremes of every type, unusual names and all metadata."""
    columns = tuple(EVERYTHING)
    read_columns, read_values = read(
        written(serialisation, record_batch(columns, [*EVERYTHING.values()]), columns)
    )
    assert read_columns == columns
    assert same(read_values, record_batch(columns, [*EVERYTHING.values()]).to_pydict() and _values())


def _values() -> list[list[Cell]]:
    return [column.to_pylist() for column in record_batch(tuple(EVERYTHING), [*EVERYTHING.values()]).columns]


def _written_by_astropy(table: Table, serialisation: str) -> bytes:
    columns, values = table
    batch = record_batch(columns, values)
    made = AstropyTable()
    for column, array in zip(columns, batch.columns, strict=True):
        made[column.name] = _masked(column, array)
    document: VOTableFile = from_table(made)
    for astropy_field in document.get_first_table().fields:
        [column] = [column for column in columns if column.name == astropy_field.name]
        astropy_field.xtype = column.xtype
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy comments on what it writes
        document.to_xml(out, tabledata_format=serialisation)
    return out.getvalue()


def _masked(column: Column, array: pa.Array) -> MaskedColumn:
    mask = array.is_null().to_numpy(zero_copy_only=False)
    if column.is_string:
        return MaskedColumn([value or "" for value in array.to_pylist()], mask=mask, dtype="U12")
    values = array.fill_null(0 if column.datatype != "boolean" else False).to_numpy(zero_copy_only=False)
    return MaskedColumn(values, mask=mask)


@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
@bounded
@given(table=tables(without=("t", "dv", "f2", "iv", "bv", "c5", "c9")))
def test_what_astropy_writes_is_read(serialisation: str, table: Table) -> None:
    """Values of an independent writer arrive; where it has no NULL but an empty text, that is NULL."""
    columns, values = table
    assume(values[0])
    if serialisation == "binary":  # where astropy has no NULL for integers
        values = [
            [0 if v is None and c.is_numeric else v for v in vs]
            for c, vs in zip(columns, values, strict=True)
        ]
        table = columns, values
    read_columns, read_values = read(_written_by_astropy(table, serialisation))
    assert [column.name for column in read_columns] == [column.name for column in columns]
    batch = record_batch(columns, values)
    for column, sent, got in zip(columns, batch.columns, read_values, strict=True):
        assert all(map(_as_astropy_means, [column] * len(got), sent.to_pylist(), got)), column


def _as_astropy_means(column: Column, sent: Cell, got: Cell) -> bool:
    if column.is_string:
        return (sent or "").rstrip() == (got or "").rstrip()
    if sent is None or (isinstance(sent, float) and math.isnan(sent)):
        is_nan = isinstance(got, float) and math.isnan(got)
        return got is None or is_nan or (column.datatype == "boolean" and got is False)
    return same(sent, got)


TIME = {"arraysize": "*", "xtype": "timestamp"}
SAID = [
    ("long", {}, "<TD>+5</TD>", 5),
    ("int", {}, "<TD> 0x1F\n</TD>", 31),
    ("int", {}, "<TD/>", None),
    ("int", {}, "<TD> </TD>", None),
    ("unsignedByte", {}, "<TD>255</TD>", 255),
    ("double", {}, "<TD>+Inf</TD>", float("inf")),
    ("double", {}, "<TD> -1.5E-3 </TD>", -0.0015),
    ("float", {}, "<TD>NaN</TD>", float("nan")),
    ("boolean", {}, "<TD>T</TD>", True),
    ("boolean", {}, "<TD>FALSE</TD>", False),
    ("boolean", {}, "<TD>?</TD>", None),
    ("bit", {}, "<TD>1</TD>", True),
    ("char", {"arraysize": "*"}, "<TD>a&lt;b&amp;lt;&#65;&#x1F600;</TD>", "a<b&lt;A😀"),
    ("char", {"arraysize": "*"}, "<TD>&amp;amp; &quot;</TD>", '&amp; "'),
    ("char", {"arraysize": "*"}, "<TD><![CDATA[a<b>&amp;]>]]>c<!-- > --></TD>", "a<b>&amp;]>c"),
    ("char", {"arraysize": "*"}, "<TD x='>'>é</TD>", "é"),
    ("char", {}, "<TD>x</TD>", "x"),
    ("double", {"arraysize": "*"}, "<TD> 1 2\n3.5 </TD>", [1.0, 2.0, 3.5]),
    ("double", {"arraysize": "2"}, "<TD>1 NaN</TD>", [1.0, float("nan")]),
    ("boolean", {"arraysize": "*"}, "<TD>T F 1</TD>", [True, False, True]),
    (
        "char",
        {"arraysize": "*", "xtype": "timestamp"},
        "<TD>2020-01-02T03:04:05.5Z</TD>",
        "2020-01-02 03:04:05.500000",
    ),
    ("char", {"arraysize": "*", "xtype": "adql:TIMESTAMP"}, "<TD>2020-01-02</TD>", "2020-01-02 00:00:00"),
    (
        "char",
        {"arraysize": "*", "xtype": "timestamp"},
        "<TD>2020-01-02T03:04:05.123456789</TD>",
        "2020-01-02 03:04:05.123456",
    ),
]


@pytest.mark.parametrize(("datatype", "attributes", "cell", "value"), SAID)
def test_cells_as_others_write_them(
    datatype: str, attributes: dict[str, str], cell: str, value: Cell
) -> None:
    """Every form of a value that VOTable 1.4 and XML allow is understood."""
    _, [[got]] = read(tabledata(field(datatype, **attributes), f"<!-- <TR> --><TR a='/>'>{cell}</TR >"))
    assert same(str(got) if attributes.get("xtype") else got, value)


NULLS = [
    (tabledata, "<TR><TD>-99</TD></TR><TR><TD>1</TD></TR>"),
    (binary, struct.pack(">ii", -99, 1)),
]


@pytest.mark.parametrize(("make", "rows"), NULLS)
def test_the_declared_null_value_is_null(make: Callable[[str, Cell], str], rows: Cell) -> None:
    """VALUES null counts in TABLEDATA and BINARY (VOTable 1.4, 3.5)."""
    declared = '<FIELD name="a" datatype="int"><VALUES null="-99"><MIN value="0"/></VALUES></FIELD>'
    assert read(make(declared, rows))[1] == [[None, 1]]


def test_binary_text_ends_at_nul() -> None:
    """Texts in binary rows end at their first NUL; what is empty in BINARY is NULL."""
    fields = "".join(
        (field("char", arraysize="4"), field("unicodeChar", arraysize="2"), field("char", arraysize="*"))
    )
    rows = b"ab\0c" + "é\0".encode("utf-16-be") + b"\0\0\0\3x\0y" + bytes(4) + bytes(4) + bytes(4)
    assert read(binary(fields, rows))[1] == [["ab", None], ["é", None], ["x", None]]


def test_binary2_flags_are_null_whatever_stands_below() -> None:
    """A flagged cell is NULL; an unflagged empty one is not (VOTable 1.4, 5.4)."""
    fields = field("int") + field("char", arraysize="*") + field("double", arraysize="*")
    rows = b"\x80" + struct.pack(">i", 7) + bytes(8) + b"\x60" + struct.pack(">i", 8) + bytes(8)
    assert read(binary(fields, rows, "BINARY2"))[1] == [[None, 8], ["", None], [[], None]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1", "windows-1252", "utf-16"])
@pytest.mark.parametrize("chunk", [5, 10_000])
def test_documents_in_other_encodings(encoding: str, chunk: int) -> None:
    """The encoding of the XML declaration is heeded, in the head and in the data."""
    text = tabledata('<FIELD name="größe" datatype="char" arraysize="*"/>', "<TR><TD>é</TD></TR>")
    document = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{text}'.encode(encoding)
    if chunk > len(document) or encoding == "utf-8":
        columns, values = read(document, chunk=chunk)
        assert (columns[0].name, values) == ("größe", [["é"]])


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.5"])
def test_other_versions_and_prefixes(version: str) -> None:
    """Versions 1.1 to 1.5 are read, with any prefix for their namespace."""
    text = tabledata(field("int"), "<TR><TD>1</TD></TR><TR><TD/></TR>").replace("1.4", version)
    prefixed = (
        text.replace("</", "<//").replace("<", "<v:").replace("<v://", "</v:").replace("xmlns", "xmlns:v")
    )
    assert read(text)[1] == read(prefixed)[1] == [[1, None]]


def test_tables_without_rows() -> None:
    """No DATA, no rows, and an empty element are all tables of no rows."""
    for data in ("", "<DATA><TABLEDATA/></DATA>", "<DATA><TABLEDATA></TABLEDATA></DATA>"):
        assert read(f"{HEAD}{field('int')}{data}{TAIL}")[1] == [[]]
    assert read(binary(field("int"), b"", "BINARY2"))[1] == [[]]


def test_the_chosen_table_is_read() -> None:
    """`table` counts the tables of the document, whatever resources they are in."""
    first = tabledata(field("int"), "<TR><TD>1</TD></TR>").removesuffix("</RESOURCE></VOTABLE>")
    second = tabledata('<FIELD name="b" datatype="int"/>', "<TR><TD>2</TD></TR>").removeprefix(HEAD)
    document = f"{first}</RESOURCE><RESOURCE><TABLE>{second}"
    assert read(document)[1] == [[1]]
    columns, values = read(document, table=1)
    assert (columns[0].name, values) == ("b", [[2]])
    with pytest.raises(UsageError, match="no such table"):
        read(document, table=2)


ROW = "<TR><TD>1</TD></TR>\n"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
WRONG = [
    ("", "not XML|no element"),
    ("hello", "not XML|syntax"),
    ("<VOTABLE/>", "no such table"),
    (BOMB + tabledata(field("int"), ROW), "document type"),
    (tabledata("", ROW), "no FIELD"),
    (tabledata(field("int"), ROW + "<TR><TD>x</TD></TR>"), r"Row 2 \(line 2\), column a: 'x' is no int"),
    (tabledata(field("short"), "<TR><TD>70000</TD></TR>"), "Row 1 .*'70000' is no short"),
    (tabledata(field("unsignedByte"), "<TR><TD>-1</TD></TR>"), "Row 1 .*'-1' is no unsignedByte"),
    (tabledata(field("boolean"), "<TR><TD>maybe</TD></TR>"), "'maybe' is no boolean"),
    (tabledata(field("double", arraysize="*"), ROW + "<TR><TD>1 x</TD></TR>"), "Row 2 .*'1 x' is no double"),
    (tabledata(field("double", arraysize="2"), ROW), "1 elements, not 2"),
    (tabledata(field("char", arraysize="*", xtype="timestamp"), "<TR><TD>soon</TD></TR>"), "no timestamp"),
    (tabledata(field("int"), ROW + "<TR></TR>"), r"Row 2 \(line 2\) has 0 cells"),
    (tabledata(field("int"), ROW + "<TR/>"), "Row 2 .* has 0 cells"),
    (tabledata(field("int"), "<TR><TD>1</TD><TD>2</TD></TR>"), "Row 1 .* has 2 cells"),
    (tabledata(field("int"), ROW + "<TD>2</TD>"), "Row 2 .* neither TR nor TD"),
    (tabledata(field("int"), "<TR><TD><b>2</b></TD></TR>"), "neither TR nor TD"),
    (tabledata(field("int"), ROW)[:-60], "ends within its table"),
    (tabledata(field("char", arraysize="*"), "<TR><TD>&nbsp;</TD></TR>"), "Row 1 .*&nbsp;"),
    (tabledata(field("floatComplex"), ROW), "floatComplex"),
    (tabledata(field("bit", arraysize="8"), ROW), r"bit\[8\]"),
    (tabledata(field("char", arraysize="8x*"), ROW), "arrays of strings"),
    (tabledata(field("int", arraysize="many"), ROW), "'many'"),
    (tabledata(field("int", arraysize="999999999"), ROW), "must be from 1"),
    (tabledata(field("int", arraysize="9" * 5000), ROW), "arraysize"),
    (tabledata(field("int", xtype="timestamp"), ROW), "xtype timestamp"),
    (binary(field("int"), b"\0\0\0\1\0"), "ends within its table"),
    (binary(field("int"), b"\0\0\0\1").replace("AAAAAQ==", "AAAA!Q=="), "not base64"),
    (binary(field("int"), b"\0\0\0\1").replace("AAAAAQ==", "AAAAAQ"), "group of base64"),
    (binary(field("boolean"), b"TX"), "Row 2, column a"),
    (binary(field("char", arraysize="*"), b"\xff\xff\xff\xff"), "Row 1 has a cell of 2 GiB"),
    (binary(field("char", arraysize="2"), b"ab\xff\xff"), "Row 2, column a"),
    (binary(field("unicodeChar", arraysize="1"), b"\0a\xd8\0"), "Row 2, column a"),
    (binary(field("int"), b"\0\0\0\1").replace('encoding="base64"', 'href="http://x/"'), "inline"),
    (f"{HEAD}{field('int')}<DATA><FITS><STREAM encoding='base64'></STREAM></FITS></DATA>{TAIL}", "FITS"),
    ('<?xml version="1.0" encoding="ebcdic-us"?>' + tabledata(field("int"), ROW), "ebcdic-us"),
    ('<?xml version="1.0" encoding="utf-7"?>' + tabledata(field("int"), ROW), "utf-7"),
]


@pytest.mark.parametrize(("document", "complaint"), WRONG)
def test_what_is_wrong_is_named(document: str, complaint: str) -> None:
    """Whatever cannot be read is a UsageError that says what, and in which row, line and column."""
    with pytest.raises(UsageError, match=complaint):
        read(document)


def test_text_that_is_not_utf8() -> None:
    """A byte that is no UTF-8 is an error with its row."""
    document = tabledata(field("char", arraysize="*"), "<TR><TD>a</TD></TR><TR><TD>~</TD></TR>").encode()
    with pytest.raises(UsageError, match="Row 2 "):
        read(document.replace(b"~", b"\xe9"))


@bounded
@given(st.binary(max_size=300), st.integers(0, 900))
@example(b"<", 500)
def test_damaged_documents_never_crash(noise: bytes, place: int) -> None:
    """Bytes overwritten anywhere give a table or a UsageError, and nothing else."""
    columns = tuple(EVERYTHING)
    for serialisation in ("votable/td", "votable/b2"):
        document = written(serialisation, record_batch(columns, [*EVERYTHING.values()]), columns)
        place = len(document) * place // 900
        damaged = document[:place] + noise + document[place + len(noise) :]
        try:
            read(damaged, chunk=1000)
        except UsageError:
            continue


def test_memory_of_fixed_arrays_is_bounded() -> None:
    """NULL arrays of a large declared size come in small batches: no document of a few bytes fills memory."""
    document = tabledata(field("double", arraysize="1048576"), "<TR><TD/></TR>" * 40)
    _, batches = read_votable(io.BytesIO(document.encode()))
    assert max(batch.nbytes for batch in batches) < 2**27


def test_numbers_of_a_large_table() -> None:
    """A table of many blocks comes back whole, in order."""
    columns = (Column("i", "long"), Column("x", "double"), Column("s", "char", "*"))
    numbers = np.arange(100_000)
    batch = pa.RecordBatch.from_arrays(
        [pa.array(numbers), pa.array(numbers / 7), pa.array(numbers).cast(pa.string())],
        schema=arrow_schema(columns),
    )
    for serialisation in ("votable/td", "votable/b2"):
        document = written(serialisation, batch, columns, step=30_000)
        _, batches = read_votable(io.BytesIO(document), batch_rows=7_777)
        assert pa.Table.from_batches(batches).combine_chunks().equals(pa.Table.from_batches([batch]))
