"""The head of a VOTable that is read: the FIELDs of a table, and where its data begin."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast, get_args
from xml.parsers import expat

from vo.catalog import Column, Datatype
from vo.errors import UsageError

_CHUNK = 1_048_576
_LONGEST_HEAD = 16 * _CHUNK
_MOST_ELEMENTS = 1_048_576
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ARRAYSIZE = re.compile(r"(\d{1,9}x){0,9}(\d{1,9}\*?|\*)\Z")
_XTYPES = {"adql:TIMESTAMP": "timestamp"}  # TAP 1.0, 2.5
_ENCODINGS = {"iso8859-1", "iso8859-15", "cp1252", "utf-16", "utf-16-le", "utf-16-be"}
_UTF_8 = {"utf-8", "ascii"}

Kind = Literal["TABLEDATA", "BINARY", "BINARY2", "FITS"]


@dataclass(frozen=True, slots=True)
class Field:
    """A column as it stands in the file; `null` is the value that means NULL (VALUES, VOTable 1.4, 3.5)."""

    column: Column
    is_bit: bool = False
    null: str | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A table up to its data: `kind` is None for a table without rows; `rest` is what was read beyond."""

    fields: tuple[Field, ...]
    kind: Kind | None
    rest: bytes
    line: int


class _DataReached(Exception):  # noqa: N818  no error: it stops the parser
    pass


class _Listener:
    """Follows the elements of a document up to the data of the table with that index."""

    def __init__(self, table: int) -> None:
        self.fields: list[Field] = []
        self.kind: Kind | None = None
        self.byte = 0
        self.complete = False
        self._tables_left = table + 1
        self._path: list[str] = []
        self._field: dict[str, str] = {}
        self._text = ""
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = _refuse_doctype

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        """Parse on; `_DataReached` where the data begin, with `byte` set to their place."""
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            reason = expat.errors.messages[error.code]
            raise UsageError(
                f"The VOTable is not well-formed XML: {reason} in line {error.lineno}."
            ) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = name.rpartition(":")[2]
        self._path.append(element)
        if element == "TABLE":
            self._tables_left -= 1
        if self._tables_left or self.complete:
            return
        if element == "FIELD":
            self._field = dict(attributes)
        elif element == "VALUES" and "FIELD" in self._path and "null" in attributes:
            self._field["null"] = attributes["null"]
        elif element == "PARQUET":
            raise UsageError(f"The table is serialised as {element}.", hint=_HINT)
        elif element in ("BINARY", "BINARY2", "FITS"):
            self.kind = cast("Kind", element)
        elif element == "TABLEDATA" or (element == "STREAM" and self.kind):
            self._reach(element, attributes)

    def _reach(self, element: str, attributes: dict[str, str]) -> None:
        if element == "TABLEDATA":
            self.kind = "TABLEDATA"
        elif "href" in attributes or attributes.get("encoding") != "base64":
            raise UsageError("The STREAM of the table must be inline and in base64.", hint=_HINT)
        self.byte = self._parser.CurrentByteIndex
        raise _DataReached

    def _end(self, name: str) -> None:
        element = name.rpartition(":")[2]
        self._path.pop()
        if self._tables_left or self.complete:
            return
        if element == "DESCRIPTION" and self._path[-1] == "FIELD":
            self._field["description"] = " ".join(self._text.split())
        elif element == "FIELD":
            self.fields.append(_field(self._field, len(self.fields) + 1))
        elif element == "TABLE":
            self.complete = True
        self._text = ""

    def _characters(self, text: str) -> None:
        if not self._tables_left and self._path[-1] == "DESCRIPTION":
            self._text += text


_HINT = "Send it as TABLEDATA, BINARY, BINARY2 or FITS."


def _refuse_doctype(*_: Any) -> None:
    raise UsageError("A VOTable with a document type declaration is not read.")


