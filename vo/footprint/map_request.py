"""The parameters of /footprint/map, judged: of which values a map is, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from vo.adql import check
from vo.adql.tokens import scan
from vo.catalog import Catalog, Table, nearest, quoted
from vo.config import Config
from vo.dali import Params
from vo.errors import NotFoundError, Problem, QueryError, UsageError
from vo.footprint.moc_request import FINEST_ORDER as FINEST_OF_MOCS
from vo.footprint.moc_request import band_of, cell, order_of, table_with_positions, tiles_query
from vo.footprint.picture import View, view_of
from vo.footprint.tables import has_tiles

FINEST_ORDER = 12
"""Of maps: 52 arcsec."""

DEFAULT_ORDER = 5
_FINER = 4

_AGGREGATES: Mapping[str, str] = {"mean": "AVG", "min": "MIN", "max": "MAX", "sum": "SUM"}
_VALUE = re.compile(r"\s*(?P<word>[a-z]+)\s*(?:\((?P<column>[^()]{1,200})\))?\s*\Z", re.IGNORECASE)
_FORMS = {"fits": "fits", "image/fits": "fits", "application/fits": "fits", "json": "json", "png": "png"}
_FORMS |= {"application/json": "json", "image/png": "png"}


@dataclass(frozen=True, slots=True)
class MapRequest:
    """A map of an order: of `value` (count, coverage, depth, or an aggregate of rows) that `query` tells.

    `query` gives cells and values, or outlines of tiles and values; `form` is fits, json or png.
    """

    value: str
    query: str
    order: int
    name: str
    unit: str
    form: str
    view: View

    @classmethod
    def from_params(cls, params: Params, catalog: Catalog, config: Config) -> Self:
        """Read and judge the parameters; those that are not ours are ignored (DALI 1.1, 2.1)."""
        params = params.filled()
        order = order_of(params, FINEST_ORDER, DEFAULT_ORDER)
        value, column = _value(params.single("VALUE") or "count")
        form = _form(params.single("RESPONSEFORMAT") or "fits")
        made = _of_tiles if value in ("coverage", "depth") else _of_rows
        query, name, unit = made(value, column, params, catalog, config, order)
        return cls(value, query, order, name, unit, form, view_of(params, logarithmic=value == "count"))

    @property
    def finer(self) -> int:
        """The order to which coverage is known, of which each cell gets its part."""
        return min(self.order + _FINER, FINEST_OF_MOCS)

    @property
    def key(self) -> str:
        """What tells the map from others of the same release."""
        return repr((self.value, self.query, self.order))


def _value(text: str) -> tuple[str, str | None]:
    """The word of VALUE and its column."""
    match = _VALUE.match(text)
    word, column = ("", None) if match is None else (match["word"].lower(), match["column"])
    needs_column = word in _AGGREGATES
    if word not in ("count", "coverage", "depth", *_AGGREGATES) or needs_column != (column is not None):
        offered = ", ".join(("count", "coverage", "depth", *(f"{name}(column)" for name in _AGGREGATES)))
        raise UsageError(f"VALUE must be one of {offered}, not {text[:40]!r}.")
    return word, column


def _form(text: str) -> str:
    form = _FORMS.get(text.partition(";")[0].strip().lower())
    if form is None:
        raise UsageError(f"RESPONSEFORMAT of a map must be fits, json or png, not {text[:40]!r}.")
    return form


_AROUND = "\nWHERE (\n{}\n)"
_LINES_BEFORE = 2  # a condition in the query

_Made = tuple[str, str, str]
"""The ADQL, what its values are, and their unit."""


def _of_tiles(value: str, _: str | None, params: Params, catalog: Catalog, __: Config, ___: int) -> _Made:
    if not has_tiles(catalog):
        raise NotFoundError(f"No tiles are published here, of which the {value} could be told.")
    for name in ("TABLE", "WHERE"):
        if params.all(name):
            raise UsageError(
                f"A map of the {value} is of tiles, and takes no {name}.", hint="Use mean(column)."
            )
    band = band_of(params)
    if value == "coverage":
        return tiles_query(params), f"coverage{'' if band is None else f' in {band}'}", ""
    if band is None:
        raise UsageError("A map of the depth is of one band.", hint="Send BAND as well, such as BAND=i.")
    return tiles_query(params, f"depth_{band} AS quantity"), f"depth in {band}", "mag"


def _of_rows(
    value: str, name: str | None, params: Params, catalog: Catalog, config: Config, order: int
) -> _Made:
    table = table_with_positions(params.single("TABLE"), catalog)
    told, measure, unit = "number of rows", "COUNT(*)", ""
    if name is not None:
        column = _column(name, table)
        measure, told = f"{_AGGREGATES[value]}({quoted(column)})", f"{value} of {column}"
        known = table.column(column)
        unit = (known.unit or "") if known is not None else ""
    where = params.single("WHERE")
    condition = "" if where is None else _AROUND.format(_checked(where, config))
    query = (
        f"SELECT {cell(table, order)} AS cell, {measure} AS quantity FROM {table.qualified}{condition}"  # noqa: S608  names of the catalogue, and a condition that is checked
        f" GROUP BY {cell(table, order)}"
    )
    return query, told, unit


def _column(name: str, table: Table) -> str:
    found = table.column(name.strip().strip('"'))
    if found is None or not found.is_numeric:
        close = nearest(name, [column.name for column in table.columns if column.is_numeric])
        what = "has no column" if found is None else "has no numbers in"
        raise UsageError(
            f"{table.qualified} {what} {name.strip()[:60]}.",
            hint=f"Did you mean {' or '.join(close)}?" if close else "See /tap/tables.",
        )
    return found.name


def _checked(where: str, config: Config) -> str:
    """A condition of ADQL that stands for itself: nothing in it can end what is written around it."""
    if len(where.encode()) > config.query_bytes:
        raise UsageError(f"WHERE may have {config.query_bytes:,} bytes.")
    depth = 0
    for token in scan(where):
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0:
            raise UsageError("WHERE closes a parenthesis that it does not open.")
    if depth:
        raise UsageError("WHERE opens a parenthesis that it does not close.")
    return where


def judge(request: MapRequest, catalog: Catalog) -> None:
    """QueryError: what is wrong with the condition, its places being those in WHERE."""
    try:
        check(request.query, catalog)
    except QueryError as error:
        raise QueryError(*(_placed(problem) for problem in error.problems)) from None


def _placed(problem: Problem) -> Problem:
    if problem.line is None or problem.line <= _LINES_BEFORE:
        return problem
    return replace(problem, line=problem.line - _LINES_BEFORE)
