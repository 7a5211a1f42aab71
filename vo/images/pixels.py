"""Boxes of pixels of an image, read without the rest of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.images import dither
from vo.images.decode import Scaling, Wanted, decoded_tiles
from vo.images.image import Image
from vo.images.tiles import TileTable

Pixels = NDArray[Any]
"""Rows of pixels, the lowest first, in the byte order of the machine."""

Mask = NDArray[np.bool_]
"""One truth a pixel."""

_LITTLE_ENDIAN = sys.byteorder == "little"
_TYPES = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}
_OFFSETS = {8: -128, 16: 1 << 15, 32: 1 << 31, 64: 1 << 63}  # BZERO of the other sign (FITS 4.0, 5.2.5)
_WIDE = 16  # BITPIX up to which single precision holds all integers


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Columns from `left` up to `right` and rows from `bottom` up to `top`, exclusive, counted from 0."""

    left: int
    bottom: int
    right: int
    top: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.top - self.bottom

    def within(self, width: int, height: int) -> Box | None:
        """What an image of that size has of it; None if nothing.

        >>> Box(-3, 5, 4, 9).within(10, 8)
        Box(left=0, bottom=5, right=4, top=8)
        """
        left, bottom = max(self.left, 0), max(self.bottom, 0)
        right, top = min(self.right, width), min(self.top, height)
        return Box(left, bottom, right, top) if left < right and bottom < top else None


def read_box(image: Image, box: Box) -> Pixels:
    """The pixels as they are stored: BSCALE, BZERO and BLANK are not applied, compression is undone."""
    if box.within(image.width, image.height) != box:
        raise UsageError(f"{box} is not in an image of {image.width} by {image.height} pixels.")
    if image.tiles is not None:
        return _from_tiles(image, image.tiles, box)
    kind = np.dtype(_TYPES[image.bitpix])
    start = image.data_offset + (box.bottom * image.width + box.left) * kind.itemsize
    pitch, size = image.width * kind.itemsize, box.width * kind.itemsize
    found = image.file.read_rows(start, pitch=pitch, size=size, rows=box.height)
    pixels = found.view(kind).reshape(box.height, box.width)
    return pixels.byteswap(inplace=True) if _LITTLE_ENDIAN else pixels


def _from_tiles(image: Image, table: TileTable, box: Box) -> Pixels:
    out = np.empty((box.height, box.width), _TYPES[image.bitpix])
    for one, tile, scaling in decoded_tiles(table, _touched(table, box), image.decoded):
        left, bottom = max(box.left - one.left, 0), max(box.bottom - one.bottom, 0)
        right, top = min(box.right - one.left, one.width), min(box.top - one.bottom, one.height)
        x, y = one.left + left - box.left, one.bottom + bottom - box.bottom
        place = out[y : y + top - bottom, x : x + right - left]
        if scaling is None:
            _copy(one, tile, Box(left, bottom, right, top), place)
        else:
            _restore(table, one, tile, (left, bottom), scaling, place)
    return out


def _touched(table: TileTable, box: Box) -> list[Wanted]:
    """The tiles that a box touches, and how much of each."""
    found = []
    for down in range(box.bottom // table.tile[1], (box.top - 1) // table.tile[1] + 1):
        for along in range(box.left // table.tile[0], (box.right - 1) // table.tile[0] + 1):
            row = down * table.across + along
            width, height = table.tile_size(row)
            rows = min(box.top - down * table.tile[1], height)
            columns = min(box.right - along * table.tile[0], width)
            left, bottom = along * table.tile[0], down * table.tile[1]
            found.append(Wanted(row, (rows - 1) * width + columns, left, bottom, width, height))
    return found


def _restore(
    table: TileTable,
    one: Wanted,
    tile: Pixels,
    corner: tuple[int, int],
    scaling: Scaling,
    out: Pixels,
) -> None:
    method, seed = table.dithering
    numbers = dither.random_numbers()
    blank, series = table.blank(one.row), one.row + seed
    dither.restore(tile, one.width, *corner, *scaling, blank, method, series, numbers, out)


def _copy(one: Wanted, tile: Pixels, part: Box, out: Pixels) -> None:
    rows = len(tile) // one.width
    full = tile[: rows * one.width].reshape(rows, one.width)
    whole = min(part.top, rows)
    out[: whole - part.bottom] = full[part.bottom : whole, part.left : part.right]
    if whole < part.top:  # the tile was decoded up to the middle of its last row
        out[-1] = tile[whole * one.width + part.left : whole * one.width + part.right]


def physical(image: Image, stored: Pixels) -> Pixels:
    """What the stored pixels mean: BZERO + BSCALE x, NaN for BLANK (FITS 4.0, 4.4.2.5).

    Integers stay integers where only their sign was moved (FITS 4.0, 5.2.5) and none is BLANK.
    """
    scale, zero = (image.header.get(name, default) for name, default in (("BSCALE", 1), ("BZERO", 0)))
    blank = image.header.get("BLANK") if image.bitpix > 0 else None
    empty = None if blank is None else stored == blank
    if empty is None or not empty.any():
        if (scale, zero) == (1, 0):
            return stored
        if scale == 1 and zero == _OFFSETS.get(image.bitpix):
            return _other_sign(stored)
        empty = None
    kind = np.dtype(np.float32 if abs(image.bitpix) <= _WIDE or image.bitpix == -32 else np.float64)  # noqa: PLR2004
    found: Pixels = stored.astype(kind) * kind.type(scale) + kind.type(zero)
    if empty is not None:
        found[empty] = np.nan
    return found


def _other_sign(stored: Pixels) -> Pixels:
    """Bytes as numbers with a sign, wider integers without: the highest bit is turned over."""
    width = stored.dtype.itemsize
    flipped = stored.view(f"u{width}") ^ np.array(1 << (8 * width - 1), f"u{width}")
    found: Pixels = flipped.view(f"{'i' if width == 1 else 'u'}{width}")
    return found
