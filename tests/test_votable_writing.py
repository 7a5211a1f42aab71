"""Writing VOTables: every value arrives, in every serialisation, at every reader."""

from __future__ import annotations

import base64
import datetime as dt
import io
import math
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from votable_tables import EVERYTHING, Cell, Table, record_batch, same, tables, written

from vo.catalog import Column
from vo.compiled import compiled
from vo.errors import VOError
from vo.votable import warm_up
from vo.votable.arrays import NO_NULLS
from vo.votable.cells import Cells
from vo.votable.digits import DOUBLE, INTEGER, SINGLE, TIME
from vo.votable.digits import written as written_numbers
from vo.votable.document import Notes, error_document
from vo.votable.kernels import frozen
from vo.votable.tabledata import escaped

SERIALISATIONS = ("votable/td", "votable/b2", "votable/b")
XSD = Path(__file__).resolve().parents[2] / "shared" / "xsd" / "VOTable-1.4.xsd"
COLUMNS = tuple(EVERYTHING)
BATCH = record_batch(COLUMNS, list(EVERYTHING.values()))
bounded = settings(max_examples=60, deadline=None)


def texts(words: np.ndarray, kind: int) -> list[str]:
    """The numbers as they are written, from their bits."""
    cells = Cells(*written_numbers(frozen(words.astype(np.uint64)), NO_NULLS, kind, 0))
    data = cells.data.tobytes()
    ends = (cells.starts + cells.lengths).tolist()
    return [data[start:end].decode() for start, end in zip(cells.starts.tolist(), ends, strict=True)]


def astropy_values(document: bytes) -> list[list[Cell]]:
    """What astropy reads, a list a column; None for masked values."""
    table = parse(io.BytesIO(document)).get_first_table()
    columns = []
    for name in table.array.dtype.names:
        data, mask = table.array[name].data, table.array[name].mask
        columns.append([_plain(value, hidden) for value, hidden in zip(data, mask, strict=True)])
    return columns


def _plain(value: Cell, hidden: Cell) -> Cell:
    if isinstance(value, np.ndarray):
        if value.size == 0 or np.all(hidden):
            return None
        data = value.data if isinstance(value, np.ma.MaskedArray) else value
        return np.asarray(data).ravel().tolist()
    if np.all(hidden):
        return None
    return value.item() if isinstance(value, np.generic) else value


