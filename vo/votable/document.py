"""What surrounds the rows of a VOTable: head, tail, and the document that is all error.

VOTable 1.4 is what today's installed readers take; its namespace is that of 1.3 (VOTable 1.4, appendix).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from vo.catalog import Column

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
    '<RESOURCE type="results">\n'
)
_TAIL = "</RESOURCE>\n</VOTABLE>\n"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True, slots=True)
class Notes:
    """What a result says of its origin, in INFO elements before the table (names of Data Origin 1.1).

    `query` is the query as the client sent it; `extra` are further pairs (name, value).
    """

    query: str | None = None
    title: str | None = None
    standard_id: str | None = None
    requested: datetime | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The pairs (name, value) of the INFO elements, in their order."""
        if self.standard_id is not None:
            yield "standardID", self.standard_id
        if self.title is not None:
            yield "publisher", self.title
        if self.requested is not None:
            yield "request_date", self.requested.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.query is not None:
            yield "query", self.query
        yield from self.extra


Chunk = bytes | memoryview
"""Some rows as bytes."""


@dataclass(frozen=True, slots=True)
class Serialisation:
    """How rows stand within DATA: `encoder` makes bytes of batches, `stream` joins them for transport."""

    opening: str
    closing: str
    encoder: Callable[[Sequence[Column]], Callable[[pa.RecordBatch], Chunk]]
    stream: Callable[[Iterable[Chunk]], Iterator[bytes]]


def text(value: str) -> str:
    """`value` as character data; what XML 1.0 (2.2) cannot hold at all becomes U+FFFD.

    >>> text("a < b ]]> c" + chr(0))
    'a &lt; b ]]&gt; c\ufffd'
    """
    return _ILLEGAL.sub("\ufffd", value).translate(_TEXT)


def attribute(value: str) -> str:
    """`value` as the inside of an attribute in double quotes, its white space preserved."""
    return _ILLEGAL.sub("\ufffd", value).translate(_ATTRIBUTE)


def info(name: str, value: str, content: str = "") -> str:
    """An INFO element; `content` is for people."""
    opening = f'<INFO name="{attribute(name)}" value="{attribute(value)}"'
    return f"{opening}>{text(content)}</INFO>\n" if content else f"{opening}/>\n"


def head(columns: Sequence[Column], notes: Notes, opening: str) -> bytes:
    """Everything before the first row; `opening` is that of the serialisation.

    QUERY_STATUS stands before the TABLE (DALI 1.1, 4.4.1); a later failure is told after it.
    """
    parts = [_HEAD, info("QUERY_STATUS", "OK")]
    parts += [info(name, value) for name, value in notes.pairs()]
    parts += ["<TABLE>\n", *_fields(columns), f"<DATA>{opening}"]
    return "".join(parts).encode()


def tail(closing: str, *, status: str | None = None, message: str = "") -> bytes:
    """Everything after the last row; `status` OVERFLOW or ERROR is told there (DALI 1.1, 4.4.1)."""
    late = "" if status is None else info("QUERY_STATUS", status, message)
    return f"{closing}</DATA>\n</TABLE>\n{late}{_TAIL}".encode()


def error_document(message: str, problems: Iterable[str] = (), notes: Notes | None = None) -> bytes:
    """A whole VOTable that says what went wrong and carries no table (DALI 1.1, 4.4; TAP 1.1, 3.3).

    Each of `problems` becomes an INFO of its own behind that of QUERY_STATUS.
    """
    parts = [_HEAD, info("QUERY_STATUS", "ERROR", message)]
    parts += [info("problem", problem) for problem in problems]
    parts += [info(name, value) for name, value in (notes or Notes()).pairs()]
    return "".join([*parts, _TAIL]).encode()


def _fields(columns: Sequence[Column]) -> Iterator[str]:
    taken: set[str] = set()
    for column in columns:
        yield _field(column, _xml_id(column.name, taken))


def _field(column: Column, xml_id: str | None) -> str:
    # arraysize="1" is not the same as a scalar (VOTable 1.4, 2.2): the scalar has none.
    attributes = {
        "ID": xml_id,
        "name": column.name,
        "datatype": column.datatype,
        "arraysize": None if column.arraysize == "1" else column.arraysize,
        "xtype": column.xtype,
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
    }
    shown = "".join(f' {key}="{attribute(value)}"' for key, value in attributes.items() if value)
    if not column.description:
        return f"<FIELD{shown}/>\n"
    return f"<FIELD{shown}><DESCRIPTION>{text(column.description)}</DESCRIPTION></FIELD>\n"


def _xml_id(name: str, taken: set[str]) -> str | None:
    """An ID where readers that go by ID need one: the name is no XML name, or was given before."""
    stem = _NOT_IN_ID.sub("_", name)
    if not stem or not (stem[0].isalpha() or stem[0] == "_"):
        stem = "_" + stem
    unique, count = stem, 1
    while unique in taken:
        count += 1
        unique = f"{stem}_{count}"
    taken.add(unique)
    return None if unique == name else unique
