"""Cells and outlines: exact by brute force, at poles, at 0 h, on borders and next to them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix, vertices
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.load.tile_list import TileList, read_tiles
from vo.sample.tiles import write_tile_list
from vo.tiling.cells import cell_of, centre_of, reach_of
from vo.tiling.covering import touched
from vo.tiling.outlines import CellTiles, Outlines, Pairs, found, outline, outlines_of, touched_cells

DES_TILES = Path(__file__).resolve().parents[2] / "shared/data/des-tiles"
ORDER = 5
_ROUNDING = 1e-16  # of edges of a hundredth of a radian: 10 femto-radians
RNG = np.random.default_rng(41)

Tiling = tuple[TileList, Outlines, CellTiles]


def made(path: Path) -> Tiling:
    """The tiles of a list, their outlines, and the tiles of each cell."""
    tiles = read_tiles(path)
    begins = np.arange(len(tiles.names) + 1) * 8
    outlines = outlines_of(tiles.outlines.ravel(), begins, tiles.ra, tiles.dec)
    tile, cell = touched_cells(outlines, ORDER)
    order = np.argsort(cell, kind="stable")
    begins = np.searchsorted(cell[order], np.arange(12 * 4**ORDER + 1))
    return tiles, outlines, CellTiles(begins, tile[order], ORDER)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Tiling:
    """The tiles of the sample, poles and 0 h among them."""
    path = tmp_path_factory.mktemp("tiles") / "tiles.csv"
    write_tile_list(path)
    return made(path)


@pytest.fixture(scope="module", params=["y3a2_tiles.csv", "dr2_tiles.csv"])
def des(request: pytest.FixtureRequest) -> Tiling:
    """The tiles of DES."""
    if not DES_TILES.exists():
        pytest.skip("the tile lists of DES are not here")
    return made(DES_TILES / request.param)


def vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Unit vectors."""
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def brute_force(
    tiles: TileList, lon: np.ndarray, lat: np.ndarray
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Pairs of a position and a tile that holds it, of all; and pairs that rounding might decide.

    A tile has what is behind its four edges, which go round it clockwise as seen from outside.
    """
    positions, corners = vectors(lon, lat), vectors(tiles.outlines[..., 0], tiles.outlines[..., 1])
    certain, uncertain = set(), set()
    for tile in range(len(tiles.names)):
        edges = np.cross(np.roll(corners[tile], -1, axis=0), corners[tile])
        sides = (positions @ edges.T).min(axis=1)
        certain |= {(int(i), tile) for i in np.flatnonzero(sides > _ROUNDING)}
        uncertain |= {(int(i), tile) for i in np.flatnonzero(np.abs(sides) <= _ROUNDING)}
    return certain, uncertain


def agrees(tiling: Tiling, lon: np.ndarray, lat: np.ndarray) -> bool:
    """Whether a look-up finds what brute force finds, of positions that are mostly farther than rounding."""
    tiles, outlines, cells = tiling
    certain, uncertain = brute_force(tiles, lon, lat)
    assert len(uncertain) < len(certain) / 100
    return as_set(found(lon, lat, outlines, tiles.bounds, cells)) - uncertain == certain


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    """The pairs of a look-up."""
    places = np.repeat(np.arange(len(pairs.begins) - 1), np.diff(pairs.begins))
    return set(zip(places.tolist(), pairs.tiles.tolist(), strict=True))


def near(tiles: TileList, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions about the tiles: inside, beside, and within a micro-degree of an edge or a corner."""
    chosen = RNG.choice(len(tiles.names), count)
    start, end = (tiles.outlines[chosen, (RNG.integers(4, size=count) + step) % 4] for step in (0, 1))
    on_edge = vectors(start[:, 0], start[:, 1]) * (part := RNG.uniform(-0.1, 1.1, count))[:, None]
    on_edge += vectors(end[:, 0], end[:, 1]) * (1 - part)[:, None]
    off = RNG.normal(size=(count, 3)) * 10.0 ** RNG.uniform(-11, -1.5, count)[:, None]
    x, y, z = (on_edge + off).T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


@settings(deadline=None)
@given(lon=st.floats(0, 360), lat=st.floats(-90, 90), order=st.integers(0, 29))
def test_cells_are_those_of_cdshealpix(lon: float, lat: float, order: int) -> None:
    """The cell of a position, up to rounding, and its centre, no farther away than a cell reaches."""
    cell = cell_of(lon, lat, order)
    steps = (-1e-12, 0.0, 1e-12)
    around = {cell_of((lon + x) % 360, min(max(lat + y, -90.0), 90.0), order) for x in steps for y in steps}
    assert lonlat_to_healpix(Longitude(lon, units.deg), Latitude(lat, units.deg), order)[0] in around
    there = healpix_to_lonlat(np.array([cell], np.uint64), order)
    centre = vectors(there[0].deg, there[1].deg)[0]
    assert np.linalg.norm(centre - centre_of(cell, order)) < 2e-15
    assert (
        np.linalg.norm(centre - vectors(np.array(lon), np.array(lat)))
        <= 2 * np.sin(reach_of(order) / 2) + 1e-15
    )


def test_a_position_has_the_tiles_of_brute_force(sample: Tiling) -> None:
    """Of the sample: positions in, beside and on the borders of the tiles, the pole, and 0 h."""
    lon, lat = near(sample[0], 20_000)
    lon[:4], lat[:4] = (0.0, 360.0, 12.0, 300.0), (-40.5, -40.5, -90.0, -89.99)
    assert agrees(sample, lon, lat)


def test_a_position_has_the_tiles_of_brute_force_in_des(des: Tiling) -> None:
    """Of all tiles of DES: positions about them, and anywhere."""
    lon, lat = near(des[0], 1_500)
    anywhere = RNG.uniform(0, 360, 500), np.degrees(np.arcsin(RNG.uniform(-1, 1, 500)))
    assert agrees(des, np.concatenate([lon, anywhere[0]]), np.concatenate([lat, anywhere[1]]))


@given(
    tile=st.integers(0, 60), corner=st.integers(0, 3), exponent=st.floats(-12, -2), turn=st.floats(0, 6.28)
)
def test_corners_belong_to_their_tile(
    sample: Tiling, tile: int, corner: int, exponent: float, turn: float
) -> None:
    """A corner is in its tile; what is next to it, if brute force says so with room for rounding."""
    tiles, outlines, cells = sample
    tile %= len(tiles.names)
    lon, lat = tiles.outlines[tile, corner]
    assert (0, tile) in as_set(found(np.array([lon]), np.array([lat]), outlines, tiles.bounds, cells))
    beside = np.array([lon + np.cos(turn) * 10**exponent]), np.array([lat + np.sin(turn) * 10**exponent])
    if abs(beside[1][0]) <= 90:
        corners = vectors(tiles.outlines[tile, :, 0], tiles.outlines[tile, :, 1])
        edges = np.array([np.cross(corners[(k + 1) % 4], corners[k]) for k in range(4)])
        sides = vectors(*beside)[0] @ edges.T
        if np.abs(sides).min() > 1e-15:
            here = as_set(found(*beside, outlines, tiles.bounds, cells))
            assert ((0, tile) in here) == bool((sides > 0).all())


def test_owners_come_first_and_then_the_nearest(sample: Tiling) -> None:
    """The owner by the bounds of its area; behind it tiles by the distance of their centres."""
    tiles, outlines, cells = sample
    lon, lat = near(tiles, 5_000)
    pairs = found(lon, lat, outlines, tiles.bounds, cells)
    centres, positions = vectors(tiles.ra, tiles.dec), vectors(lon, lat)
    for i in np.flatnonzero(np.diff(pairs.begins)):
        here = slice(pairs.begins[i], pairs.begins[i + 1])
        west, east, south, north = tiles.bounds[pairs.tiles[here]].T
        owned = ((lon[i] - west) % 360 < east - west) & (south <= lat[i]) & (lat[i] < north)
        assert pairs.owned[here].tolist() == owned.tolist()
        far = np.linalg.norm(centres[pairs.tiles[here]] - positions[i], axis=1)
        assert list(zip(~owned, far, strict=True)) == sorted(zip(~owned, far, strict=True))


def test_what_is_unknown_is_nowhere(sample: Tiling) -> None:
    """NaN is in no tile."""
    tiles, outlines, cells = sample
    lon, lat = np.array([np.nan, 0.0, np.nan]), np.array([0.0, np.nan, np.nan])
    assert len(found(lon, lat, outlines, tiles.bounds, cells).tiles) == 0


def sampled(order: int, cell: int, side: int = 200) -> np.ndarray:
    """Positions all along the border of a cell."""
    lon, lat = vertices(np.array([cell], np.uint64), order, step=side)
    return vectors(lon.deg[0], lat.deg[0])


@pytest.mark.parametrize("numbers", [
    [0.0, -40.0, 0.5, -40.0, 0.5, -39.5],
    [359.9, -0.1, 0.1, -0.1, 0.1, 0.1, 359.9, 0.1],
    [0.0, 89.0, 120.0, 89.0, 240.0, 89.0],
    [44.0, 41.0, 46.0, 41.0, 46.0, 42.5, 44.0, 42.5],
    [10.0, 10.0, 10.00001, 10.0, 10.0, 10.00001],
    [0.0, 0.0, 100.0, 0.0, 100.0, 60.0, 0.0, 30.0],
    [10.0, 0.0, 20.0, 0.0, 20.0, 20.0, 15.0, 1.0],
])  # fmt: skip
def test_a_polygon_touches_the_cells_of_brute_force(numbers: Sequence[float]) -> None:
    """The cells that its border passes, and those with a border that it holds: no more, no less."""
    corners = np.array(numbers)
    outlines = outlines_of(corners, np.array([0, len(corners)]), corners[:1], corners[1:2])
    loop, frame = outline(outlines, 0)
    touches = set(touched(loop, frame, 4).tolist())
    edges = np.linspace(0, 1, 4_000)[:, None]
    border = np.concatenate([loop[k - 1] * edges + loop[k] * (1 - edges) for k in range(len(loop))])
    border /= np.linalg.norm(border, axis=1, keepdims=True)
    on_border = (
        np.degrees(np.arctan2(border[:, 1], border[:, 0])),
        np.degrees(np.arcsin(border[:, 2].clip(-1, 1))),
    )
    crossed = lonlat_to_healpix(
        Longitude(on_border[0] % 360, units.deg), Latitude(on_border[1], units.deg), 4
    )
    assert set(crossed.tolist()) <= touches
    cells = CellTiles(np.arange(13), np.zeros(12, np.int64), 0)
    for cell in range(12 * 4**4):
        x, y, z = sampled(4, cell).T
        lon, lat = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z.clip(-1, 1)))
        holds = len(found(lon, lat, outlines, np.full((1, 4), np.nan), cells).tiles) > 0
        assert (cell in touches) or not holds
        if cell in touches and not holds and cell not in crossed:
            # Whatever is within the spacing of the samples may be missed by them; nothing else.
            gap = np.linalg.norm(sampled(4, cell)[:, None] - border[None, ::40], axis=2).min()
            assert gap < 0.01


