"""Stamps are FITS files that astropy and fitsio read, with the sky where the whole image has it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vo.errors import ImageError, UsageError
from vo.images.image import Image, OpenImages
from vo.images.pixels import Box, physical, read_box
from vo.images.sky import sky_of
from vo.images.stamp import Cut, same_box, stamp
from vo.images.stencil import Circle, stencil_box, stencil_mask
from vo.images.stitch import best_covering, neighbours

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "fits-images"
WIDTH, HEIGHT = 90, 70
BOX = Box(20, 11, 61, 52)
TPV = {f"PV{axis}_{i}": value for axis in (1, 2) for i, value in ((0, 1e-4), (1, 1.0), (4, 2e-3), (7, -1e-3))}
SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-5, "A_1_1": -2e-5, "B_0_2": 4e-5, "B_1_1": 1e-5}
NO_CD = {"CD1_1": None, "CD1_2": None, "CD2_1": None, "CD2_2": None}
FLAVOURS: dict[str, dict[str, Any]] = {
    "TAN": {},
    "CDELT": {**NO_CD, "CDELT1": -0.02, "CDELT2": 0.02},
    "CROTA": {**NO_CD, "CDELT1": -0.02, "CDELT2": 0.02, "CROTA2": 33.0},
    "PC": {**NO_CD, "CDELT1": -0.02, "CDELT2": 0.02, "PC1_1": 0.8, "PC1_2": 0.6, "PC2_1": -0.6, "PC2_2": 0.8},
    "TPV": {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", **TPV},
    "SIP": {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", **SIP},
    "rotated": {"CD1_1": -0.012, "CD1_2": 0.016, "CD2_1": 0.016, "CD2_2": 0.012},
    "ZPN": {"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN", "PV2_1": 1.0, "PV2_3": -50.0},
    "north pole": {"CRVAL2": 89.7},
    "wrap": {"CRVAL1": 359.9},
    "CAR": {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0},
    "galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"},
    "no CRPIX": {"CRPIX1": None, "CRPIX2": None},
}


def _write(path: Path, data: NDArray[Any], *, compress: bool = False, **cards: Any) -> Path:
    told = {
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
        **cards,
    }
    kind = fits.CompImageHDU if compress else fits.ImageHDU
    hdu = kind(data, name="SCI")
    hdu.header.update({name: value for name, value in told.items() if value is not None})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, output_verify="ignore", overwrite=True)
    return path


def _sky(kind: str = "f4") -> NDArray[Any]:
    return np.random.default_rng(4).normal(100, 9, (HEIGHT, WIDTH)).astype(kind)


def _opened(pieces: Iterable[bytes]) -> fits.HDUList:
    """The file, its checksums and its form in order by astropy's measure."""
    raw = b"".join(pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(io.BytesIO(raw), checksum=True, disable_image_compression=True) as tables:
            tables.verify("exception")
            for hdu in tables:
                assert {"CHECKSUM", "DATASUM"} <= set(hdu.header), hdu.name
                assert hdu.data is None or hdu.data.size
    return fits.open(io.BytesIO(raw))


def _separation_pixels(image: Image, box: Box, header: fits.Header) -> float:
    """How far the sky of a stamp is from that of the image, in pixels: the worst of three positions."""
    columns, rows = (np.array([0, size - 1, (size - 1) / 2]) for size in (box.width, box.height))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = WCS(image.header).pixel_to_world(columns + box.left, rows + box.bottom)
        here = WCS(header).pixel_to_world(columns, rows)
    if not isinstance(there, SkyCoord):
        there, here = there[0], here[0]
    return float(there.separation(here).rad.max() / sky_of(image).scale)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_the_sky_stays_where_it_is(tmp_path: Path, flavour: str, packed: bool) -> None:  # noqa: FBT001
    """For every kind of WCS, to 0.01 pixel; what is not about pixels is not touched."""
    image = OpenImages().image(_write(tmp_path / "a.fits", _sky(), BUNIT="nJy", **FLAVOURS[flavour]))
    hdu = _opened(stamp([Cut(image, BOX)], packed=packed))[-1]
    assert _separation_pixels(image, BOX, hdu.header) < 0.01
    assert hdu.data.shape == (BOX.height, BOX.width)
    assert hdu.header["BUNIT"] == "nJy"
    assert (hdu.header["ORIGFILE"], hdu.header["ORIGHDU"]) == ("a.fits", 1)
    assert hdu.header["ORIGSEC"] == "[21:61,12:52]"


@given(
    st.tuples(st.floats(0, 360), st.floats(-90, 90)),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.tuples(st.floats(0, 360), st.floats(1e-5, 0.02), st.sampled_from([-1, 1])),
    st.sampled_from(["TAN", "SIN", "ARC", "STG", "ZEA"]),
    st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(1, 50), st.integers(1, 40)),
)
@settings(max_examples=40, deadline=None)
def test_any_wcs(
    tmp_path_factory: pytest.TempPathFactory,
    at: tuple[float, float],
    crpix: tuple[float, float],
    turn: tuple[float, float, int],
    projection: str,
    corner: tuple[int, int, int, int],
) -> None:
    """Turned, flipped, far from its reference point: the stamp has the sky of the image."""
    cosine, sine = (f(np.radians(turn[0])) * turn[1] for f in (np.cos, np.sin))
    cards = {
        "CTYPE1": f"RA---{projection}",
        "CTYPE2": f"DEC--{projection}",
        "CRVAL1": at[0],
        "CRVAL2": at[1],
        "CRPIX1": crpix[0],
        "CRPIX2": crpix[1],
        "CD1_1": cosine * turn[2],
        "CD1_2": sine,
        "CD2_1": -sine * turn[2],
        "CD2_2": cosine,
    }
    path = _write(tmp_path_factory.mktemp("any") / "a.fits", np.zeros((HEIGHT, WIDTH), "u1"), **cards)
    box = Box(corner[0], corner[1], corner[0] + corner[2], corner[1] + corner[3])
    image = OpenImages().image(path)
    assert _separation_pixels(image, box, _opened(stamp([Cut(image, box)]))[0].header) < 0.01


