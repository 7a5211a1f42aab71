"""The formats of results: the table behind RESPONSEFORMAT, the capabilities and every writer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from vo.catalog import nearest
from vo.errors import UsageError
from vo.formats import columnar, delimited, fits, in_votable, json_rows, preview
from vo.formats.format import Format
from vo.votable.binary import BINARY, BINARY2
from vo.votable.document import Serialisation, Version
from vo.votable.tabledata import TABLEDATA

__all__ = ["FORMATS", "Format", "find"]


def _votable(
    media_type: str, *aliases: str, rows: Serialisation = BINARY2, version: Version = "1.4"
) -> Format:
    """VOTable, in a serialisation with an identifier of TAPRegExt 1.0 (2.4)."""
    identifier, described = _SERIALISATIONS[rows.name]
    return Format(
        media_type,
        aliases,
        "xml" if media_type == "text/xml" else "vot",
        f"VOTable {version}, its rows {described}",
        f"ivo://ivoa.net/std/TAPRegExt#output-votable-{identifier}",
        tells_errors=True,
        writer=partial(in_votable.write, rows, version),
    )


_SERIALISATIONS = {
    "BINARY2": ("binary2", "in binary with flags for NULL (BINARY2)"),
    "BINARY": ("binary", "in binary (BINARY)"),
    "TABLEDATA": ("td", "in plain XML (TABLEDATA)"),
}
_VOTABLE = "application/x-votable+xml"

FORMATS: tuple[Format, ...] = (
    _votable(_VOTABLE, "votable"),
    _votable(f"{_VOTABLE};serialization=binary2", "votable/b2"),
    _votable(f"{_VOTABLE};serialization=binary", "votable/b", rows=BINARY),
    _votable(f"{_VOTABLE};serialization=tabledata", "votable/td", rows=TABLEDATA),
    _votable("text/xml", rows=TABLEDATA),
    _votable(f"{_VOTABLE};version=1.5", version="1.5"),
    _votable(f"{_VOTABLE};serialization=tabledata;version=1.5", rows=TABLEDATA, version="1.5"),
    Format(
        "text/csv;header=present",
        ("csv", "text/csv"),
        "csv",
        "Comma-separated values, the first line with the names",
        tells_overflow=False,
        writer=partial(delimited.write, delimited.CSV),
    ),
    Format(
        "text/tab-separated-values",
        ("tsv",),
        "tsv",
        "Tab-separated values, the first line with the names",
        tells_overflow=False,
        writer=partial(delimited.write, delimited.TSV),
    ),
    Format(
        "application/fits",
        ("fits", "image/fits"),
        "fits",
        "A FITS binary table; it is sent when its last row is known",
        writer=fits.write,
    ),
    Format(
        "application/vnd.apache.parquet",
        ("parquet", "application/x-parquet"),
        "parquet",
        "Parquet, a VOTable of the metadata inside",
        writer=columnar.write_parquet,
    ),
    Format(
        "application/vnd.apache.arrow.stream",
        ("arrow",),
        "arrows",
        "A stream of Arrow record batches",
        writer=columnar.write_arrow,
    ),
    Format(
        "application/json",
        ("json",),
        "json",
        "JSON: metadata of the columns, then an array a row",
        tells_errors=True,
        writer=json_rows.write,
    ),
    Format(
        "text/html",
        ("html",),
        "html",
        f"A page with the first {preview.ROWS:,} rows",
        tells_errors=True,
        writer=preview.write,
    ),
)
"""Every format, the default first."""


def find(responseformat: str | None) -> Format:
    """The format of that name or media type; none given: the default.

    The `media_type` of what is found is the one asked for, as Content-Type has to be (DALI 1.1, 3.4.3).

    >>> find("CSV").media_type, find("text/csv").media_type
    ('text/csv;header=present', 'text/csv')
    """
    if responseformat is None or not responseformat.strip():
        return FORMATS[0]
    found = _BY_NAME.get(_key(responseformat))
    if found is None:
        names = [name for format_ in FORMATS for name in (*format_.aliases, format_.media_type)]
        close = nearest(responseformat, names, 1)
        guess = f"Did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"RESPONSEFORMAT {responseformat[:100]!r} is not known.",
            hint=f"{guess}Known are {', '.join(names)}.",
        )
    return found


def _key(name: str) -> tuple[str, ...]:
    """A name without what does not matter; a + that was not escaped in a URL came as a blank.

    The parameters of a media type may stand in any order (RFC 9110, 5.6.6).
    """
    first, *parameters = re.sub(r"[\s+\"]", "", name).lower().split(";")
    return (first, *sorted(parameters))


def _by_name() -> Iterator[tuple[tuple[str, ...], Format]]:
    for format_ in FORMATS:
        for name in (format_.media_type, *format_.aliases):
            asked = name if re.match(r"(application|text|image)/", name) else format_.media_type
            yield _key(name), replace(format_, media_type=asked)


_BY_NAME = dict(_by_name())
