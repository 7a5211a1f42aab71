"""Boxes of pixels are those that astropy and fitsio read, whatever the file is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vo.errors import ImageError, UsageError
from vo.images.image import OpenImages
from vo.images.pixels import Box, physical, read_box

WIDTH, HEIGHT = 143, 97
BOXES = (
    Box(0, 0, WIDTH, HEIGHT),
    Box(0, 0, 1, 1),
    Box(WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT),
    Box(37, 21, 88, 22),
    Box(70, 3, 141, 90),
)


def _sky(kind: str, seed: int = 1) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    sky = random.normal(100, 7, (HEIGHT, WIDTH)) + 3000 * (random.random((HEIGHT, WIDTH)) > 0.98)
    return np.clip(sky, 0, 250).astype(kind) if np.dtype(kind).itemsize == 1 else sky.astype(kind)


def _compressed(path: Path, data: NDArray[Any], **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy says that it narrows integers of 64 bits
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, **options)]).writeto(path)


TILES = ((1, WIDTH), (20, 30), (HEIGHT, WIDTH))
LOSSLESS = [
    (method, kind, tile)
    for method, kinds in {
        "RICE_1": ("u1", "i2", "i4", "u2", "u4"),
        "GZIP_1": ("u1", "i2", "i4", "i8", "u2"),
        "GZIP_2": ("i2", "i4", "i8"),
        "HCOMPRESS_1": ("i2", "i4"),
        "PLIO_1": ("i2", "i4"),
        "NOCOMPRESS": ("u1", "i2", "i4", "f4", "f8"),
    }.items()
    for kind in kinds
    for tile in TILES
    if not (method == "HCOMPRESS_1" and tile[0] == 1)
]


@pytest.mark.parametrize(("method", "kind", "tile"), LOSSLESS)
def test_compressed_integers_are_what_was_compressed(
    tmp_path: Path, method: str, kind: str, tile: tuple[int, int]
) -> None:
    """Whatever the algorithm, the type and the tiles, no pixel is another."""
    sky = _sky(kind)
    options = {} if np.dtype(kind).kind != "f" else {"quantize_level": 0}
    _compressed(tmp_path / "a.fits", sky, compression_type=method, tile_shape=tile, **options)
    image = OpenImages().image(tmp_path / "a.fits")
    for box in BOXES:
        found = physical(image, read_box(image, box))
        np.testing.assert_array_equal(found, sky[box.bottom : box.top, box.left : box.right])
        assert found.dtype == sky.dtype


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("dither", [-1, 1, 2])
@pytest.mark.parametrize("method", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
def test_quantised_numbers_are_those_of_other_readers(
    tmp_path: Path, method: str, dither: int, tile: tuple[int, int]
) -> None:
    """Dithered or not, with NaN, zeros and a tile that was left as it is, astropy reads the same numbers."""
    if method == "HCOMPRESS_1" and tile[0] == 1:
        pytest.skip("HCOMPRESS_1 has no tiles of one row")
    sky = _sky("f4")
    sky[5:9, 7:80] = 0
    sky[40:60, 30:60] = 5  # a constant tile cannot be quantised
    if method != "HCOMPRESS_1":
        sky[10, 10:20] = np.nan
    path = tmp_path / "a.fits"
    _compressed(path, sky, compression_type=method, tile_shape=tile, quantize_method=dither, dither_seed=9973)
    image = OpenImages().image(path)
    expected = fits.getdata(path, 1)
    for box in BOXES:
        found = read_box(image, box)
        np.testing.assert_array_equal(found, expected[box.bottom : box.top, box.left : box.right])
        assert found.dtype == np.float32


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "i4", "u1"])
@pytest.mark.parametrize("method", ["rice", "gzip", "gzip_2", "hcompress", "plio"])
def test_files_of_cfitsio_are_read(tmp_path: Path, method: str, kind: str) -> None:
    """What fitsio compresses is what fitsio reads."""
    if method == "plio" and kind in ("f4", "f8"):
        pytest.skip("PLIO_1 is for masks")
    path = tmp_path / "a.fits"
    fitsio.write(path, _sky(kind), compress=method, tile_dims=(16, 40), clobber=True)
    image = OpenImages().image(path)
    expected = fitsio.read(path)
    for box in BOXES:
        np.testing.assert_array_equal(
            read_box(image, box), expected[box.bottom : box.top, box.left : box.right]
        )


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("name", [None, "SCI"])
def test_plain_images_of_every_type(tmp_path: Path, kind: str, name: str | None) -> None:
    """All BITPIX, and the offsets that stand for the other sign."""
    sky = _sky(kind)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(sky, name="sci")] if name else [fits.PrimaryHDU(sky)]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    image = OpenImages().image(tmp_path / "a.fits", name)
    for box in BOXES:
        found = physical(image, read_box(image, box))
        np.testing.assert_array_equal(found, sky[box.bottom : box.top, box.left : box.right])
        assert found.dtype == sky.dtype


def test_scaled_and_blank_pixels(tmp_path: Path) -> None:
    """BSCALE and BZERO are applied when asked, and BLANK becomes NaN."""
    hdu = fits.PrimaryHDU(np.array([[1, -99], [3, 4]], np.int16))
    hdu.header.update(BSCALE=0.5, BZERO=10.0, BLANK=-99)
    fits.HDUList([hdu]).writeto(tmp_path / "a.fits", output_verify="ignore")
    image = OpenImages().image(tmp_path / "a.fits")
    stored = read_box(image, Box(0, 0, 2, 2))
    expected = fits.getdata(tmp_path / "a.fits")
    np.testing.assert_array_equal(physical(image, stored), expected)
    assert stored.dtype == np.int16


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A compressed image in small tiles, and its pixels."""
    path = tmp_path_factory.mktemp("tiled") / "a.fits"
    _compressed(path, _sky("f4"), compression_type="RICE_1", tile_shape=(11, 17))
    return path, fits.getdata(path, 1)