@pytest.mark.parametrize("path", sorted(REAL.rglob("*.fits")) or [None], ids=lambda path: path and path.name)
def test_real_images(path: Path | None) -> None:
    """DECam with TPV, SDSS, turned, and Pan-STARRS: pixels and sky."""
    if path is None:
        pytest.skip("no real images beside the checkout")
    images = OpenImages()
    for image in images.images(path):
        box = Box(image.width // 4, image.height // 3, image.width // 4 + 17, image.height // 3 + 12)
        hdu = _opened(stamp([Cut(image, box)]))[0]
        assert _separation_pixels(image, box, hdu.header) < 0.01
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = fits.getdata(path, image.index)[box.bottom : box.top, box.left : box.right]
        np.testing.assert_array_equal(hdu.data, expected)


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("compress", [False, True], ids=["from plain", "from packed"])
def test_pixels_of_every_type(tmp_path: Path, kind: str, packed: bool, compress: bool) -> None:  # noqa: FBT001
    """Integers are kept as they are; floating point numbers too, or to a part of the noise if packed."""
    data = _sky(kind)
    image = OpenImages().image(_write(tmp_path / "a.fits", data, compress=compress))
    raw = b"".join(stamp([Cut(image, BOX)], packed=packed))
    expected = physical(image, read_box(image, BOX))
    (tmp_path / "stamp.fits").write_bytes(raw)
    tolerance = 0.5 if packed and data.dtype.kind == "f" else 0
    found = _opened([raw])[-1].data
    assert found.dtype.newbyteorder("=") == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(fitsio.read(tmp_path / "stamp.fits"), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize(
    ("kind", "cards"),
    [("f4", {}), ("i2", {}), ("i2", {"BSCALE": 0.5, "BZERO": 7.0, "BLANK": -5}), ("u2", {}), ("u1", {})],
)
def test_pixels_outside_a_stencil_are_blank(
    tmp_path: Path,
    kind: str,
    cards: dict[str, Any],
    packed: bool,  # noqa: FBT001
) -> None:
    """NaN, or BLANK, which the header then has; those inside are as they were."""
    image = OpenImages().image(_write(tmp_path / "a.fits", _sky(kind), **cards))
    sky, circle = sky_of(image), Circle(10.1, -39.9, 0.3)
    box = stencil_box(sky, circle)
    assert box is not None
    inside = stencil_mask(sky, circle, box)
    raw = b"".join(stamp([Cut(image, box, inside)], packed=packed))
    hdu = _opened([raw])[-1]
    if kind == "f4":
        blank = np.isnan(hdu.data)
    else:
        stored = fits.open(io.BytesIO(raw), do_not_scale_image_data=True)[-1]
        blank = stored.data == stored.header["BLANK"]
        assert stored.header["BLANK"] == cards.get("BLANK", stored.header["BLANK"])
    np.testing.assert_array_equal(blank, ~inside)
    expected = physical(image, read_box(image, box))
    np.testing.assert_allclose(hdu.data[inside], expected[inside], atol=0.5 if packed and kind == "f4" else 0)


def test_planes_and_bands_in_one_file(tmp_path: Path) -> None:
    """Several cuts are extensions with names, behind an empty primary HDU."""
    images = OpenImages()
    cuts = [
        Cut(images.image(_write(tmp_path / f"{band}.fits", _sky(kind))), BOX, name=f"{band}_SCI".upper())
        for band, kind in (("g", "f4"), ("r", "i4"))
    ]
    for packed in (False, True):
        hdus = _opened(stamp(cuts, packed=packed))
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "G_SCI", "R_SCI"]
        assert [hdu.header["ORIGFILE"] for hdu in hdus[1:]] == ["g.fits", "r.fits"]


def test_mask_and_weight_beside_the_image(tmp_path: Path) -> None:
    """Planes of one file are cut alike, under their own names, each with blanks of its own kind."""
    planes = [
        fits.ImageHDU(_sky(kind), name=name) for name, kind in (("SCI", "f4"), ("MSK", "i4"), ("WGT", "f4"))
    ]
    for plane in planes:
        plane.header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -0.02, "CDELT2": 0.02})
    small = fits.ImageHDU(_sky()[:9], name="SMALL")
    fits.HDUList([fits.PrimaryHDU(), *planes, small]).writeto(tmp_path / "a.fits")
    images = OpenImages()
    opened = [images.image(tmp_path / "a.fits", name) for name in ("SCI", "MSK", "WGT")]
    inside = np.ones((BOX.height, BOX.width), np.bool_)
    inside[3, 5] = False
    hdus = _opened(stamp(same_box(opened, BOX, inside)))
    assert [hdu.name for hdu in hdus[1:]] == ["SCI", "MSK", "WGT"]
    assert np.isnan(hdus["SCI"].data[3, 5])
    assert np.isnan(hdus["WGT"].data[3, 5])
    assert hdus["MSK"].header["BLANK"] not in _sky("i4")
    with pytest.raises(ImageError, match="size"):
        same_box([opened[0], images.image(tmp_path / "a.fits", "SMALL")], BOX)


