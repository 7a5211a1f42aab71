"""The linear terms of a WCS, as tables of images tell them: enough to draw an image, not to measure in it."""

from __future__ import annotations

from dataclasses import dataclass

from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

_FRAMES = {
    **{name: name for name in ("ICRS", "FK5", "FK4")},
    "FK4NoETerms": "FK4",
    "Galactic": "GAL",
    "BarycentricTrueEcliptic": "ECL",
    "BarycentricMeanEcliptic": "ECL",
}
"""The frames of astropy by the words of SIA 1.0 (4.1.2)."""


@dataclass(frozen=True, slots=True)
class LinearTerms:
    """A WCS without its distortions, named as the columns of `<release>.images` are.

    The reference pixel counts from 1; longitude comes first among the world coordinates of the frame, which
    are in degrees; the CD matrix is in degrees to a pixel; `wcs_equinox` in years is None for ICRS.
    """

    wcs_frame: str | None
    wcs_equinox: float | None
    wcs_projection: str
    wcs_crpix1: float
    wcs_crpix2: float
    wcs_crval1: float
    wcs_crval2: float
    wcs_cd1_1: float
    wcs_cd1_2: float
    wcs_cd2_1: float
    wcs_cd2_2: float


def linear_terms(wcs: WCS) -> LinearTerms:
    """The terms of a WCS that leads to the sky; TPV is TAN with distortions, as it is to WCSLIB."""
    frame = wcs_to_celestial_frame(wcs)
    equinox = getattr(frame, "equinox", None)
    world = [wcs.wcs.lng, wcs.wcs.lat]
    return LinearTerms(
        _FRAMES.get(type(frame).__name__),
        None if equinox is None else float(equinox.byear if frame.name.startswith("fk4") else equinox.jyear),
        str(wcs.wcs.ctype[wcs.wcs.lng])[5:8],
        *wcs.wcs.crpix.tolist(),
        *wcs.wcs.crval[world].tolist(),
        *wcs.pixel_scale_matrix[world].ravel().tolist(),
    )
