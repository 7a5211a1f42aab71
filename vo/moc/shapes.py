"""Shapes as MOCs: the cells that have some of a circle or polygon in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy import units
from astropy.coordinates import Angle, Latitude, Longitude
from cdshealpix.nested import cone_search, polygon_search
from numpy.typing import NDArray

from vo.moc.moc import FINEST, Moc

WIDEST = 90.0
"""Degrees of the radius of a circle at the most."""

_DEEPER = 2  # orders by which the search of cones looks closer than it answers


def cone_moc(lon: float, lat: float, radius: float, order: int) -> Moc:
    """The cells of `order` that have some of a circle in them; all in degrees, `radius` up to WIDEST."""
    cells, depths, _ = cone_search(
        Longitude(lon % 360, units.deg),
        Latitude(lat, units.deg),
        Angle(radius, units.deg),
        depth=order,
        depth_delta=min(_DEEPER, FINEST - order),
    )
    return Moc.from_cells(order, cells.astype(np.int64), at=depths.astype(np.int64))


def polygon_moc(coordinates: Sequence[float] | NDArray[np.float64], order: int) -> Moc:
    """The same of a polygon lon1, lat1, lon2, …; of its two sides the smaller one is inside."""
    values = np.asarray(coordinates, np.float64)
    cells, depths, _ = polygon_search(
        Longitude(values[0::2] % 360, units.deg), Latitude(values[1::2], units.deg), depth=order
    )
    return Moc.from_cells(order, cells.astype(np.int64), at=depths.astype(np.int64))
