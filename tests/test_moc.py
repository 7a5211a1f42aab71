"""MOCs in every form and the operations on them, beside mocpy."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import healpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC

from vo.errors import UsageError
from vo.moc import Moc, ascii_text, fits_bytes, json_text, polygon_moc, read_ascii, read_fits, read_json
from vo.moc.moc import ALL_CELLS
from vo.regions.polygons import edge_distance, framed, is_inside, vertices_of

DES = Path(__file__).resolve().parents[2] / "shared" / "data" / "des-footprint"


QUICK = settings(max_examples=40, deadline=None)


@st.composite
def mocs(draw: st.DrawFn) -> Moc:
    """Some cells of any orders, the finest named now and then without a cell."""
    finest = draw(st.integers(0, 29))
    depths = draw(st.lists(st.integers(0, finest), max_size=30))
    places = draw(st.lists(st.integers(0, ALL_CELLS - 1), min_size=len(depths), max_size=len(depths)))
    orders = np.array(depths, np.int64)
    cells = np.array(places, np.int64) >> (2 * (29 - orders))
    return Moc.from_cells(finest, cells, at=orders)


def theirs(moc: Moc) -> MOC:
    """The same MOC of mocpy."""
    return MOC.from_depth29_ranges(moc.order, moc.ranges.astype(np.uint64))


def same(moc: Moc, other: MOC) -> bool:
    """Whether both cover the same."""
    return np.array_equal(moc.ranges, other.to_depth29_ranges.astype(np.int64).reshape(-1, 2))


@QUICK
@given(mocs())
def test_every_form_reads_back(moc: Moc) -> None:
    """ASCII, JSON and FITS are read by us and by mocpy as what was written."""
    assert read_ascii(ascii_text(moc)) == moc
    assert read_json(json_text(moc)) == moc
    assert read_fits(io.BytesIO(fits_bytes(moc))) == moc
    assert MOC.from_string(ascii_text(moc)) == theirs(moc)
    assert MOC.from_string(json_text(moc), "json") == theirs(moc)
    assert MOC._from_fits_raw_bytes(fits_bytes(moc)) == theirs(moc)
    assert read_ascii(theirs(moc).to_string()) == moc
    assert read_json(theirs(moc).to_string("json")) == moc


@QUICK
@given(mocs(), mocs())
def test_operations_are_those_of_mocpy(one: Moc, other: Moc) -> None:
    """Union, intersection, difference, area, and the cells of a coarser order."""
    assert same(one | other, theirs(one).union(theirs(other)))
    assert same(one & other, theirs(one).intersection(theirs(other)))
    assert same(one - other, theirs(one).difference(theirs(other)))
    assert one.sky_fraction == pytest.approx(theirs(one).sky_fraction, abs=1e-12)
    coarse = min(one.order, 4)
    assert same(
        one.degraded(coarse), theirs(one).degrade_to_order(coarse) if coarse < one.order else theirs(one)
    )


@QUICK
@given(mocs(), st.lists(st.integers(0, ALL_CELLS - 1), min_size=1))
def test_cells_are_held_as_the_ranges_say(moc: Moc, cells: list[int]) -> None:
    """The ends of ranges and any cells."""
    tried = np.array([*cells, *moc.ranges[:, 0].tolist(), *(moc.ranges[:, 1] - 1).tolist()], np.int64)
    expected = [any(low <= cell < high for low, high in moc.ranges.tolist()) for cell in tried.tolist()]
    assert moc.holds(tried).tolist() == expected


@pytest.mark.parametrize("size", [0.01, 1, 40, 85, 110, 140])
def test_the_moc_of_a_polygon_has_all_of_it(size: float) -> None:
    """Random polygons drawn either way, concave ones and those beyond a hemisphere; few cells beside them."""
    rng = np.random.default_rng(int(size * 100))
    order = min(14, max(0, int(np.log2(58.6 / size)) + 5))
    for turn in range(4):
        numbers = _polygon(rng, size)
        numbers = numbers.reshape(-1, 2)[:: (-1) ** turn].ravel()
        vertices = vertices_of(numbers)
        frame = framed(vertices)
        points = rng.normal(size=(4000, 3)) if size > 30 else _around(rng, vertices, size)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        inside = np.array([is_inside(tuple(point), vertices, frame) for point in points.tolist()])
        lon, lat = np.degrees(np.arctan2(points[:, 1], points[:, 0])), np.degrees(np.arcsin(points[:, 2]))
        moc = polygon_moc(numbers, order)
        covered = moc.holds(healpy.ang2pix(1 << 29, lon, lat, nest=True, lonlat=True))
        assert 50 < inside.sum() < 3950
        assert covered[inside].all()
        outside = np.flatnonzero(covered & ~inside)
        near = [edge_distance(tuple(points[row].tolist()), vertices) for row in outside]
        assert max(near, default=0) <= 2 * np.radians(58.6) / (1 << order)


def _polygon(rng: np.random.Generator, size: float) -> np.ndarray:
    """A star around some axis, its corners up to `size` degrees away."""
    angles = (np.arange(7) + rng.uniform(0, 0.8, 7)) * 2 * np.pi / 7
    reach = np.radians(rng.uniform(0.5, 1, 7) * size)[:, None]
    z, x, y = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    corners = np.cos(reach) * z + np.sin(reach) * (np.cos(angles)[:, None] * x + np.sin(angles)[:, None] * y)
    lon, lat = (
        np.degrees(np.arctan2(corners[:, 1], corners[:, 0])) % 360,
        np.degrees(np.arcsin(corners[:, 2])),
    )
    return np.stack([lon, lat], axis=1).ravel()


def _around(rng: np.random.Generator, vertices: np.ndarray, size: float) -> np.ndarray:
    return vertices.mean(axis=0) + rng.normal(scale=np.radians(size) / 2, size=(4000, 3))


@QUICK
@given(st.text(alphabet="0123456789/,- \n\tx", max_size=40))
def test_any_text_is_a_moc_or_a_usage_error(text: str) -> None:
    """What is taken reads back; nothing but a UsageError is raised."""
    with suppress(UsageError):
        moc = read_ascii(text)
        assert read_ascii(ascii_text(moc)) == moc


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_are_a_moc_or_a_usage_error(content: bytes) -> None:
    """No other exception leaves the reader of FITS."""
    with pytest.raises(UsageError):
        read_fits(io.BytesIO(b"SIMPLE  =                    T" + content))


@pytest.mark.parametrize("name", ["des_dr2.moc.fits", "des_dr2_o7.moc.json"])
def test_real_mocs_are_read(name: str) -> None:
    """The footprint of DES, as mocpy wrote it."""
    path = DES / name
    if not path.exists():
        pytest.skip("the footprint of DES is not at hand")
    if name.endswith("fits"):
        with path.open("rb") as file:
            assert same(read_fits(file), MOC.from_fits(str(path)))
    else:
        assert same(read_json(path.read_text()), MOC.load(str(path), "json"))
