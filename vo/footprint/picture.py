"""A map of the sky as a picture: colours, a graticule with its degrees, and a bar that tells the values."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vo.dali import Params
from vo.errors import UsageError
from vo.footprint.gather import cells_of
from vo.footprint.projections import PROJECTIONS, Pixels
from vo.footprint.sky_map import SkyMap
from vo.literals import number

PNG_TYPE = "image/png"
"""The media type."""

_WIDTHS = (200, 4_000)
_WIDEST = 60.0  # degrees of the radius of a gnomonic picture
_COLOURS = np.array(
    [
        (68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142),
        (31, 158, 137), (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37),
    ],
    np.float64,
)  # fmt: skip
"""Viridis, which grows lighter evenly and is read without colours (Smith and van der Walt 2015, CC0)."""

_NOTHING, _PAPER, _INK, _LINE = (235, 235, 235), (255, 255, 255), (30, 30, 30), (150, 150, 150)
_STEPS = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
_LINES = 4  # of a graticule from the middle to the border, at least
_MARGIN = 70  # pixels below the sky
_FONT = 14


@dataclass(frozen=True, slots=True)
class View:
    """How a map is drawn: projection and centre in degrees, pixels across, scale of the values."""

    projection: str
    lon: float
    lat: float
    radius: float
    width: int
    logarithmic: bool

    @property
    def step(self) -> float:
        """Degrees between lines of the graticule."""
        return next((step for step in _STEPS if step * _LINES <= self.radius * 2), _STEPS[-1])


def view_of(params: Params, *, logarithmic: bool) -> View:
    """PROJECTION, CIRCLE, WIDTH and SCALE, judged."""
    projection = (params.single("PROJECTION") or "mollweide").lower()
    if projection not in PROJECTIONS:
        raise UsageError(f"PROJECTION must be {' or '.join(PROJECTIONS)}, not {projection[:40]!r}.")
    scale = (params.single("SCALE") or ("log" if logarithmic else "linear")).lower()
    if scale not in ("linear", "log"):
        raise UsageError(f"SCALE must be linear or log, not {scale[:40]!r}.")
    width = params.integer("WIDTH") or 1_000
    if not _WIDTHS[0] <= width <= _WIDTHS[1]:
        raise UsageError(f"WIDTH must be {_WIDTHS[0]} to {_WIDTHS[1]:,} pixels, but is {width}.")
    lon, lat, radius = _circle(params.single("CIRCLE"), projection)
    return View(projection, lon, lat, radius, width, scale == "log")


def _circle(text: str | None, projection: str) -> tuple[float, float, float]:
    """The centre and the radius; of all the sky, the longitude of the middle alone counts."""
    if text is None:
        if projection == "gnomonic":
            raise UsageError(
                "A gnomonic picture is one of a circle.", hint="Send CIRCLE=12.5 -30 5, for example."
            )
        return 0.0, 0.0, 90.0
    words = text.split()
    if len(words) != 3:  # noqa: PLR2004  longitude, latitude, radius
        raise UsageError(f"CIRCLE has longitude, latitude and radius, not {len(words)} numbers.")
    lon, lat, radius = (number(word, "CIRCLE") for word in words)
    if not (0 <= lon <= 360 and -90 <= lat <= 90):  # noqa: PLR2004  degrees
        raise UsageError(f"CIRCLE: ({lon:g}, {lat:g}) is no position in degrees.")
    if projection == "mollweide":
        return lon, 0.0, 90.0
    if not 0 < radius <= _WIDEST:
        raise UsageError(f"The radius of a gnomonic picture is above 0 and at most {_WIDEST:g} degrees.")
    return lon, lat, radius


def png(sky: SkyMap, view: View) -> bytes:
    """The picture."""
    positions = PROJECTIONS[view.projection](view.width, view.lon, view.lat, view.radius)
    scale = _Scale.of(sky, logarithmic=view.logarithmic)
    painted = _painted(sky, positions, scale, view.step)
    rows, columns = painted.shape[:2]
    image = Image.new("RGB", (columns, rows + _MARGIN), _PAPER)
    image.paste(Image.fromarray(painted), (0, 0))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=_FONT)
    for place, text in _labels(positions, view):
        draw.text(place, text, fill=_INK, font=font, anchor="mm", stroke_width=2, stroke_fill=_PAPER)
    _draw_bar(image, draw, font, rows, scale, f"{sky.name}{f' [{sky.unit}]' if sky.unit else ''}")
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to colours."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, sky: SkyMap, *, logarithmic: bool) -> _Scale:
        values = sky.values[np.isfinite(sky.values)]
        if logarithmic:
            values = values[values > 0]
        if not len(values):
            return cls(0.0, 1.0, logarithmic=False)
        low, high = float(values.min()), float(values.max())
        return cls(low, high, logarithmic)

    def colours(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Shape (…, 3)."""
        if self.logarithmic:
            values = np.log(np.maximum(values, self.low))
        low, high = (math.log(end) if self.logarithmic else end for end in (self.low, self.high))
        part = np.clip((values - low) / (high - low or 1.0), 0, 1) * (len(_COLOURS) - 1)
        places = np.arange(len(_COLOURS))
        return np.stack([np.interp(part, places, _COLOURS[:, i]) for i in range(3)], axis=-1).astype(np.uint8)

    def at(self, part: float) -> float:
        """The value of a place on the bar, from 0 to 1."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** part)
        return self.low + (self.high - self.low) * part


def _painted(sky: SkyMap, positions: Pixels, scale: _Scale, step: float) -> NDArray[np.uint8]:
    """The colours of the pixels, lines of the graticule and what is off the sky included."""
    lon, lat = positions
    on_sky = np.isfinite(lon)
    painted = np.empty((*lon.shape, 3), np.uint8)
    painted[:] = _PAPER
    values = sky.at(cells_of(lon[on_sky], lat[on_sky], sky.order))
    known = np.isfinite(values)
    colours = np.full((len(values), 3), _NOTHING, np.uint8)
    colours[known] = scale.colours(values[known])
    painted[on_sky] = colours
    painted[_crossed(lon, lat, step)] = _LINE
    return painted


def _crossed(lon: NDArray[np.float64], lat: NDArray[np.float64], step: float) -> NDArray[np.bool_]:
    """The pixels beside which a line of the graticule lies: whose neighbours are in another field of it."""
    lines = np.zeros(lon.shape, np.bool_)
    for field in (np.floor(lon / step), np.floor(lat / step)):
        for axis in (0, 1):
            change = np.diff(field, axis=axis)
            here = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
            lines[here] |= (change != 0) & np.isfinite(change)
    return lines


def _labels(positions: Pixels, view: View) -> list[tuple[tuple[int, int], str]]:
    """Where lines of the graticule cross the middle of the picture, and what they are."""
    lon, lat = positions
    row, column = lon.shape[0] // 2, lon.shape[1] // 2
    across = [((at, row + _FONT), f"{line % 360:g}°") for at, line in _lines(lon[row], view.step)]
    along = [
        ((column - 2 * _FONT, at), f"{line:+g}°" if line else "0°")
        for at, line in _lines(lat[:, column], view.step)
    ]
    return [*across, *along]


def _lines(degrees: NDArray[np.float64], step: float) -> list[tuple[int, float]]:
    """The pixels of a row or column behind which a line of the graticule lies, with its degrees."""
    field = np.floor(degrees / step)
    change = np.diff(field)
    found = np.flatnonzero(np.isfinite(change) & (change != 0)).tolist()
    # Where more than one field is passed, longitude begins anew.
    return [
        (at, 0.0 if abs(change[at]) > 1 else round(float(max(field[at], field[at + 1])) * step, 6))
        for at in found
    ]


def _draw_bar(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    top: int,
    scale: _Scale,
    title: str,
) -> None:
    """The colours from the least to the greatest value, their values, and what they are of."""
    width, height = image.width * 3 // 5, 16
    left, upper = (image.width - width) // 2, top + 12
    parts = np.linspace(0, 1, width)
    strip = scale.colours(np.array([scale.at(part) for part in parts.tolist()]))
    image.paste(Image.fromarray(np.broadcast_to(strip, (height, width, 3)).copy()), (left, upper))
    draw.rectangle((left, upper, left + width, upper + height), outline=_INK)
    for part in (0.0, 0.5, 1.0):
        where = (left + part * width, upper + height + 10)
        draw.text(where, f"{scale.at(part):.4g}", fill=_INK, font=font, anchor="mm")
    draw.text((image.width / 2, upper + height + 28), title, fill=_INK, font=font, anchor="mm")
