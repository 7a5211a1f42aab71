"""The inventory of images: any WCS and packing, outlines true to the sky, broken files passed over."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from fits_images import SHAPE, coadd, header, pixels, write_image
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.errors import LoadError
from vo.images.footprint import Footprint, celestial_wcs, footprint
from vo.images.inventory import Fault, ImageRecord, scan
from vo.images.linear import LinearTerms
from vo.regions.columns import area, inside

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "fits-images"
POSITIONS = [(10.0, -40.0), (0.0, 0.0), (359.999, 60.0), (123.0, 90.0), (77.0, -89.9), (200.0, 89.0)]


def scanned(root: Path, **options: Any) -> tuple[list[ImageRecord], list[Fault]]:
    """What is found below a directory, and what is told of the rest."""
    faults: list[Fault] = []
    return list(scan(root, root, on_fault=faults.append, **options)), faults


def holds(outline: Footprint, sky: SkyCoord) -> np.ndarray[Any, Any]:
    """Which positions are in an outline, by the geometry that ADQL has."""
    x, y, z = sky.icrs.cartesian.xyz.value
    column = pa.array([list(outline.region)] * len(x), pa.list_(pa.float64()))
    return np.array(inside(pa.array(x), pa.array(y), pa.array(z), column).to_pylist())


def judge(outline: Footprint, wcs: WCS, shape: tuple[int, int]) -> None:
    """Positions a bit inside the edge are in the outline, those outside are not; its middle is right."""
    low, high1, high2 = 0.5, shape[1] + 0.5, shape[0] + 0.5
    way = np.linspace(0.0, 1.0, 37)
    for off, expected in ((0.3, True), (-0.3, False)):
        along1, along2 = (low + off + way * (high - low - 2 * off) for high in (high1, high2))
        ones = np.ones_like(way)
        x = np.concatenate([along1, along1, (low + off) * ones, (high1 - off) * ones])
        y = np.concatenate([(low + off) * ones, (high2 - off) * ones, along2, along2])
        assert (holds(outline, wcs.pixel_to_world(x - 1, y - 1)) == expected).all()
    middle = wcs.pixel_to_world((shape[1] - 1) / 2, (shape[0] - 1) / 2).icrs
    corners = wcs.pixel_to_world([-0.5, shape[1] - 0.5], [-0.5, shape[0] - 0.5]).icrs
    assert middle.separation(SkyCoord(outline.ra, outline.dec, unit="deg")).arcsec < 1e-6
    assert outline.fov >= 2 * middle.separation(corners).deg.max() - 1e-9
    edges = np.array(outline.region).reshape(-1, 2)
    assert ((edges[:, 0] >= 0) & (edges[:, 0] < 360)).all()


def is_counter_clockwise(outline: Footprint) -> bool:
    """As seen from inside the sphere: position angles around the middle grow from vertex to vertex."""
    middle = SkyCoord(outline.ra, outline.dec, unit="deg")
    lon, lat = np.array(outline.region).reshape(-1, 2).T
    angles = middle.position_angle(SkyCoord(lon, lat, unit="deg")).deg
    steps = (np.roll(angles, -1) - angles + 180.0) % 360.0 - 180.0
    return bool((steps > 0).all())


@pytest.mark.parametrize(("ra", "dec"), POSITIONS)
def test_outlines_at_poles_and_seams(ra: float, dec: float) -> None:
    """The outline of an image is right wherever it lies, around a pole and across RA 0 too."""
    wcs = celestial_wcs(header(ra, dec))
    found = footprint(wcs, SHAPE[1], SHAPE[0])
    judge(found, wcs, SHAPE)
    assert is_counter_clockwise(found)
    assert len(found.region) == 8  # the edges of a TAN image are great circles
    assert found.pixel_arcsec == pytest.approx(36.0, rel=1e-3)


@given(
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.floats(-90, 90),
    scale=st.floats(1e-5, 0.2),
    angle=st.floats(0, 360),
    flip=st.booleans(),
    projection=st.sampled_from(["TAN", "ZEA", "STG", "SIN", "ARC"]),
)
@settings(max_examples=40, deadline=None)
def test_outlines_of_any_projection(
    ra: float, dec: float, scale: float, angle: float, *, flip: bool, projection: str
) -> None:
    """Turned, mirrored, bent by its projection: an outline follows the edge to a tenth of a pixel."""
    cos, sin = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    sign = 1 if flip else -1
    cards = {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}"}
    cards |= {"CD1_1": sign * cos, "CD1_2": sin, "CD2_1": -sign * sin, "CD2_2": cos}
    wcs = celestial_wcs(header(ra, dec, **cards))
    found = footprint(wcs, SHAPE[1], SHAPE[0])
    judge(found, wcs, SHAPE)
    assert is_counter_clockwise(found)


FRAMES = {
    "GLON-TAN": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"},
    "FK4": {"RADESYS": "FK4", "EQUINOX": 1950.0},
    "latitude first": {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": -40.0, "CRVAL2": 10.0},
    "CAR": {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0, "CRPIX2": 3015.5},
    "SIP": {
        "CTYPE1": "RA---TAN-SIP",
        "CTYPE2": "DEC--TAN-SIP",
        "A_ORDER": 2,
        "B_ORDER": 2,
        "A_2_0": 4e-3,
        "A_0_2": -2e-3,
        "B_1_1": 3e-3,
        "B_0_2": 1e-3,
    },
    "TPV": {
        "CTYPE1": "RA---TPV",
        "CTYPE2": "DEC--TPV",
        "PV1_0": 0.0,
        "PV1_1": 1.0,
        "PV1_4": 0.3,
        "PV2_1": 1.0,
        "PV2_6": -0.4,
    },
}


@pytest.mark.parametrize("name", FRAMES)
def test_outlines_are_in_icrs(name: str) -> None:
    """Other frames, swapped axes, curved edges and the polynomials of SIP and TPV lead to ICRS."""
    cards = header(**FRAMES[name])
    wcs = celestial_wcs(cards)
    judge(footprint(wcs, SHAPE[1], SHAPE[0]), WCS(cards), SHAPE)


@pytest.mark.parametrize("packing", [None, "RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
def test_planes_of_a_coadd(tmp_path: Path, packing: str | None) -> None:
    """Image, mask and weight of one file are one record, whatever packs them."""
    cards = {"TILENAME": "DES0002-5040", "BAND": "Y", "EXPTIME": 450.0, "OBJECT": "tile", "BUNIT": "adu"}
    coadd(tmp_path / "p" / "DES0002-5040_Y.fits.fz", packing, **cards)
    (record,), faults = scanned(tmp_path)
    assert not faults
    assert (record.image_hdu, record.mask_hdu, record.weight_hdu) == (1, 2, 3)
    assert (record.naxis1, record.naxis2, record.image_id) == (40, 30, "p/DES0002-5040_Y")
    taken = record.observation
    assert (taken.tile, taken.band, taken.exposure) == ("DES0002-5040", "Y", 450.0)
    assert taken.em_min == pytest.approx(930e-9)
    again = WCS(fits.Header.fromstring(record.header, sep="\n"))
    assert np.allclose(
        again.all_pix2world(3.0, 30.0, 1), WCS(header()).all_pix2world(3.0, 30.0, 1), atol=1e-12
    )
    assert record.checksum.startswith("sha256:")


def test_several_images_of_a_file(tmp_path: Path) -> None:
    """Each image of a mosaic is a record with its own mask; planes of errors are none of them."""
    hdus = []
    for number in (1, 2):
        for name in ("SCI", "ERR", "DQ"):
            kind = "i2" if name == "DQ" else "f4"
            hdus.append(fits.ImageHDU(pixels(kind), header(10.0 + number), name=name, ver=number))
    hdus[3].name = "N12"
    write_image(tmp_path / "a b.fits", hdus=hdus)
    records, faults = scanned(tmp_path, checksums=False)
    assert not faults
    assert [(r.image_id, r.image_hdu, r.mask_hdu, r.weight_hdu) for r in records] == [
        ("a%20b/SCI", 1, 3, None),
        ("a%20b/N12", 4, 6, None),
    ]
    assert {record.checksum for record in records} == {""}


DATES = [
    ({"MJD-OBS": 58000.5, "EXPTIME": 86.4}, (58000.5, 58000.501)),
    ({"DATE-OBS": "2017-09-04T12:00:00", "EXPTIME": "86.4"}, (58000.5, 58000.501)),
    ({"DATE-OBS": "2017-09-04"}, (58000.0, None)),
    ({"MJD-OBS": 58000.5, "MJD-END": 58000.75}, (58000.5, 58000.75)),
    ({"MJD-OBS": 58000.5, "TIMESYS": "TAI"}, (58000.5 - 37 / 86400, None)),
    ({"DATE-OBS": "yesterday", "EXPTIME": "long"}, (None, None)),
    ({}, (None, None)),
]


@pytest.mark.parametrize(("cards", "expected"), DATES)
def test_dates(tmp_path: Path, cards: dict[str, Any], expected: tuple[float | None, ...]) -> None:
    """Begin and end in MJD, UTC, from whatever the header has."""
    write_image(tmp_path / "x.fits", **cards)
    (record,), _ = scanned(tmp_path)
    found = (record.observation.t_min, record.observation.t_max)
    for value, wanted in zip(found, expected, strict=True):
        assert value == (None if wanted is None else pytest.approx(wanted, abs=1e-9))


def _truncated(path: Path) -> None:
    whole = write_image(path.with_name("whole"), hdus=[fits.ImageHDU(pixels(), header())]).read_bytes()
    path.with_name("whole").unlink()
    path.write_bytes(whole[: len(whole) - 2880])


def _truncated_fpack(path: Path) -> None:
    whole = coadd(path.with_name("whole"), "RICE_1").read_bytes()
    path.with_name("whole").unlink()
    path.write_bytes(whole[: len(whole) - 5760])


def _cut_in_the_header(path: Path) -> None:
    path.write_bytes(write_image(path.with_name("whole")).read_bytes()[:1000])
    path.with_name("whole").unlink()


def _table(path: Path) -> None:
    column = fits.Column(name="a", format="J", array=[1, 2])
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([column])]).writeto(path)


def _without_ctype(path: Path) -> None:
    fits.PrimaryHDU(pixels()).writeto(path)


def _off_the_sky(path: Path) -> None:
    write_image(path, scale=8.0, CTYPE1="RA---AIT", CTYPE2="DEC--AIT")


def _packed_as_a_whole(path: Path) -> None:
    content = gzip.compress(write_image(path.with_name("whole")).read_bytes())
    path.with_name("whole").unlink()
    path.with_name("broken.fits.gz").write_bytes(content)


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: path.write_bytes(b""), "is empty"),
    (lambda path: path.write_text("<html>404</html>" * 300), "cannot be read as FITS"),
    (_truncated, "cut off|truncated"),
    (_truncated_fpack, "cut off|truncated|cannot be read"),
    (_cut_in_the_header, "cannot be read|cut off"),
    (_table, "no two-dimensional image"),
    (lambda path: fits.PrimaryHDU(np.zeros((2, 3, 4))).writeto(path), "no two-dimensional image"),
    (_without_ctype, "CTYPE1 and CTYPE2 are missing"),
    (lambda path: write_image(path, CTYPE1="WAVE", CTYPE2="LINEAR"), "does not lead to the sky"),
    (lambda path: write_image(path, CTYPE1="RA---XYZ", CTYPE2="DEC--XYZ"), "."),
    (lambda path: write_image(path, CD1_1=0.0, CD2_2=0.0), "."),
    (_off_the_sky, "no position|whole sky"),
    (_packed_as_a_whole, "packed as a whole"),
    (lambda path: path.symlink_to("/etc/passwd"), "leads out of the image root"),
]


@pytest.mark.parametrize(("breaking", "reason"), BROKEN, ids=lambda value: str(value)[:24])
def test_broken_files(tmp_path: Path, breaking: Callable[[Path], object], reason: str) -> None:
    """A file that cannot be used is told with its name and a reason; the others are found all the same."""
    write_image(tmp_path / "a.fits")
    breaking(tmp_path / "broken.fits")
    write_image(tmp_path / "z.fits")
    (tmp_path / ".hidden.fits").write_bytes(b"half")
    records, faults = scanned(tmp_path)
    assert [record.path for record in records] == ["a.fits", "z.fits"]
    (fault,) = faults
    assert fault.path.startswith("broken.fits")
    assert re.search(reason, fault.reason), fault


def test_a_broken_image_of_a_file(tmp_path: Path) -> None:
    """One image of a file without a WCS is told with its HDU, and does not keep the others back."""
    write_image(tmp_path / "m.fits", hdus=[fits.ImageHDU(pixels()), fits.ImageHDU(pixels(), header())])
    records, faults = scanned(tmp_path)
    assert [record.image_hdu for record in records] == [2]
    assert [fault.path for fault in faults] == ["m.fits[1]"]


def test_unreadable_files(tmp_path: Path) -> None:
    """A file that may not be read is told like any other."""
    path = write_image(tmp_path / "x.fits")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert len(scanned(tmp_path)[1]) == 1


def test_directories_outside_the_root(tmp_path: Path) -> None:
    """What lies outside the image root could never be served."""
    (tmp_path / "root").mkdir()
    for directory, reason in (
        (tmp_path, "not below the image root"),
        (tmp_path / "root/no", "no directory|not a"),
    ):
        with pytest.raises(LoadError, match=reason):
            list(scan(directory, tmp_path / "root"))


def judge_linear(terms: LinearTerms, cards: fits.Header) -> None:
    """Judge the linear terms: they make the WCS of the same cards without those of distortions."""
    told = WCS(naxis=2)
    assert terms.wcs_projection == "TAN"
    told.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    told.wcs.crpix = terms.wcs_crpix1, terms.wcs_crpix2
    told.wcs.crval = terms.wcs_crval1, terms.wcs_crval2
    told.wcs.cd = [[terms.wcs_cd1_1, terms.wcs_cd1_2], [terms.wcs_cd2_1, terms.wcs_cd2_2]]
    plain = fits.Header([card for card in cards.cards if not re.match(r"PV\d_\d+", card.keyword)])
    plain["CTYPE1"], plain["CTYPE2"] = "RA---TAN", "DEC--TAN"
    linear = WCS(plain)
    pixels = np.array([[1.0, 1.0], [900.0, 40.0]])
    assert np.allclose(told.wcs_pix2world(pixels, 1), linear.wcs_pix2world(pixels, 1), rtol=0, atol=1e-9)
    expected = linear.wcs.radesys or "ICRS"
    assert (terms.wcs_frame, terms.wcs_equinox) == (expected, None if expected == "ICRS" else 2000.0)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")  # RADECSYS, as SDSS writes it
def test_real_images() -> None:
    """DECam (TPV), SDSS (rotated CD) and Pan-STARRS (PC): every outline is that of astropy's WCS."""
    if not REAL.is_dir():
        pytest.skip("the real images are not at hand")
    records, faults = scanned(REAL)
    assert not faults
    assert len(records) == 14
    for record in records:
        cards = fits.getheader(REAL / record.path, record.image_hdu)
        judge(record.footprint, WCS(cards), (record.naxis2, record.naxis1))
        kept = WCS(fits.Header.fromstring(record.header, sep="\n"))
        judge_linear(record.linear, cards)
        sky, again = WCS(cards).pixel_to_world(3.0, 30.0), kept.pixel_to_world(3.0, 30.0)
        assert sky.separation(again).to(units.arcsec).value < 1e-6
        column = pa.array([list(record.footprint.region)], pa.list_(pa.float64()))
        pixel = (record.footprint.pixel_arcsec / 3600) ** 2
        assert area(column)[0].as_py() == pytest.approx(record.naxis1 * record.naxis2 * pixel, rel=2e-3)
    bands = {record.path.rpartition("/")[2]: record.observation.band for record in records}
    assert bands["c4d_140818_232043_ooi_z_ls9.N12.fits"] == "z"
    assert bands["panstarrs-g-m61.fits"] == "g"
