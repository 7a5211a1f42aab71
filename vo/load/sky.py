"""The stored sky index of a batch of positions: HEALPix cells of order 29 and unit vectors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

ORDER = 29
"""The finest order whose cells have 64-bit numbers."""

FIELDS = (
    pa.field("hpx29", pa.int64()),
    pa.field("unit_x", pa.float64()),
    pa.field("unit_y", pa.float64()),
    pa.field("unit_z", pa.float64()),
)
"""The physical columns beside the published ones."""


def sky_index(lon: pa.Array, lat: pa.Array) -> list[pa.Array]:
    """The arrays of FIELDS for positions in degrees, ICRS; a position that lacks a half is NULL in all."""
    known = pc.and_(pc.is_valid(lon), pc.is_valid(lat)).to_numpy(zero_copy_only=False)
    lon_deg = pc.fill_null(lon.cast(pa.float64()), 0.0).to_numpy()
    lat_deg = pc.fill_null(lat.cast(pa.float64()), 0.0).to_numpy()
    cells = lonlat_to_healpix(
        Longitude(lon_deg, units.deg, copy=False), Latitude(lat_deg, units.deg, copy=False), ORDER
    )
    vectors = unit_vectors(lon_deg, lat_deg)
    columns = (cells.astype(np.int64), *vectors)
    return [pa.array(column, mask=~known) for column in columns]


def unit_vectors(
    lon_deg: np.ndarray[tuple[int], np.dtype[np.float64]],
    lat_deg: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """The x, y and z of directions; x points to (0, 0), z to the north pole.

    >>> [float(round(part[0], 3)) for part in unit_vectors(np.array([90.0]), np.array([30.0]))]
    [0.0, 0.866, 0.5]
    """
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
