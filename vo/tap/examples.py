"""The example queries of /examples (TAP 1.1, 2.6): made from the catalogue, so that each of them runs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template

import yaml

from vo.catalog import Catalog, Table, quoted
from vo.examples import xml_id

_SHOWN_TABLES = 10
"""Tables that get examples of their own: nobody reads a longer list to its end."""

_SOURCE: Mapping[str, list[dict[str, str]]] = yaml.safe_load(
    files("vo.tap").joinpath("examples.yaml").read_text("utf-8")
)


@dataclass(frozen=True, slots=True)
class Example:
    """A query to learn from; `table` is the main table it reads, as ADQL spells it."""

    name: str
    query: str
    description: str
    table: str

    @property
    def id(self) -> str:
        """The name as an XML name, by which the example is linked."""
        return xml_id(self.name)


def examples(catalog: Catalog) -> tuple[Example, ...]:
    """The examples that `catalog` can answer, the most telling first."""
    return (*_of_release(catalog), *_of_tables(catalog), *_general())


def _of_release(catalog: Catalog) -> Iterator[Example]:
    for source in _SOURCE["release"]:
        schema, _, name = source["table"].partition(".")
        table = catalog.table(name, schema)
        if table is not None and all(table.column(column) for column in source["needs"].split()):
            yield _example(source, table.qualified)


def _of_tables(catalog: Catalog) -> Iterator[Example]:
    spatial = [table for table in catalog.tables() if table.spatial is not None]
    for table in spatial[:_SHOWN_TABLES]:
        for source in _SOURCE["spatial"]:
            names = _names(table)
            filled = {key: Template(text).substitute(names) for key, text in source.items()}
            yield _example(filled, table.qualified)


def _general() -> Iterator[Example]:
    return (_example(source, source["table"]) for source in _SOURCE["general"])


def _names(table: Table) -> dict[str, str]:
    position = {} if table.spatial is None else {"lon": table.spatial.lon, "lat": table.spatial.lat}
    names = {key: quoted(name) for key, name in position.items()}
    return {"table": table.qualified, "columns": _columns(table)} | names


def _columns(table: Table) -> str:
    """All columns; arrays are left out, as TOPCAT before 4.10 cannot read them in binary rows."""
    plain = [column for column in table.columns if column.arraysize is None or column.is_string]
    if len(plain) == len(table.columns):
        return "*"
    return textwrap.fill(", ".join(quoted(column.name) for column in plain), 80, subsequent_indent="  ")


def _example(source: Mapping[str, str], table: str) -> Example:
    return Example(source["name"], source["query"].strip(), source["description"], table)