@pytest.mark.parametrize("count", [1, 2])
def test_headers_alone(tmp_path: Path, count: int) -> None:
    """No pixels, and the WCS is that of the stamp."""
    image = OpenImages().image(_write(tmp_path / "a.fits", _sky()))
    hdus = _opened(stamp([Cut(image, BOX)] * count, header_only=True))
    assert len(hdus) == (1 if count == 1 else 3)
    assert hdus[-1].data is None
    assert _separation_pixels(image, BOX, hdus[-1].header) < 0.01


def test_what_counts_pixels_is_moved(tmp_path: Path) -> None:
    """Other WCSs, IRAF's transformation, sections; what told of the whole image goes, the rest stays."""
    cards = {
        "CRPIX1A": 1.0,
        "CRPIX2A": 2.0,
        "CTYPE1A": "LINEAR",
        "CTYPE2A": "LINEAR",
        "LTV1": 100.0,
        "LTV2": 0.0,
        "DATASEC": "[30:90,1:70]",
        "BIASSEC": "[1:10,1:70]",
        "CCDSEC": "[1:4,1:4]",
        "RAC1": 10.5,
        "DETSEC": "[2090:2001,1:70]",
        "DATAMAX": 99.0,
        "OBJECT": "It's a field",
        "LONGTEXT": "many words " * 12,
        "HIERARCH ESO DET NAME": "eye",
    }
    image = OpenImages().image(_write(tmp_path / "a.fits", _sky(), **cards))
    for packed in (False, True):
        cut = Cut(image, BOX, notes=("Of two tiles the nearer.",))
        header = _opened(stamp([cut], packed=packed))[-1].header
        assert (header["CRPIX1"], header["CRPIX2"]) == (20.25, 24.5)
        assert (header["CRPIX1A"], header["CRPIX2A"]) == (-19.0, -9.0)
        assert (header["LTV1"], header["LTV2"]) == (80.0, -11.0)
        assert header["DATASEC"] == "[10:41,1:41]"
        assert header["DETSEC"] == "[2070:2030,12:52]"
        assert not {"BIASSEC", "CCDSEC", "RAC1", "DATAMAX"} & set(header)
        assert header["OBJECT"] == "It's a field"
        assert header["ESO DET NAME"] == "eye"
        assert header["LONGTEXT"] == ("many words " * 12).strip()
        assert any("nearer" in line for line in header["HISTORY"])


