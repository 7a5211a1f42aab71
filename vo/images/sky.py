"""Pixels of an image and positions on the sky, in both directions, for every WCS that astropy reads."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from astropy import units
from astropy.coordinates import ICRS, SkyCoord
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import NDArray

from vo.errors import ImageError, LoadError
from vo.images.footprint import celestial_wcs
from vo.images.image import Image
from vo.images.pixels import Box

Numbers = NDArray[np.float64]

_HALF = 0.5  # pixels from a centre to an edge
_CLOSE = 0.1  # pixels by which a position may miss itself there and back


@dataclass(frozen=True, eq=False)
class Sky:
    """The WCS of an image. Pixels count from 0, their centres at whole numbers; positions are ICRS degrees.

    One thread at a time: the WCS library changes what it is given.
    """

    wcs: WCS
    width: int
    height: int
    _turned: bool
    _lock: Lock = field(default_factory=Lock, repr=False)

    def vectors(self, x: Numbers, y: Numbers) -> Numbers:
        """Unit vectors of pixels, shape (…, 3); NaN where the projection has no sky."""
        with self._lock, np.errstate(all="ignore"):
            world = self.wcs.all_pix2world(np.stack([x.ravel(), y.ravel()], axis=1), 0)
        lon, lat = world[:, self.wcs.wcs.lng], world[:, self.wcs.wcs.lat]
        if self._turned:
            found = SkyCoord(lon, lat, unit=units.deg, frame=wcs_to_celestial_frame(self.wcs)).icrs
            lon, lat = found.ra.deg, found.dec.deg
        return to_vectors(lon, lat).reshape(*x.shape, 3)

    def pixels(self, ra: Numbers, dec: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows of positions; NaN where the WCS, or its inverse, has none."""
        lon, lat = np.atleast_1d(ra), np.atleast_1d(dec)
        if self._turned:
            there = (
                SkyCoord(lon, lat, unit=units.deg).transform_to(wcs_to_celestial_frame(self.wcs)).spherical
            )
            lon, lat = there.lon.deg, there.lat.deg
        world = np.stack([lon, lat] if self.wcs.wcs.lng == 0 else [lat, lon], axis=1)
        with self._lock, np.errstate(all="ignore"):
            found = self.wcs.all_world2pix(world, 0, quiet=True)
        # Far from the image the inverse of a distortion may be anywhere: only who comes back was there.
        away = np.linalg.norm(self.vectors(found[:, 0], found[:, 1]) - to_vectors(ra, dec), axis=1)
        found[~(away < _CLOSE * self.scale)] = np.nan
        return found[:, 0], found[:, 1]

    def place(self, ra: float, dec: float) -> tuple[float, float] | None:
        """Column and row of a position that is in the image, up to the outer edges of its pixels."""
        x, y = (float(axis[0]) for axis in self.pixels(np.array([ra]), np.array([dec])))
        on_columns, on_rows = -_HALF <= x < self.width - _HALF, -_HALF <= y < self.height - _HALF
        return (x, y) if on_columns and on_rows else None  # NaN is nowhere either

    @property
    def scale(self) -> float:
        """Radians to a pixel in the middle of the image."""
        return max(self.steps((self.width - 1) / 2, (self.height - 1) / 2))

    def steps(self, x: float, y: float) -> tuple[float, float]:
        """Radians that a pixel is wide and high at a place in the image."""
        there = self.vectors(np.array([x - 0.5, x + 0.5, x, x]), np.array([y, y, y - 0.5, y + 0.5]))
        return float(np.linalg.norm(there[1] - there[0])), float(np.linalg.norm(there[3] - there[2]))


def sky_of(image: Image) -> Sky:
    """The WCS of an image, made once; ImageError where it does not lead to the sky."""
    return image.kept("sky", lambda: _sky(image))


def _sky(image: Image) -> Sky:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            wcs = celestial_wcs(image.header)
            frame = wcs_to_celestial_frame(wcs)
            found = Sky(wcs, image.width, image.height, not isinstance(frame, ICRS))
            middle = found.vectors(np.array([(image.width - 1) / 2]), np.array([(image.height - 1) / 2]))
    except (LoadError, ValueError, TypeError, KeyError, MemoryError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"The WCS of {image.file.path.name}, HDU {image.index}, is of no use: {why}."
        ) from error
    if not np.isfinite(middle).all():
        raise ImageError(f"The WCS of {image.file.path.name}, HDU {image.index}, has no sky in its middle.")
    return found


def to_vectors(lon: Numbers, lat: Numbers) -> Numbers:
    """Unit vectors of degrees, shape (n, 3)."""
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def box_around(sky: Sky, position: tuple[float, float], size: tuple[float, float]) -> Box | None:
    """The box of a width and height in degrees around a position; None where that is not in the image.

    The box may stick out of the image: `Box.within` says what there is of it.
    """
    place = sky.place(*position)
    if place is None:
        return None
    x, y = place
    # Beside the last pixel of an all-sky projection there is no other.
    steps = [step if math.isfinite(step) else sky.scale for step in sky.steps(x, y)]
    columns, rows = (
        max(1, round(math.radians(angle) / step)) for angle, step in zip(size, steps, strict=True)
    )
    left, bottom = round(x - (columns - 1) / 2), round(y - (rows - 1) / 2)
    return Box(left, bottom, left + columns, bottom + rows)
