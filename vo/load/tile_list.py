"""Lists of tiles as surveys publish them: CSV files of two forms, read and judged row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.catalog import Column
from vo.errors import LoadError
from vo.sample.tiles import PIXEL_ARCSEC, PIXELS, from_gnomonic, tile_at
from vo.tablefiles.cast import BrokenValueError, converted
from vo.tablefiles.csv_file import CsvFile

Floats = NDArray[np.float64]

MOST_SHOWN = 20
"""Troubles that are told by name; of more, their number."""

_LIMITS = {
    "ra_cent": (0.0, 360.0),
    "dec_cent": (-90.0, 90.0),
    "pixelscale": (1e-6, 3600.0),
    "naxis1": (1.0, 1e6),
    "naxis2": (1.0, 1e6),
    "ra": (0.0, 720.0),  # of corners and bounds, which run on through 0h
    "dec": (-90.0, 90.0),
}
"""The ranges of the columns, those of corners and bounds without the letters that say which."""

_BATCH_ROWS = 65_536
_LONGEST_NAME = 64
_CORNERS = ("ll", "ul", "ur", "lr")
_CENTRE = ("tilename", "ra_cent", "dec_cent", "pixelscale", "naxis1", "naxis2")
_BOUNDS = ("urall", "uraur", "udecll", "udecur")
_TWO_CORNERS = ("tilename", "rall", "decll", "raur", "decur")


@dataclass(frozen=True, slots=True)
class TileList:
    """The tiles of a list, one row each, in degrees.

    `sides` are those of the image on the plane that touches the sky in its centre, east and north; `bounds`
    those of the unique area: RA from and to, Dec from and to, NaN where the list does not tell. `corners`,
    shape (n, 4, 2), are RA and Dec from the south-western one by way of the north-western one, as listed.
    """

    names: tuple[str, ...]
    ra: Floats
    dec: Floats
    pixel_scale: Floats
    naxis: Floats
    bounds: Floats
    corners: Floats
    archive: tuple[str | None, ...]

    @property
    def outlines(self) -> Floats:
        """The corners of the images as their projection (TAN, north up) has them, shape (n, 4, 2).

        In the order of `corners`, counter-clockwise as seen from inside the sphere (DALI 1.1, 3.3.7). Between
        them are great circles, as all lines of TAN are (FITS WCS paper II, 5.1.3).
        """
        half = self.naxis * self.pixel_scale[:, None] / 7200.0
        east, north = half[:, :1] * [-1.0, -1.0, 1.0, 1.0], half[:, 1:] * [-1.0, 1.0, 1.0, -1.0]
        return np.stack(from_gnomonic(east, north, self.ra[:, None], self.dec[:, None]), axis=-1)


def read_tiles(path: Path) -> TileList:
    """The tiles in a file of either form; a LoadError names every row that cannot be used."""
    columns = _columns(path)
    for needed, read in _FORMS.items():
        if all(name in columns for name in needed):
            return read(path, columns)
    forms = ", or ".join(", ".join(needed) for needed in _FORMS)
    raise LoadError(f"{path.name} is no list of tiles.", hint=f"Its header must name {forms}, in any case.")


def _columns(path: Path) -> Mapping[str, pa.Array]:
    """Every column as texts, by its name in lower case."""
    if not path.is_file():
        raise LoadError(f"There is no file {path}.")
    file = CsvFile(path)
    table = pa.Table.from_batches(
        file.batches(file.names, _BATCH_ROWS), pa.schema([(n, pa.string()) for n in file.names])
    )
    if table.num_rows == 0:
        raise LoadError(f"{path.name} has no tiles.")
    return {name.lower(): table.column(i).combine_chunks() for i, name in enumerate(file.names)}


def _with_centres(path: Path, columns: Mapping[str, pa.Array]) -> TileList:
    """The form with centres and pixels, perhaps with corners and unique areas (the list of DES DR1)."""
    read = partial(_numbers, path, columns)
    count = len(columns["tilename"])
    corner_names = [f"{axis}{corner}" for corner in _CORNERS for axis in ("ra", "dec")]
    corners, bounds = np.full((count, 8), np.nan), np.full((count, 4), np.nan)
    if all(name in columns for name in corner_names):
        corners = np.stack([read(name) for name in corner_names], axis=-1)
    if all(name in columns for name in _BOUNDS):
        bounds = np.stack([read(name) for name in _BOUNDS], axis=-1)
    return TileList(
        _names(path, columns),
        read("ra_cent"),
        read("dec_cent"),
        read("pixelscale"),
        np.stack([read("naxis1"), read("naxis2")], axis=-1),
        bounds,
        corners.reshape(count, 4, 2),
        _archive(columns, count),
    )


def _with_two_corners(path: Path, columns: Mapping[str, pa.Array]) -> TileList:
    """The form with two corners (the list of DES DR2): all else follows from the layout of DES' tiles."""
    corners = np.full((len(columns["tilename"]), 4, 2), np.nan)
    for place, axis, name in ((0, 0, "rall"), (0, 1, "decll"), (2, 0, "raur"), (2, 1, "decur")):
        corners[:, place, axis] = _numbers(path, columns, name)
    names = _names(path, columns)
    west, east = corners[:, 0, 0], corners[:, 2, 0]
    middle = (west + (east - west) % 360.0 / 2) % 360.0, corners[:, [0, 2], 1].mean(axis=1)
    tiles = [tile_at(ra, dec) for ra, dec in zip(*middle, strict=True)]
    strangers = [name for name, tile in zip(names, tiles, strict=True) if name != tile.name]
    tell(path, [f"{name} is not where the layout of DES has a tile of that name." for name in strangers])
    return TileList(
        names,
        np.array([tile.ra for tile in tiles]),
        np.array([tile.dec for tile in tiles]),
        np.full(len(tiles), PIXEL_ARCSEC),
        np.full((len(tiles), 2), float(PIXELS)),
        np.array([[tile.ura_min, tile.ura_max, tile.udec_min, tile.udec_max] for tile in tiles]),
        corners,
        _archive(columns, len(tiles)),
    )