def test_lists_of_des_have_places_for_all_their_tiles(des: Tiling) -> None:
    """Each tile touches the cells of its corners and centre."""
    tiles, _, cells = des
    owners = np.repeat(np.arange(len(cells.begins) - 1), np.diff(cells.begins))
    known = set(zip(owners.tolist(), cells.tiles.tolist(), strict=True))
    for k in range(4):
        corner = tiles.outlines[:, k]
        where = lonlat_to_healpix(
            Longitude(corner[:, 0], units.deg), Latitude(corner[:, 1], units.deg), ORDER
        )
        assert set(zip(where.tolist(), range(len(where)), strict=True)) <= known


def test_des_is_listed_as_we_read_it(des: Tiling) -> None:
    """Centres and bounds are those of the list."""
    tiles, _, _ = des
    with (DES_TILES / "y3a2_tiles.csv").open() as lines:
        listed = {row["TILENAME"]: row for row in csv.DictReader(lines)}
    both = [(i, listed[name]) for i, name in enumerate(tiles.names) if name in listed]
    assert len(both) > 10_000
    for i, row in both[::50]:
        assert tiles.ra[i] == pytest.approx(float(row["RA_CENT"]), abs=2e-5)
        bounds = [float(row[name]) for name in ("URALL", "URAUR", "UDECLL", "UDECUR")]
        assert tiles.bounds[i].tolist() == pytest.approx(bounds, abs=2e-5)
