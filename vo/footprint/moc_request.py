"""The parameters of /footprint/moc, judged: what is to be covered, and what it is combined with."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Self

from vo.catalog import Catalog, Table, nearest, quoted
from vo.config import Config
from vo.dali import Params
from vo.errors import NotFoundError, UsageError
from vo.footprint.tables import BANDS, has_tiles, objects_table
from vo.literals import interval
from vo.moc import Moc, read_ascii, read_fits, read_json

FINEST_ORDER = 14
"""Of the MOCs that are made: 13 arcsec."""

DEFAULT_ORDER = 10

OPERATIONS: Mapping[str, Callable[[Moc, Moc], Moc]] = {
    "union": operator.or_,
    "intersection": operator.and_,
    "difference": operator.sub,
}
"""Of ours and the one that is sent."""

_FITS_BEGINS = b"SIMPLE"


@dataclass(frozen=True, slots=True)
class MocRequest:
    """A MOC of the rows of `query`; `by_cell`: they are cells of its order already, not positions."""

    query: str
    by_cell: bool
    order: int
    operation: str | None
    other: Moc | None

    @classmethod
    def from_params(cls, params: Params, catalog: Catalog, config: Config) -> Self:
        """Read and judge the parameters; those that are not ours are ignored (DALI 1.1, 2.1)."""
        params = params.filled()
        order = order_of(params, FINEST_ORDER, DEFAULT_ORDER)
        query, by_cell = _query(params, catalog, config, order)
        operation, other = params.single("OPERATION"), _other(params)
        if operation is not None and operation.lower() not in OPERATIONS:
            raise UsageError(f"OPERATION must be one of {', '.join(OPERATIONS)}, not {operation[:40]!r}.")
        if (operation is None) != (other is None):
            raise UsageError(
                "OPERATION and MOC belong together.", hint="Send OPERATION=intersection and your MOC."
            )
        return cls(query, by_cell, order, operation and operation.lower(), other)

    def combined(self, ours: Moc) -> Moc:
        """Ours, after the operation with the one that was sent."""
        if self.operation is None or self.other is None:
            return ours
        return OPERATIONS[self.operation](ours, self.other)


def order_of(params: Params, finest: int, default: int) -> int:
    """ORDER, up to the `finest`; NSIDE is another way to say it."""
    order, nside = params.integer("ORDER", minimum=0), params.integer("NSIDE", minimum=1)
    if nside is not None:
        if order is not None:
            raise UsageError("ORDER and NSIDE say the same.", hint="Send one of them.")
        order = nside.bit_length() - 1
        if nside != 1 << order:
            raise UsageError(f"NSIDE must be a power of 2, not {nside}.")
    if order is not None and order > finest:
        raise UsageError(f"ORDER must be {finest} at most, but is {order}.")
    return default if order is None else order


def _query(params: Params, catalog: Catalog, config: Config, order: int) -> tuple[str, bool]:
    """The ADQL whose rows are covered, and whether they are cells."""
    query, table = params.single("QUERY"), params.single("TABLE")
    tiled = [name for name in ("BAND", "DEPTH", "RELEASE") if params.all(name)]
    if query is not None and table is not None:
        raise UsageError("QUERY and TABLE both say what is covered.", hint="Send one of them.")
    if tiled and (query is not None or table is not None):
        raise UsageError(f"{' and '.join(tiled)} chooses tiles, and neither QUERY nor TABLE is of tiles.")
    if query is not None:
        if len(query.encode()) > config.query_bytes:
            raise UsageError(f"QUERY may have {config.query_bytes:,} bytes.")
        return query, False
    if table is None and has_tiles(catalog):
        return tiles_query(params), False
    if tiled:
        raise NotFoundError("No tiles are published here.")
    found = table_with_positions(table, catalog)
    return f"SELECT {cell(found, order)} AS cell FROM {found.qualified} GROUP BY {cell(found, order)}", True  # noqa: S608  names of the catalogue


def table_with_positions(name: str | None, catalog: Catalog) -> Table:
    """The table of that name, or that of the objects; NotFoundError, UsageError: there is none."""
    if name is None:
        found = objects_table(catalog.tables())
        if found is None:
            raise NotFoundError("No table with positions is published here.")
        return found
    known = {table.qualified.lower(): table for table in catalog.tables() if table.spatial is not None}
    if name.strip().lower() not in known:
        close = nearest(name, [table.qualified for table in known.values()])
        advice = f"Did you mean {' or '.join(close)}?" if close else "See /tap/tables for all tables."
        raise UsageError(f"There is no table {name[:80]} with positions.", hint=advice)
    return known[name.strip().lower()]


def cell(table: Table, order: int) -> str:
    """The HEALPix cell of the main position of a table's rows."""
    if table.spatial is None:
        raise UsageError(f"{table.qualified} has no positions.")
    return f"ivo_healpix_index({order}, {quoted(table.spatial.lon)}, {quoted(table.spatial.lat)})"


def tiles_query(params: Params, *also: str) -> str:
    """The ADQL of the outlines of tiles with a band, a depth, of releases; `also` are further columns."""
    band, depth = band_of(params), params.single("DEPTH")
    terms = [] if band is None else [f"depth_{band} IS NOT NULL"]
    if depth is not None:
        if band is None:
            raise UsageError("DEPTH is that of one band.", hint="Send BAND as well, such as BAND=i.")
        low, high = interval(depth, "DEPTH")
        terms += [f"depth_{band} >= {low!r}"] if low > float("-inf") else []
        terms += [f"depth_{band} <= {high!r}"] if high < float("inf") else []
    releases = params.all("RELEASE")
    if releases:
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in releases)
        terms.append(f"release IN ({names})")
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f"SELECT {', '.join(('outline', *also))} FROM footprint.tiles{where}"  # noqa: S608  numbers, and texts as literals


def band_of(params: Params) -> str | None:
    """BAND, in lower case; None: any."""
    band = params.single("BAND")
    if band is not None and band.strip().lower() not in BANDS:
        raise UsageError(f"BAND must be one of {', '.join(BANDS)}, not {band[:20]!r}.")
    return None if band is None else band.strip().lower()


def _other(params: Params) -> Moc | None:
    """The MOC that was sent, as a text or as a file; its content tells its form."""
    text = params.single("MOC")
    sent = [file for file in params.files if file.name.upper() == "MOC"]
    if len(sent) + (text is not None) > 1:
        raise UsageError("More than one MOC was sent, and one is taken.")
    if sent:
        return _of_file(sent[0].content)
    return None if text is None else _of_text(text)


def _of_file(content: BinaryIO) -> Moc:
    begins = content.read(len(_FITS_BEGINS))
    content.seek(0)
    if begins == _FITS_BEGINS:
        return read_fits(content)
    try:
        return _of_text(content.read().decode("ascii"))
    except UnicodeDecodeError as error:
        raise UsageError("The file sent as MOC is neither FITS, JSON nor ASCII.") from error


def _of_text(text: str) -> Moc:
    return read_json(text) if text.lstrip().startswith("{") else read_ascii(text)
