"""The table of an image compressed in tiles (FITS 4.0, 10): where each tile lies and how it is restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vo.images import dither
from vo.images.headers import Unit

PLAIN, LOSSLESS, RAW = "COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA"
"""Columns of which one has the bytes of a tile: compressed as the header says, gzipped, as they are."""

METHODS = {"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS"}
"""Values of ZCMPTYPE."""

_MAX_TILE = 1 << 28  # pixels
_MAX_BLOCK = 1024  # pixels that share a code of RICE_1
_NO_BLANK = 1 << 40  # outside the range of all pixels
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([BIJKED]?)")
_ITEMS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_TYPES = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "P": ">i4", "Q": ">i8"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a tile are in the file, and in which column they were found."""

    column: str
    offset: int
    size: int
    item: str


@dataclass(frozen=True, eq=False)
class TileTable:
    """A compressed image: its size and that of its tiles in pixels, and what restores it.

    `method` is ZCMPTYPE, `settings` are its parameters, `bitpix` is that of the image.
    """

    unit: Unit
    bitpix: int
    size: tuple[int, int]
    tile: tuple[int, int]
    method: str
    settings: dict[str, float]

    @property
    def across(self) -> int:
        """How many tiles are beside each other."""
        return -(-self.size[0] // self.tile[0])

    def tile_size(self, row: int) -> tuple[int, int]:
        """Width and height of a tile: those at the edge of the image may be smaller."""
        down, along = divmod(row, self.across)
        left, top = along * self.tile[0], down * self.tile[1]
        return min(self.tile[0], self.size[0] - left), min(self.tile[1], self.size[1] - top)

    def place(self, row: int) -> Place:
        """Where a tile is."""
        for column, (counts, offsets, item) in self._places.items():
            if counts[row]:
                size = int(counts[row]) * _ITEMS[item]
                return Place(column, self._heap + int(offsets[row]), size, _TYPES[item])
        raise self.unit.file.broken(f"tile {row + 1} of HDU {self.unit.index} is missing")

    def scaling(self, row: int) -> tuple[float, float] | None:
        """ZSCALE and ZZERO of a tile of floating point numbers; None where they are stored as such."""
        if self.bitpix > 0:
            return None
        scale, zero = (self._value(name, row) for name in ("ZSCALE", "ZZERO"))
        return None if scale is None or zero is None else (scale, zero)

    def blank(self, row: int) -> int:
        """The integer that stands for NaN in a tile; one that no pixel has where none does."""
        value = self._value("ZBLANK", row)
        return _NO_BLANK if value is None else int(value)

    @cached_property
    def dithering(self) -> tuple[int, int]:
        """The method that restores quantised pixels, and the seed of the first tile."""
        name = str(self.unit.keywords.get("ZQUANTIZ", "NO_DITHER")).strip()
        seed = self.unit.whole("ZDITHER0", 0, 2**31, 1)
        return dither.METHODS.get(name, dither.NONE), seed - 1

    def _value(self, name: str, row: int) -> float | None:
        column = self._columns.get(name)
        if column is not None:
            return float(column[0][row, 0])
        value = self.unit.keywords.get(name)
        return float(value) if isinstance(value, int | float) else None

    @cached_property
    def _heap(self) -> int:
        axes = self.unit.axes()
        return self.unit.data_offset + self.unit.whole("THEAP", 0, 2**50, axes[0] * axes[1])

    @cached_property
    def _places(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64], str]]:
        found = {}
        for name in (PLAIN, LOSSLESS, RAW):
            if name in self._columns:
                cells, item = self._columns[name]
                found[name] = (cells[:, 0].astype(np.int64), cells[:, 1].astype(np.int64), item)
        return found

    @cached_property
    def _columns(self) -> dict[str, tuple[NDArray[np.generic], str]]:
        """The columns of the table by name: cells of one number, or count and offset of an array."""
        width, rows = self.unit.axes()
        if rows < self.across * -(-self.size[1] // self.tile[1]):
            raise self.unit.file.broken(f"HDU {self.unit.index} has {rows} tiles, fewer than its image")
        table = self.unit.file.read_array(self.unit.data_offset, width * rows).reshape(rows, width)
        found = {}
        for name, at, code, item in _columns(self.unit):
            count = 2 if code in "PQ" else 1
            end = at + count * np.dtype(_TYPES[code]).itemsize
            if end > width:
                raise self.unit.file.broken(f"column {name} of HDU {self.unit.index} does not fit")
            cells = np.ascontiguousarray(table[:, at:end]).view(_TYPES[code])
            found[name] = (cells.astype(cells.dtype.newbyteorder("=")), item)
        return found


def _columns(unit: Unit) -> Iterator[tuple[str, int, str, str]]:
    """Name, offset, type and item type of the columns that concern tiles."""
    at = 0
    for i in range(1, unit.whole("TFIELDS", 1, 999) + 1):
        name, form = (str(unit.keywords.get(f"{key}{i}", "")).strip() for key in ("TTYPE", "TFORM"))
        found = _FORM.match(form)
        if found is None:
            raise unit.file.broken(f"TFORM{i} of HDU {unit.index} is {form!r}")
        repeat, code, item = int(found[1] or 1), found[2], found[3]
        if name == "NULL_PIXEL_MASK":
            raise unit.file.broken("its masks of null pixels are not supported")
        if code in "PQ" and name in (PLAIN, LOSSLESS, RAW) and repeat == 1 and item:
            yield name, at, code, item
        elif code in "IJKED" and name in ("ZSCALE", "ZZERO", "ZBLANK") and repeat == 1:
            yield name, at, code, ""
        at += -(-repeat // 8) if code == "X" else repeat * _ITEMS[code]


def tile_table(unit: Unit) -> TileTable:
    """The tiles of an HDU; ImageError where they cannot be decoded."""
    size = (unit.axes("Z")[0], unit.axes("Z")[1])
    tile = (unit.whole("ZTILE1", 1, 2**31, size[0]), unit.whole("ZTILE2", 1, 2**31, 1))
    method = str(unit.keywords.get("ZCMPTYPE", "")).strip()
    if method not in METHODS:
        raise unit.file.broken(f"the compression {method!r} is unknown")
    if min(tile[0], size[0]) * min(tile[1], size[1]) > _MAX_TILE:
        raise unit.file.broken("its tiles are too large")
    settings = dict(_settings(unit))
    width, block = settings.get("BYTEPIX", 4), settings.get("BLOCKSIZE", 32)
    if method.startswith("RICE") and (width not in (1, 2, 4) or not 1 <= block <= _MAX_BLOCK):
        raise unit.file.broken(f"RICE_1 with {width} bytes a pixel in blocks of {block} is unknown")
    return TileTable(unit, unit.bitpix("Z"), size, tile, method, settings)


def _settings(unit: Unit) -> Iterator[tuple[str, float]]:
    for i in range(1, 100):
        name, value = (unit.keywords.get(f"{key}{i}") for key in ("ZNAME", "ZVAL"))
        if name is None:
            return
        if isinstance(value, int | float):
            yield str(name).strip().upper(), value