@given(st.tuples(*(st.integers(0, n) for n in (WIDTH - 1, HEIGHT - 1, WIDTH - 1, HEIGHT - 1))), st.data())
@settings(max_examples=60, deadline=None)
def test_any_box_in_any_order(
    tiled: tuple[Path, Any], corners: tuple[int, int, int, int], data: st.DataObject
) -> None:
    """What was decoded before does not change what is read."""
    path, expected = tiled
    images = OpenImages(decoded_bytes=data.draw(st.sampled_from([0, 5000, 1 << 20])))
    image = images.image(path)
    boxes = data.draw(st.lists(st.just(corners), min_size=1, max_size=2))
    for x, y, u, v in [*boxes, (3, 3, 9, 5), corners]:
        box = Box(min(x, u), min(y, v), max(x, u) + 1, max(y, v) + 1)
        np.testing.assert_array_equal(
            read_box(image, box), expected[box.bottom : box.top, box.left : box.right]
        )


def test_a_box_outside_is_refused(tiled: tuple[Path, Any]) -> None:
    """Nothing is read beside the image."""
    image = OpenImages().image(tiled[0])
    with pytest.raises(UsageError, match="not in an image"):
        read_box(image, Box(0, 0, WIDTH + 1, 3))


def test_a_file_that_changes_is_opened_anew(tmp_path: Path) -> None:
    """Headers and tiles of a file that was replaced are forgotten."""
    images, path = OpenImages(), tmp_path / "a.fits"
    for value in (1, 2):
        _compressed(tmp_path / "new.fits", np.full((30, 30), value, np.int32), tile_shape=(10, 10))
        (tmp_path / "new.fits").replace(path)
        assert (read_box(images.image(path), Box(0, 0, 30, 30)) == value).all()


