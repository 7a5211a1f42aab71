"""The formats of results: how they are asked for, how they stream, and how they end."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from astropy.io.votable import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from votable_tables import EVERYTHING, record_batch, written

from vo.catalog import Column
from vo.errors import TimeLimitError, UsageError
from vo.formats import FORMATS, Format, find
from vo.formats.blocks import BLOCK, FIRST_BLOCK, LARGEST_BLOCK
from vo.result import Result
from vo.votable.document import Notes, error_document

COLUMNS = tuple(EVERYTHING)
BATCH = record_batch(COLUMNS, list(EVERYTHING.values()))
ONE = (Column("a", "long"),)
bounded = settings(max_examples=60, deadline=None)

ASKED = [
    (None, "application/x-votable+xml"),
    ("", "application/x-votable+xml"),
    ("votable", "application/x-votable+xml"),
    ("VOTable", "application/x-votable+xml"),
    ("application/x-votable+xml", "application/x-votable+xml"),
    ("application/x-votable xml", "application/x-votable+xml"),  # the + was not escaped in the URL
    ("Application/X-VOTable+XML ; Serialization=BINARY2", "application/x-votable+xml;serialization=binary2"),
    (
        'application/x-votable+xml; serialization="tabledata"',
        "application/x-votable+xml;serialization=tabledata",
    ),
    ("votable/td", "application/x-votable+xml;serialization=tabledata"),
    ("votable/b2", "application/x-votable+xml;serialization=binary2"),
    ("text/xml", "text/xml"),
    ("csv", "text/csv;header=present"),
    ("text/csv", "text/csv"),
    ("text/csv; header=present", "text/csv;header=present"),
    ("TSV", "text/tab-separated-values"),
    ("text/tab-separated-values", "text/tab-separated-values"),
]


@pytest.mark.parametrize(("asked", "media_type"), ASKED)
def test_a_format_is_found_and_answers_with_the_media_type_asked(asked: str | None, media_type: str) -> None:
    """Case and blanks do not matter; Content-Type is the media type that was asked for (DALI 3.4.3)."""
    assert find(asked).media_type == media_type


@pytest.mark.parametrize(
    "asked", ["vo-table", "votables", "text/plain", "x" * 5000, "application/x-votable+xml;x=1"]
)
def test_an_unknown_format_is_refused(asked: str) -> None:
    """The complaint names the formats there are, and is short."""
    with pytest.raises(UsageError, match="Known are votable, ") as raised:
        find(asked)
    assert len(str(raised.value)) < 1_200


def test_a_misspelt_format_is_guessed() -> None:
    """The nearest name is offered."""
    with pytest.raises(UsageError, match="Did you mean votable"):
        find("votabel")


def test_names_are_unique() -> None:
    """No alias means two formats."""
    names = [name.lower() for each in FORMATS for name in (each.media_type, *each.aliases)]
    assert len(names) == len(set(names))


def numbers(rows: int, step: int) -> Iterator[pa.RecordBatch]:
    """Batches of the numbers from 0."""
    for start in range(0, rows, step):
        yield record_batch(ONE, [list(range(start, min(start + step, rows)))])


STREAMING = [each for each in FORMATS if each.extension not in ("fits", "parquet", "html")]
"""All but those that count rows first, gather them in groups, or show a few."""


@pytest.mark.parametrize("format_", STREAMING, ids=lambda each: each.media_type)
@pytest.mark.parametrize("step", [1, 1_000, 300_000])
def test_blocks_are_even(format_: Format, step: int) -> None:
    """Batches of any size leave in blocks worth sending: a small one soon, then 1 to 2 MiB."""
    rows = 300_000 if step > 1 else 3_000
    blocks = list(find(format_.media_type).write(Result(ONE, numbers(rows, step)), Notes()))
    sizes = [len(block) for block in blocks]
    assert len(sizes) == 1 or FIRST_BLOCK <= sizes[0] <= 65_536
    assert all(size >= BLOCK for size in sizes[1:-1])
    assert max(sizes) <= LARGEST_BLOCK


@pytest.mark.parametrize("format_", STREAMING, ids=lambda each: each.media_type)
def test_rows_are_asked_for_as_they_are_sent(format_: Format) -> None:
    """Memory stays bounded: the source is only a few batches ahead of the reader."""
    asked = 0

    def source() -> Iterator[pa.RecordBatch]:
        nonlocal asked
        while True:
            asked += 1
            yield from numbers(10_000, 10_000)

    blocks = find(format_.media_type).write(Result(ONE, source()), Notes())
    next(blocks)
    assert asked <= 3
    next(blocks)
    assert asked <= 40  # a block of 1 MiB holds 25 such batches as numbers in text


def infos(document: bytes) -> list[tuple[str, str, bool]]:
    """Each INFO of QUERY_STATUS: value, text, and whether it comes behind the table."""
    root = etree.fromstring(document)
    found = root.xpath("//*[local-name()='INFO'][@name='QUERY_STATUS']")
    behind = "preceding-sibling::*[local-name()='TABLE']"
    return [(info.get("value"), info.text or "", bool(info.xpath(behind))) for info in found]


@pytest.mark.parametrize("name", ["votable/td", "votable/b2"])
@pytest.mark.parametrize(
    ("maxrec", "rows", "overflow"), [(None, 5, False), (5, 5, False), (4, 4, True), (0, 0, True)]
)
def test_overflow_is_told_behind_the_table(name: str, maxrec: int | None, rows: int, overflow: bool) -> None:  # noqa: FBT001  a column of the table above
    """A cut result has all rows up to MAXREC and says so; one of exactly MAXREC rows is complete."""
    document = written(name, record_batch(ONE, [[1, 2, 3, 4, 5]]), ONE, maxrec=maxrec)
    assert len(parse(io.BytesIO(document)).get_first_table().array) == rows
    statuses = [(value, behind) for value, _, behind in infos(document)]
    assert statuses == [("OK", False)] + [("OVERFLOW", True)] * overflow


@pytest.mark.parametrize("name", ["votable/td", "votable/b2", "csv", "tsv", "json"])
@pytest.mark.parametrize("limit", [0, 1, 100, 1_000, 20_000, 10**7])
def test_bytes_are_limited_to_the_row(name: str, limit: int) -> None:
    """As many whole rows as fit are sent, not one more or less, and the document says that it is cut."""
    batch = record_batch(ONE, [list(range(10**9, 10**9 + 3_000))])
    lengths = [len(written(name, batch.slice(0, rows), ONE, step=700)) for rows in (0, 1, 3_000)]
    result = Result(ONE, iter([batch.slice(0, 1_700), batch.slice(1_700)]))
    result.byte_limit = limit
    document = b"".join(find(name).write(result, Notes()))
    row = (lengths[2] - lengths[1]) / 2_999
    expected = min(3_000, int((limit + (2 if name == "json" else 0)) / row))
    assert abs(result.rows - expected) <= 1
    assert result.overflow == (result.rows < 3_000)
    assert len(document) - lengths[0] <= limit + 200  # of what is said of the limit
    if name.startswith("votable") and result.overflow:
        assert [value for value, _, _ in infos(document)] == ["OK", "OVERFLOW"]
        assert len(parse(io.BytesIO(document)).get_first_table().array) == result.rows


@pytest.mark.parametrize("name", ["parquet", "arrow", "fits"])
def test_bytes_are_limited_where_rows_are_gathered(name: str) -> None:
    """The limit holds for the columns as they are in memory."""
    result = Result(ONE, numbers(3_000, 500))
    result.byte_limit = 8_000
    list(find(name).write(result, Notes()))
    assert (result.rows, result.overflow) == (1_000, True)


def failing(error: Exception) -> Iterator[pa.RecordBatch]:
    """Rows, and then an error."""
    yield from numbers(10, 5)
    raise error


@pytest.mark.parametrize("name", ["votable/td", "votable/b2", "votable", "text/xml"])
@pytest.mark.parametrize(
    ("error", "told"),
    [(TimeLimitError("Too <slow>."), "Too <slow>."), (OSError("/secret/path"), "The service failed")],
)
def test_a_late_error_closes_the_document_and_is_raised(name: str, error: Exception, told: str) -> None:
    """The rows so far are whole, QUERY_STATUS tells our own words only, and the caller learns of it."""
    format_ = find(name)
    assert format_.tells_errors
    document, raised = collected(format_.write(Result(ONE, failing(error)), Notes()))
    assert raised is error
    assert parse(io.BytesIO(document)).get_first_table().array["a"].tolist() == list(range(10))
    [ok, late] = infos(document)
    assert ok == ("OK", "", False)
    assert late[0] == "ERROR"
    assert late[1].startswith(told)
    assert late[2]
    assert b"secret" not in document


def collected(blocks: Iterator[bytes]) -> tuple[bytes, Exception | None]:
    """What comes before the error, and the error."""
    kept = []
    try:
        for block in blocks:
            kept.append(block)  # noqa: PERF402  what came before an error counts
    except (OSError, TimeLimitError) as error:
        return b"".join(kept), error
    return b"".join(kept), None


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_a_late_error_is_only_raised_where_nothing_can_tell_it(name: str) -> None:
    """Delimited text never holds anything but rows."""
    assert not find(name).tells_errors
    error = OSError("gone")
    document, raised = collected(find(name).write(Result(ONE, failing(error)), Notes()))
    assert raised is error
    assert document.decode().split() == ["a", *map(str, range(10))]


def test_a_reader_that_leaves_ends_the_writer() -> None:
    """Closing the iterator half-way raises nothing and sends nothing more."""
    blocks = find("votable").write(Result(ONE, numbers(100_000, 1_000)), Notes())
    next(blocks)
    blocks.close()
    assert list(blocks) == []


def test_the_error_document() -> None:
    """An error is a whole VOTable without a table, whatever characters its message has."""
    root = etree.fromstring(error_document("No <b> & \x00 'c'.", ["one", "two & three"], Notes("SELECT <")))
    found = root.xpath("//*[local-name()='INFO']")
    assert [(info.get("name"), info.get("value")) for info in found] == [
        ("QUERY_STATUS", "ERROR"),
        ("problem", "one"),
        ("problem", "two & three"),
        ("query", "SELECT <"),
    ]
    assert found[0].text == "No <b> & \ufffd 'c'."
    assert root.xpath("//*[local-name()='RESOURCE']/@type") == ["results"]
    assert not root.xpath("//*[local-name()='TABLE']")


def test_csv_in_full() -> None:
    """Every form of a value in CSV: NULL is nothing, an empty text is quoted, times have their T."""
    columns = (
        *(Column("a,b", "char", "*"), Column("n", "int"), Column("x", "double"), Column("f", "boolean")),
        *(Column("t", "char", "*", xtype="timestamp"), Column("v", "float", "*")),
    )
    values = [
        ['say "x", y', "", None, "line\r\nbreak"],
        [1, None, -5, 0],
        [0.1, float("nan"), None, float("-inf")],
        [True, False, None, True],
        [0, None, 1_500_000, 951_782_400_000_000],
        [[1.5, 2.0], None, [], [float("inf")]],
    ]
    assert written("csv", record_batch(columns, values), columns).decode() == (
        '"a,b",n,x,f,t,v\r\n'
        '"say ""x"", y",1,0.1,true,1970-01-01T00:00:00,1.5 2.0\r\n'
        '"",,NaN,false,,\r\n'
        ",-5,,,1970-01-01T00:00:01.500000,\r\n"
        '"line\r\nbreak",0,-Inf,true,2000-02-29T00:00:00,+Inf\r\n'
    )


def test_tsv_has_no_tabs_and_breaks_within_values() -> None:
    """Tab-separated values have no quotes: tabs and line breaks in text and names become blanks."""
    columns = (Column("a\tb", "char", "*"), Column('c"', "char", "*"))
    batch = record_batch(columns, [["x\ty\r\nz", None], ['"q"', "r,s"]])
    assert written("tsv", batch, columns).decode() == 'a b\tc"\nx y  z\t"q"\n\tr,s\n'


@bounded
@given(st.lists(st.tuples(*[st.none() | st.text(max_size=9)] * 2), max_size=8))
def test_any_text_survives_csv(rows: list[tuple[str | None, str | None]]) -> None:
    """What Python's own reader finds in the fields is what was written."""
    columns = (Column("a", "unicodeChar", "*"), Column("b", "unicodeChar", "*"))
    batch = record_batch(columns, [list(column) for column in zip(*rows, strict=True)] or [[], []])
    text = written("csv", batch, columns).decode()
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines == [["a", "b"], *([a or "", b or ""] for a, b in rows)]


