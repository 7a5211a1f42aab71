"""The pictures of a run: how scores are spread, where the anomalies lie, and how the trees see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix

from vo.anomaly.canvas import FAINT, INK, ORDINARY, STRANGE, Canvas, Panel, limits_of, ticks

SKY_ORDER = 7
"""The order of the HEALPix cells whose scores are averaged: half a degree."""

_MOST_SPOKES = 720
_MOST_CORNER = 6
_ALL_SKY_DEG = 60.0
_FLAT = 1e-9


def histogram(counts: np.ndarray, threshold: float, title: str) -> bytes:
    """How many objects have which score; `counts` are those of equal steps from 0 to 1."""
    canvas = Canvas(720, 420, title)
    shown = np.flatnonzero(counts)
    low, high = (shown[0], shown[-1] + 1) if shown.size else (0, len(counts))
    heights = np.log10(counts[low:high] + 1.0)
    edges = np.arange(low, high + 1) / len(counts)
    top = float(heights.max(initial=0.0)) * 1.05 or 1.0
    panel = Panel(64, 60, 620, 290, (float(edges[0]), float(edges[-1])), (0.0, top))
    left, _ = panel.at(edges, np.zeros(len(edges))).T
    _, upper = panel.at(edges[:-1], heights).T
    base = panel.top + panel.height
    for place, height in enumerate(upper):
        if height < base:
            colour = STRANGE if edges[place] >= threshold else ORDINARY
            canvas.box(
                left[place] + 0.5, float(height), max(left[place + 1] - 0.5, left[place] + 1), base, colour
            )
    canvas.axes(panel, "anomaly score s")
    for power in range(int(top) + 1):
        y = panel.at(np.array([panel.x[0]]), np.array([np.log10(10.0**power + 1)]))[0, 1]
        if y >= panel.top:
            canvas.text(panel.left - 8, y, f"{10**power:,}", size=10, anchor="rm")
    canvas.text(panel.left, panel.top - 6, "objects", anchor="ls")
    if panel.x[0] <= threshold <= panel.x[1]:
        mark = panel.at(np.array([threshold, threshold]), np.array([0.0, top]))
        canvas.line(mark, STRANGE)
        canvas.text(mark[0, 0] + 4, panel.top + 4, f"s = {threshold:.4f}", size=10, colour=STRANGE)
    return canvas.png()


def corner(names: Sequence[str], ordinary: np.ndarray, strange: np.ndarray, title: str) -> bytes:
    """Each feature against each other: the density of ordinary objects, and the anomalies as dots."""
    count = min(len(names), _MOST_CORNER)
    side, gap = (150, 26) if count > 2 else (240, 26)  # noqa: PLR2004  two panels may be larger
    whole = 110 + count * (side + gap)
    canvas = Canvas(whole, whole, title)
    ranges = [_shared(ordinary[:, k], strange[:, k]) for k in range(count)]
    for row in range(count):
        for column in range(row + 1):
            panel = _cell(row, column, side, gap, ranges)
            x_name = names[column] if row == count - 1 else ""
            if row == column:
                _profile(canvas, panel, ordinary[:, row], x_name)
                continue
            _density(canvas, panel, ordinary[:, column], ordinary[:, row])
            canvas.points(panel, strange[:, column], strange[:, row], STRANGE)
            canvas.axes(panel, x_name, names[row] if column == 0 else "")
    return canvas.png()


def _cell(row: int, column: int, side: int, gap: int, ranges: Sequence[tuple[float, float]]) -> Panel:
    left, top = 70 + column * (side + gap), 56 + row * (side + gap)
    return Panel(left, top, side, side, ranges[column], (0.0, 1.05) if row == column else ranges[row])


def _profile(canvas: Canvas, panel: Panel, values: np.ndarray, name: str) -> None:
    counts, edges = np.histogram(values[np.isfinite(values)], bins=40, range=panel.x)
    heights = counts / max(counts.max(), 1)
    corners = panel.at(np.repeat(edges, 2)[1:-1], np.repeat(heights, 2))
    canvas.line(corners, ORDINARY, 1.5)
    canvas.axes(panel, name)


def _density(canvas: Canvas, panel: Panel, x: np.ndarray, y: np.ndarray) -> None:
    known = np.isfinite(x) & np.isfinite(y)
    counts, _, _ = np.histogram2d(x[known], y[known], bins=50, range=(panel.x, panel.y))
    shades = np.where(counts > 0, np.log1p(counts), np.nan).T
    canvas.raster(panel, shades, (0.0, float(np.log1p(counts.max(initial=1)))))


def _shared(ordinary: np.ndarray, strange: np.ndarray) -> tuple[float, float]:
    """A range with nearly all ordinary objects, and the anomalies unless they lie far outside."""
    low, high = limits_of(ordinary, cut=0.001)
    reach = high - low
    near = strange[np.isfinite(strange) & (strange > low - reach) & (strange < high + reach)]
    return limits_of(np.concatenate(([low, high], near)))


def score_map(
    names: Sequence[str],
    panel_ranges: tuple[tuple[float, float], tuple[float, float]],
    scores: np.ndarray,
    ordinary: np.ndarray,
    strange: np.ndarray,
) -> bytes:
    """What the forest says of two features, the others being medians; `scores` has the lowest y first."""
    canvas = Canvas(640, 640, f"Score of {names[0]} and {names[1]}")
    panel = Panel(80, 70, 500, 450, *panel_ranges)
    limits = limits_of(scores)
    canvas.raster(panel, scores, limits)
    canvas.points(panel, ordinary[:, 0], ordinary[:, 1], "#ffffff", radius=0.8)
    canvas.points(panel, strange[:, 0], strange[:, 1], STRANGE)
    canvas.axes(panel, names[0], names[1])
    canvas.scale(80, 580, limits, "score")
    return canvas.png()


def sky_map(cells: np.ndarray, means: np.ndarray, places: np.ndarray) -> bytes:
    """The mean score of each HEALPix cell, and the `places` of anomalies as longitude and latitude."""
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), SKY_ORDER)
    lon_deg, lat_deg = lon.to_value(units.deg), lat.to_value(units.deg)
    middle = float(np.degrees(np.angle(np.exp(1j * np.radians(lon_deg)).mean())))
    across = _turned(lon_deg, middle) * np.cos(np.radians(lat_deg))
    wide = max(np.ptp(across), np.ptp(lat_deg)) > _ALL_SKY_DEG
    canvas = Canvas(820, 540, "Mean score on the sky")
    limits = limits_of(means, cut=0.02)
    draw = _whole_sky if wide else _patch
    panel = draw(canvas, (lon_deg, lat_deg), middle, _Means(cells, means), limits)
    x, y = (_mollweide if wide else _flat)(places[:, 0], places[:, 1], middle, float(lat_deg.mean()))
    canvas.points(panel, x, y, STRANGE, radius=1 if wide else 2)
    canvas.scale(60, 478, limits, "mean score")
    return canvas.png()


class _Means:
    """The mean score of positions."""

    def __init__(self, cells: np.ndarray, means: np.ndarray) -> None:
        order = np.argsort(cells)
        self._cells, self._means = cells[order], means[order]

    def at(self, lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
        """The score around each position; NaN where there is no object or no sky."""
        on_sky = np.isfinite(lon_deg) & (np.abs(lat_deg) <= 90)  # noqa: PLR2004  the poles
        wanted = lonlat_to_healpix(
            Longitude(np.where(on_sky, lon_deg, 0) % 360, units.deg),
            Latitude(np.where(on_sky, lat_deg, 0), units.deg),
            SKY_ORDER,
        ).astype(np.int64)
        place = np.minimum(np.searchsorted(self._cells, wanted), len(self._cells) - 1)
        found = on_sky & (self._cells[place] == wanted)
        return np.where(found, self._means[place], np.nan)


def _patch(
    canvas: Canvas,
    positions: tuple[np.ndarray, np.ndarray],
    middle: float,
    means: _Means,
    limits: tuple[float, float],
) -> Panel:
    """A part of the sky, east to the left."""
    lon_deg, lat_deg = positions
    centre = float(lat_deg.mean())
    x, y = _flat(lon_deg, lat_deg, middle, centre)
    half = max(np.ptp(x) / 700, np.ptp(y) / 380, 1e-3) / 2 + 1e-4
    x_mid, y_mid = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    half *= 1.08
    panel = Panel(
        60, 60, 700, 380, (x_mid - 700 * half, x_mid + 700 * half), (y_mid - 380 * half, y_mid + 380 * half)
    )
    grid_x, grid_y = np.meshgrid(np.linspace(*panel.x, 700), np.linspace(*panel.y, 380))
    scores = means.at(middle - grid_x / np.cos(np.radians(centre)), grid_y)
    canvas.raster(panel, scores, limits)
    canvas.axes(panel, y_name="Dec / deg")
    for value in ticks((panel.x[0], panel.x[1])):
        across = panel.at(np.array([value]), np.array([panel.y[0]]))[0, 0]
        lon = (middle - value / np.cos(np.radians(centre))) % 360
        canvas.text(across, panel.top + panel.height + 6, f"{lon:.2f}", size=10, anchor="ma")
    canvas.text(410, 458, "RA / deg", anchor="ma")
    return panel


def _whole_sky(
    canvas: Canvas,
    _positions: tuple[np.ndarray, np.ndarray],
    middle: float,
    means: _Means,
    limits: tuple[float, float],
) -> Panel:
    """The whole sky in Mollweide's projection, east to the left."""
    panel = Panel(60, 56, 700, 350, (-2.0, 2.0), (-1.0, 1.0))
    x, y = np.meshgrid(np.linspace(-2, 2, 1400), np.linspace(-1, 1, 700))
    theta = np.arcsin(np.clip(y, -1, 1))
    lat = np.degrees(np.arcsin(np.clip((2 * theta + np.sin(2 * theta)) / np.pi, -1, 1)))
    inside = (x / 2) ** 2 + y**2 < 1
    with np.errstate(divide="ignore", invalid="ignore"):
        lon = middle - np.where(inside, x * 90 / np.cos(theta), np.nan)
    canvas.raster(panel, means.at(lon, lat), limits)
    turn = np.linspace(0, 2 * np.pi, 361)
    canvas.line(panel.at(2 * np.cos(turn), np.sin(turn)), FAINT)
    for lat_deg in (-60, -30, 0, 30, 60):
        around = np.linspace(-179.9, 179.9, 181)
        canvas.line(panel.at(*_mollweide(around, np.full(181, float(lat_deg)), 0.0, 0.0)), FAINT, 0.5)
    canvas.text(410, 424, f"RA {middle % 360:.0f} deg in the middle, east to the left", anchor="ma")
    return panel


