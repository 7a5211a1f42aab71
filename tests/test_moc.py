"""MOCs in every form and the operations on them, beside mocpy."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC

from vo.errors import UsageError
from vo.moc import Moc, ascii_text, fits_bytes, json_text, read_ascii, read_fits, read_json
from vo.moc.moc import ALL_CELLS

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
