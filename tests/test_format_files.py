"""FITS, Parquet, Arrow, JSON and pages: every value of every type arrives at an independent reader."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from hypothesis import given, settings
from lxml import html
from votable_tables import EVERYTHING, Cell, Table, record_batch, same, tables, written

from vo.catalog import Column
from vo.errors import TimeLimitError, UsageError, VOError
from vo.formats import find
from vo.formats.preview import ROWS
from vo.result import Result
from vo.votable.document import Notes

COLUMNS = tuple(EVERYTHING)
BATCH = record_batch(COLUMNS, list(EVERYTHING.values()))
NOTES = Notes('SELECT <"é"', "A & B")
bounded = settings(max_examples=60, deadline=None)


def fits_values(document: bytes) -> list[list[Cell]]:
    """What astropy reads of a FITS table, None for TNULL, a list a column."""
    with fits.open(io.BytesIO(document)) as hdus:
        assert hdus[1].header["NAXIS2"] == len(hdus[1].data)
        return [list(_fits_column(hdus[1], i)) for i in range(len(hdus[1].columns))]


def _fits_column(hdu: fits.BinTableHDU, place: int) -> Iterator[Cell]:
    null = hdu.columns[place].null
    if hdu.columns[place].format == "1L":  # astropy takes an undefined logical for False
        letters = hdu.data.view(hdu.data.dtype, np.ndarray)[hdu.data.dtype.names[place]]
        yield from ({ord("T"): True, ord("F"): False, 0: None}[int(letter)] for letter in letters)
        return
    for value in hdu.data.field(place):
        if isinstance(value, np.ndarray):
            yield [None if item == null else item for item in value.ravel().tolist()]
        else:
            plain = value.item() if isinstance(value, np.generic) else value
            yield None if null is not None and plain == null else plain


def as_fits_has_it(value: Cell, column: Column) -> Cell:
    """A value with what FITS does not keep: NULL apart from NaN, empty text and arrays without elements."""
    if value is None:
        count = {"3": 3, "2": 2, "2x2": 4, "5": 0}.get(column.arraysize or "", 0)
        if column.is_string:
            return ""
        if column.arraysize:
            missing = math.nan if column.datatype in ("float", "double") else None
            return [missing] * count if count else []
        return math.nan if column.datatype in ("float", "double") else None
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value.encode("ascii", "backslashreplace").decode().rstrip() if isinstance(value, str) else value


@bounded
@given(table=tables())
def test_astropy_reads_the_fits_that_was_written(table: Table) -> None:
    """Bit by bit, an integer's NULL as TNULL, which no other value of the column has."""
    columns, values = table
    read = fits_values(written("fits", record_batch(columns, values), columns))
    for column, sent, got in zip(columns, record_batch(columns, values).columns, read, strict=True):
        want = [as_fits_has_it(value, column) for value in sent.to_pylist()]
        assert same(got, want), column


@pytest.mark.parametrize(
    ("datatype", "values", "letter"),
    [
        ("unsignedByte", [0, 255, None], "I"),
        ("unsignedByte", [0, 254, None], "B"),
        ("unsignedByte", [1, 255, None], "B"),
        ("unsignedByte", [0, 255], "B"),
        ("short", [-(2**15), None], "I"),
        ("short", [-(2**15), 2**15 - 1, None], "J"),
        ("int", [-(2**31), 2**31 - 1, None], "K"),
        ("long", [-(2**63), 2**63 - 2, None], "K"),
        ("long", [-(2**63), 2**63 - 1, None], "K"),
        ("long", [None, None], "K"),
    ],
)
def test_a_number_that_is_free_stands_for_null(datatype: str, values: list[Cell], letter: str) -> None:
    """A column whose type is used up is widened, never a value lost."""
    columns = (Column("a", datatype),)
    document = written("fits", record_batch(columns, [values]), columns)
    assert fits_values(document) == [values]
    assert fits.open(io.BytesIO(document))[1].header["TFORM1"] == f"1{letter}"


def test_integers_that_leave_no_number_free_are_refused_in_fits() -> None:
    """The ends of 64 bits in use, and all numbers near them, and NULL too: nothing could stand for it."""
    columns = (Column("a", "long"),)
    with pytest.raises(UsageError, match="another format"):
        written("fits", record_batch(columns, [[*range(-(2**63), -(2**63) + 64), 2**63 - 1, None]]), columns)


