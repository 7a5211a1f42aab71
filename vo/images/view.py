"""North up, east to the left: any image, however it is turned, drawn on a grid around a position."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import TooLargeError, UsageError
from vo.images.image import Image
from vo.images.pixels import Box, Pixels, physical, read_box
from vo.images.sky import Numbers, Sky, sky_of, to_vectors

_STEP = 16  # pixels between the places whose positions are calculated; between them all is straight
_HALF = 0.5  # pixels from a centre to an edge
_MAX_SOURCE = 1 << 26  # pixels of an image that a picture is made of
_MAX_SIDE = 2400  # pixels of a picture along an axis
_LEAST_SIDE = 256  # pixels of the longer side of a picture

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """A picture of the sky around a position: columns and rows of square pixels of `scale` degrees."""

    ra: float
    dec: float
    columns: int
    rows: int
    scale: float

    @classmethod
    def around(cls, position: tuple[float, float], size: tuple[float, float], scale: float) -> View:
        """A view of a width and height in degrees, its pixels of `scale` or as large as they must be."""
        columns, rows, fit = _grid(np.array(size[0]), np.array(size[1]), np.array(scale))
        return cls(*position, int(columns), int(rows), float(fit))

    def __post_init__(self) -> None:
        if not (1 <= self.columns <= _MAX_SIDE and 1 <= self.rows <= _MAX_SIDE and self.scale > 0):
            raise UsageError(f"A picture has up to {_MAX_SIDE} pixels along a side.")

    def positions(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Right ascension and declination of places in the picture, y upwards, in the gnomonic projection."""
        lon, lat = math.radians(self.ra), math.radians(self.dec)
        east = np.array([-math.sin(lon), math.cos(lon), 0.0])
        centre = to_vectors(np.array(self.ra), np.array(self.dec))
        north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
        step = math.radians(self.scale)
        left = ((self.columns - 1) / 2 - x)[..., None] * step
        up = (y - (self.rows - 1) / 2)[..., None] * step
        vectors = centre + left * east + up * north
        across = np.hypot(vectors[..., 0], vectors[..., 1])
        return np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360.0, np.degrees(
            np.arctan2(vectors[..., 2], across)
        )


def picture_scale(width: Numbers, height: Numbers, sharpest: Numbers) -> Numbers:
    """Degrees to a pixel of a picture: those of the sharpest image, or less where little could be seen."""
    return np.minimum(sharpest, np.maximum(width, height) / _LEAST_SIDE)


def grid_of(width: Numbers, height: Numbers, sharpest: Numbers) -> tuple[Counts, Counts, Numbers]:
    """Columns, rows and degrees to a pixel of pictures, of any number at once; all angles in degrees."""
    return _grid(width, height, picture_scale(width, height, sharpest))


def _grid(width: Numbers, height: Numbers, scale: Numbers) -> tuple[Counts, Counts, Numbers]:
    fit = np.maximum(scale, np.maximum(width, height) / _MAX_SIDE)
    columns, rows = (np.maximum(1, np.rint(length / fit)).astype(np.int64) for length in (width, height))
    return columns, rows, fit


def drawn(view: View, images: Sequence[Image], *, nearest: bool = False) -> Numbers:
    """What the images of one band show of a view: shape (rows, columns), the lowest row first.

    Where several images are, the first has its way; where none is, NaN. Between pixels the value is
    interpolated, or that of the nearest.
    """
    found = np.full((view.rows, view.columns), np.nan)
    for image in images:
        if not np.isnan(found).any():
            break
        part = _drawn(view, image, nearest=nearest)
        if part is not None:
            found = np.where(np.isnan(found), part, found)
    return found


def _drawn(view: View, image: Image, *, nearest: bool) -> Numbers | None:
    x, y = _places(view, sky_of(image))
    if not np.isfinite(x).any():
        return None
    ends = [float(f(axis)) for axis in (x, y) for f in (np.nanmin, np.nanmax)]
    around = Box(
        math.floor(ends[0]) - 1, math.floor(ends[2]) - 1, math.ceil(ends[1]) + 2, math.ceil(ends[3]) + 2
    )
    box = around.within(image.width, image.height)
    if box is None:
        return None
    if box.width * box.height > _MAX_SOURCE:
        raise TooLargeError("The picture would show too much of an image at once.", hint="Ask for less sky.")
    pixels = physical(image, read_box(image, box)).astype(np.float64)
    times = max(1, math.floor(view.scale / math.degrees(sky_of(image).scale)))
    pixels = _averaged(pixels, times)
    offset = (times - 1) / 2
    x, y = (x - box.left - offset) / times, (y - box.bottom - offset) / times
    return _sampled(pixels, _STEP, x, y, view.rows, view.columns, nearest=nearest)


def _places(view: View, sky: Sky) -> tuple[Numbers, Numbers]:
    """Where in the image the pixels of a view are, every _STEP of them."""
    columns, rows = (
        np.arange(0, length + _STEP, _STEP, dtype=np.float64) for length in (view.columns, view.rows)
    )
    ra, dec = view.positions(*np.meshgrid(columns, rows))
    x, y = sky.pixels(ra.ravel(), dec.ravel())
    return x.reshape(ra.shape), y.reshape(ra.shape)


def _averaged(pixels: Pixels, times: int) -> Pixels:
    """Blocks of pixels as one, so that a small picture of a large image is not made of single pixels."""
    if times == 1:
        return pixels
    rows, columns = (-(-length // times) * times for length in pixels.shape)
    full = np.full((rows, columns), np.nan)
    full[: pixels.shape[0], : pixels.shape[1]] = pixels
    blocks = full.reshape(rows // times, times, columns // times, times)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0).sum(axis=(1, 3))
    found: Pixels = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


@compiled
def _sampled(
    pixels: NDArray[np.float64], step: int, x: Numbers, y: Numbers, rows: int, columns: int, *, nearest: bool
) -> Numbers:
    """The pixels at places that are known every `step`; NaN outside."""
    found = np.full((rows, columns), np.nan)
    height, width = pixels.shape
    for row in range(rows):
        i, v = row // step, (row % step) / step
        for column in range(columns):
            k, u = column // step, (column % step) / step
            at_x = (x[i, k] * (1 - u) + x[i, k + 1] * u) * (1 - v) + (
                x[i + 1, k] * (1 - u) + x[i + 1, k + 1] * u
            ) * v
            at_y = (y[i, k] * (1 - u) + y[i, k + 1] * u) * (1 - v) + (
                y[i + 1, k] * (1 - u) + y[i + 1, k + 1] * u
            ) * v
            if not (-_HALF <= at_x < width - _HALF and -_HALF <= at_y < height - _HALF):
                continue
            if nearest:
                found[row, column] = pixels[int(at_y + _HALF), int(at_x + _HALF)]
                continue
            left, low = min(max(int(at_x), 0), max(width - 2, 0)), min(max(int(at_y), 0), max(height - 2, 0))
            right, high = min(left + 1, width - 1), min(low + 1, height - 1)
            s, t = min(max(at_x - left, 0.0), 1.0), min(max(at_y - low, 0.0), 1.0)
            below = pixels[low, left] * (1 - s) + pixels[low, right] * s
            above = pixels[high, left] * (1 - s) + pixels[high, right] * s
            found[row, column] = below * (1 - t) + above * t
    return found


def warm_up() -> None:
    """Compile, or load from the cache, what draws pixels."""
    place = np.zeros((2, 2))
    _sampled(place, _STEP, place, place, 1, 1, nearest=False)
