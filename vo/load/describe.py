"""A first `release.yaml` for a data file, from what the file says of itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
import yaml

from vo.errors import LoadError
from vo.tablefiles import DataFile, opened, stem
from vo.tablefiles.inference import inferred

_ROWS = 65_536

_DATATYPES = {"unsignedByte": "byte", "unicodeChar": "unicode"}
"""The datatypes of Felis that are not called as in VOTable."""

_POSITIONS = {
    "pos.eq.ra;meta.main": frozenset("ra raj2000 radeg raicrs ramean alphaj2000".split()),
    "pos.eq.dec;meta.main": frozenset("dec dej2000 decj2000 decdeg dedeg deicrs decmean deltaj2000".split()),
}
"""What the columns of a main position are often called, without underscores and in lower case."""


def describe(path: Path) -> str:
    """A description of the one data file `path` to begin with, as YAML: names, types, units, position.

    Types of texts are judged by the first rows. What cannot be read is left out.
    """
    file = opened(path, stem(path))
    columns = [found for name in file.names if (found := _column(file, name)) is not None]
    _mark_position(columns)
    name = re.sub(r"\W+", "_", stem(path)).strip("_").lower() or "objects"
    table = {"name": name, "description": "One row …", "data": path.name, "columns": columns}
    release = {"name": name, "description": "What this is …", "tables": [table]}
    return str(yaml.safe_dump(release, sort_keys=False, allow_unicode=True, width=110))


def _column(file: DataFile, name: str) -> dict[str, Any] | None:
    """The keys of one column; None: its values cannot be read."""
    try:
        batch = next(file.batches([name], _ROWS), None)
    except LoadError:
        return None
    values = pa.nulls(0, pa.string()) if batch is None else batch.column(0)
    return {"name": name, **_type_of(values), **file.hints.get(name, {})}


def _type_of(values: pa.Array) -> dict[str, Any]:
    column = inferred("", values)
    if column.xtype == "timestamp":
        return {"datatype": "timestamp"}
    if pt.is_binary(values.type) or pt.is_large_binary(values.type):
        return {"datatype": "binary"}
    size = {} if column.arraysize is None or column.is_string else {"votable:arraysize": column.arraysize}
    return {"datatype": _DATATYPES.get(column.datatype, column.datatype), **size}


def _mark_position(columns: Sequence[dict[str, Any]]) -> None:
    """Give the main position its UCDs and unit, if it can be told by its names and nobody has it yet."""
    told = {str(column.get("ivoa:ucd", "")).lower() for column in columns}
    found = [
        [c for c in columns if c["name"].lower().replace("_", "") in names] for names in _POSITIONS.values()
    ]
    if all(len(matches) == 1 for matches in found) and told.isdisjoint(_POSITIONS):
        for [column], ucd in zip(found, _POSITIONS, strict=True):
            column.update({"datatype": "double", "ivoa:unit": "deg", "ivoa:ucd": ucd})
