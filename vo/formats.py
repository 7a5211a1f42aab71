"""The formats of results: the table behind RESPONSEFORMAT, the capabilities and every writer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa

from vo.catalog import nearest
from vo.delimited import CSV, TSV, Delimiters
from vo.delimited import encoder as delimited_encoder
from vo.delimited import header as delimited_header
from vo.errors import UsageError, VOError
from vo.result import Result
from vo.votable.binary2 import BINARY2
from vo.votable.document import Chunk, Notes, Serialisation, head, tail
from vo.votable.tabledata import TABLEDATA

FIRST_BLOCK, BLOCK, LARGEST_BLOCK = 8_192, 1_048_576, 2_097_152
"""Bytes of a block: at least, for the first and for the others, and at most."""
_FIRST_PIECE, _LARGEST_PIECE = 8_192, 4_194_304
"""Bytes of Arrow data that are encoded at a time: few at first, then twice as many each time."""
_CELL = 8
"""Bytes that a cell counts for at least: in text, small numbers are as long as others."""

Chunks = Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table: how a result becomes bytes, and by which names it is asked for.

    `aliases` are further spellings, media types included; `standard_id` is that of TAPRegExt 1.0 (2.4);
    `tells_errors`: an error in mid-stream is told inside the document, which stays well-formed.
    """

    media_type: str
    aliases: tuple[str, ...]
    extension: str
    description: str
    standard_id: str | None = None
    tells_errors: bool = False
    writer: Callable[[Result, Notes], Chunks] = field(kw_only=True, repr=False, compare=False)

    def write(self, result: Result, notes: Notes) -> Chunks:
        """The document in blocks of 1 to 2 MiB, a small one first.

        An error of the result after the first byte is told in a document that has a place for it
        (VOTable has, CSV has not), and is raised again behind the last block.
        """
        return _blocks(self.writer(result, notes))


class _Guarded:
    """Chunks that end at the first error and keep it, so that the document is closed before it is raised."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = chunks
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Chunk]:
        try:
            yield from self._chunks
        except Exception as error:  # noqa: BLE001  raised again by the writer, behind the tail
            self.failure = error


def _votable(serialisation: Serialisation, result: Result, notes: Notes) -> Chunks:
    encode = serialisation.encoder(result.columns)
    rows = _Guarded(encode(piece) for piece in _pieces(result))
    yield head(result.columns, notes, serialisation.opening)
    yield from serialisation.stream(rows)
    if rows.failure is not None:
        yield tail(serialisation.closing, status="ERROR", message=_told(rows.failure))
        raise rows.failure
    if result.overflow:
        cut = f"The table is cut at {result.rows} rows (MAXREC); there are more."
        yield tail(serialisation.closing, status="OVERFLOW", message=cut)
    else:
        yield tail(serialisation.closing)


def _delimited(delimiters: Delimiters, result: Result, notes: Notes) -> Chunks:  # noqa: ARG001  no place for notes
    yield delimited_header(result.columns, delimiters)
    yield from map(delimited_encoder(result.columns, delimiters), _pieces(result))


def _told(error: Exception) -> str:
    """What a client may read of an error: our own words, never those of a library."""
    return str(error) if isinstance(error, VOError) else "The service failed while it was writing the result."


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, the large ones in slices: memory stays bounded and the processor's caches warm."""
    size = _FIRST_PIECE
    for batch in batches:
        row_size = max(_CELL * batch.num_columns, batch.nbytes // max(1, batch.num_rows))
        done = 0
        while done < batch.num_rows:
            rows = max(1, size // row_size)
            yield batch.slice(done, rows)
            done += rows
            size = min(2 * size, _LARGEST_PIECE)


def _blocks(chunks: Iterable[bytes]) -> Chunks:
    """The same bytes in blocks that are worth a frame of their own; an error lets those before it out."""
    waiting: list[bytes] = []
    size, enough = 0, FIRST_BLOCK
    try:
        for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            if size >= enough:
                yield from _cut(b"".join(waiting))
                waiting, size, enough = [], 0, BLOCK
    except Exception:
        yield from _cut(b"".join(waiting))
        raise
    yield from _cut(b"".join(waiting))


def _cut(block: bytes) -> Chunks:
    for start in range(0, len(block), LARGEST_BLOCK):
        yield block[start : start + LARGEST_BLOCK]


_TAPREGEXT = "ivo://ivoa.net/std/TAPRegExt#output-votable-"

FORMATS: tuple[Format, ...] = (
    Format(
        "application/x-votable+xml",
        ("votable",),
        "vot",
        "VOTable 1.4, its rows in BINARY2",
        _TAPREGEXT + "binary2",
        tells_errors=True,
        writer=partial(_votable, BINARY2),
    ),
    Format(
        "application/x-votable+xml;serialization=binary2",
        ("votable/b2",),
        "vot",
        "VOTable 1.4, its rows in BINARY2",
        _TAPREGEXT + "binary2",
        tells_errors=True,
        writer=partial(_votable, BINARY2),
    ),
    Format(
        "application/x-votable+xml;serialization=tabledata",
        ("votable/td",),
        "vot",
        "VOTable 1.4, its rows in plain XML",
        _TAPREGEXT + "td",
        tells_errors=True,
        writer=partial(_votable, TABLEDATA),
    ),
    Format(
        "text/xml",
        (),
        "xml",
        "VOTable 1.4, its rows in plain XML, under a name that browsers show",
        _TAPREGEXT + "td",
        tells_errors=True,
        writer=partial(_votable, TABLEDATA),
    ),
    Format(
        "text/csv;header=present",
        ("csv", "text/csv"),
        "csv",
        "Comma-separated values, the first line with the names",
        writer=partial(_delimited, CSV),
    ),
    Format(
        "text/tab-separated-values",
        ("tsv",),
        "tsv",
        "Tab-separated values, the first line with the names",
        writer=partial(_delimited, TSV),
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


def _key(name: str) -> str:
    """A name without what does not matter; a + that was not escaped in a URL came as a blank."""
    return re.sub(r"[\s+\"]", "", name).lower()


def _by_name() -> Iterator[tuple[str, Format]]:
    for format_ in FORMATS:
        for name in (format_.media_type, *format_.aliases):
            asked = name if re.match(r"(application|text)/", name) else format_.media_type
            yield _key(name), replace(format_, media_type=asked)


_BY_NAME = dict(_by_name())