_FORMS: Mapping[Sequence[str], Callable[[Path, Mapping[str, pa.Array]], TileList]] = {
    _CENTRE: _with_centres,
    _TWO_CORNERS: _with_two_corners,
}
"""The columns that tell a form, and what reads it."""


def tell(path: Path, troubles: Sequence[str]) -> None:
    """A LoadError of all troubles, if there are any."""
    if troubles:
        more = len(troubles) - MOST_SHOWN
        shown = [*troubles[1:MOST_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        raise LoadError(f"{path.name}: {troubles[0]}", hint="\n".join(shown) or None)


def _names(path: Path, columns: Mapping[str, pa.Array]) -> tuple[str, ...]:
    names = ["" if name is None else name.strip() for name in columns["tilename"].to_pylist()]
    tell(
        path,
        [
            f"Row {row}: {name[:80]!r} cannot be the name of a tile."
            for row, name in enumerate(names, 1)
            if not (
                name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_NAME and "/" not in name
            )
        ],
    )
    return tuple(names)


def _archive(columns: Mapping[str, pa.Array], count: int) -> tuple[str | None, ...]:
    known = columns.get("archive_path")
    return (None,) * count if known is None else tuple(known.to_pylist())


def _numbers(path: Path, columns: Mapping[str, pa.Array], name: str) -> Floats:
    """A column as numbers; a LoadError names the first that is none, or all that are out of range."""
    names = columns["tilename"]
    try:
        values = converted(columns[name], Column(name, "double"))
    except BrokenValueError as error:
        place = f"row {error.index + 1} ({names[error.index]})"
        raise LoadError(f"{path.name}, {place}, {name}: the value {error.reason}.") from error
    numbers: Floats = pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False)
    low, high = _LIMITS.get(name) or _LIMITS[name.lstrip("u").rstrip("lru")]
    wrong = np.flatnonzero(~((numbers >= low) & (numbers <= high)))
    tell(
        path,
        [
            f"Row {row + 1} ({names[row]}): {name} is {numbers[row]:g}, not between {low:g} and {high:g}."
            for row in wrong
        ],
    )
    return numbers
