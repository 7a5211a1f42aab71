"""The pixels in a stencil are those whose centres are inside, found by looking at every one of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vo.errors import ImageError, UsageError
from vo.images.image import Image, OpenImages
from vo.images.pixels import Box
from vo.images.sky import box_around, sky_of
from vo.images.stencil import Circle, Polygon, Range, Stencil, stencil_box, stencil_mask

WIDTH, HEIGHT = 90, 70
TPV = {f"PV{axis}_{i}": value for axis in (1, 2) for i, value in ((0, 1e-4), (1, 1.0), (4, 2e-3), (7, -1e-3))}
SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-5, "A_1_1": -2e-5, "B_0_2": 4e-5, "B_1_1": 1e-5}
FLAVOURS: dict[str, dict[str, Any]] = {
    "TAN": {},
    "TAN, flipped": {"CD1_1": 0.02},
    "TPV": {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", **TPV},
    "SIP": {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", **SIP},
    "rotated": {"CD1_1": -0.012, "CD1_2": 0.016, "CD2_1": 0.016, "CD2_2": 0.012},
    "ZPN": {"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN", "PV2_1": 1.0, "PV2_3": -50.0},
    "north pole": {"CRVAL2": 89.7},
    "south pole": {"CRVAL2": -90.0},
    "wrap": {"CRVAL1": 359.9, "CRVAL2": 12.0},
    "CAR": {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0},
    "galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"},
    "latitude first": {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": -40.0, "CRVAL2": 10.0},
    "all the sky": {"CTYPE1": "RA---AIT", "CTYPE2": "DEC--AIT", "CRVAL2": 0.0, "CD1_1": -4.0, "CD2_2": 4.0},
}


def wcs_cards(**changed: Any) -> dict[str, Any]:
    """A WCS around (10, -40) with pixels of 0.02 degrees."""
    return {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 10.0,
        "CRVAL2": -40.0,
        "CRPIX1": 40.25,
        "CRPIX2": 35.5,
        "CD1_1": -0.02,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": 0.02,
        **changed,
    }


def _image(path: Path, **cards: Any) -> Image:
    hdu = fits.PrimaryHDU(np.zeros((HEIGHT, WIDTH), np.uint8))
    hdu.header.update(wcs_cards(**cards))
    hdu.writeto(path, overwrite=True)
    return OpenImages().image(path)


@pytest.fixture(scope="module", params=list(FLAVOURS))
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """An image of each kind of WCS."""
    return _image(tmp_path_factory.mktemp("wcs") / "a.fits", **FLAVOURS[request.param])


def _positions(image: Image) -> SkyCoord:
    """Of every pixel, by astropy's high-level interface."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    found = WCS(image.header).pixel_to_world(columns, rows)
    return (found if isinstance(found, SkyCoord) else found[0]).icrs


def _brute(stencil: Stencil, positions: SkyCoord) -> NDArray[np.bool_]:
    lon, lat = positions.ra.deg, positions.dec.deg
    if isinstance(stencil, Circle):
        there = SkyCoord(stencil.ra, stencil.dec, unit="deg")
        return np.nan_to_num(positions.separation(there).deg, nan=999.0) <= stencil.radius
    if isinstance(stencil, Range):
        width = stencil.lon[1] - stencil.lon[0]
        along = (lon - stencil.lon[0]) % 360 <= width if width < 360 else np.isfinite(lon)
        return along & (lat >= stencil.lat[0]) & (lat <= stencil.lat[1])
    # A convex polygon: on the left of all edges.
    assert isinstance(stencil, Polygon)
    corners = SkyCoord(*np.reshape(stencil.vertices, (-1, 2)).T, unit="deg").cartesian.xyz.value.T
    vectors = np.moveaxis(positions.cartesian.xyz.value, 0, -1)
    sides = [vectors @ np.cross(a, b) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    return np.all(np.array(sides) >= 0, axis=0)


def _check(image: Image, stencil: Stencil) -> None:
    expected = _brute(stencil, _positions(image))
    sky = sky_of(image)
    box = stencil_box(sky, stencil)
    if not expected.any():
        assert box is None or (box.width, box.height) == (1, 1)
        return
    rows, columns = np.flatnonzero(expected.any(axis=1)), np.flatnonzero(expected.any(axis=0))
    assert box == Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    mask = stencil_mask(sky, stencil, box)
    np.testing.assert_array_equal(mask, expected[box.bottom : box.top, box.left : box.right])


_UNITS = st.tuples(*[st.floats(-0.9, 0.9)] * 2, st.floats(0.05, 1.2))


@given(_UNITS)
@settings(max_examples=6, deadline=None)
def test_circles(image: Image, place: tuple[float, float, float]) -> None:
    """Anywhere in or beside the image."""
    sky, (u, v, size) = sky_of(image), place
    centre = _at(image, u, v)
    _check(image, Circle(*centre, math.degrees(sky.scale) * size * 50))


@given(_UNITS)
@settings(max_examples=6, deadline=None)
def test_polygons(image: Image, place: tuple[float, float, float]) -> None:
    """Convex ones, whose sides are known; others are the business of vo.regions."""
    u, v, size = place
    ra, dec = _at(image, u, v)
    around = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        np.array([10, 280, 190, 120]) * units.deg,
        min(math.degrees(sky_of(image).scale) * size * 40, 40) * units.deg,
    )
    _check(image, Polygon(tuple(np.stack([around.ra.deg, around.dec.deg], axis=-1).ravel().tolist())))


