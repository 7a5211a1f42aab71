"""The tiles and the coverage map as columns: what was observed where, and how well."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import Angle, Latitude, Longitude
from cdshealpix.nested import cone_search, healpix_to_lonlat
from numpy.typing import NDArray

from vo.sample.objects import generator
from vo.sample.sky import BANDS, ZERO_POINT, depth, exposures, seeing
from vo.sample.tiles import PIXEL_ARCSEC, PIXELS, Floats, Tile

ORDER = 12
MASKED_FRACTION = 0.12  # of the cells, touched by the mask of a bright star
_SEARCH_DEG = 0.6  # reaches over every unique area, whose half-diagonal is 0.51 deg
_CORNERS = ("rall", "decll", "raul", "decul", "raur", "decur", "ralr", "declr")
_PROJECTION = {
    "pixelscale": PIXEL_ARCSEC,
    "naxis1": PIXELS,
    "naxis2": PIXELS,
    "ctype1": "RA---TAN",
    "ctype2": "DEC--TAN",
    "crpix1": (PIXELS + 1) / 2,
    "crpix2": (PIXELS + 1) / 2,
    "cd1_1": -PIXEL_ARCSEC / 3600,
    "cd1_2": 0.0,
    "cd2_1": 0.0,
    "cd2_2": PIXEL_ARCSEC / 3600,
}


def cover(tile: Tile, seed: int) -> dict[str, NDArray[Any]]:
    """The columns of `coverage` for the cells whose centre lies in the unique area, all but `tilename`."""
    cells, ra, dec = _cells(tile)
    rng = generator(seed, tile, 3)
    hit = rng.random(cells.size) < MASKED_FRACTION
    masked = np.where(hit, rng.beta(1.0, 6.0, cells.size), 0.0)
    columns: dict[str, NDArray[Any]] = {"hpix_4096": cells, "ra": ra, "dec": dec}
    visits, limits = exposures(ra, dec), depth(ra, dec)
    for band, name in enumerate(BANDS):
        gaps = rng.beta(1.0, 60.0, cells.size)
        columns[f"frac_det_{name}"] = (1.0 - masked) * (1.0 - np.where(hit, gaps, 0.0))
        columns[f"exposures_{name}"] = visits[:, band]
        columns[f"depth_{name}"] = limits[:, band]
    return columns


def describe(tile: Tile, count: int) -> dict[str, Any]:
    """The row of `tile_info` for a tile with `count` objects."""
    centre = dict(zip(("ra_cent", "dec_cent", "crval1", "crval2"), 2 * (tile.ra, tile.dec), strict=True))
    corners = dict(zip(_CORNERS, tile.corners().round(6).ravel().tolist(), strict=True))
    bounds = (tile.ura_min, tile.udec_min, tile.ura_max, tile.udec_max)
    return {
        "tilename": tile.name,
        "crossra0": "Y" if tile.straddles_0h else "N",
        "count_objects": count,
        **_PROJECTION,
        **centre,
        **corners,
        **dict(zip(("urall", "udecll", "uraur", "udecur"), bounds, strict=True)),
        **_quality(tile),
    }


def _quality(tile: Tile) -> dict[str, float]:
    _, ra, dec = _cells(tile)
    middle = seeing(np.array([tile.ra]), np.array([tile.dec]))[0]
    limits, visits = np.median(depth(ra, dec), axis=0), exposures(ra, dec).mean(axis=0)
    row: dict[str, float] = {}
    for band, name in enumerate(BANDS):
        row[f"zero_point_{name}"] = ZERO_POINT
        row[f"depth_{name}"] = float(limits[band])
        row[f"exposures_{name}"] = float(visits[band])
        row[f"psf_fwhm_{name}"] = float(middle[band])
    return row


def _cells(tile: Tile) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The cells whose centre is uniquely the tile's, in order, with their centres in degrees."""
    near, _, _ = cone_search(
        Longitude(tile.ra, units.deg),
        Latitude(tile.dec, units.deg),
        Angle(_SEARCH_DEG, units.deg),
        np.uint8(ORDER),
        flat=True,
    )
    cells = np.sort(np.asarray(near, dtype=np.uint64))
    lon, lat = healpix_to_lonlat(cells, np.uint8(ORDER), num_threads=1)
    ra, dec = lon.deg % 360.0, lat.deg
    own = tile.contains(ra, dec)
    return cells[own].astype(np.int64), ra[own], dec[own]