def test_pyarrow_reads_the_same_csv() -> None:
    """Numbers, flags, times and NULLs come back from an independent reader, to the last bit."""
    kinds = ("id", "ra", "mag", "flag", "quality", "s", "n", "name", "notes", "t")
    places = [i for i, column in enumerate(COLUMNS) if column.name in kinds][: len(kinds)]
    columns = tuple(COLUMNS[i] for i in places)
    batch = BATCH.select(places)
    types = {column.name: column.arrow_type() for column in columns}
    options = pa_csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    document = written("csv", batch, columns)
    table = pa_csv.read_csv(io.BytesIO(document), convert_options=options, parse_options=parsing)
    for got, sent in zip(table.columns, batch.columns, strict=True):
        if pa.types.is_floating(sent.type):
            np.testing.assert_array_equal(got.to_numpy(), sent.to_numpy(zero_copy_only=False))
        assert got.is_null().to_pylist() == sent.is_null().to_pylist()
        assert pa.types.is_floating(sent.type) or got.to_pylist() == sent.to_pylist()


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_an_empty_table_has_its_names(name: str) -> None:
    """The line of names stands even above no rows."""
    text = written(name, BATCH.slice(0, 0), COLUMNS).decode()
    assert text.split()[0].replace("\t", ",").startswith("id,ra,mag,") or text.startswith("id\tra\tmag")
    assert len(text.splitlines()) == 1
