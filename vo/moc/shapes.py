"""Shapes as MOCs: the cells that have some of a circle or polygon in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy import units
from astropy.coordinates import Angle, Latitude, Longitude
from cdshealpix.nested import cone_search
from numpy.typing import NDArray

from vo.moc.moc import FINEST, Cells, Moc
from vo.regions.polygons import framed, vertices_of
from vo.tiling.covering import covering

WIDEST = 180.0
"""Degrees of the radius of a circle at the most."""

_HALF = 90.0  # beyond, the search of cones is no longer sure
_ROUNDING = 1e-9  # degrees
_DEEPER = 2  # orders by which the search of cones looks closer than it answers
_FEWEST_VERTICES = 3


def cone_moc(lon: float, lat: float, radius: float, order: int) -> Moc:
    """The cells of `order` that have some of a circle in them, and few beside it that have not.

    All in degrees, `radius` up to WIDEST.
    """
    if radius > _HALF:
        # All but the cells that are wholly in the circle around the antipode.
        cells, depths, is_full = _searched(lon + WIDEST, -lat, max(WIDEST - radius - _ROUNDING, 0.0), order)
        return ~Moc.from_cells(order, cells[is_full], at=depths[is_full])
    cells, depths, _ = _searched(lon, lat, radius, order)
    return Moc.from_cells(order, cells, at=depths)


def _searched(lon: float, lat: float, radius: float, order: int) -> tuple[Cells, Cells, NDArray[np.bool_]]:
    """Cells with some of a circle, the order of each, and whether all of it is surely in the circle."""
    cells, depths, is_full = cone_search(
        Longitude(lon % 360, units.deg),
        Latitude(lat, units.deg),
        Angle(radius, units.deg),
        depth=order,
        depth_delta=min(_DEEPER, FINEST - order),
    )
    return cells.astype(np.int64), depths.astype(np.int64), is_full.astype(np.bool_)


def polygon_moc(coordinates: Sequence[float] | NDArray[np.float64], order: int) -> Moc:
    """Those of a polygon lon1, lat1, lon2, …, exactly; of its two sides the smaller one is inside."""
    vertices = vertices_of(np.asarray(coordinates, np.float64))
    if len(vertices) < _FEWEST_VERTICES:
        return Moc.empty(order)
    return Moc(order, covering(vertices, framed(vertices), order))