def test_distortions_in_tables_are_refused(tmp_path: Path) -> None:
    """A table counts the pixels of the whole image: a part with it would be wrong on the sky."""
    image = OpenImages().image(_write(tmp_path / "a.fits", _sky(), CPDIS1="LOOKUP"))
    with pytest.raises(ImageError, match="distortions"):
        list(stamp([Cut(image, BOX)]))


def test_tiles_of_one_grid_are_stitched(tmp_path: Path) -> None:
    """A box across the edge of two images has the pixels of both, and says so; the rest of it is blank."""
    whole = _sky()
    images = OpenImages()
    left = images.image(_write(tmp_path / "left.fits", whole[:, :50]))
    right = images.image(_write(tmp_path / "right.fits", whole[5:, 40:], CRPIX1=0.25, CRPIX2=30.5))
    other = images.image(_write(tmp_path / "other.fits", whole, CRVAL1=10.001))
    around = neighbours(left, [left, other, right])
    assert [one.image for one in around] == [right]
    box = Box(30, -4, 70, 20)
    hdu = _opened(stamp([Cut(left, box, around=around)]))[0]
    expected = np.full((24, 40), np.nan, np.float32)
    expected[4:, :20] = whole[:20, 30:50]
    expected[9:, 20:] = whole[5:20, 50:70]
    np.testing.assert_array_equal(hdu.data, expected)
    assert any("right.fits" in line for line in hdu.header["HISTORY"])
    assert _separation_pixels(left, box, hdu.header) < 0.01


def test_of_tiles_on_several_grids_the_best_is_taken(tmp_path: Path) -> None:
    """The one that has most of the box; of two that have all of it, that which has it farther inside."""
    image = OpenImages().image(_write(tmp_path / "a.fits", _sky()))
    boxes = [Box(-5, 0, 20, 20), Box(2, 2, 30, 30), Box(20, 20, 40, 40)]
    assert best_covering([(image, box) for box in boxes]) == 2
    assert best_covering([(image, box) for box in boxes[:2]]) == 1


def test_a_stamp_of_nothing() -> None:
    """No images make no file."""
    with pytest.raises(UsageError, match="needs"):
        list(stamp([]))
