"""HCOMPRESS_1 (FITS 4.0, 10.4.4) by the decoder of cfitsio that astropy carries, kept within its bytes."""

from __future__ import annotations

import struct

import numpy as np
from astropy.io.fits.hdu.compressed._compression import CfitsioException, decompress_hcompress_1_c
from numpy.typing import NDArray

_HEADER = struct.Struct(
    ">2siiiq3B"
)  # magic, rows, columns, scale, sum of all pixels, bit planes of quadrants
_MAGIC = b"\xdd\x99"
_MAX_PLANES = 64
_WIDE = 8  # bytes of the integers it calculates with


def decode(data: bytes, *, shape: tuple[int, int], smooth: bool) -> NDArray[np.int32] | None:
    """All pixels of a tile of that many rows and columns; None where the tile is broken.

    The decoder trusts the sizes and the bit planes that the tile tells, and does not look for its end. So
    they are judged here, and as many zeros follow as it could read: two bits at most a plane of a pixel.
    """
    if len(data) < _HEADER.size:
        return None
    magic, rows, columns, scale, _, *planes = _HEADER.unpack_from(data)
    if magic != _MAGIC or (rows, columns) != shape or max(planes) > _MAX_PLANES:
        return None
    room = (2 * max(planes) + 16) * (rows + 8) * (columns + 8) // 8
    try:
        found = decompress_hcompress_1_c(data + bytes(room), rows, columns, scale, smooth, _WIDE)
    except (CfitsioException, ValueError):
        return None
    return np.frombuffer(found, np.int32, rows * columns)