def read_heading(chunks: Iterator[bytes], table: int) -> Heading:
    """The table with that index (from 0), up to its data."""
    listener = _Listener(table)
    seen = b""
    try:
        for chunk in chunks:
            seen += chunk
            listener.feed(chunk)
            if listener.complete:
                return Heading(_checked(listener.fields), None, b"", 0)
            if len(seen) > _LONGEST_HEAD:
                raise UsageError("The VOTable has no table in its first 16 MiB.")
        listener.feed(b"", final=True)
    except _DataReached:
        return _reached(listener, seen)
    if listener.complete:
        return Heading(_checked(listener.fields), None, b"", 0)
    raise UsageError("The VOTable has no such table.", hint="A VOTable with a TABLE in a RESOURCE is needed.")


def _reached(listener: _Listener, seen: bytes) -> Heading:
    # The parser may be called before the whole tag is here, but never hands on half of one.
    end = seen.index(b">", listener.byte) + 1
    line = seen.count(b"\n", 0, end) + 1
    kind = None if seen[end - 2 : end] == b"/>" else listener.kind
    return Heading(_checked(listener.fields), kind, seen[end:], line)


def _checked(fields: list[Field]) -> tuple[Field, ...]:
    if not fields:
        raise UsageError("The table of the VOTable has no FIELD.")
    return tuple(fields)


def _field(attributes: dict[str, str], number: int) -> Field:
    name = attributes.get("name") or attributes.get("ID") or f"col{number}"
    datatype = attributes.get("datatype", "")
    size = attributes.get("arraysize", "").strip() or None
    is_bit = datatype == "bit" and size in (None, "1")
    if not is_bit and datatype not in get_args(Datatype):
        shown = f"{datatype}[{size}]" if size else datatype
        raise UsageError(f"FIELD {name} has the datatype {shown!r}, which is not read.")
    column = Column(
        name,
        "boolean" if is_bit else cast("Datatype", datatype),
        _arraysize(name, datatype, size),
        _XTYPES.get(attributes.get("xtype", ""), attributes.get("xtype")),
        unit=attributes.get("unit"),
        ucd=attributes.get("ucd"),
        utype=attributes.get("utype"),
        description=attributes.get("description"),
    )
    if column.xtype == "timestamp" and not column.is_string:
        raise UsageError(f"FIELD {name} has the xtype timestamp, which is for char and not for {datatype}.")
    return Field(column, is_bit, attributes.get("null"))


def _arraysize(name: str, datatype: str, size: str | None) -> str | None:
    if size in (None, "1"):
        return None
    if not _ARRAYSIZE.match(size):
        raise UsageError(f"FIELD {name} has the arraysize {size[:40]!r}, which is none.")
    if datatype in ("char", "unicodeChar") and "x" in size:
        raise UsageError(f"FIELD {name} has arrays of strings, which are not read.")
    elements = 1
    for part in size.rstrip("*").split("x"):
        elements *= int(part or 1)
    if not 0 < elements <= _MOST_ELEMENTS:
        raise UsageError(f"FIELD {name} has the arraysize {size!r}; it must be from 1 to {_MOST_ELEMENTS}.")
    return size


def utf8_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The document in UTF-8, whatever its XML declaration says it is in."""
    first = stream.read(_CHUNK)
    encoding = _encoding(first)
    if encoding in _UTF_8:
        chunk = first.removeprefix(codecs.BOM_UTF8)
        while chunk:
            yield chunk
            chunk = stream.read(_CHUNK)
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        chunk = first
        while chunk:
            yield decoder.decode(chunk).encode()
            chunk = stream.read(_CHUNK)
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise UsageError(f"The VOTable is not in {encoding}, as it says.") from error


def _encoding(first: bytes) -> str:
    if first.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return "utf-16"
    declared = _ENCODING.match(first.removeprefix(codecs.BOM_UTF8)[:1000])
    if declared is None:
        return "utf-8"
    name = declared.group(1).decode()
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = ""
    if known not in _UTF_8 | _ENCODINGS:
        raise UsageError(
            f"The VOTable is in the encoding {name[:40]}, which is not read.", hint="Send UTF-8."
        )
    return known
