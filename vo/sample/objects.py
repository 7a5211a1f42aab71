"""What is really there: stars and galaxies strewn over the unique area of a tile, before anyone looks.

Everything about a tile's objects follows from the seed, the tile and the density; no other tile matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vo.sample.colours import galaxy_magnitudes, star_magnitudes
from vo.sample.sky import BANDS, EXTINCTION, ebv
from vo.sample.tiles import MICRO, Floats, Tile, from_gnomonic

KINDS = (
    *("star", "galaxy"),
    *("red_extreme", "blue_extreme", "g_dropout", "r_dropout", "giant", "diffuse", "moving", "transient"),
)
"""What an object can be; from the third on they are oddities, one of each in every tile."""

STAR, GALAXY = 0, 1
IDS_A_TILE = 1_000_000
STAR_FRACTION = 0.18
HALO_FRACTION = 0.35
CLUSTER_FRACTION = 0.2
CLUSTER_RICHNESS = 60


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects as they are; arrays of n values, `magnitudes` of (n, 5).

    `magnitudes` are reddened by dust and without noise, NaN where there is no light; `radius` is the
    half-light radius in arcsec (0: a point), `angle` the position angle in degrees from north to east,
    `motion` (n, 2) the arcsec east and north between one band and the next, (`ra`, `dec`) being that in i.
    """

    ident: NDArray[np.int64]
    kind: NDArray[np.int8]
    ra: Floats
    dec: Floats
    redshift: Floats
    magnitudes: Floats
    radius: Floats
    axis_ratio: Floats
    angle: Floats
    sersic: Floats
    motion: Floats

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The objects of those rows."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def position_in(self, band: int) -> tuple[Floats, Floats]:
        """Where the objects are while band number `band` is exposed."""
        east, north = (self.motion * ((band - BANDS.index("i")) / 3600.0)).T
        moved = from_gnomonic(east, north, self.ra, self.dec)
        still = (east == 0.0) & (north == 0.0)
        return np.where(still, self.ra, moved[0]), np.where(still, self.dec, moved[1])


