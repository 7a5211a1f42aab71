"""What surrounds the rows of a VOTable: head, tail, and the document that is all error.

VOTable 1.4 is what today's installed readers take; its namespace is that of 1.3 (VOTable 1.4, appendix).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa

from vo import __version__
from vo.catalog import Column

Version = Literal["1.4", "1.5"]
"""The versions that are written; 1.5 on request, as installed readers refuse it."""

_VOTABLE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="{version}" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
)
_RESOURCE = '<RESOURCE type="results">\n'
_HEAD = _VOTABLE + _RESOURCE
_RESOURCE_END, _END = "</RESOURCE>\n", "</VOTABLE>\n"
_TAIL = _RESOURCE_END + _END
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True, slots=True)
class Notes:
    """What a result says of its origin, in INFO elements before the table (names of Data Origin 1.1).

    `query` is the query as the client sent it; `origin` is that of the data, and `extra` are further pairs
    (name, value); `params` are PARAM elements beside the table of a VOTable, `resources` RESOURCE elements
    behind its own, and `referred` the IDs by which these name columns, by the index of each (see `field_id`).
    """

    query: str | None = None
    title: str | None = None
    standard_id: str | None = None
    requested: datetime | None = None
    origin: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    params: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    referred: Mapping[int, str] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The pairs (name, value) of the INFO elements, in their order."""
        if self.standard_id is not None:
            yield "standardID", self.standard_id
        if self.title is not None:
            yield "publisher", self.title
            yield "server_software", f"vo/{__version__}"
        if self.requested is not None:
            yield "request_date", self.requested.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.query is not None:
            yield "query", self.query
        yield from self.origin
        yield from self.extra


Chunk = bytes | memoryview
"""Some rows as bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column as a FIELD declares it; `null` is the value that stands for NULL, where one must."""

    column: Column
    null: int | None = None


def plain_fields(columns: Sequence[Column]) -> list[Field]:
    """The columns as they are."""
    return [Field(column) for column in columns]


@dataclass(frozen=True, slots=True)
class Serialisation:
    """How rows stand within DATA.

    `encoder` makes bytes of batches, `stream` joins them for transport, which makes them longer by `growth`,
    `fields` declares the columns.
    """

    name: str
    opening: str
    closing: str
    encoder: Callable[[Sequence[Column]], Callable[[pa.RecordBatch], Chunk]]
    stream: Callable[[Iterable[Chunk]], Iterator[bytes]]
    fields: Callable[[Sequence[Column]], list[Field]] = plain_fields
    growth: float = 1.0


def text(value: str) -> str:
    """`value` as character data; what XML 1.0 (2.2) cannot hold at all becomes U+FFFD.

    >>> text("a < b ]]> c" + chr(0))
    'a &lt; b ]]&gt; c\ufffd'
    """
    return _ILLEGAL.sub("\ufffd", value).translate(_TEXT)


def attribute(value: str) -> str:
    """`value` as the inside of an attribute in double quotes, its white space preserved."""
    return _ILLEGAL.sub("\ufffd", value).translate(_ATTRIBUTE)


_UCDS = {"citation": "meta.bib"}  # DALI 1.1, 4.4.3


def info(name: str, value: str, content: str = "") -> str:
    """An INFO element; `content` is for people."""
    ucd = f' ucd="{_UCDS[name]}"' if name in _UCDS else ""
    opening = f'<INFO name="{attribute(name)}"{ucd} value="{attribute(value)}"'
    return f"{opening}>{text(content)}</INFO>\n" if content else f"{opening}/>\n"


def head(fields: Sequence[Field], notes: Notes, opening: str, *, version: Version = "1.4") -> bytes:
    """Everything before the first row; `opening` is that of the serialisation.

    QUERY_STATUS stands before the TABLE (DALI 1.1, 4.4.1); a later failure is told after it.
    """
    columns = [field.column for field in fields]
    parts = [*_heading(columns, notes, version), *_fields(fields, notes), f"<DATA>{opening}"]
    return "".join(parts).encode()


def without_data(columns: Sequence[Column], notes: Notes, *, status: str = "OK", message: str = "") -> bytes:
    """A VOTable that only describes a table, for formats that carry it beside the data."""
    heading = _heading(columns, notes, "1.4", status, message)
    fields = _fields(plain_fields(columns), notes)
    parts = [*heading, *fields, "</TABLE>\n", _RESOURCE_END, *notes.resources, _END]
    return "".join(parts).encode()


def _heading(
    columns: Sequence[Column], notes: Notes, version: Version, status: str = "OK", message: str = ""
) -> Iterator[str]:
    yield _HEAD.format(version=version)
    yield info("QUERY_STATUS", status, message)
    yield from (info(name, value) for name, value in notes.pairs())
    yield from notes.params
    yield from sorted({_SYSTEMS[version][ref] for column in columns if (ref := _system(column))})
    yield "<TABLE>\n"


