"""Columns of tables of our own, described in CSV files beside the code."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import cast

from vo.catalog import Column, Datatype


@cache
def rows(package: str, name: str) -> tuple[dict[str, str], ...]:
    """The lines of the file `name` of a package: column, datatype, unit, ucd, flags, description, and others.

    A datatype is `datatype:arraysize:xtype`; the flags are p for principal, s for std, i for indexed.
    """
    with (files(package) / name).open(encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


def column(row: dict[str, str], *, utype: str | None = None, prefix: str | None = None) -> Column:
    """The column that a line describes."""
    datatype, arraysize, xtype = _parts(row["datatype"])
    return Column(
        row["column"],
        cast("Datatype", datatype),
        arraysize=arraysize,
        xtype=xtype,
        unit=row["unit"] or None,
        ucd=row["ucd"] or None,
        utype=utype,
        description=row["description"],
        principal="p" in row["flags"],
        std="s" in row["flags"],
        indexed="i" in row["flags"],
        prefix=prefix,
    )


def _parts(text: str) -> tuple[str, str | None, str | None]:
    """Datatype, arraysize and xtype, which may have colons of its own.

    >>> _parts("char:*:adql:REGION"), _parts("int")
    (('char', '*', 'adql:REGION'), ('int', None, None))
    """
    datatype, _, rest = text.partition(":")
    arraysize, _, xtype = rest.partition(":")
    return datatype, arraysize or None, xtype or None
