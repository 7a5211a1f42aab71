"""How the service describes itself: its parameters, and values of some (SIA 2.0, 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vo.adql import translate
from vo.db.base import Database
from vo.sia.parameters import PARAMETERS
from vo.votable.descriptor import Input

_MOST = 50
"""Values of a parameter that are told; of more, none is."""


def inputs(database: Database, *, with_values: bool) -> Iterator[Input]:
    """The parameters; the values of those that name things are looked up in ivoa.obscore."""
    for parameter in PARAMETERS:
        if with_values and parameter.listed is not None:
            yield replace(parameter.input, options=_values(parameter.listed, database))
        else:
            yield parameter.input


def _values(column: str, database: Database) -> tuple[str, ...]:
    query = (
        f"SELECT DISTINCT TOP {_MOST + 1} {column} FROM ivoa.obscore "  # noqa: S608  a name of our own
        f"WHERE {column} IS NOT NULL ORDER BY {column}"
    )
    with database.stream(translate(query, database.catalog(), dialect=database.dialect)) as result:
        found = [value for batch in result for value in batch.column(0).to_pylist()]
    return tuple(found) if len(found) <= _MOST else ()