def _whole(path: Path) -> bytes:
    fits.HDUList([fits.PrimaryHDU(_sky("f4")), fits.ImageHDU(_sky("i2"))]).writeto(path)
    return path.read_bytes()


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _whole: b"",
    "text": lambda _whole: b"no image at all\n" * 400,
    "gzip": lambda _whole: b"\x1f\x8b" + bytes(4000),
    "header cut": lambda whole: whole[:2000],
    "data cut": lambda whole: whole[:-20_000],
    "no END": lambda whole: whole[:2880].replace(b"END ", b"   ") + whole[2880:],
    "negative axis": lambda whole: whole.replace(
        b"NAXIS1  =                  143", b"NAXIS1  =                 -143"
    ),
    "huge axis": lambda whole: whole.replace(
        b"NAXIS1  =                  143", b"NAXIS1  =     9999999999999999"
    ),
    "axis of text": lambda whole: whole.replace(
        b"NAXIS1  =                  143", b"NAXIS1  = 'a lot'              "
    ),
    "BITPIX 7": lambda whole: whole.replace(
        b"BITPIX  =                  -32", b"BITPIX  =                    7"
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_files_are_named(tmp_path: Path, how: str) -> None:
    """A file that is no image, or only half of one, is an error that names it."""
    path = tmp_path / "broken.fits"
    path.write_bytes(BROKEN[how](_whole(tmp_path / "whole.fits")))
    with pytest.raises(ImageError, match=r"broken\.fits"):
        OpenImages().image(path)


def test_a_file_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    """Pixels that have gone since the headers were read are an error, not a crash."""
    path = tmp_path / "a.fits"
    _whole(path)
    image = OpenImages().image(path)
    with path.open("r+b") as file:
        file.truncate(6000)
    with pytest.raises(ImageError, match="cut short"):
        read_box(image, BOXES[0])


@pytest.mark.parametrize("hdu", [7, "MSK"])
def test_an_image_that_is_not_there(tmp_path: Path, hdu: int | str) -> None:
    """Neither numbers nor names of HDUs are guessed."""
    _whole(tmp_path / "a.fits")
    with pytest.raises(ImageError, match="no image"):
        OpenImages().image(tmp_path / "a.fits", hdu)


@pytest.mark.parametrize("path", ["missing.fits", "a\0b.fits", ""])
def test_paths_that_lead_nowhere(tmp_path: Path, path: str) -> None:
    """A missing file, a directory and a name that no file can have."""
    with pytest.raises(ImageError, match=r"cannot be opened|failed"):
        OpenImages().image(tmp_path / path)


@given(st.data(), st.sampled_from(["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"]))
@settings(max_examples=60, deadline=None)
def test_tiles_of_garbage_harm_nobody(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, method: str
) -> None:
    """Bytes that were changed in table or tiles give other pixels or an error, and the process lives on."""
    path = tmp_path_factory.mktemp("garbage") / "a.fits"
    _compressed(path, _sky("i4"), compression_type=method, tile_shape=(20, 30))
    raw = bytearray(path.read_bytes())
    with fits.open(path, disable_image_compression=True) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
    for at in data.draw(st.lists(st.integers(start, len(raw) - 1), min_size=1, max_size=20)):
        raw[at] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        found = read_box(OpenImages().image(path), BOXES[0])
    except ImageError:
        return
    assert found.shape == (HEIGHT, WIDTH)


def test_threads_read_the_same_image(tiled: tuple[Path, Any]) -> None:
    """Files, headers and tiles are shared by threads, and each has its own pixels."""
    path, expected = tiled
    images = OpenImages(decoded_bytes=20_000)
    corners = [(x, y) for x in range(0, 100, 7) for y in range(0, 60, 9)]

    def read(corner: tuple[int, int]) -> bool:
        x, y = corner
        found = read_box(images.image(path), Box(x, y, x + 40, y + 30))
        return bool((found == expected[y : y + 30, x : x + 40]).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, corners * 3))
