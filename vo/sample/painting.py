"""Light on pixels: every object an elliptical Moffat profile, as stars and seeing have it, tails and all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.sample.tiles import Floats

Pixels = NDArray[np.float32]

POINT_BETA = 3.0
"""The slope of the profile of a point source."""

_FLATTER = 0.35  # per unit of the Sersic index: the wings of a de Vaucouleurs profile reach farther
_FAINTEST = 0.02  # of the noise of a pixel: less light than that is not painted
_NEAREST, _FARTHEST = 3.0, 150.0  # pixels to which the light of an object is painted
_AT_POINT = math.sqrt(2.0 ** (1.0 / (POINT_BETA - 1.0)) - 1.0)


@dataclass(frozen=True, slots=True)
class Profiles:
    """Moffat profiles: places in pixels counted from 0, total fluxes, and shapes.

    `scale` is the alpha of the major axis in pixels, `beta` the slope, `ratio` minor by major axis, (`ux`,
    `uy`) the direction of the major axis.
    """

    x: Floats
    y: Floats
    flux: Floats
    scale: Floats
    beta: Floats
    ratio: Floats
    ux: Floats
    uy: Floats


def blurred(radius: Floats, ratio: Floats, sersic: Floats, fwhm: float) -> tuple[Floats, Floats, Floats]:
    """Scale, slope and axis ratio of galaxies behind a PSF of `fwhm` pixels; radius 0 gives the PSF.

    Half-light radii add up in squares, which is exact for Gaussians and near enough for a picture.
    """
    point = fwhm / (2.0 * math.sqrt(2.0 ** (1.0 / POINT_BETA) - 1.0)) * _AT_POINT
    beta = POINT_BETA - _FLATTER * np.clip(sersic - 1.0, 0.0, None)
    major = np.hypot(radius, point)
    minor = np.hypot(radius * ratio, point)
    return major / np.sqrt(2.0 ** (1.0 / (beta - 1.0)) - 1.0), beta, minor / major


def paint(image: Pixels, profiles: Profiles, noise: float) -> None:
    """Add the light of `profiles` to an image whose pixels have that much noise."""
    shown = np.isfinite(profiles.flux) & np.isfinite(profiles.x) & np.isfinite(profiles.y)
    columns = [getattr(profiles, name)[shown] for name in profiles.__slots__]
    _paint(image, np.ascontiguousarray(np.stack(columns, axis=1)), noise * _FAINTEST)


@compiled
def _paint(image: Pixels, rows: Floats, faintest: float) -> None:
    for i in range(len(rows)):
        x, y, flux, scale, beta, ratio, ux, uy = rows[i]
        peak = flux * (beta - 1.0) / (math.pi * scale * scale * ratio)
        reach = scale * math.sqrt(max(0.0, (peak / faintest) ** (1.0 / beta) - 1.0))
        reach = min(max(reach, _NEAREST), _FARTHEST)
        for row in range(max(0, math.ceil(y - reach)), min(image.shape[0], math.floor(y + reach) + 1)):
            for column in range(max(0, math.ceil(x - reach)), min(image.shape[1], math.floor(x + reach) + 1)):
                along = ((column - x) * ux + (row - y) * uy) / scale
                across = ((row - y) * ux - (column - x) * uy) / (scale * ratio)
                image[row, column] += peak * (1.0 + along * along + across * across) ** -beta
