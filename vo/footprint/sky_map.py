"""A map of the sky: a value for each of some HEALPix cells, and its forms for programs."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from astropy.io import fits
from numpy.typing import NDArray

from vo import __version__
from vo.errors import UsageError
from vo.moc.moc import Cells

MOST_IN_JSON = 1_000_000
"""Cells of a map in JSON at the most."""


@dataclass(frozen=True, slots=True, eq=False)
class SkyMap:
    """`values` of `cells` (nested, ascending, ICRS) of an order; no others have any; `name` says of what."""

    order: int
    cells: Cells
    values: NDArray[np.float64]
    name: str
    unit: str = ""

    @property
    def nside(self) -> int:
        """Cells along the side of a face."""
        return 1 << self.order

    def at(self, cells: Cells) -> NDArray[np.float64]:
        """The values of any cells, NaN where there is none."""
        if not len(self.cells):
            return np.full(len(cells), np.nan)
        place = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        return np.where(self.cells[place] == cells, self.values[place], np.nan)

    def to_arrow(self) -> bytes:
        """The map for our own eyes; `from_arrow` reads it back."""
        table = pa.table({"cell": self.cells, "value": self.values}).replace_schema_metadata(
            {"order": str(self.order), "name": self.name, "unit": self.unit}
        )
        target = io.BytesIO()
        with pa.ipc.new_file(target, table.schema) as writer:
            writer.write_table(table)
        return target.getvalue()

    @classmethod
    def from_arrow(cls, content: bytes) -> SkyMap:
        """The map that `to_arrow` wrote."""
        table = pa.ipc.open_file(content).read_all()
        known = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        cells, values = (table.column(name).to_numpy() for name in ("cell", "value"))
        return cls(int(known["order"]), cells, values, known["name"], known["unit"])

    def to_fits(self) -> bytes:
        """A table of cells and values, as healpy reads and writes maps of a part of the sky."""
        pixels = fits.Column("PIXEL", "1K", array=self.cells)
        values = fits.Column("VALUE", "1D", array=self.values, unit=self.unit or None)
        table = fits.BinTableHDU.from_columns([pixels, values], name="MAP")
        table.header.update(
            {
                "PIXTYPE": ("HEALPIX", "Pixels of HEALPix"),
                "ORDERING": ("NESTED", "Numbering of the pixels"),
                "COORDSYS": ("C", "ICRS"),
                "NSIDE": (self.nside, "Pixels along the side of a face"),
                "ORDER": (self.order, "log2 of NSIDE"),
                "INDXSCHM": ("EXPLICIT", "The pixels are listed"),
                "OBJECT": ("PARTSKY", "Pixels not listed have no value"),
                "OBS_NPIX": (len(self.cells), "Pixels listed"),
                "QUANTITY": (self.name, "What the values are"),
                "CREATOR": f"vo {__version__}",
            }
        )
        target = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(target)
        return target.getvalue()

    def to_json(self) -> bytes:
        """Cells and values as lists side by side."""
        if len(self.cells) > MOST_IN_JSON:
            raise UsageError(
                f"The map has {len(self.cells):,} cells, and may have {MOST_IN_JSON:,} in JSON.",
                hint="Send a smaller ORDER, or RESPONSEFORMAT=fits.",
            )
        known = {"order": self.order, "nside": self.nside, "ordering": "NESTED", "coordsys": "ICRS"}
        lists = {"cells": self.cells.tolist(), "values": self.values.tolist()}
        return json.dumps(
            {**known, "quantity": self.name, "unit": self.unit, **lists}, allow_nan=False
        ).encode()
