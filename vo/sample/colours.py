"""Intrinsic colours of stars and galaxies: the stellar locus and two kinds of galaxy through redshift."""

from __future__ import annotations

import numpy as np

from vo.sample.tiles import Floats

# Along the stellar locus by g-i: g-r, i-z, z-Y (r-i is the rest of g-i).
_LOCUS_GI = (-0.6, 0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.0, 3.8)
_LOCUS = {
    "g-r": (-0.35, 0.02, 0.23, 0.44, 0.73, 1.05, 1.28, 1.40, 1.45, 1.50),
    "i-z": (-0.20, -0.05, 0.01, 0.06, 0.13, 0.22, 0.33, 0.45, 0.60, 0.85),
    "z-y": (-0.10, -0.03, 0.00, 0.02, 0.05, 0.07, 0.09, 0.12, 0.16, 0.23),
}
# By redshift: old, red galaxies and star-forming, blue ones; g-r, r-i, i-z, z-Y.
_REDSHIFTS = (0.0, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5, 2.5)
_RED = (
    (0.70, 1.15, 1.50, 1.65, 1.70, 1.50, 1.10, 0.80),
    (0.33, 0.42, 0.52, 0.70, 1.05, 1.15, 0.90, 0.60),
    (0.22, 0.30, 0.33, 0.35, 0.42, 0.75, 0.70, 0.50),
    (0.10, 0.10, 0.12, 0.14, 0.17, 0.25, 0.40, 0.40),
)
_BLUE = (
    (0.35, 0.50, 0.60, 0.65, 0.60, 0.45, 0.28, 0.15),
    (0.15, 0.20, 0.25, 0.35, 0.45, 0.50, 0.35, 0.20),
    (0.08, 0.10, 0.12, 0.18, 0.28, 0.40, 0.30, 0.20),
    (0.05, 0.06, 0.07, 0.08, 0.10, 0.20, 0.25, 0.20),
)


def star_magnitudes(r: Floats, g_minus_i: Floats, rng: np.random.Generator) -> Floats:
    """Magnitudes in g, r, i, z, Y of stars on the locus, 0.02 mag wide; shape (n, 5)."""
    g_r, i_z, z_y = (
        np.interp(g_minus_i, _LOCUS_GI, colour) + rng.normal(0.0, 0.02, r.size) for colour in _LOCUS.values()
    )
    return _magnitudes(r, [g_r, g_minus_i - g_r, i_z, z_y])


def galaxy_magnitudes(r: Floats, redshift: Floats, redness: Floats, rng: np.random.Generator) -> Floats:
    """Magnitudes in g, r, i, z, Y of galaxies, `redness` 0 for blue and 1 for old ones; shape (n, 5)."""
    colours = [
        np.interp(redshift, _REDSHIFTS, old) * redness
        + np.interp(redshift, _REDSHIFTS, young) * (1.0 - redness)
        + rng.normal(0.0, 0.05, r.size)
        for old, young in zip(_RED, _BLUE, strict=True)
    ]
    return _magnitudes(r, colours)


def _magnitudes(r: Floats, colours: list[Floats]) -> Floats:
    g_r, r_i, i_z, z_y = colours
    return np.stack([r + g_r, r, r - r_i, r - r_i - i_z, r - r_i - i_z - z_y], axis=1)