def as_astropy_has_it(value: Cell) -> Cell:
    """A value with what astropy does not keep apart: NULL, NaN, empty text, and blanks around text."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value.strip() or None
    numbers = value if isinstance(value, list) else [value]
    return None if all(isinstance(number, float) and math.isnan(number) for number in numbers) else value


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
@bounded
@given(table=tables())
def test_astropy_reads_what_was_written(serialisation: str, table: Table) -> None:
    """Any values of any types arrive at an independent reader bit by bit, NULL as NULL."""
    columns, values = table
    batch = record_batch(columns, values)
    read = astropy_values(written(serialisation, batch, columns))
    for column, sent, got in zip(columns, batch.columns, read, strict=True):
        want = [as_astropy_has_it(value) for value in sent.to_pylist()]
        assert same([as_astropy_has_it(value) for value in got], want), column


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_metadata_arrive(serialisation: str) -> None:
    """Names, units, UCDs, utypes, xtypes and descriptions are those of the catalogue, IDs unique."""
    fields = parse(io.BytesIO(written(serialisation, BATCH, COLUMNS))).get_first_table().fields
    assert [field.name for field in fields] == [column.name for column in COLUMNS]
    assert len({field.ID for field in fields}) == len(COLUMNS)
    for field, column in zip(fields, COLUMNS, strict=True):
        wider = {"unsignedByte": "short", "short": "int"} if serialisation == "votable/b" else {}
        datatype = wider.get(column.datatype, column.datatype)  # to have a number free for NULL
        assert (field.datatype, field.xtype, field.utype) == (datatype, column.xtype, column.utype)
        assert str(field.unit or "") == (column.unit or "")
        assert field.ucd == column.ucd
        assert (field.description or None) == column.description


def test_positions_and_times_refer_to_their_systems() -> None:
    """COOSYS and TIMESYS stand before the table, valid in both versions, and only where they are used."""
    columns = (
        Column("ra", "double", ucd="pos.eq.ra;meta.main"),
        Column("l", "double", ucd="pos.galactic.lon"),
        Column("seen", "char", "*", xtype="timestamp"),
        Column("n", "int"),
    )
    batch = record_batch(columns, [[1.0], [2.0], [None], [3]])
    for version in ("1.4", "1.5"):
        document = written(
            f"application/x-votable+xml;serialization=tabledata{'' if version == '1.4' else ';version=1.5'}",
            batch,
            columns,
        )
        schema = XSD.with_name(f"VOTable-{version}.xsd")
        if schema.exists():
            etree.XMLSchema(etree.parse(schema)).assertValid(etree.fromstring(document))
        table = parse(io.BytesIO(document)).get_first_table()
        assert [field.ref for field in table.fields] == ["icrs", "galactic", "utc", None]
    assert b"SYS" not in written("votable/td", batch.select([3]), columns[3:])


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_documents_are_valid(serialisation: str) -> None:
    """Full, empty, overflowing and erroneous documents follow the schema of VOTable 1.4."""
    if not XSD.exists():
        pytest.skip("the IVOA schemas are not beside the checkout")
    schema = etree.XMLSchema(etree.parse(XSD))
    notes = Notes(
        'SELECT <&"\n',
        "A & B",
        "ivo://ivoa.net/std/TAP",
        dt.datetime.now(dt.UTC),
        (("citation", "10.1000/182"),),
        (("k", "v"),),
    )
    for document in (
        written(serialisation, BATCH, COLUMNS, notes=notes),
        written(serialisation, BATCH.slice(0, 0), COLUMNS),
        written(serialisation, BATCH, COLUMNS, maxrec=2),
        error_document("a < b\x00", ("one & two", "three"), notes),
    ):
        schema.assertValid(etree.fromstring(document))


@pytest.mark.skipif(shutil.which("stilts") is None, reason="the command stilts is not installed")
@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_stilts_reads_and_finds_nothing_wrong(serialisation: str, tmp_path: Path) -> None:
    """Votlint has no complaint, and tcopy reads the same rows as astropy does."""
    # votlint objects to what VOTable 1.4 allows: columns of one name, a single char, an empty TD that is
    # a NULL array of fixed size.
    odd = ("name", "one", "m", "matrix")
    places = [i for i, column in enumerate(COLUMNS) if column.name not in odd]
    document = tmp_path / "in.vot"
    document.write_bytes(written(serialisation, BATCH.select(places), tuple(COLUMNS[i] for i in places)))
    lint = subprocess.run(["stilts", "votlint", document], capture_output=True, text=True, check=True)
    assert lint.stdout == ""
    if serialisation != "votable/b":  # STILTS does not apply VALUES null to the elements of arrays
        places = list(range(len(COLUMNS)))
    document.write_bytes(written(serialisation, BATCH.select(places), tuple(COLUMNS[i] for i in places)))
    copy = tmp_path / "out.vot"
    options = ["ifmt=votable", "ofmt=votable-binary2"]
    subprocess.run(["stilts", "tcopy", document, copy, *options], capture_output=True, check=True)
    assert _comparable(copy.read_bytes()) == _comparable(document.read_bytes())


def _comparable(document: bytes) -> list[list[str]]:
    # STILTS keeps neither white space around text nor carriage returns when it writes.
    return [[str(value).strip().replace("\r", "") for value in column] for column in astropy_values(document)]


def test_stilts_reads_utf8_in_char(tmp_path: Path) -> None:
    """Text beyond ASCII in a `char` column survives as UTF-8, counted in bytes (VOTable 1.6)."""
    if shutil.which("stilts") is None:
        pytest.skip("the command stilts is not installed")
    columns = (Column("a", "char", "*"), Column("b", "int"))
    document = tmp_path / "in.vot"
    document.write_bytes(written("votable/b2", record_batch(columns, [["é", "aß"], [1, 2]]), columns))
    command = ["stilts", "tcopy", document, "ofmt=csv"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split(",")[1] for line in run.stdout.splitlines()[1:]] == ["1", "2"]


def test_null_and_empty_text_are_told_apart_in_binary2() -> None:
    """The null flag is set for NULL and not for the empty string."""
    columns = (Column("a", "char", "*"),)
    stream = etree.fromstring(written("votable/b2", record_batch(columns, [["", None]]), columns))
    rows = base64.b64decode(stream.findtext(".//{*}STREAM") or "")
    assert rows == b"\x00" + bytes(4) + b"\x80" + bytes(4)


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_what_xml_cannot_hold_is_replaced(serialisation: str) -> None:
    """Control characters never break a document; in BINARY2 they survive, in XML they become U+FFFD."""
    columns = (Column("a", "unicodeChar", "*"),)
    values = ["a\x01b\x1fc\ufffed\uffff", "\x7f\x85", "<&>"]
    [read] = astropy_values(written(serialisation, record_batch(columns, [values]), columns))
    replaced = ["a\ufffdb\ufffdc\ufffdd\ufffd", *values[1:]]
    assert read == (replaced if serialisation == "votable/td" else values)


def test_text_without_special_characters_is_not_copied() -> None:
    """Escaping costs a look and nothing more where there is nothing to escape."""
    plain = pa.array(["abc", None, "déjà\tvu"])
    assert escaped(plain) is plain


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("a", "char", "3"), "abcd"),
        (Column("a", "char", "3*"), "abcd"),
        (Column("a", "char"), "ab"),
        (Column("a", "unicodeChar", "2"), "a😀"),
        (Column("a", "double", "2x2"), [1.0]),
        (Column("a", "int", "*"), [1, None]),
        (Column("a", "char", "*", xtype="timestamp"), 2**62),
    ],
)
def test_what_does_not_fit_is_an_error(column: Column, value: Cell) -> None:
    """A value that its FIELD cannot hold is never cut: the column is named in an error."""
    with pytest.raises(VOError, match="Column a "):
        written("votable/b2", record_batch((column,), [[value]]), (column,))


@bounded
@given(st.lists(st.floats(), min_size=1))
def test_doubles_are_shortest(numbers: list[float]) -> None:
    """A double is written as Python writes it: the shortest digits that read back the same."""
    finite = np.array(numbers)
    finite = finite[np.isfinite(finite)]
    assert texts(finite.view(np.uint64), DOUBLE) == [repr(number) for number in finite.tolist()]


def test_many_doubles_are_shortest() -> None:
    """So are all powers of two and ten, whole numbers, decimals, and random bits."""
    random = np.random.default_rng(7)
    bits = random.integers(0, 2**64, 50_000, dtype=np.uint64).view(np.float64)
    numbers = np.concatenate(
        [
            bits[np.isfinite(bits)],
            np.ldexp(1.0, np.arange(-1074, 1024)),
            np.array([float(f"1e{power}") for power in range(-323, 309)]),
            random.integers(-(10**17), 10**17, 20_000) / 1000,
            np.round(random.normal(size=20_000), 4),
            2.0**53 + np.arange(-50, 50),
        ]
    )
    assert texts(numbers.view(np.uint64), DOUBLE) == [repr(number) for number in numbers.tolist()]


def test_floats_read_back_and_are_short() -> None:
    """A float has the digits of NumPy's own shortest form, whatever the notation."""
    random = np.random.default_rng(8)
    bits = random.integers(0, 2**32, 30_000, dtype=np.uint32)
    numbers = np.concatenate([bits.view(np.float32), np.ldexp(np.float32(1), np.arange(-149, 128))])
    numbers = numbers[np.isfinite(numbers)]
    for text, number in zip(texts(numbers.view(np.uint32), SINGLE), numbers, strict=True):
        assert _digits(text) == _digits(str(number))
        assert struct.pack("f", float(text)) == struct.pack("f", number)


