"""VOSI 1.1: the documents in which a service describes itself: availability, capabilities, tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from lxml import etree
from lxml.builder import ElementMaker

from vo.catalog import Catalog, Column, ForeignKey, Schema, Table, nearest, quoted
from vo.dali import NOT_XML
from vo.errors import NotFoundError, UsageError

MEDIA_TYPE = "application/xml"
"""The media type of every document of this module."""

NAMESPACES: Mapping[str, str] = {
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
"""The prefixes that xsi:type may use in every document; a service adds that of its own extension."""

_STANDARDS: Mapping[str, str] = {
    "capabilities": "ivo://ivoa.net/std/VOSI#capabilities",
    "availability": "ivo://ivoa.net/std/VOSI#availability",
    "tables": "ivo://ivoa.net/std/VOSI#tables-1.1",
}
_EXAMPLES = "ivo://ivoa.net/std/DALI#examples"
_XSI_TYPE = f"{{{NAMESPACES['xsi']}}}type"
_DETAILS = ("max", "min")

# Only the roots are qualified: VODataService and VOResource declare elementFormDefault="unqualified".
E = ElementMaker()


def availability(
    *,
    up_since: datetime,
    available: bool = True,
    down_at: datetime | None = None,
    back_at: datetime | None = None,
    notes: Iterable[str] = (),
) -> bytes:
    """The availability document (VOSI 1.1, 5); times must be aware."""
    space = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"
    make = ElementMaker(namespace=space, nsmap={"vosi": space})
    times = {"upSince": up_since, "downAt": down_at, "backAt": back_at}
    return _document(
        make.availability(
            make.available(str(available).lower()),
            *(make(name, _timestamp(time)) for name, time in times.items() if time is not None),
            *(make.note(legal(note)) for note in notes),
        )
    )


def capabilities(
    service_url: str,
    *specific: etree._Element,
    endpoints: Iterable[str] = ("capabilities", "availability"),
    namespaces: Mapping[str, str] | None = None,
) -> bytes:
    """The capabilities document (VOSI 1.1, 4): what is `specific` to the service, and its VOSI `endpoints`.

    `service_url` is the parent of the endpoints; `namespaces` declares the prefixes that `specific` uses.
    """
    space = "http://www.ivoa.net/xml/VOSICapabilities/v1.0"
    make = ElementMaker(namespace=space, nsmap={"vosi": space, **NAMESPACES, **(namespaces or {})})
    parent = service_url.rstrip("/")
    standard = (capability(_STANDARDS[endpoint], interface(f"{parent}/{endpoint}")) for endpoint in endpoints)
    return _document(make.capabilities(*specific, *standard))


def capability(standard_id: str, *content: etree._Element, extension: str | None = None) -> etree._Element:
    """One capability; `extension` is its xsi:type, such as "tr:TableAccess"."""
    attributes = {"standardID": standard_id} | ({} if extension is None else {_XSI_TYPE: extension})
    return E.capability(attributes, *content)


def interface(
    url: str, *, use: str = "full", extension: str = "vs:ParamHTTP", **attributes: str
) -> etree._Element:
    """An interface of a capability with its one access URL; `attributes` are `role` and `version`."""
    return E.interface({_XSI_TYPE: extension, **attributes}, E.accessURL(url, use=use))


def examples(service_url: str) -> etree._Element:
    """The capability of a service that has /examples (DALI 1.1, 2.3) beside its capabilities."""
    return capability(_EXAMPLES, interface(f"{service_url}/examples", extension="vr:WebBrowser"))


def tables(catalog: Catalog, detail: str | None = None) -> bytes:
    """The table set (VOSI 1.1, 6): with columns and keys, or only names where `detail` is "min"."""
    chosen = "max" if detail is None else detail.lower()
    if chosen not in _DETAILS:
        raise UsageError(f"detail must be {' or '.join(_DETAILS)}, not {detail!r}.")
    return _tableset(_Same(catalog), chosen)


def table(catalog: Catalog, name: str) -> bytes:
    """The document of one table (VOSI 1.1, 6): `name` as the table set spells it, in any case."""
    published = {table.qualified.lower(): table for table in catalog.tables()}
    found = published.get(name.lower())
    if found is None:
        close = nearest(name, [table.qualified for table in published.values()])
        hint = f"Did you mean {' or '.join(close)}?" if close else "See the parent resource for all tables."
        raise NotFoundError(f"There is no table {name}.", hint=hint)
    space = "http://www.ivoa.net/xml/VOSITables/v1.0"
    root = etree.Element(f"{{{space}}}table", nsmap={"vosi": space, **NAMESPACES})
    return _document(_filled(root, found, catalog))


def published_keys(catalog: Catalog, table: Table) -> Iterator[tuple[ForeignKey, Table]]:
    """The foreign keys of `table`, each with its target; one whose target is not published is left out."""
    for key in table.keys:
        for target in catalog.tables():
            if key.target.lower() in (target.qualified.lower(), f"{target.schema}.{target.name}".lower()):
                yield key, target


class _Same:
    """A catalogue as a key of a cache: the object itself, as hashing its columns would take milliseconds."""

    __slots__ = ("catalog",)

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.catalog is self.catalog

    def __hash__(self) -> int:
        return id(self.catalog)


@lru_cache(maxsize=2 * len(_DETAILS))
def _tableset(same: _Same, detail: str) -> bytes:
    space = "http://www.ivoa.net/xml/VOSITables/v1.0"
    make = ElementMaker(namespace=space, nsmap={"vosi": space, **NAMESPACES})
    schemas = (_schema(schema, same.catalog, detail) for schema in same.catalog.schemas)
    return _document(make.tableset(*schemas))


def _schema(schema: Schema, catalog: Catalog, detail: str) -> etree._Element:
    members = (
        _filled(E.table(), table, catalog) if detail == "max" else _named(E.table(), table)
        for table in schema.tables
    )
    return E.schema(
        E.name(quoted(schema.name)),
        *_optional(description=schema.description, utype=schema.utype),
        *members,
    )


def _named(root: etree._Element, table: Table) -> etree._Element:
    root.set("type", table.kind)
    root.append(E.name(table.qualified))
    nrows = None if table.nrows is None else str(table.nrows)
    root.extend(_optional(description=table.description, utype=table.utype, nrows=nrows))
    return root


def _filled(root: etree._Element, table: Table, catalog: Catalog) -> etree._Element:
    _named(root, table)
    root.extend(_column(column) for column in table.columns)
    root.extend(_foreign_key(key, target) for key, target in published_keys(catalog, table))
    return root


def _column(column: Column) -> etree._Element:
    # VODataService 1.2 names the flags "indexed", "primary" and "nullable" and takes others; "principal"
    # is the word of TAP_SCHEMA, and `std` is an attribute.
    flags = [name for name in ("indexed", "principal") if getattr(column, name)]
    return E.column(
        {"std": str(column.std).lower()},
        E.name(quoted(column.name)),
        *_optional(description=column.description, unit=column.unit, ucd=column.ucd, utype=column.utype),
        _data_type(column),
        *(E.flag(flag) for flag in flags),
    )


def _data_type(column: Column) -> etree._Element:
    attributes = {"arraysize": column.arraysize, "extendedType": column.xtype}
    given = {name: value for name, value in attributes.items() if value is not None}
    return E.dataType({_XSI_TYPE: "vs:VOTableType", **given}, column.datatype)


def _foreign_key(key: ForeignKey, target: Table) -> etree._Element:
    return E.foreignKey(
        E.targetTable(target.qualified),
        *(
            E.fkColumn(E.fromColumn(quoted(here)), E.targetColumn(quoted(there)))
            for here, there in key.columns
        ),
        *_optional(description=key.description, utype=key.utype),
    )


def _optional(**texts: str | None) -> Iterator[etree._Element]:
    """The elements of those `texts` that say something, in the order given, which the schema fixes."""
    return (E(name, legal(text)) for name, text in texts.items() if text)


def legal(text: str) -> str:
    """`text` without the characters that no XML 1.0 document may hold, not even escaped (2.2)."""
    return NOT_XML.sub("", text)


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(root: etree._Element) -> bytes:
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)
    return content