def test_fits_says_what_the_catalogue_says() -> None:
    """Units, UCDs, descriptions, dimensions and the query; names are unique; overflow is a keyword."""
    document = written("fits", BATCH, COLUMNS, notes=NOTES, maxrec=3)
    with fits.open(io.BytesIO(document)) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
        assert (header["TUNIT2"], header["TUCD1"], header["TCOMM2"]) == (
            "deg",
            "meta.id;meta.main",
            "a < b & c",
        )
        assert header[f"TDIM{1 + [column.name for column in COLUMNS].index('matrix')}"] == "(2,2)"
        assert len(set(hdus[1].columns.names)) == len(COLUMNS)
        assert (header["OVERFLOW"], header["NAXIS2"]) == (True, 3)
        votable = hdus[0].data.tobytes()
    infos = {info.name: info.value for info in parse(io.BytesIO(votable)).resources[0].infos}
    assert (infos["query"], infos["QUERY_STATUS"]) == ('SELECT <"é"', "OVERFLOW")


@pytest.mark.skipif(shutil.which("stilts") is None, reason="the command stilts is not installed")
def test_stilts_reads_the_fits(tmp_path: Path) -> None:
    """STILTS finds the metadata in the first HDU and the same values as astropy in VOTable."""
    places = [i for i, column in enumerate(COLUMNS) if column.datatype != "unicodeChar"]
    columns, batch = tuple(COLUMNS[i] for i in places), BATCH.select(places)
    source = tmp_path / "in.fits"
    source.write_bytes(written("fits", batch, columns, notes=NOTES))
    run = subprocess.run(
        ["stilts", "tpipe", source, "cmd=meta name ucd description", "ofmt=csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "a < b & c" in run.stdout
    assert "WARN" not in run.stderr.upper(), run.stderr
    run = subprocess.run(
        ["stilts", "tpipe", source, "cmd=keepcols 'id s quality'", "ofmt=csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [
        "id,s,quality",
        f"1,{-(2**15)},0",
        ",,255",
        f"{2**63 - 1},{2**15 - 1},",
        f"{-(2**63)},0,7",
    ]


def test_fits_has_at_most_999_columns() -> None:
    """FITS 4.0, 7.3.1."""
    columns = tuple(Column(f"c{i}", "int") for i in range(1000))
    with pytest.raises(UsageError, match="999"):
        written("fits", record_batch(columns, [[1]] * 1000), columns)


@pytest.mark.parametrize("name", ["parquet", "arrow"])
@bounded
@given(table=tables())
def test_arrow_reads_what_was_written(name: str, table: Table) -> None:
    """Parquet and Arrow keep every type, and NULL apart from NaN and from empty text."""
    columns, values = table
    batch = record_batch(columns, values)
    document = written(name, batch, columns)
    read = (
        pq.read_table(io.BytesIO(document)) if name == "parquet" else pa.ipc.open_stream(document).read_all()
    )
    assert read.column_names == [column.name for column in columns]
    for sent, got in zip(batch.columns, read.columns, strict=True):
        assert got.type == sent.type
        assert same(got.to_pylist(), sent.to_pylist())


def test_parquet_has_a_votable_inside() -> None:
    """The convention of VOTable in Parquet 1.0: a VOTable without data, which says of overflow too."""
    document = written("parquet", BATCH, COLUMNS, notes=NOTES, maxrec=2)
    file = pq.ParquetFile(io.BytesIO(document))
    metadata = file.metadata.metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    votable = parse(io.BytesIO(metadata[b"IVOA.VOTable-Parquet.content"]))
    fields = votable.get_first_table().fields
    assert [field.ucd for field in fields] == [column.ucd for column in COLUMNS]
    assert {info.name: info.value for info in votable.resources[0].infos}["QUERY_STATUS"] == "OVERFLOW"
    assert file.schema_arrow.field("ra").metadata[b"unit"] == b"deg"
    assert file.metadata.num_rows == 2


def test_arrow_tells_overflow_behind_its_rows() -> None:
    """The last batch has no rows and says it."""
    reader = pa.ipc.open_stream(written("arrow", BATCH, COLUMNS, maxrec=2, notes=NOTES))
    assert b"SELECT" in reader.schema.metadata[b"votable"]
    told = []
    while True:
        try:
            told.append(reader.read_next_batch_with_custom_metadata())
        except StopIteration:
            break
    assert sum(batch.batch.num_rows for batch in told) == 2
    assert told[-1].custom_metadata[b"QUERY_STATUS"] == b"OVERFLOW"


def as_json_has_it(value: Cell) -> Cell:
    """Times as text; what is no number as its name."""
    if isinstance(value, list):
        return [as_json_has_it(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return value


def _single(value: Cell, column: Column) -> Cell:
    """A number of single precision as its shortest text reads; integral floats read as integers."""
    if isinstance(value, list):
        return [_single(item, column) for item in value]
    if isinstance(value, (int, float)) and column.datatype == "float":
        return float(np.float32(value))
    return float(value) if isinstance(value, int) and column.datatype == "double" else value


@bounded
@given(table=tables())
def test_any_reader_of_json_reads_what_was_written(table: Table) -> None:
    """An object with metadata and an array a row; NULL is null, NaN is "NaN"."""
    columns, values = table
    batch = record_batch(columns, values)
    read = json.loads(written("json", batch, columns))
    assert read["query_status"] == "OK"
    assert [found["name"] for found in read["metadata"]] == [column.name for column in columns]
    rows = [list(row) for row in zip(*(each.to_pylist() for each in batch.columns), strict=True)]
    assert len(read["data"]) == len(rows)
    for got, sent in zip(read["data"], rows, strict=True):
        for column, have, want in zip(columns, got, sent, strict=True):
            assert same(_single(have, column), _single(as_json_has_it(want), column)), column


def test_json_in_full() -> None:
    """Everything at once, cut, with its notes."""
    read = json.loads(written("json", BATCH, COLUMNS, notes=NOTES, maxrec=3))
    assert read["info"]["query"] == 'SELECT <"é"'
    assert read["metadata"][1]["unit"] == "deg"
    assert (read["query_status"], len(read["data"])) == ("OVERFLOW", 3)
    assert "MAXREC" in read["message"]
    assert read["data"][2][0] == 2**63 - 1


@pytest.mark.parametrize("name", ["json", "html"])
def test_a_late_error_is_told_at_the_end(name: str) -> None:
    """The document is whole, says what happened, and the error is raised behind it."""

    def rows() -> Iterator[pa.RecordBatch]:
        yield BATCH
        raise TimeLimitError("It took too long.")

    told = b"".join(_until_error(name, rows()))
    if name == "json":
        assert json.loads(told)["message"] == "It took too long."
    else:
        assert html.document_fromstring(told).xpath("//p")[0].text == "It took too long."


def _until_error(name: str, rows: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    with pytest.raises(VOError, match="too long"):
        yield from find(name).write(Result(COLUMNS, rows), Notes())


def test_the_page_shows_the_first_rows_as_text() -> None:
    """Markup in values, names and the query stays text; more than the first rows are left out."""
    columns = (Column("<b>", "char", "*", description='"quoted"', unit="<i>"), Column("n", "int"))
    batch = record_batch(columns, [["<script>alert(1)</script>"] * 3, [1, None, 3]])
    page = html.document_fromstring(written("html", batch, columns, notes=Notes("<script>", "T")))
    assert page.xpath("//script") == []
    assert [cell.text_content() for cell in page.xpath("//tbody/tr[1]/td")] == [
        "<script>alert(1)</script>",
        "1",
    ]
    assert [cell.text for cell in page.xpath("//tbody/tr/td[2]")] == ["1", None, "3"]
    many = (Column("n", "int"),)
    rows = record_batch(many, [list(range(ROWS + 5))])
    page = html.document_fromstring(written("html", rows, many, step=700))
    assert len(page.xpath("//tbody/tr")) == ROWS
    assert f"first {ROWS:,} rows" in page.xpath("//p")[-1].text


def test_votable_1_5_is_had_on_request() -> None:
    """The same document with another number."""
    document = written("application/x-votable+xml;version=1.5", BATCH, COLUMNS)
    assert parse(io.BytesIO(document)).version == "1.5"
    assert find("application/x-votable+xml; version=1.5 ;serialization=tabledata").media_type.endswith(
        "version=1.5"
    )


def test_binary_refuses_the_number_that_is_null() -> None:
    """An odd integer stands for NULL in BINARY, so it cannot be told; nothing is sent wrong."""
    columns = (Column("a", "long"),)
    plain = written("votable/b", record_batch(columns, [[-(2**63), None]]), columns)
    table = parse(io.BytesIO(plain)).get_first_table()
    assert table.array["a"].mask.tolist() == [False, True]
    with pytest.raises(VOError, match="votable/b2"):
        written("votable/b", record_batch(columns, [[table.fields[0].values.null]]), columns)
