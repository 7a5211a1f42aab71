"""The contact sheet: the strangest objects as the images of the release show them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from vo.anomaly.canvas import Canvas
from vo.anomaly.outcome import Outcome
from vo.anomaly.reasons import CUTOUT_ARCMIN
from vo.context import Context
from vo.errors import VOError
from vo.images.collection import ImageFile
from vo.images.picture import Lupton, coloured
from vo.images.view import View, drawn
from vo.log import logger

_ACROSS, _DOWN = 6, 4
_SIDE, _GAP, _TOP = 120, 22, 48
_COLOURS = 3

log = logger(__name__)


def contact_sheet(outcome: Outcome, context: Context) -> bytes | None:
    """Pictures of the first anomalies that images show, by rank; None: there are none."""
    places = outcome.places_of(outcome.strange)
    if not len(places) or not context.images.releases():
        return None
    bands = _three(context.images.bands())
    shown = context.images.by_positions(pa.array(places[:, 0]), pa.array(places[:, 1]), bands=bands)
    stamps = []
    for rank, (place, images) in enumerate(zip(places, shown, strict=True), 1):
        stamp = _stamp(place, images, bands, context) if images else None
        if stamp is not None:
            stamps.append((rank, stamp))
        if len(stamps) == _ACROSS * _DOWN:
            break
    return _sheet(stamps) if stamps else None


def _three(bands: Sequence[str]) -> tuple[str, ...]:
    """The bands of red, green and blue, or the one that there is."""
    if len(bands) < _COLOURS:
        return tuple(bands[-1:])
    return bands[-1], bands[len(bands) // 2], bands[0]


def _stamp(
    place: np.ndarray, images: Sequence[ImageFile], bands: Sequence[str], context: Context
) -> np.ndarray | None:
    """A picture around a position, (rows, columns, 3); None: not all bands show it, or an image is broken."""
    size = CUTOUT_ARCMIN / 60
    view = View.around((float(place[0]), float(place[1])), (size, size), size / _SIDE)
    by_band = [[image for image in images if image.band == band] for band in bands]
    if not all(by_band):
        return None
    try:
        drawings = [
            drawn(view, [context.open_images.image(image.file, image.hdu) for image in each])
            for each in by_band
        ]
    except VOError as error:
        log.warning("an image is left out of the contact sheet", error=str(error))
        return None
    colours = coloured(drawings, Lupton())[::-1]
    return colours if colours.ndim == _COLOURS else np.repeat(colours[..., None], _COLOURS, axis=2)


def _sheet(stamps: Sequence[tuple[int, np.ndarray]]) -> bytes:
    rows = -(-len(stamps) // _ACROSS)
    width = _ACROSS * (_SIDE + _GAP) + _GAP
    canvas = Canvas(width, _TOP + rows * (_SIDE + _GAP) + _GAP, "The strangest objects, by rank")
    for number, (rank, colours) in enumerate(stamps):
        left = _GAP + number % _ACROSS * (_SIDE + _GAP)
        top = _TOP + number // _ACROSS * (_SIDE + _GAP)
        canvas.picture(left, top, (_SIDE, _SIDE), colours)
        canvas.text(left, top + _SIDE + 2, str(rank), size=10)
    return canvas.png()
