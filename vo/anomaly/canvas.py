"""A drawing surface: panels with axes, points, bars and maps, drawn at twice the size for smooth edges."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, PAPER = "#1b2733", "#c9d1d9", "#ffffff"
ORDINARY, STRANGE = "#3b6ea5", "#d1495b"
"""The colours of ordinary objects and of anomalies in every picture."""

_SCALE = 2
_TEXT = 12
_ANCHORS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    dtype=float,
)
"""Colours from low to high, as bright as they are high, for all kinds of colour vision."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle of the canvas in pixels, and the ranges of values that it shows."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The pixels of values, (n, 2)."""
        across = self.left + (x - self.x[0]) / _extent(self.x) * self.width
        down = self.top + self.height - (y - self.y[0]) / _extent(self.y) * self.height
        return np.column_stack((across, down))


class Canvas:
    """An image of `width` x `height` pixels."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size = (width, height)
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self.text(16, 14, title, size=16)

    def text(
        self, x: float, y: float, text: str, *, size: int = _TEXT, anchor: str = "la", colour: str = INK
    ) -> None:
        """A line of text; `anchor` is Pillow's."""
        font = ImageFont.load_default(size * _SCALE)
        self._draw.text((x * _SCALE, y * _SCALE), text, fill=colour, font=font, anchor=anchor)

    def line(self, points: np.ndarray, colour: str = INK, width: float = 1) -> None:
        """Connected points, (n, 2)."""
        self._draw.line(_pairs(points), fill=colour, width=max(1, round(width * _SCALE)))

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """A filled rectangle."""
        corners = [value * _SCALE for value in (left, top, right, bottom)]
        self._draw.rectangle(corners, fill=colour)

    def ring(self, x: float, y: float, radius: float, colour: str = FAINT) -> None:
        """A circle."""
        around = [(x - radius) * _SCALE, (y - radius) * _SCALE, (x + radius) * _SCALE, (y + radius) * _SCALE]
        self._draw.ellipse(around, outline=colour, width=_SCALE)

    def points(self, panel: Panel, x: np.ndarray, y: np.ndarray, colour: str, radius: float = 2.5) -> None:
        """A dot for each value inside the panel."""
        for across, down in panel.at(x, y)[_inside(panel, x, y)] * _SCALE:
            reach = radius * _SCALE
            self._draw.ellipse((across - reach, down - reach, across + reach, down + reach), fill=colour)

    def raster(self, panel: Panel, values: np.ndarray, limits: tuple[float, float]) -> None:
        """A map: `values` with the lowest y in its first row, coloured between `limits`; NaN stays paper."""
        share = np.clip((values - limits[0]) / _extent(limits), 0, 1)
        pixels = coloured(share)[::-1]
        size = (round(panel.width * _SCALE), round(panel.height * _SCALE))
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
        self._image.paste(picture, (round(panel.left * _SCALE), round(panel.top * _SCALE)))

    def picture(self, left: float, top: float, size: tuple[int, int], colours: np.ndarray) -> None:
        """Pixels (rows, columns, 3) in a rectangle of that width and height."""
        whole = (size[0] * _SCALE, size[1] * _SCALE)
        pixels = Image.fromarray(np.ascontiguousarray(colours)).resize(whole, Image.Resampling.BICUBIC)
        self._image.paste(pixels, (round(left * _SCALE), round(top * _SCALE)))

    def axes(self, panel: Panel, x_name: str = "", y_name: str = "") -> None:
        """The frame of a panel, its ticks, and the names of its axes."""
        right, bottom = panel.left + panel.width, panel.top + panel.height
        corners = [(panel.left, panel.top), (right, panel.top), (right, bottom), (panel.left, bottom)]
        self.line(np.array([*corners, corners[0]]), FAINT)
        if x_name:
            for value in ticks(panel.x):
                across = panel.at(np.array([value]), np.array([panel.y[0]]))[0, 0]
                self.line(np.array([(across, bottom), (across, bottom + 4)]))
                self.text(across, bottom + 6, f"{value:g}", size=10, anchor="ma")
            self.text(panel.left + panel.width / 2, bottom + 22, x_name, anchor="ma")
        if y_name:
            for value in ticks(panel.y):
                down = panel.at(np.array([panel.x[0]]), np.array([value]))[0, 1]
                self.line(np.array([(panel.left - 4, down), (panel.left, down)]))
                self.text(panel.left - 6, down, f"{value:g}", size=10, anchor="rm")
            self.text(panel.left, panel.top - 4, y_name, anchor="ls")

    def scale(self, left: float, top: float, limits: tuple[float, float], name: str) -> None:
        """What the colours of a map mean."""
        panel = Panel(left, top, 160, 10, limits, (0, 1))
        self.raster(panel, np.linspace(*limits, 160)[None], limits)
        self.axes(panel, x_name=name)

    def png(self) -> bytes:
        """The image as a PNG file."""
        small = self._image.resize(self.size, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.save(file, "PNG")
        return file.getvalue()


def coloured(share: np.ndarray) -> np.ndarray:
    """The colours of shares from 0 to 1; NaN is the colour of paper."""
    known = np.isfinite(share)
    place = np.where(known, share, 0) * (len(_ANCHORS) - 1)
    low = np.minimum(place.astype(int), len(_ANCHORS) - 2)
    part = (place - low)[..., None]
    mixed = _ANCHORS[low] * (1 - part) + _ANCHORS[low + 1] * part
    return np.where(known[..., None], mixed, 255).astype(np.uint8)


def ticks(limits: tuple[float, float], most: int = 5) -> list[float]:
    """Round values within `limits`.

    >>> ticks((0.31, 0.78))
    [0.4, 0.5, 0.6, 0.7]
    """
    rough = _extent(limits) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * unit for unit in (1, 2, 5) if power * unit >= rough), power * 10)
    first = math.ceil(limits[0] / step)
    return [round(place * step, 12) for place in range(first, math.floor(limits[1] / step) + 1)]


def limits_of(values: np.ndarray, *, cut: float = 0.0) -> tuple[float, float]:
    """The range of values that are finite, without the share `cut` at each end, and a little more."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, (cut, 1 - cut))
    pad = 0.04 * (high - low) or max(abs(high) * 1e-6, 1e-6)
    return float(low - pad), float(high + pad)


def _extent(limits: Sequence[float]) -> float:
    return limits[1] - limits[0]


def _inside(panel: Panel, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    within = (x >= panel.x[0]) & (x <= panel.x[1]) & (y >= panel.y[0]) & (y <= panel.y[1])
    return np.asarray(within)


def _pairs(points: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points * _SCALE]