# The schema of 1.4 has some old names alone; those of 1.5 are in the vocabulary refframe.
_FRAMES: Mapping[Version, Mapping[str, str]] = {
    "1.4": {
        "icrs": 'system="ICRS"',
        "galactic": 'system="galactic"',
        "super_galactic": 'system="supergalactic"',
        "fk5": 'system="eq_FK5" equinox="J2000"',
        "fk4": 'system="eq_FK4" equinox="B1950"',
        "ecliptic": 'system="ecl_FK5" equinox="J2000"',
    },
    "1.5": {
        "icrs": 'system="ICRS"',
        "galactic": 'system="GALACTIC"',
        "super_galactic": 'system="SUPER_GALACTIC"',
        "fk5": 'system="FK5" equinox="J2000"',
        "fk4": 'system="FK4" equinox="B1950"',
        "ecliptic": 'system="ECLIPTIC" equinox="J2000"',
    },
}
_SYSTEMS: Mapping[Version, Mapping[str, str]] = {
    version: {
        **{name: f'<COOSYS ID="{name}" {attributes}/>\n' for name, attributes in frames.items()},
        "utc": '<TIMESYS ID="utc" timescale="UTC" refposition="UNKNOWN"/>\n',
    }
    for version, frames in _FRAMES.items()
}
"""Elements that FIELDs refer to; COOSYS without an epoch, which the catalogue does not know."""


def _system(column: Column) -> str | None:
    """The system of the values (VOTable 1.4, 3.3 and 3.4): equatorial positions are in ICRS here."""
    if column.xtype == "timestamp":
        return "utc"  # DALI 1.1, 3.3.3
    if column.frame is not None:
        return column.frame.name.lower()
    words = (column.ucd or "").lower()
    return next((ref for ucd, ref in _POSITIONS.items() if ucd in words), None)


_POSITIONS = {"pos.eq": "icrs", "pos_eq_": "icrs", "pos.galactic": "galactic"}


def tail(
    closing: str, *, status: str | None = None, message: str = "", resources: Iterable[str] = ()
) -> bytes:
    """Everything after the last row; `status` OVERFLOW or ERROR is told there (DALI 1.1, 4.4.1)."""
    late = "" if status is None else info("QUERY_STATUS", status, message)
    return "".join([closing, "</DATA>\n</TABLE>\n", late, _RESOURCE_END, *resources, _END]).encode()


def error_document(
    message: str, problems: Iterable[str] = (), notes: Notes | None = None, *, before: str = ""
) -> bytes:
    """A whole VOTable that says what went wrong and carries no table (DALI 1.1, 4.4; TAP 1.1, 3.3).

    Each of `problems` becomes an INFO of its own behind that of QUERY_STATUS; `before` are elements ahead of
    the RESOURCE.
    """
    parts = [_VOTABLE.format(version="1.4"), before, _RESOURCE, info("QUERY_STATUS", "ERROR", message)]
    parts += [info("problem", problem) for problem in problems]
    parts += [info(name, value) for name, value in (notes or Notes()).pairs()]
    return "".join([*parts, _TAIL]).encode()


def field_id(columns: Sequence[Column], index: int) -> str:
    """The ID that the FIELD of a column can have: its name, or what is like it and no other ID.

    >>> columns = [Column(name, "char", "*") for name in ("my id", "my_id", "utc")]
    >>> field_id(columns, 0), field_id(columns, 1), field_id(columns, 2)
    ('my_id', 'my_id_2', 'utc_')
    """
    found = _xml_ids(columns)
    own = found.pop(index)
    while own in _SYSTEMS["1.4"] or own in found:
        own += "_"
    return own


def _fields(fields: Sequence[Field], notes: Notes) -> Iterator[str]:
    """Each with an ID where something refers to it, or its name is none, or not the first of its kind."""
    ids = _xml_ids([each.column for each in fields])
    for index, (each, xml_id) in enumerate(zip(fields, ids, strict=True)):
        yield _field(each, notes.referred.get(index, None if xml_id == each.column.name else xml_id))


def _field(described: Field, xml_id: str | None) -> str:
    column = described.column
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
        "ref": _system(column),
    }
    shown = "".join(f' {key}="{attribute(value)}"' for key, value in attributes.items() if value)
    inside = f"<DESCRIPTION>{text(column.description)}</DESCRIPTION>" if column.description else ""
    inside += "" if described.null is None else f'<VALUES null="{described.null}"/>'
    return f"<FIELD{shown}>{inside}</FIELD>\n" if inside else f"<FIELD{shown}/>\n"


def _xml_ids(columns: Sequence[Column]) -> list[str]:
    """The names of the columns as IDs, each once."""
    found: dict[str, None] = {}
    for column in columns:
        stem = _NOT_IN_ID.sub("_", column.name)
        if not stem or not (stem[0].isalpha() or stem[0] == "_"):
            stem = "_" + stem
        unique, count = stem, 1
        while unique in found:
            count += 1
            unique = f"{stem}_{count}"
        found[unique] = None
    return list(found)
