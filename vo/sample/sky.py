"""What the sky and the survey are like at a place: dust, exposures, depth and seeing, as smooth functions.

They depend on the position alone, so that objects, tiles and the coverage map tell the same story.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.sample.tiles import Floats

BANDS = ("g", "r", "i", "z", "y")
ZERO_POINT = 30.0
EXTINCTION = np.array([3.186, 2.140, 1.569, 1.196, 1.048])
"""Magnitudes of extinction per E(B-V) of 1, band by band, about those of DES."""

_DEPTH_OF_FIVE = np.array([24.35, 24.10, 23.45, 22.70, 21.45])  # 10 sigma, about those of DES DR1
_SEEING_ARCSEC = np.array([1.12, 0.96, 0.88, 0.84, 0.90])
_GALACTIC = np.array(  # the rows are the Galactic axes in ICRS (Hipparcos catalogue, vol. 1, 1.5.3)
    [
        [-0.0548755604162154, -0.8734370902348850, -0.4838350155487132],
        [0.4941094278755837, -0.4448296299600112, 0.7469822444972189],
        [-0.8676661490190047, -0.1980763734312015, 0.4559837761750669],
    ]
)


def unit_vectors(ra: Floats, dec: Floats) -> Floats:
    """Unit vectors of positions in degrees, shape (n, 3)."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def galactic(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Galactic longitude and latitude, in degrees."""
    x, y, z = _GALACTIC @ unit_vectors(ra, dec).T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def ebv(ra: Floats, dec: Floats) -> Floats:
    """The reddening E(B-V), 0.006 to 0.074 mag."""
    vectors = unit_vectors(ra, dec)
    return np.asarray(0.04 + 0.024 * _ripple(vectors, 9.0, 1) + 0.01 * _ripple(vectors, 160.0, 2))


def exposures(ra: Floats, dec: Floats) -> NDArray[np.int16]:
    """The number of exposures in each band, shape (n, 5): 2 to 9, with steps as of overlapping pointings."""
    vectors = unit_vectors(ra, dec)
    columns = [5.5 + 3.5 * _ripple(vectors, 130.0, 10 + band) for band in range(len(BANDS))]
    return np.floor(np.stack(columns, axis=1)).astype(np.int16)


def depth(ra: Floats, dec: Floats) -> Floats:
    """The magnitude at which a point source has a signal of 10 sigma in each band, shape (n, 5)."""
    weather = _ripple(unit_vectors(ra, dec), 40.0, 20)
    return np.asarray(
        _DEPTH_OF_FIVE + 1.25 * np.log10(exposures(ra, dec) / 5.0) + 0.08 * weather[:, np.newaxis]
    )


def seeing(ra: Floats, dec: Floats) -> Floats:
    """The full width at half maximum of the PSF in each band, in arcsec, shape (n, 5)."""
    return np.asarray(_SEEING_ARCSEC * (1.0 + 0.08 * _ripple(unit_vectors(ra, dec), 70.0, 30))[:, np.newaxis])


def _ripple(vectors: Floats, wavenumber: float, key: int) -> Floats:
    """Three plane waves in directions that `key` fixes, their mean between -1 and 1.

    Waves in space, not in RA and Dec, have no seam at RA 0h and none at the poles.
    """
    angles = key * np.array([2.399963, 1.131971, 3.883222]) + np.array([0.3, 2.1, 4.4])
    heights = np.cos(1.7 * angles)
    rims = np.sqrt(1.0 - heights**2)
    directions = np.stack([rims * np.cos(angles), rims * np.sin(angles), heights])
    return np.asarray(np.sin(wavenumber * (vectors @ directions) + 5.0 * angles).mean(axis=1))