def generator(seed: int, tile: Tile, stage: int) -> np.random.Generator:
    """The random numbers of one stage of the making of one tile."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(tile.number, stage))))


def draw_objects(tile: Tile, density: float, seed: int) -> Objects:
    """The stars and galaxies of a tile, `density` per square degree, ordered by declination."""
    rng = generator(seed, tile, 0)
    count = int(rng.poisson(density * tile.area_deg2))
    stars = int(rng.binomial(count, STAR_FRACTION))
    drawn = _joined(_stars(tile, stars, rng), _galaxies(tile, count - stars, rng))
    ordered = drawn.take(np.argsort(drawn.dec, kind="stable"))
    dust = ebv(ordered.ra, ordered.dec)[:, np.newaxis] * EXTINCTION
    ident = tile.number * IDS_A_TILE + np.arange(count, dtype=np.int64)
    return replace(ordered, ident=ident, magnitudes=ordered.magnitudes + dust)


def _stars(tile: Tile, count: int, rng: np.random.Generator) -> Objects:
    """Halo turn-off stars and disc dwarfs, points all."""
    ra, dec = _scattered(tile, count, rng)
    r = _apparent(count, 0.17, rng)
    halo = rng.random(count) < HALO_FRACTION
    g_minus_i = np.where(halo, rng.normal(0.55, 0.18, count), rng.normal(2.1, 0.6, count))
    zero = np.zeros(count)
    return Objects(
        ident=np.zeros(count, np.int64),
        kind=np.full(count, STAR, np.int8),
        ra=ra,
        dec=dec,
        redshift=zero,
        magnitudes=star_magnitudes(r, np.clip(g_minus_i, -0.5, 3.7), rng),
        radius=zero,
        axis_ratio=np.ones(count),
        angle=zero,
        sersic=zero,
        motion=np.zeros((count, 2)),
    )


def _galaxies(tile: Tile, count: int, rng: np.random.Generator) -> Objects:
    """Field galaxies, and clusters whose members share a place, a redshift and an old, red colour."""
    r = _apparent(count, 0.38, rng)
    ra, dec = _scattered(tile, count, rng)
    redshift = rng.gamma(3.0, np.clip(0.1 + 0.09 * (r - 18.0), 0.03, None) / 3.0)
    redness = rng.beta(0.4, 0.4 + np.clip(redshift, 0.0, 2.0), count)
    members = rng.random(count) < CLUSTER_FRACTION
    ra, dec, redshift = _clustered(tile, members, (ra, dec, redshift), rng)
    redness = np.where(members, np.clip(rng.normal(0.9, 0.1, count), 0.0, 1.0), redness)
    radius = 1.2 * 10 ** (-0.12 * (r - 20.0) + rng.normal(0.0, 0.16, count))
    return Objects(
        ident=np.zeros(count, np.int64),
        kind=np.full(count, GALAXY, np.int8),
        ra=ra,
        dec=dec,
        redshift=redshift,
        magnitudes=galaxy_magnitudes(r, redshift, redness, rng),
        radius=np.clip(radius, 0.15, 12.0),
        axis_ratio=np.clip(rng.beta(3.0, 1.6, count), 0.12, 1.0),
        angle=rng.uniform(-90.0, 90.0, count),
        sersic=1.0 + 3.0 * redness,
        motion=np.zeros((count, 2)),
    )


def _apparent(count: int, slope: float, rng: np.random.Generator) -> Floats:
    """Magnitudes in r whose number rises as 10^(slope m) and falls off where the survey ends, near 24."""
    grid = np.linspace(15.0, 25.5, 1051)
    numbers = 10 ** (slope * (grid - 24.0)) / (1.0 + np.exp((grid - 23.9) / 0.22))
    share = np.cumsum(numbers) / numbers.sum()
    return np.asarray(np.interp(rng.random(count), share, grid))


def _scattered(tile: Tile, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Positions spread evenly over the unique area."""
    low, high = (math.sin(math.radians(edge)) for edge in (tile.udec_min, tile.udec_max))
    ra = tile.ura_min + (tile.ura_max - tile.ura_min) * rng.random(count)
    dec = np.degrees(np.arcsin(low + (high - low) * rng.random(count)))
    return _inside(tile, ra, dec)


def _inside(tile: Tile, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """The positions, those within rounding of an edge moved in: published decimals must not cross it."""
    step = 1.0 / MICRO
    lon = np.clip((ra - tile.ura_min) % 360.0, step, tile.ura_max - tile.ura_min - 2 * step)
    return (tile.ura_min + lon) % 360.0, np.clip(dec, tile.udec_min + step, tile.udec_max - 2 * step)


def _clustered(
    tile: Tile, members: NDArray[np.bool_], field: tuple[Floats, Floats, Floats], rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """RA, Dec and redshift with the `members` gathered in clusters; who falls off the tile stays put."""
    ra, dec, redshift = field
    count = ra.size
    clusters = 1 + int(rng.poisson(members.sum() / CLUSTER_RICHNESS))
    centre_ra, centre_dec = _scattered(tile, clusters, rng)
    spread = rng.uniform(0.006, 0.03, clusters)
    distance = rng.uniform(0.1, 0.8, clusters)
    home = rng.integers(0, clusters, count)
    east, north = rng.normal(0.0, 1.0, (2, count)) * spread[home]
    near_ra, near_dec = from_gnomonic(east, north, centre_ra[home], centre_dec[home])
    gathered = members & tile.contains(near_ra, near_dec)
    placed = _inside(tile, np.where(gathered, near_ra, ra), np.where(gathered, near_dec, dec))
    return (
        *placed,
        np.where(members, distance[home] + rng.normal(0.0, 0.004, count), redshift),
    )


def _joined(first: Objects, second: Objects) -> Objects:
    names = [field.name for field in fields(Objects)]
    return Objects(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})
