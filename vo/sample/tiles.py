"""The tiling of the sky that DES uses, worked out from its published tile list and extended to the poles.

Bands of declination are 2570 arcsec high, their centres at 60 + 2570 k arcsec. In a band, tiles are as
wide as they are high, measured along the parallel of the centre, and are laid eastward from RA 275 deg,
where the last one meets the first and is cut short. An image is 10,000 x 10,000 pixels of 0.263 arcsec in
TAN projection, slightly larger than the area of the sky that is uniquely its own.

Beyond about 75 deg of latitude, where DES does not go, such an area would not fit its image. There the
circle is cut into the least number of equal parts that fit; at the pole itself, four.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PIXEL_ARCSEC = 0.263
PIXELS = 10_000
BAND_ARCSEC = 2570
SEAM_DEG = 275.0
TURN_DEG = 360.0
POLE_DEG = 90.0
HALF_IMAGE_DEG = PIXELS * PIXEL_ARCSEC / 7200
MICRO = 1_000_000  # bounds are published in millionths of a degree: neighbours share theirs exactly
POLAR_PARTS = 4  # fewer parts of a polar cap would reach round the pole


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile: `index` counts eastward from the seam in band `band`; all angles in degrees.

    The unique area is ura_min <= ra < ura_max, udec_min <= dec < udec_max, with ura_min in [0, 360) and
    ura_max beyond 360 where it straddles RA 0, as in the tile list of DES.
    """

    band: int
    index: int
    ra: float
    dec: float
    ura_min: float
    ura_max: float
    udec_min: float
    udec_max: float

    @property
    def name(self) -> str:
        """DES, hours and minutes of RA, degrees and minutes of Dec of the centre, cut off, not rounded.

        >>> tile_at(0.6, -50.7).name
        'DES0002-5040'
        """
        ra_min = int(self.ra * 4)
        dec_arcsec = 60 + BAND_ARCSEC * self.band
        degrees, minutes = divmod(abs(dec_arcsec) // 60, 60)
        sign = "-" if dec_arcsec < 0 else "+"
        return f"DES{ra_min // 60:02d}{ra_min % 60:02d}{sign}{degrees:02d}{minutes:02d}"

    @property
    def number(self) -> int:
        """A number that is the tile's own among all tiles of the sky."""
        return (self.band + 200) * 1000 + self.index

    @property
    def straddles_0h(self) -> bool:
        """Whether the unique area has RA 0h inside."""
        return self.ura_max > TURN_DEG

    @property
    def area_deg2(self) -> float:
        """The unique area in square degrees."""
        height = math.sin(math.radians(self.udec_max)) - math.sin(math.radians(self.udec_min))
        return math.degrees(height) * (self.ura_max - self.ura_min)

    def contains(self, ra: Floats, dec: Floats) -> NDArray[np.bool_]:
        """Which positions are uniquely this tile's."""
        east = (ra - self.ura_min) % 360.0 < self.ura_max - self.ura_min
        north = (dec < self.udec_max) | (self.udec_max == POLE_DEG)  # nothing lies north of the pole itself
        return np.asarray(east & north & (dec >= self.udec_min))

    def wcs(self) -> WCS:
        """The projection of the image: TAN about the middle of its pixels (FITS WCS paper II, 5.1.3)."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
        wcs.wcs.crval = self.ra, self.dec
        wcs.wcs.crpix = (PIXELS + 1) / 2, (PIXELS + 1) / 2
        wcs.wcs.cd = np.diag([-PIXEL_ARCSEC / 3600, PIXEL_ARCSEC / 3600])
        wcs.wcs.radesys = "ICRS"
        wcs.pixel_shape = PIXELS, PIXELS
        return wcs

    def corners(self) -> Floats:
        """RA and Dec of the image's corners, shape (4, 2): from the low-RA south one by way of the north.

        RA runs on through 0h, so that it grows from the first corners to the last.
        """
        low, high = 0.5, PIXELS + 0.5
        corners = self.wcs().all_pix2world([(high, low), (high, high), (low, high), (low, low)], 1)
        corners[:, 0] = self.ra + (corners[:, 0] - self.ra + 180.0) % 360.0 - 180.0
        corners[:, 0] += 360.0 * (corners[0, 0] < 0.0)
        return np.asarray(corners, dtype=np.float64)


def band_at(dec: float) -> int:
    """The band of declination that holds `dec`."""
    return math.floor((dec * 3600 - 60) / BAND_ARCSEC + 0.5)


def tile_at(ra: float, dec: float) -> Tile:
    """The tile whose unique area holds the position."""
    band = band_at(dec)
    width = _width(band)
    return tile(band, math.floor((ra - SEAM_DEG + width / 2) % 360.0 / width))


def tile(band: int, index: int) -> Tile:
    """Tile `index` of a band, counted round the circle from the seam (so -1 is the last one)."""
    width = _width(band)
    index %= math.ceil(360.0 / width - 1e-9)
    seam = round((SEAM_DEG - width / 2) * MICRO)
    low = round((SEAM_DEG + (index - 0.5) * width) * MICRO)
    high = min(round((SEAM_DEG + (index + 0.5) * width) * MICRO), seam + 360 * MICRO)
    turns = low // (360 * MICRO) * 360 * MICRO
    south, north = (60 + BAND_ARCSEC * (band - 0.5), 60 + BAND_ARCSEC * (band + 0.5))
    return Tile(
        band,
        index,
        ra=round((SEAM_DEG + index * width) % 360.0, 6),
        dec=round((60 + BAND_ARCSEC * band) / 3600, 6),
        ura_min=(low - turns) / MICRO,
        ura_max=(high - turns) / MICRO,
        udec_min=max(-90.0, round(south / 3600, 6)),
        udec_max=min(90.0, round(north / 3600, 6)),
    )


@cache
def _width(band: int) -> float:
    """The width in RA of the band's tiles, in degrees."""
    dec_deg = (60 + BAND_ARCSEC * band) / 3600
    width = BAND_ARCSEC / 3600 / math.cos(math.radians(dec_deg))
    if _fits(dec_deg, width):
        return width
    parts = max(POLAR_PARTS, math.ceil(360.0 / width))
    while not _fits(dec_deg, 360.0 / parts):
        parts += 1
    return 360.0 / parts


def _fits(dec_deg: float, width: float) -> bool:
    """Whether an area of that width lies inside the image; its corners, which reach farthest, decide."""
    if width > 360.0 / POLAR_PARTS:
        return False
    half_band = BAND_ARCSEC / 7200
    edges = np.clip([dec_deg - half_band, dec_deg + half_band], -90.0, 90.0)
    offsets = gnomonic(np.full(2, width / 2), edges, 0.0, dec_deg)
    return bool(np.abs(offsets).max() < HALF_IMAGE_DEG)


def gnomonic(ra: Floats, dec: Floats, ra0: float | Floats, dec0: float | Floats) -> Floats:
    """Tangent-plane offsets east and north of (ra0, dec0), in degrees, shape (2, n)."""
    lon, lat, lat0 = np.radians(ra - ra0), np.radians(dec), np.radians(dec0)
    depth = np.sin(lat) * np.sin(lat0) + np.cos(lat) * np.cos(lat0) * np.cos(lon)
    east = np.cos(lat) * np.sin(lon) / depth
    north = (np.sin(lat) * np.cos(lat0) - np.cos(lat) * np.sin(lat0) * np.cos(lon)) / depth
    offsets: Floats = np.degrees(np.stack([east, north]))
    return offsets


def from_gnomonic(east: Floats, north: Floats, ra0: Floats, dec0: Floats) -> tuple[Floats, Floats]:
    """The position, in degrees, of offsets on the plane that touches the sky in (ra0, dec0)."""
    x, y, lat0 = np.radians(east), np.radians(north), np.radians(dec0)
    out = np.cos(lat0) - y * np.sin(lat0)
    lon = np.arctan2(x, out)
    lat = np.arctan2(np.sin(lat0) + y * np.cos(lat0), np.hypot(x, out))
    return (ra0 + np.degrees(lon)) % 360.0, np.degrees(lat)


@cache
def sample_tiles() -> tuple[Tile, ...]:
    """The tiles of the sample release, in the order in which it is written.

    A field across RA 0h at Dec -40; the fields that the example queries of DES ask for, (40.5, -40.5) and
    M2; and the south pole with some tiles beside it, so that poles and wraps are always exercised.
    """
    chosen = (
        *(found for band in range(-58, -53) for found in _around_0h(band, 8)),
        *(tile_at(ra, dec) for dec in (-41.0, -40.5, -40.0) for ra in (40.0, 40.5, 41.0)),
        *(tile_at(323.36 + east, -0.82 + north) for east in (-0.12, 0.12) for north in (-0.12, 0.12)),
        *_around_0h(-124, 2),
        *_around_0h(-125, 4),
        *_around_0h(-126, POLAR_PARTS),
    )
    return tuple(dict.fromkeys(chosen))


def write_tile_list(path: Path) -> None:
    """Write the tiles of the sample release as a list in the form of that of DES DR1."""
    names = [f"{axis}{corner}" for corner in ("LL", "UL", "UR", "LR") for axis in ("RA", "DEC")]
    head = ["TILENAME", "RA_CENT", "DEC_CENT", "PIXELSCALE", "NAXIS1", "NAXIS2", *names]
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow([*head, "URALL", "UDECLL", "URAUR", "UDECUR"])
        for found in sample_tiles():
            image = (found.name, found.ra, found.dec, PIXEL_ARCSEC, PIXELS, PIXELS)
            bounds = (found.ura_min, found.udec_min, found.ura_max, found.udec_max)
            writer.writerow([*image, *found.corners().round(6).ravel().tolist(), *bounds])


def _around_0h(band: int, count: int) -> Iterator[Tile]:
    middle = tile_at(0.0, (60 + BAND_ARCSEC * band) / 3600).index
    return (tile(band, middle + step) for step in range(-(count // 2), count - count // 2))
