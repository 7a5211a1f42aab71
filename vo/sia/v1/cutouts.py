"""Cutouts (SIA 1.0, 3: the type Cutout): what of each image SODA will cut, told before it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.config import Config
from vo.images.services import CUTOUT_PATHS
from vo.images.tables import LINKS
from vo.shapes import Point
from vo.sia.v1 import archive
from vo.sia.v1.archive import Arrays
from vo.sia.v1.region import Region

Numbers = NDArray[np.float64]

_WCS = (
    *("wcs_frame", "wcs_projection", "wcs_crpix1", "wcs_crpix2", "wcs_crval1", "wcs_crval2"),
    *("wcs_cd1_1", "wcs_cd1_2", "wcs_cd2_1", "wcs_cd2_2"),
)
NEEDS = (*archive.NEEDS, *_WCS)
"""The columns of obscore from which the rows are made; those of the WCS may be missing."""

_EQUATORIAL = ("ICRS", "FK5")  # 23 mas apart
_NEAR = 0.1
"""Cosine of the farthest angle from the reference position at which the tangent plane is looked at."""

_ARCSEC = 3600.0
_PIXEL_BYTES, _HEADER_BYTES = 4, 11_520


@dataclass(frozen=True, slots=True)
class _Plane:
    """The tangent planes of n images, without distortions: NaN for those that have another projection.

    The reference pixel counts from 1; shapes are (2, n), and (2, 2, n) for the CD matrix.
    """

    pixel: Numbers
    lon: Numbers
    lat: Numbers
    matrix: Numbers

    @classmethod
    def of(cls, stored: Arrays) -> _Plane:
        """Those of the images of some rows of obscore."""
        if not stored.keys() >= set(_WCS):
            nothing = np.full((2, len(stored["s_ra"])), np.nan)
            return cls(nothing, nothing[0], nothing[0], np.stack([nothing, nothing]))
        is_known = pc.and_(
            pc.equal(stored["wcs_projection"], "TAN"),
            pc.is_in(stored["wcs_frame"], pa.array(_EQUATORIAL)),
        )
        lon, lat = (np.radians(_floats(stored[f"wcs_crval{i}"])) for i in (1, 2))
        return cls(
            np.stack([_floats(stored[f"wcs_crpix{i}"]) for i in (1, 2)]),
            np.where(is_known.to_numpy(zero_copy_only=False), lon, np.nan),
            lat,
            np.stack([[_floats(stored[f"wcs_cd{i}_{j}"]) for j in (1, 2)] for i in (1, 2)]),
        )

    def pixels(self, ra: float, dec: float) -> Numbers:
        """The pixel of a position in each image, shape (2, n); NaN far from it."""
        lon, lat = np.radians(ra) - self.lon, np.radians(dec)
        near = np.sin(self.lat) * np.sin(lat) + np.cos(self.lat) * np.cos(lat) * np.cos(lon)
        east = np.cos(lat) * np.sin(lon)
        north = np.cos(self.lat) * np.sin(lat) - np.sin(self.lat) * np.cos(lat) * np.cos(lon)
        (a, b), (c, d) = self.matrix
        xi, eta = np.degrees(np.stack([east, north]) / np.where(near > _NEAR, near, np.nan))
        return np.asarray(self.pixel + np.stack([d * xi - b * eta, a * eta - c * xi]) / (a * d - b * c))

    def places(self, pixels: Numbers) -> tuple[Numbers, Numbers]:
        """Right ascension and declination of a pixel of each image."""
        xi, eta = np.radians(np.einsum("ijn,jn->in", self.matrix, pixels - self.pixel))
        outward, up = np.cos(self.lat) - eta * np.sin(self.lat), np.sin(self.lat) + eta * np.cos(self.lat)
        ra = np.degrees(self.lon + np.arctan2(xi, outward)) % 360.0
        return ra, np.degrees(np.arctan2(up, np.hypot(xi, outward)))


def cut(stored: Arrays, region: Region | None, config: Config) -> Arrays:
    """What is told of the part of each image that is in the region, as `archive.whole` tells of all of it.

    An image of which everything is wanted, or more than is cut at once, is told of as it is.
    """
    whole = archive.whole(stored, region, config)
    if region is None or not region.can_be_cut:
        return whole
    plane, size = _Plane.of(stored), np.stack([_floats(whole["naxis1"]), _floats(whole["naxis2"])])
    first, last, is_known = _box(plane, region, size, _floats(stored["s_pixel_scale"]) / _ARCSEC)
    naxis = last - first + 1
    ra, dec = plane.places((first + last) / 2)
    parts = {
        "title": pc.binary_join_element_wise("Cutout of", whole["title"], " "),
        "acref": _links(stored["access_url"], region.corners()),
        "kbyte": _whole_numbers(np.ceil((naxis.prod(axis=0) * _PIXEL_BYTES + _HEADER_BYTES) / 1000)),
        "ra": pa.array(np.where(is_known, ra, region.ra)),
        "dec": pa.array(np.where(is_known, dec, region.dec)),
        "naxis1": _whole_numbers(naxis[0]),
        "naxis2": _whole_numbers(naxis[1]),
        "crpix1": pa.array(np.where(is_known, plane.pixel[0] - first[0] + 1, np.nan), from_pandas=True),
        "crpix2": pa.array(np.where(is_known, plane.pixel[1] - first[1] + 1, np.nan), from_pandas=True),
    }
    as_it_is = pa.array((naxis == size).all(axis=0) | (naxis.prod(axis=0) > config.cutout_pixels))
    return {
        name: pc.if_else(as_it_is, column, parts[name]) if name in parts else column
        for name, column in whole.items()
    }


def _box(
    plane: _Plane, region: Region, size: Numbers, scale: Numbers
) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """The first and last pixels of the box around the region in each image, counted from 1, shape (2, n).

    Where it is not known, as the projection is another one, it is a box as large from the first pixel on.
    """
    corners = np.stack([plane.pixels(*corner) for corner in region.corners()])
    middle = corners.mean(axis=0).round()
    first, last = np.ceil(corners.min(axis=0)), np.floor(corners.max(axis=0))
    is_narrow = first > last
    first, last = np.where(is_narrow, middle, first), np.where(is_narrow, middle, last)
    is_known = np.isfinite(first).all(axis=0)
    nominal = np.ceil(np.array(region.cut_size)[:, np.newaxis] / scale)
    first = np.where(is_known, first, 1.0).clip(1.0, size)
    return first, np.where(is_known, last, nominal).clip(1.0, size), is_known


def _links(access_url: pa.Array, corners: Iterable[Point]) -> pa.Array:
    """Where each cutout is had: SODA cuts the box around a polygon."""
    polygon = "%20".join(f"{angle:.8f}" for ra, dec in corners for angle in (ra % 360.0, dec))
    images = pc.replace_substring(access_url, LINKS, f"{CUTOUT_PATHS['sync']}?ID=")
    return pc.binary_join_element_wise(images, f"&POS=POLYGON%20{polygon}", "")


def _floats(column: pa.Array) -> Numbers:
    """Numbers, NaN for NULL."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _whole_numbers(values: Numbers) -> pa.Array:
    return pa.array(values, from_pandas=True).cast(pa.int64())