def _digits(text: str) -> str:
    return text.lstrip("-").partition("e")[0].replace(".", "").strip("0")


def test_integers_and_times() -> None:
    """Integers to their extremes and times of every year from 0000 to 9999 are those of Python and NumPy."""
    random = np.random.default_rng(9)
    whole = np.append(random.integers(-(2**63), 2**63 - 1, 5_000), [0, -(2**63), 2**63 - 1, -1, 10, 99, 100])
    assert texts(whole.view(np.uint64), INTEGER) == [str(number) for number in whole.tolist()]
    first, last = np.array(["0000-01-01", "9999-12-31T23:59:59.999999"], "M8[us]").view(np.int64)
    ticks = np.append(random.integers(first, last, 20_000), [first, last, 0, -1])
    ticks[::3] -= ticks[::3] % 1_000_000
    numpy = [text.removesuffix(".000000") for text in np.datetime_as_string(ticks.view("M8[us]")).tolist()]
    assert texts(ticks.view(np.uint64), TIME) == numpy


def test_loops_compile_without_a_place_for_the_cache() -> None:
    """Where no directory can be written, loops are compiled all the same."""
    space: dict[str, Any] = {}
    exec("def twice(number): return number + number", space)  # of no file, so Numba has nowhere to cache it
    assert compiled(space["twice"])(21) == 42


def test_warm_up_runs_twice() -> None:
    """Warming up what is warm is allowed."""
    warm_up()
    warm_up()
