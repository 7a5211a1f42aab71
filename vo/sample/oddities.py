"""The planted oddities: in every tile one object of each class becomes something that does not belong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vo.sample.objects import KINDS, Objects, generator
from vo.sample.tiles import Floats, Tile

ODDITIES = KINDS[2:]
NONE = np.nan  # a magnitude of something that gives no light


def plant_oddities(objects: Objects, tile: Tile, seed: int) -> Objects:
    """The objects, a few of them (one a class, as far as there are enough) turned into oddities."""
    rng = generator(seed, tile, 1)
    rows = rng.permutation(objects.ra.size)[: len(ODDITIES)]
    planted = _copied(objects)
    for row, (name, plant) in zip(rows, _RECIPES.items(), strict=False):
        planted.kind[row] = KINDS.index(name)
        _make_point(planted, row)
        plant(planted, row, rng)
    return planted


def _copied(objects: Objects) -> Objects:
    names = ("kind", "redshift", "magnitudes", "radius", "axis_ratio", "angle", "sersic", "motion")
    return replace(objects, **{name: getattr(objects, name).copy() for name in names})


def _make_point(objects: Objects, row: int) -> None:
    for values, point in (
        (objects.redshift, 0.0),
        (objects.radius, 0.0),
        (objects.axis_ratio, 1.0),
        (objects.angle, 0.0),
        (objects.sersic, 0.0),
    ):
        values[row] = point


def _shine(objects: Objects, row: int, r: float, colours: Floats | tuple[float, ...]) -> None:
    """Magnitudes from that in r and what each band adds to it."""
    objects.magnitudes[row] = r + np.asarray(colours)


def _spread(objects: Objects, row: int, radius: float, shape: tuple[float, float, float]) -> None:
    objects.radius[row] = radius
    objects.axis_ratio[row], objects.angle[row], objects.sersic[row] = shape


def _red_extreme(objects: Objects, row: int, rng: np.random.Generator) -> None:
    _shine(objects, row, rng.uniform(20.0, 22.0), (3.2, 0.0, -2.4, -3.6, -4.4))


def _blue_extreme(objects: Objects, row: int, rng: np.random.Generator) -> None:
    _shine(objects, row, rng.uniform(18.5, 21.0), (-1.1, 0.0, 0.6, 0.9, 1.1))


def _g_dropout(objects: Objects, row: int, rng: np.random.Generator) -> None:
    objects.redshift[row] = rng.uniform(4.0, 4.6)
    _shine(objects, row, rng.uniform(20.5, 22.0), (NONE, 0.0, -1.3, -1.4, -1.5))


def _r_dropout(objects: Objects, row: int, rng: np.random.Generator) -> None:
    objects.redshift[row] = rng.uniform(5.8, 6.4)
    _shine(objects, row, rng.uniform(19.5, 20.5), (NONE, NONE, 2.4, 0.0, -0.3))


def _giant(objects: Objects, row: int, rng: np.random.Generator) -> None:
    """A galaxy far too large, for all that it is bright."""
    objects.redshift[row] = rng.uniform(0.02, 0.05)
    _shine(objects, row, rng.uniform(14.5, 16.0), (0.6, 0.0, -0.3, -0.5, -0.6))
    _spread(objects, row, rng.uniform(18.0, 30.0), (rng.uniform(0.5, 0.9), rng.uniform(-90, 90), 1.0))


def _diffuse(objects: Objects, row: int, rng: np.random.Generator) -> None:
    """A galaxy of very low surface brightness."""
    objects.redshift[row] = rng.uniform(0.01, 0.03)
    _shine(objects, row, rng.uniform(19.0, 20.0), (0.5, 0.0, -0.25, -0.4, -0.45))
    _spread(objects, row, rng.uniform(7.0, 11.0), (rng.uniform(0.6, 0.95), rng.uniform(-90, 90), 1.0))


def _moving(objects: Objects, row: int, rng: np.random.Generator) -> None:
    """A minor planet, elsewhere in each band, and trailed along its way."""
    _shine(objects, row, rng.uniform(18.0, 20.5), (0.5, 0.0, -0.15, -0.15, -0.15))
    angle = rng.uniform(-90.0, 90.0)
    way = np.radians(angle)
    objects.motion[row] = rng.uniform(0.6, 1.5) * np.array([np.sin(way), np.cos(way)])
    _spread(objects, row, 1.2, (0.15, angle, 0.5))


def _transient(objects: Objects, row: int, rng: np.random.Generator) -> None:
    """A point that flared up while one band was exposed."""
    _shine(objects, row, rng.uniform(20.5, 21.5), (0.5, 0.0, -0.2, -0.3, -0.35))
    objects.magnitudes[row, rng.integers(0, objects.magnitudes.shape[1])] -= rng.uniform(2.5, 3.5)


_RECIPES: dict[str, Callable[[Objects, int, np.random.Generator], None]] = {
    "red_extreme": _red_extreme,
    "blue_extreme": _blue_extreme,
    "g_dropout": _g_dropout,
    "r_dropout": _r_dropout,
    "giant": _giant,
    "diffuse": _diffuse,
    "moving": _moving,
    "transient": _transient,
}
