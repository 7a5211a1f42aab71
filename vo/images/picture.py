"""Pictures of the sky, north up and east to the left: three bands in colour or one in grey, PNG or JPEG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.visualization import AsinhStretch, make_lupton_rgb
from numpy.typing import NDArray
from PIL import Image as Encoder

from vo.errors import UsageError
from vo.images.image import Image
from vo.images.sky import Numbers
from vo.images.view import View, drawn

Colours = NDArray[np.uint8]
"""Shape (rows, columns, 3) or, in grey, (rows, columns); the lowest row first."""

FORMATS = {"png": ("PNG", "image/png"), "jpeg": ("JPEG", "image/jpeg")}
"""Format → its name for the encoder, and its media type."""

_COLOUR = 3  # bands
_TO_SIGMA = 1.4826  # of a Gaussian, from the median of absolute deviations
_NOISES = 10.0  # standard deviations of the noise that are the stretch unless told
_QUALITY = 92
_WHITE = 255


@dataclass(frozen=True, slots=True)
class Lupton:
    """Colours that do not depend on brightness (Lupton et al. 2004, PASP 116, 133).

    `minimum` is black, in units of the pixels, None: the median of each band; `stretch` is where the linear
    scale ends, None: ten times the noise; `q` is how slowly the brightness grows from there.
    """

    minimum: float | None = None
    stretch: float | None = None
    q: float = 8.0

    def __post_init__(self) -> None:
        if not (self.stretch is None or self.stretch > 0) or not self.q >= 0:
            raise UsageError("The stretch of a picture is above 0, and Q is not below it.")


@dataclass(frozen=True, slots=True)
class Percentile:
    """Each band from one percentile, black, to another, white; `softening`, up to 1, is where asinh bends."""

    low: float = 1.0
    high: float = 99.5
    softening: float = 0.1

    def __post_init__(self) -> None:
        if not (0 <= self.low < self.high <= 100 and 0 < self.softening <= 1):  # noqa: PLR2004
            raise UsageError("Percentiles rise from 0 to 100, and the softening is above 0 and up to 1.")


Style = Lupton | Percentile


def picture(
    view: View,
    bands: Sequence[Sequence[Image]],
    style: Style,
    *,
    encoding: str = "png",
    nearest: bool = False,
) -> bytes:
    """A picture in the bands red, green and blue, or in one; each may be in several images."""
    if len(bands) not in (1, _COLOUR):
        raise UsageError(f"A picture has one band or three, not {len(bands)}.")
    if encoding not in FORMATS:
        raise UsageError(f"A picture is {' or '.join(FORMATS)}, not {encoding!r}.")
    drawings = [drawn(view, images, nearest=nearest) for images in bands]
    return encoded(coloured(drawings, style), encoding)


def coloured(bands: Sequence[Numbers], style: Style) -> Colours:
    """One band in grey, or three in colour; where nothing is known it is black."""
    if isinstance(style, Percentile):
        shades = [_by_percentile(band, style) for band in bands]
        return shades[0] if len(shades) == 1 else np.stack(shades, axis=-1)
    known = [band[np.isfinite(band)] for band in bands]
    black = [_black(values, style) for values in known]
    stretch = style.stretch or _NOISES * max(map(_noise, known)) or 1.0
    filled = [np.where(np.isfinite(band), band, low) for band, low in zip(bands, black, strict=True)]
    red, green, blue = filled * (_COLOUR // len(filled))
    minimum = black * (_COLOUR // len(black))
    with np.errstate(invalid="ignore", divide="ignore"):  # astropy divides by an intensity of 0
        found: Colours = make_lupton_rgb(red, green, blue, minimum=minimum, stretch=stretch, Q=style.q)
    return found[:, :, 0] if len(bands) == 1 else found


def _black(values: Numbers, style: Lupton) -> float:
    if style.minimum is not None:
        return style.minimum
    return float(np.median(values)) if len(values) else 0.0


def _noise(values: Numbers) -> float:
    """The standard deviation of the noise, which stars do not raise."""
    if not len(values):
        return 0.0
    return float(np.median(np.abs(values - np.median(values)))) * _TO_SIGMA


def _by_percentile(band: Numbers, style: Percentile) -> Colours:
    known = np.isfinite(band)
    if not known.any():
        return np.zeros(band.shape, np.uint8)
    low, high = np.percentile(band[known], [style.low, style.high])
    part = np.clip((np.where(known, band, low) - low) / (high - low if high > low else 1.0), 0, 1)
    shades: Colours = (AsinhStretch(style.softening)(part) * _WHITE).astype(np.uint8)
    return shades


def encoded(colours: Colours, encoding: str) -> bytes:
    """A picture as a file, the highest row first."""
    file = io.BytesIO()
    options = {"quality": _QUALITY} if encoding == "jpeg" else {}
    Encoder.fromarray(np.ascontiguousarray(colours[::-1])).save(file, FORMATS[encoding][0], **options)
    return file.getvalue()
