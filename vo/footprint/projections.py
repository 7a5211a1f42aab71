"""Two ways to lay the sky on a page, north up and east to the left: pixels → positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Pixels = tuple[Numbers, Numbers]
"""Longitude and latitude of each pixel in degrees: rows from north to south, columns; NaN off the sky."""


def mollweide(width: int, lon0: float, _: float, __: float) -> Pixels:
    """All of the sky, each part with its area, as an ellipse twice as wide as high (Snyder 1987, 31)."""
    x, y = _grid(width, width // 2)
    y = y / 2
    inside = x * x + 4 * y * y <= 1
    angle = np.arcsin(np.where(inside, 2 * y, 0.0))
    lat = np.arcsin(np.clip((2 * angle + np.sin(2 * angle)) / math.pi, -1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        lon = lon0 - np.degrees(math.pi * x / np.cos(angle))
    inside &= np.abs(lon - lon0) <= 180  # noqa: PLR2004  degrees
    return np.where(inside, lon % 360, np.nan), np.where(inside, np.degrees(lat), np.nan)


def gnomonic(width: int, lon0: float, lat0: float, radius: float) -> Pixels:
    """What is within a radius, below 90 degrees, of a position, seen from the centre of the sphere."""
    x, y = _grid(width, width)
    scale, middle = math.tan(math.radians(radius)), math.radians(lat0)
    x, y = -x * scale, y * scale
    out = math.cos(middle) - y * math.sin(middle)
    up = math.sin(middle) + y * math.cos(middle)
    lon = lon0 + np.degrees(np.arctan2(x, out))
    return lon % 360, np.degrees(np.arctan2(up, np.hypot(x, out)))


def _grid(width: int, height: int) -> Pixels:
    """The centres of pixels, from -1 to 1 to the right and upwards."""
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = 1 - (np.arange(height) + 0.5) / height * 2
    across, up = np.meshgrid(x, y)
    return across, up


PROJECTIONS: Mapping[str, Callable[[int, float, float, float], Pixels]] = {
    "mollweide": mollweide,
    "gnomonic": gnomonic,
}
"""By name: what takes the width in pixels, the centre, and the radius in degrees."""
