"""The tables of the release as the catalogue knows them, expanded from the patterns in columns.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import cast

from vo.catalog import Column, Datatype, ForeignKey, Schema, Table
from vo.sample.sky import BANDS

_WAVES = dict(zip(BANDS, ("em.opt.B", "em.opt.R", "em.opt.I", "em.opt.I", "em.IR.NIR"), strict=True))
_NOTE = (
    "SYNTHETIC, invented for demonstrations and tests. These are not data of the Dark Energy Survey: only "
    "the names of the columns and the layout of the tiles follow its public releases."
)
_ORIGIN = (
    ("resource_version", "1"),
    ("creator", "vo"),
    ("rights", "Public domain (CC0 1.0)"),
    ("rights_uri", "https://creativecommons.org/publicdomain/zero/1.0/"),
)
_TABLES = {
    "main": "Stars and galaxies measured on the coadded images, thinned to about a quarter of a real sky.",
    "main_sample": "Every tenth object of main, for trying queries out.",
    "truth": "What each object of main was made to be, with the planted oddities.",
    "tile_info": "The tiles: centre, projection, corners, unique area, depth.",
    "coverage": "How well each HEALPix cell of the footprint was observed, band by band.",
}
_PATTERNS = {"main_sample": "main"}
_KEYS = {
    "main": (ForeignKey("sim1.tile_info", (("tilename", "tilename"),), "The tile of the object."),),
    "main_sample": (ForeignKey("sim1.main", (("coadd_object_id", "coadd_object_id"),), "The same object."),),
    "truth": (ForeignKey("sim1.main", (("coadd_object_id", "coadd_object_id"),), "The object measured."),),
    "coverage": (ForeignKey("sim1.tile_info", (("tilename", "tilename"),), "The tile of the cell."),),
}


@cache
def schema() -> Schema:
    """The schema `sim1` with its five tables."""
    with (files("vo.sample") / "columns.csv").open(encoding="utf-8") as patterns:
        rows = list(csv.DictReader(patterns))
    tables = tuple(
        Table(
            "sim1",
            name,
            tuple(_expanded([row for row in rows if row["table"] == _PATTERNS.get(name, name)])),
            f"{text} {_NOTE}",
            keys=_KEYS.get(name, ()),
        )
        for name, text in _TABLES.items()
    )
    return Schema("sim1", tables, f"A sample release. {_NOTE}", origin=_ORIGIN)


def table(name: str) -> Table:
    """The table of that name."""
    return next(found for found in schema().tables if found.name == name)


def _expanded(rows: list[dict[str, str]]) -> Iterator[Column]:
    """The columns that the patterns stand for; {b} is the band, {B} its usual spelling, {em} its UCD word."""
    for row in rows:
        for band in BANDS if "{b}" in row["column"] else ("",):
            names = {"b": band, "B": band.replace("y", "Y"), "em": _WAVES.get(band, "")}
            yield _column({key: text.format(**names) for key, text in row.items()})


def _column(row: dict[str, str]) -> Column:
    datatype, _, arraysize = row["datatype"].partition(":")
    return Column(
        row["column"],
        cast("Datatype", datatype),
        arraysize=arraysize or None,
        unit=row["unit"] or None,
        ucd=row["ucd"] or None,
        description=row["description"],
        principal="p" in row["flags"],
    )
