"""Pictures show the sky as it is: north up, east to the left, every band in its place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.visualization import make_lupton_rgb
from astropy.wcs import WCS
from numpy.typing import NDArray
from PIL import Image as Decoder

from vo.errors import UsageError
from vo.images.image import Image, OpenImages
from vo.images.picture import Lupton, Percentile, Style, coloured, picture
from vo.images.view import View, drawn

RA, DEC, SCALE = 150.0, 12.0, 0.001
SIZE = 120
STARS = ((0.02, 0.03), (-0.03, 0.01), (0.0, 0.0), (0.01, -0.035))
"""Degrees to the east and to the north of the centre."""

TURNS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "north up": ((-1, 0), (0, 1)),
    "mirrored": ((1, 0), (0, 1)),
    "upside down": ((1, 0), (0, -1)),
    "on its side": ((0, 1), (1, 0)),
    "turned": ((-0.6, 0.8), (0.8, 0.6)),
    "finer": ((-0.5, 0), (0, 0.5)),
    "much finer": ((-0.25, 0), (0, 0.25)),
    "coarser": ((-1.5, 0), (0, 1.5)),
}


def _image(
    path: Path, turn: str, ctype: str = "TAN", stars: tuple[tuple[float, float], ...] = STARS
) -> Image:
    """Stars of the same brightness on a background of 0, as sharp as pixels allow."""
    matrix = np.array(TURNS[turn]) * SCALE
    side = round(200 / np.sqrt(abs(np.linalg.det(matrix))) * SCALE)
    header = fits.Header(
        {
            "CTYPE1": f"RA---{ctype}",
            "CTYPE2": f"DEC--{ctype}",
            "CRVAL1": RA,
            "CRVAL2": DEC,
            "CRPIX1": side / 2,
            "CRPIX2": side / 2 + 3,
            **{f"CD{i + 1}_{j + 1}": matrix[i, j] for i in (0, 1) for j in (0, 1)},
        }
    )
    rows, columns = np.mgrid[:side, :side]
    data = np.zeros((side, side), np.float32)
    for position in _sky(stars):
        x, y = WCS(header).world_to_pixel(position)
        width = 1.5 * SCALE / np.sqrt(abs(np.linalg.det(matrix)))
        data += 1000 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2)).astype(np.float32)
    fits.PrimaryHDU(data, header).writeto(path)
    return OpenImages().image(path)


def _sky(stars: tuple[tuple[float, float], ...]) -> list[SkyCoord]:
    centre = SkyCoord(RA, DEC, unit="deg")
    found = []
    for east, north in stars:
        angle, distance = np.degrees(np.arctan2(east, north)), np.hypot(east, north)
        found.append(centre.directional_offset_by(angle * _DEGREE, distance * _DEGREE))
    return found


_DEGREE = SkyCoord(0, 0, unit="deg").ra.unit


def _view(scale: float = SCALE) -> View:
    return View.around((RA, DEC), (SIZE * SCALE, SIZE * SCALE), scale)


def _peak(shown: NDArray[Any], row: float, column: float) -> tuple[float, float]:
    """Where the light around a place is centred, counted from the top left corner."""
    low, left = round(row) - 6, round(column) - 6
    part = np.nan_to_num(shown[low : low + 13, left : left + 13].astype(float))
    assert part.sum() > 0
    rows, columns = np.mgrid[low : low + 13, left : left + 13]
    return float((part * rows).sum() / part.sum()), float((part * columns).sum() / part.sum())


@pytest.mark.parametrize("ctype", ["TAN", "SIN"])
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("nearest", [False, True], ids=["bilinear", "nearest"])
def test_north_is_up_and_east_is_left(tmp_path: Path, turn: str, ctype: str, nearest: bool) -> None:  # noqa: FBT001
    """However the image is turned, mirrored or scaled, each star is where it is on the sky."""
    image = _image(tmp_path / "a.fits", turn, ctype)
    shown = drawn(_view(), [image], nearest=nearest)[::-1]
    assert shown.shape == (SIZE, SIZE)
    for east, north in STARS:
        row, column = (SIZE - 1) / 2 - north / SCALE, (SIZE - 1) / 2 - east / SCALE
        found = _peak(shown, row, column)
        assert np.hypot(found[0] - row, found[1] - column) < (0.75 if nearest else 0.5)


def test_bands_of_different_wcs_are_aligned(tmp_path: Path) -> None:
    """A star has its place in red, green and blue, so that it is white."""
    bands = [[_image(tmp_path / f"{turn}.fits", turn)] for turn in ("north up", "turned", "finer")]
    raw = picture(_view(), bands, Percentile(1, 99.9), encoding="png")
    found = np.asarray(Decoder.open(io.BytesIO(raw)))
    assert found.shape == (SIZE, SIZE, 3)
    for east, north in STARS:
        row, column = (SIZE - 1) / 2 - north / SCALE, (SIZE - 1) / 2 - east / SCALE
        peaks = [_peak(found[:, :, band], row, column) for band in range(3)]
        assert np.ptp(np.array(peaks), axis=0).max() < 0.3
        assert found[round(row), round(column)].min() > 150


def test_an_image_on_the_grid_keeps_its_pixels(tmp_path: Path) -> None:
    """A view that is the image itself shows its pixels, not what interpolation makes of them."""
    image = _image(tmp_path / "a.fits", "north up")
    wcs, data = WCS(image.header), fits.getdata(tmp_path / "a.fits")
    centre = wcs.pixel_to_world(99, 102)
    shown = drawn(View(centre.ra.deg, centre.dec.deg, 61, 41, SCALE), [image])
    np.testing.assert_allclose(shown, data[82:123, 69:130], atol=0.5)


def test_neighbours_fill_what_is_not_in_the_first(tmp_path: Path) -> None:
    """A view across the edge of an image has the rest from the next; what is nowhere is not known."""
    image = _image(tmp_path / "a.fits", "north up")
    beyond = View.around((RA + 0.12, DEC), (0.1, 0.1), SCALE)
    alone = drawn(beyond, [image])
    assert 0 < np.isnan(alone).mean() < 1
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus[0].header["CRVAL1"] += 0.12
        hdus.writeto(tmp_path / "b.fits")
    assert not np.isnan(drawn(beyond, [image, OpenImages().image(tmp_path / "b.fits")])).any()
    assert np.isnan(drawn(View.around((RA + 180, -DEC), (0.1, 0.1), SCALE), [image])).all()


def test_colours_are_those_of_lupton() -> None:
    """What astropy makes of the same numbers; unknown pixels are black."""
    bands = [np.random.default_rng(i).normal(10, 5, (20, 30)) for i in range(3)]
    expected = make_lupton_rgb(*bands, minimum=[2, 2, 2], stretch=20, Q=5)
    np.testing.assert_array_equal(coloured(bands, Lupton(2, 20, 5)), expected)
    bands[0][3, 4] = bands[1][3, 4] = bands[2][3, 4] = np.nan
    assert coloured(bands, Lupton(2, 20, 5))[3, 4].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "style", [Lupton(), Lupton(0, 5, 8), Lupton(q=0), Percentile(), Percentile(0, 100, 1)]
)
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("value", [0.0, 7.5, np.nan])
def test_images_of_nothing_are_pictures(style: Style, bands: int, value: float) -> None:
    """A constant band and one without a known pixel make no error and no warning."""
    found = coloured([np.full((5, 7), value)] * bands, style)
    assert found.shape == ((5, 7) if bands == 1 else (5, 7, 3))
    assert found.dtype == np.uint8


def test_brighter_is_brighter() -> None:
    """The percentile stretch rises from black to white."""
    found = coloured([np.linspace(0, 100, 101).reshape(1, -1)], Percentile(10, 90))[0]
    assert (np.diff(found.astype(int)) >= 0).all()
    assert (found[:10] == 0).all()
    assert (found[91:] == 255).all()
    assert found[50] > 128


@pytest.mark.parametrize(("encoding", "start"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8")])
@pytest.mark.parametrize("bands", [1, 3])
def test_files_of_pictures(tmp_path: Path, encoding: str, start: bytes, bands: int) -> None:
    """Both formats, grey and in colour; the same picture is the same bytes."""
    image = _image(tmp_path / "a.fits", "turned")
    made = [picture(_view(), [[image]] * bands, Lupton(), encoding=encoding) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].startswith(start)
    shown = Decoder.open(io.BytesIO(made[0]))
    assert (shown.size, shown.mode) == ((SIZE, SIZE), "L" if bands == 1 else "RGB")


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    """Two bands, an unknown format, stretches without sense, a picture too large."""
    image = _image(tmp_path / "a.fits", "north up")
    with pytest.raises(UsageError, match="one band or three"):
        picture(_view(), [[image]] * 2, Lupton())
    with pytest.raises(UsageError, match="png or jpeg"):
        picture(_view(), [[image]], Lupton(), encoding="gif")
    for wrong in ({"stretch": 0.0}, {"stretch": float("nan")}, {"q": -1.0}, {"q": float("nan")}):
        with pytest.raises(UsageError, match="stretch"):
            Lupton(**wrong)
    for low, high, softening in (
        (50, 50, 0.1),
        (-1, 50, 0.1),
        (1, 101, 0.1),
        (1, 99, 0),
        (1, float("nan"), 0.1),
    ):
        with pytest.raises(UsageError, match="Percentiles"):
            Percentile(low, high, softening)
    with pytest.raises(UsageError, match="pixels along a side"):
        View(RA, DEC, 10_000, 10, SCALE)