@given(_UNITS, st.floats(0.1, 2))
@settings(max_examples=6, deadline=None)
def test_ranges(image: Image, place: tuple[float, float, float], aspect: float) -> None:
    """Across the wrap and around the poles, and open to a side."""
    u, v, size = place
    ra, dec = _at(image, u, v)
    high = math.degrees(sky_of(image).scale) * size * 30
    wide = min(high * aspect / max(math.cos(math.radians(dec)), 0.01), 179.0)
    _check(image, Range((ra - wide, ra + wide), (dec - high, dec + high)))
    _check(image, Range((-math.inf, math.inf), (-math.inf, dec)))


def _at(image: Image, u: float, v: float) -> tuple[float, float]:
    """A position in the image, or near its middle where the projection has none there."""
    for part in (1.0, 0.5, 0.1):
        x, y = (WIDTH - 1) / 2 * (1 + u * part), (HEIGHT - 1) / 2 * (1 + v * part)
        vector = sky_of(image).vectors(np.array([x]), np.array([y]))[0]
        if np.isfinite(vector).all():
            lon, lat = math.atan2(vector[1], vector[0]), math.atan2(vector[2], math.hypot(*vector[:2]))
            return math.degrees(lon) % 360, math.degrees(lat)
    raise AssertionError


def test_a_stencil_elsewhere_has_no_pixels(tmp_path: Path) -> None:
    """Not even where the projection repeats itself on the far side of the sky."""
    sky = sky_of(_image(tmp_path / "a.fits"))
    for stencil in (
        Circle(190, 40, 0.1),
        Circle(10, -30, 5),
        Polygon((0, 0, 1, 0, 1, 1)),
        Range((50, 60), (0, 9)),
    ):
        assert stencil_box(sky, stencil) is None


@pytest.mark.parametrize("stencil", [Circle(10, -40, 1e-6), Circle(10, -40, 0), Range((10, 10), (-40, -40))])
def test_a_stencil_smaller_than_a_pixel_has_the_one_it_is_in(tmp_path: Path, stencil: Stencil) -> None:
    """A position alone is a stencil as well."""
    sky = sky_of(_image(tmp_path / "a.fits"))
    assert stencil_box(sky, stencil) == Box(39, 34, 40, 35) or stencil_box(sky, stencil) == Box(
        39, 35, 40, 36
    )
    assert stencil_mask(sky, stencil, Box(30, 30, 50, 50)).sum() == 1


def test_the_whole_sphere(tmp_path: Path) -> None:
    """A circle of 180 degrees, and a range without ends."""
    sky = sky_of(_image(tmp_path / "a.fits"))
    for stencil in (
        Circle(0, 0, 180),
        Range((-math.inf, math.inf), (-math.inf, math.inf)),
        Range((0, 360), (-90, 90)),
    ):
        assert stencil_box(sky, stencil) == Box(0, 0, WIDTH, HEIGHT)
        assert stencil_mask(sky, stencil, Box(0, 0, WIDTH, HEIGHT)).all()


def test_polygons_that_are_lines_are_refused() -> None:
    """Two vertices enclose nothing."""
    with pytest.raises(UsageError, match="three"):
        Polygon((0, 0, 1, 1, 0, 0)).inside(np.zeros((1, 3)))


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0.02, 1), st.floats(0.02, 1))
@settings(max_examples=5, deadline=None)
def test_boxes_around_a_position(image: Image, u: float, v: float, width: float, height: float) -> None:
    """The position is in the middle pixel, and the sides are as long as asked."""
    sky = sky_of(image)
    ra, dec = _at(image, 2 * u - 1, 2 * v - 1)
    step = math.degrees(sky.scale)
    box = box_around(sky, (ra, dec), (width * 20 * step, height * 20 * step))
    assert box is not None
    x, y = (float(axis[0]) for axis in sky.pixels(np.array([ra]), np.array([dec])))
    assert abs((box.left + box.right - 1) / 2 - x) <= 0.5 + 1e-9
    assert abs((box.bottom + box.top - 1) / 2 - y) <= 0.5 + 1e-9
    steps = [step if math.isfinite(step) else sky.scale for step in sky.steps(x, y)]  # the sky may end there
    assert abs(box.width - math.radians(width * 20 * step) / steps[0]) <= 1
    assert abs(box.height - math.radians(height * 20 * step) / steps[1]) <= 1


@pytest.mark.parametrize(
    "cards",
    [{"CTYPE1": ""}, {"CTYPE1": "LINEAR"}, {"CD1_1": 0.0}, {"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"}],
)
def test_a_wcs_that_leads_nowhere_is_named(tmp_path: Path, cards: dict[str, Any]) -> None:
    """No CTYPE, no celestial axes, a matrix that cannot be inverted, a projection nobody knows."""
    with pytest.raises(ImageError, match=r"WCS of a\.fits"):
        sky_of(_image(tmp_path / "a.fits", **cards))
