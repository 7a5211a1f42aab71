"""The parameters of a cone search (SCS 1.03, 2), judged, and the ADQL that they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from vo import formats
from vo.catalog import Catalog, Table, nearest, quoted
from vo.config import Config
from vo.dali import Params
from vo.delivery import maxrec_of
from vo.errors import NotFoundError, UsageError
from vo.formats import Format
from vo.literals import number
from vo.scs.columns import position_of, selected

TABLE = "TABLE"
"""The name under which the job of a search keeps the table, which clients name in the path."""

DEFAULT_FORMAT = "text/xml"
"""The media type that SCS 1.03 (2) asks for."""

_LIMITS = {"RA": (0.0, 360.0), "DEC": (-90.0, 90.0), "SR": (0.0, 180.0)}
"""The ranges of the parameters in degrees; RA as DALI 1.1 (3.3.6) has it."""

_VERBOSITIES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class ConeSearch:
    """A cone around (`ra`, `dec`) of radius `sr`, in degrees (ICRS); `verb` is how much is told of a row."""

    table: Table
    ra: float
    dec: float
    sr: float
    verb: int
    format: Format
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, table: Table, config: Config) -> Self:
        """Read and judge the parameters; others are ignored (SCS 1.03, 2). No radius: no row is asked for."""
        ra, dec, sr = (_degrees(params, name) for name in _LIMITS)
        return cls(
            table,
            ra,
            dec,
            sr,
            verb=_verbosity(params),
            format=formats.find(params.single("RESPONSEFORMAT") or DEFAULT_FORMAT),
            maxrec=maxrec_of(params, config) if sr else 0,
        )

    @property
    def adql(self) -> str:
        """The query, made of nothing but names of the catalogue and numbers."""
        position = position_of(self.table)
        lon, lat = quoted(position.lon), quoted(position.lat)
        terms = ", ".join(column.term for column in selected(self.table, self.verb))
        return (
            f"SELECT {terms} FROM {self.table.qualified} "  # noqa: S608  no text of a client is in it
            f"WHERE CONTAINS(POINT({lon}, {lat}), CIRCLE({self.ra!r}, {self.dec!r}, {self.sr!r})) = 1"
        )


def searchable(catalog: Catalog) -> tuple[Table, ...]:
    """The tables with a main position."""
    return tuple(table for table in catalog.tables() if table.spatial is not None)


def table_named(name: str, catalog: Catalog) -> Table:
    """The searchable table that the path names, in any case and with or without quotes."""
    known = {spelling.lower(): table for table in searchable(catalog) for spelling in _spellings(table)}
    found = known.get(name.lower())
    if found is None:
        close = nearest(name, list(known), 1)
        hint = f"Did you mean {close[0]}?" if close else "The first page of the service lists the tables."
        raise NotFoundError(f"There is no cone search of {name[:100]!r}.", hint=hint)
    return found


def _spellings(table: Table) -> tuple[str, str]:
    return table.qualified, f"{table.schema}.{table.name}"


def _degrees(params: Params, name: str) -> float:
    """The angle given as `name`, in degrees and within its range; all three must be there (SCS 1.03, 2)."""
    text = params.single(name)
    if text is None or not text.strip():
        raise UsageError(f"{name} is missing.", hint="A cone search needs RA, DEC and SR in degrees.")
    value = number(text, name)
    low, high = _LIMITS[name]
    if not low <= value <= high:
        raise UsageError(f"{name} must be between {low:g} and {high:g} degrees, but is {value:g}.")
    return value


def _verbosity(params: Params) -> int:
    verb = params.integer("VERB")
    if verb is None:
        return 2
    if verb not in _VERBOSITIES:
        raise UsageError(f"VERB must be 1, 2 or 3, but is {verb}.")
    return verb
