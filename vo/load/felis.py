"""A release's description in Felis YAML, read into the catalogue and what loading needs beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from vo.catalog import Column, Schema, SpatialKey, Table
from vo.load.columns import read_column
from vo.load.constraints import read_constraints, with_foreign_keys
from vo.load.description import DescribedColumn, DescribedTable, Description
from vo.load.document import Fields, Problems, documents

ORIGIN_KEYS = {
    "version": "resource_version",
    **{f"ivoa:{name}": name for name in ("citation", "creator", "reference_url", "rights", "rights_uri")},
    "ivoa:publication_date": "publication_date",
}
"""Keys of a schema that say where its data come from, and the names of Data Origin in the VO 1.1 (3)."""

SCHEMA_KEYS = (
    *("name", "@id", "description", "tables", "votable:utype", "tap:schema_index"),
    *ORIGIN_KEYS,
)
TABLE_KEYS = (
    *("name", "@id", "description", "columns", "primaryKey", "constraints", "indexes", "data"),
    *("votable:utype", "tap:table_index"),
)
"""The keys of a schema and of a table."""

REFUSED_SCHEMAS = ("tap_schema", "tap_upload", "vo_meta", "information_schema", "pg_catalog")
"""Schemas that are the service's or the database's own."""

POSITION_UCDS = ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main")
"""The UCDs by which a table names its main position."""


def read_description(path: Path) -> Description:
    """The description in the YAML file `path`; all that is wrong in it is told in one LoadError."""
    problems = Problems(path)
    roots = documents(path, problems)
    if not roots and not problems.found:
        problems.add(0, "The file is empty.")
    read = [_schema(root, problems) for root in roots]
    _check_repeats(problems, "schema", [(schema.name, line) for schema, _, line, _ in read])
    problems.check()
    read.sort(key=lambda item: (item[3] is None, item[3]))
    tables = with_foreign_keys([table for _, tables, _, _ in read for table in tables], problems)
    problems.check()
    schemas = tuple(
        replace(schema, tables=tuple(t.table for t in tables if t.table.schema == schema.name))
        for schema, _, _, _ in read
    )
    return Description(path, schemas, tuple(tables), tuple(_notes(tables)))


def _schema(node: yaml.Node, problems: Problems) -> tuple[Schema, list[DescribedTable], int, int | None]:
    fields = Fields(node, SCHEMA_KEYS, problems, what="schema")
    name = fields.required("name")
    if name.lower() in REFUSED_SCHEMAS:
        fields.problem("name", f"The schema {name} is the service's own and cannot be loaded.")
    tables = [_table(item, problems, schema=name) for item in fields.items("tables")]
    if not tables:
        fields.problem("tables", "A schema needs at least one table under the key `tables`.")
    _check_repeats(problems, "table", [(table.table.name, table.line) for table in tables])
    tables.sort(key=lambda table: (table.order is None, table.order))
    origin = tuple((said, value) for key, said in ORIGIN_KEYS.items() if (value := fields.word(key)))
    schema = Schema(name, (), fields.text("description"), fields.text("votable:utype"), origin)
    return schema, tables, fields.line_at("name"), fields.integer("tap:schema_index")


def _table(node: yaml.Node, problems: Problems, *, schema: str) -> DescribedTable:
    fields = Fields(node, TABLE_KEYS, problems, what="table")
    name = fields.required("name")
    columns = [read_column(item, problems, table=name) for item in fields.items("columns")]
    if not columns:
        fields.problem("columns", "A table needs at least one column under the key `columns`.")
    _check_repeats(problems, "column", [(column.column.name, column.line) for column in columns])
    columns.sort(key=lambda column: (column.order is None, column.order))
    columns, spatial = _with_position(columns, problems)
    table = Table(
        schema=schema,
        name=name,
        columns=tuple(column.column for column in columns),
        description=fields.text("description"),
        utype=fields.text("votable:utype"),
        spatial=spatial,
    )
    constraints = read_constraints(fields, columns, problems, table=name)
    return DescribedTable(
        table,
        tuple(columns),
        constraints,
        data=fields.text("data"),
        order=fields.integer("tap:table_index"),
        line=fields.line,
    )


def _with_position(
    columns: Sequence[DescribedColumn], problems: Problems
) -> tuple[list[DescribedColumn], SpatialKey | None]:
    """The columns with those of the main position marked as indexed, and its key, where there is one."""
    found = [[c for c in columns if (c.column.ucd or "").lower() == ucd] for ucd in POSITION_UCDS]
    for matches, ucd in zip(found, POSITION_UCDS, strict=True):
        for repeated in matches[1:]:
            problems.add(repeated.line, f"A second column has the UCD `{ucd}`.")
        for described in matches[:1]:
            _check_position(described, problems)
    if not all(found):
        for lone, ucd in zip(found, reversed(POSITION_UCDS), strict=True):
            for described in lone[:1]:
                problems.add(described.line, f"A main position also needs a column with the UCD `{ucd}`.")
        return list(columns), None
    names = [matches[0].column.name for matches in found]
    marked = [
        replace(c, column=replace(c.column, indexed=True)) if c.column.name in names else c for c in columns
    ]
    return marked, SpatialKey(*names)


def _check_position(described: DescribedColumn, problems: Problems) -> None:
    column: Column = described.column
    if column.datatype not in ("double", "float") or column.arraysize is not None:
        problems.add(described.line, f"{column.name} is of the main position and must be a double.")
    if column.unit != "deg":
        problems.add(
            described.line, f"{column.name} is of the main position and needs the line `ivoa:unit: deg`."
        )


def _check_repeats(problems: Problems, what: str, named: Sequence[tuple[str, int]]) -> None:
    """Names must differ without regard to case, as database and ADQL compare them so."""
    counts = Counter(name.lower() for name, _ in named)
    for name, line in named:
        if name and counts[name.lower()] > 1:
            problems.add(line, f"There are {counts[name.lower()]} {what}s of the name {name} (in any case).")


def _notes(tables: Sequence[DescribedTable]) -> Iterator[str]:
    for described in tables:
        if described.constraints.unused:
            kinds = " and ".join(described.constraints.unused)
            yield f"{described.table.qualified}: {kinds} are read and not used."
