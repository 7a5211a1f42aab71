"""What a WCS covers: the outline of an image on the sky, its centre and its scale, in ICRS and degrees."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.coordinates import ICRS, SkyCoord
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import NDArray

from vo.errors import LoadError

Numbers = NDArray[np.float64]

_STEPS = 64
"""Positions that are looked at along each edge."""

_TOLERANCE_PIXELS = 0.1
"""How far the outline may run beside the edge of the image, which no projection but TAN keeps straight."""

_NARROW = -0.999
"""Cosines below this belong to vertices on the far side of the sphere, where a footprint has no inside."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where an image is: centre (`ra`, `dec`), diameter `fov` of the circle around the centre that holds it.

    `region` are the vertices lon1, lat1, lon2, … counter-clockwise as seen from inside the sphere (DALI 1.1,
    3.3.7), the edges between them great circles; `pixel_arcsec` is the side of a square as large as a pixel
    in the middle.
    """

    ra: float
    dec: float
    fov: float
    region: tuple[float, ...]
    pixel_arcsec: float


def celestial_wcs(header: fits.Header) -> WCS:
    """The WCS of a two-dimensional image; LoadError: the header has none that leads to the sky."""
    if not (header.get("CTYPE1") and header.get("CTYPE2")):
        raise LoadError("no WCS: CTYPE1 and CTYPE2 are missing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # old spellings, which astropy mends
        wcs = WCS(header, naxis=2)
    if not wcs.has_celestial:
        raise LoadError(f"its WCS ({header['CTYPE1']}, {header['CTYPE2']}) does not lead to the sky")
    return wcs


def footprint(wcs: WCS, naxis1: int, naxis2: int) -> Footprint:
    """The footprint of an image of that many pixels; LoadError: parts of its edge are off the sky."""
    around = _edge(naxis1, naxis2)
    middle = np.array([(naxis1 + 1) / 2, (naxis2 + 1) / 2])
    pixel = middle + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    vectors = _on_sky(wcs, np.concatenate([around, pixel, [middle]]))
    edge, square, centre = vectors[: len(around)], vectors[-5:-1], vectors[-1]
    side = math.sqrt(np.linalg.norm(np.cross(square[2] - square[0], square[3] - square[1])) / 2)
    farthest = float((edge @ centre).min())
    if farthest < _NARROW or side == 0.0:
        raise LoadError("its WCS covers the whole sky, or nothing of it")
    vertices = edge[list(_corners_and_bends(edge, side * _TOLERANCE_PIXELS))]
    # Seen from inside, the vector area of a loop that runs counter-clockwise points inwards.
    if np.cross(vertices, np.roll(vertices, -1, axis=0)).sum(axis=0) @ centre > 0:
        vertices = vertices[::-1]
    lon, lat = _angles(vertices)
    (ra,), (dec,) = _angles(centre[np.newaxis])
    reach = np.linalg.norm(edge - centre, axis=1).max()
    return Footprint(
        ra=float(ra),
        dec=float(dec),
        fov=math.degrees(4 * math.asin(min(1.0, reach / 2))),
        region=tuple(np.stack([lon, lat], axis=1).ravel().tolist()),
        pixel_arcsec=math.degrees(side) * 3600,
    )


def _edge(naxis1: int, naxis2: int) -> Numbers:
    """Pixel coordinates, counted from 1, along the outer edge of the corner pixels, shape (4 _STEPS, 2)."""
    low, high1, high2 = 0.5, naxis1 + 0.5, naxis2 + 0.5
    corners = np.array([[low, low], [high1, low], [high1, high2], [low, high2]])
    way = np.linspace(0.0, 1.0, _STEPS, endpoint=False)[:, np.newaxis]
    return np.concatenate(
        [a + way * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    )


def _on_sky(wcs: WCS, pixels: Numbers) -> Numbers:
    """Unit vectors in ICRS of pixel coordinates."""
    world = wcs.all_pix2world(pixels, 1)
    if not np.isfinite(world).all():
        raise LoadError("its WCS has no position on the sky for parts of its edge")
    lon, lat = world[:, wcs.wcs.lng], world[:, wcs.wcs.lat]
    frame = wcs_to_celestial_frame(wcs)
    if not isinstance(frame, ICRS):
        icrs = SkyCoord(lon, lat, unit=units.deg, frame=frame).icrs
        lon, lat = icrs.ra.deg, icrs.dec.deg
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _angles(vectors: Numbers) -> tuple[Numbers, Numbers]:
    x, y, z = vectors.T
    lon = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(lon == 360.0, 0.0, lon), np.degrees(np.arctan2(z, np.hypot(x, y)))  # noqa: PLR2004  a turn


def _corners_and_bends(edge: Numbers, tolerance: float) -> Iterator[int]:
    """The indices of the corners, and of what is needed between them to stay within `tolerance` radians."""
    for side in range(4):
        first = side * _STEPS
        points = np.take(edge, range(first, first + _STEPS + 1), axis=0, mode="wrap")
        yield first
        yield from (first + i for i in _bends(points, 0, _STEPS, tolerance))


def _bends(points: Numbers, first: int, last: int, tolerance: float) -> Iterator[int]:
    """Where a line of positions leaves the great circle of its ends the most, and so on in both halves."""
    if last - first < 2:  # noqa: PLR2004  nothing is between neighbours
        return
    normal = np.cross(points[first], points[last])
    length = float(np.linalg.norm(normal))
    if length == 0.0:
        return
    off = np.abs(points[first + 1 : last] @ (normal / length))
    worst = int(off.argmax())
    if off[worst] > tolerance:
        middle = first + 1 + worst
        yield from _bends(points, first, middle, tolerance)
        yield middle
        yield from _bends(points, middle, last, tolerance)