def _mollweide(
    lon_deg: np.ndarray, lat_deg: np.ndarray, middle: float, _centre: float
) -> tuple[np.ndarray, np.ndarray]:
    lat = np.radians(lat_deg)
    theta = lat.copy()
    for _ in range(30):  # Newton's method; at the poles it starts where it ends
        slope = 2 + 2 * np.cos(2 * theta)
        theta -= np.where(
            slope > _FLAT, (2 * theta + np.sin(2 * theta) - np.pi * np.sin(lat)), 0
        ) / np.maximum(slope, _FLAT)
    return -_turned(lon_deg, middle) / 90 * np.cos(theta), np.sin(theta)


def _flat(
    lon_deg: np.ndarray, lat_deg: np.ndarray, middle: float, centre: float
) -> tuple[np.ndarray, np.ndarray]:
    return -_turned(lon_deg, middle) * np.cos(np.radians(centre)), lat_deg


def _turned(lon_deg: np.ndarray, middle: float) -> np.ndarray:
    """Longitudes from -180 to 180 around `middle`."""
    return np.asarray((lon_deg - middle + 180) % 360 - 180)


def radial_forest(ordinary: np.ndarray, strange: np.ndarray, depth_limit: float) -> bytes:
    """Each tree as a spoke as long as the path of an object in it: of a usual object, and of the strangest.

    After the pictures in Hariri, Carrasco Kind & Brunner (2019), whose circle is the depth limit.
    """
    canvas = Canvas(720, 400, "The forest: a spoke a tree, its length the depth of the object")
    furthest = max(float(ordinary.max()), float(strange.max()), depth_limit)
    for x, lengths, colour, name in (
        (190, ordinary, ORDINARY, "a usual object"),
        (530, strange, STRANGE, "the strangest object"),
    ):
        shown = lengths[:_MOST_SPOKES]
        angles = np.linspace(0, 2 * np.pi, len(shown), endpoint=False)
        for angle, length in zip(angles, shown, strict=True):
            reach = 140 * length / furthest
            end = (x + reach * np.sin(angle), 205 - reach * np.cos(angle))
            canvas.line(np.array([(x, 205), end]), colour, 1)
        canvas.ring(x, 205, 140 * depth_limit / furthest, INK)
        canvas.ring(x, 205, 140 * float(lengths.mean()) / furthest, FAINT)
        canvas.text(x, 362, f"{name}: mean depth {lengths.mean():.2f}", anchor="ma")
    return canvas.png()
