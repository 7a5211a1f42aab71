"""A schema written as Felis YAML, the description of a release that `vo load` reads beside its data."""

from __future__ import annotations

from typing import Any

import yaml

from vo.catalog import Column, ForeignKey, Schema, Table

_ORIGIN_KEYS = {"resource_version": "version"}
_PLAIN = {"unsignedByte": "byte"}  # of the datatypes of VOTable, those that Felis names otherwise


def to_felis(schema: Schema) -> str:
    """The schema as one YAML document; the first column of a table that is `meta.id;meta.main` is its key."""
    text: str = yaml.safe_dump(
        {
            "name": schema.name,
            "@id": f"#{schema.name}",
            "description": schema.description,
            **{_ORIGIN_KEYS.get(name, f"ivoa:{name}"): value for name, value in schema.origin},
            "tables": [_table(table, position) for position, table in enumerate(schema.tables)],
        },
        sort_keys=False,
        width=100,
        explicit_start=True,
    )
    return text


def _table(table: Table, position: int) -> dict[str, Any]:
    keys = [f"#{table.name}.{column.name}" for column in table.columns if column.ucd in _KEY_UCDS]
    described: dict[str, Any] = {
        "name": table.name,
        "@id": f"#{table.name}",
        "description": table.description,
        "tap:table_index": position,
        "primaryKey": keys[0],
        "columns": [_column(column, table.name) for column in table.columns],
    }
    if table.keys:
        described["constraints"] = [_constraint(key, table.name) for key in table.keys]
    return described


_KEY_UCDS = ("meta.id;meta.main", "pos.healpix;meta.main")


def _column(column: Column, table: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "@id": f"#{table}.{column.name}",
        "datatype": _PLAIN.get(column.datatype, column.datatype),
    }
    if column.is_string and column.arraysize:
        described["datatype"] = "string" if column.arraysize.endswith("*") else "char"
        described["length"] = int(column.arraysize.rstrip("*"))
    described["description"] = column.description
    described |= {
        key: value for key, value in (("ivoa:unit", column.unit), ("ivoa:ucd", column.ucd)) if value
    }
    if column.principal:
        described["tap:principal"] = 1
    return described


def _constraint(key: ForeignKey, table: str) -> dict[str, Any]:
    target = key.target.rpartition(".")[2]
    return {
        "name": f"{table}_{target}",
        "@id": f"#{table}_{target}",
        "@type": "ForeignKey",
        "description": key.description,
        "columns": [f"#{table}.{here}" for here, _ in key.columns],
        "referencedColumns": [f"#{target}.{there}" for _, there in key.columns],
    }
