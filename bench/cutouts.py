"""Stamps a second on one core: this project, fitsio and astropy on the same images of 10,000 x 10,000 pixels.

    python bench/cutouts.py [DIR]

DIR keeps the images (600 MB) for another run; without it they go. Warm: the file is open and in memory, and
the seconds are those of the processor, so that neighbours on the machine count less. Cold: the file is closed
and was dropped from the page cache before each stamp, and the seconds are those of the clock. No tile is kept
between stamps, but in the lines that say so. "whole stamps" are FITS files, from a position on the sky on.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

from vo.images.image import Image, OpenImages
from vo.images.pixels import Box, Pixels, read_box
from vo.images.sky import box_around, sky_of
from vo.images.stamp import Cut, stamp

SIDE = 10_000
SCALE = 0.263 / 3600
SIZES = {"1 arcmin": (228, 24), "10 arcmin": (2281, 3)}
"""Pixels along a side, and how many stamps are a round."""

ROUNDS = 5
FILES: dict[str, dict[str, Any]] = {
    "plain": {},
    "RICE, row tiles": {"compress": "RICE", "tile_dims": (1, SIDE)},
    "RICE, 100 x 100": {"compress": "RICE", "tile_dims": (100, 100)},
    "GZIP, row tiles": {"compress": "GZIP", "tile_dims": (1, SIDE)},
}
QUANTISED = {"qlevel": 4, "qmethod": "SUBTRACTIVE_DITHER_1", "dither_seed": 1}

Corner = tuple[int, int]
Reader = Callable[[Corner], Pixels | bytes]


def main() -> None:
    """Make the images, measure, print tables."""
    with _directory() as directory:
        paths = {name: written(directory / f"{number}.fits", name) for number, name in enumerate(FILES)}
        print("| file | stamp | | vo | fitsio | astropy | vo / fitsio | vo / astropy |")
        print("|---|---|---|--:|--:|--:|--:|--:|")
        for name, path in paths.items():
            for size, (pixels, count) in SIZES.items():
                corners = _corners(pixels, count)
                _line(name, size, "warm", [_warm(opener(path, pixels), corners) for opener in OPENERS])
                cold = [_cold(path, partial(_afresh, opener, path, pixels), corners) for opener in OPENERS]
                _line(name, size, "cold", cold)
        for name, path in paths.items():
            corners = _corners(SIZES["1 arcmin"][0], SIZES["1 arcmin"][1])
            rates = [_warm(reader, corners) for reader in whole(path, SIZES["1 arcmin"][0])]
            _line(name, "1 arcmin", "whole stamps", [rates[0], None, rates[1]])
        _more(paths)


@contextmanager
def _directory() -> Iterator[Path]:
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        yield Path(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


def written(path: Path, name: str) -> Path:
    """The image of that kind, made unless it is there."""
    if not path.exists():
        random = np.random.default_rng(1)
        sky = random.normal(0, 3, (SIDE, SIDE)).astype(np.float32)
        header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": -20.0}
        header |= {
            "CRPIX1": SIDE / 2,
            "CRPIX2": SIDE / 2,
            "CD1_1": -SCALE,
            "CD2_2": SCALE,
            "CD1_2": 0.0,
            "CD2_1": 0.0,
        }
        options = FILES[name] | (QUANTISED if FILES[name] else {})
        fitsio.write(path, sky, header=header, clobber=True, **options)
    return path


def _corners(pixels: int, count: int) -> list[Corner]:
    found = np.random.default_rng(pixels).integers(0, SIDE - pixels, (count, 2))
    return [(int(x), int(y)) for x, y in found]


def _ours(path: Path, pixels: int) -> Reader:
    image = OpenImages(decoded_bytes=0).image(path)
    return lambda corner: read_box(image, _box(corner, pixels))


def _by_fitsio(path: Path, pixels: int) -> Reader:
    table = fitsio.FITS(path)[_number(path)]
    return lambda corner: table[corner[1] : corner[1] + pixels, corner[0] : corner[0] + pixels]


def _astropy(path: Path, pixels: int) -> Reader:
    return partial(_by_astropy, fits.open(path, memmap=True)[_number(path)], pixels)


def _number(path: Path) -> int:
    """The HDU of the image."""
    return 0 if path.name.startswith("0") else 1


OPENERS = (_ours, _by_fitsio, _astropy)


def _afresh(opener: Callable[[Path, int], Reader], path: Path, pixels: int, corner: Corner) -> Pixels | bytes:
    return opener(path, pixels)(corner)


def whole(path: Path, pixels: int) -> tuple[Reader, Reader]:
    """A position and a size become a FITS file in memory."""
    image = OpenImages(decoded_bytes=0).image(path)
    sky = sky_of(image)
    hdu = fits.open(path, memmap=True)[image.index]
    wcs, header = WCS(hdu.header), hdu.header

    def ours(corner: Corner) -> bytes:
        ra, dec = (float(angle) for angle in wcs.all_pix2world(*(at + pixels / 2 for at in corner), 0))
        box = box_around(sky, (ra, dec), (pixels * SCALE, pixels * SCALE))
        assert box is not None
        return b"".join(stamp([Cut(image, box)]))

    def theirs(corner: Corner) -> bytes:
        position = wcs.pixel_to_world(*(at + pixels / 2 for at in corner))
        cut = Cutout2D(hdu.section, position, (pixels, pixels), wcs=wcs)
        told = header.copy()
        told.update(cut.wcs.to_header())
        file = io.BytesIO()
        fits.PrimaryHDU(cut.data, told).writeto(file, checksum=True)
        return file.getvalue()

    return ours, theirs


def _box(corner: Corner, pixels: int) -> Box:
    return Box(corner[0], corner[1], corner[0] + pixels, corner[1] + pixels)


def _by_astropy(hdu: fits.ImageHDU, pixels: int, corner: Corner) -> Pixels:
    """The faster of its ways: the memory map of a plain file, or the tiles that are touched."""
    pick = np.s_[corner[1] : corner[1] + pixels, corner[0] : corner[0] + pixels]
    found: Pixels = hdu.section[pick] if isinstance(hdu, fits.CompImageHDU) else hdu.data[pick]
    return found.astype(found.dtype.newbyteorder("="))


def _warm(reader: Reader, corners: list[Corner]) -> float:
    """Stamps a second of processor time: the best round."""
    best = 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for corner in corners:
            reader(corner)
        best = max(best, len(corners) / (time.process_time() - began))
    return best


def _cold(path: Path, reader: Reader, corners: list[Corner]) -> float:
    """Stamps a second, the file being neither open nor in memory: the median."""
    seconds = []
    for corner in corners[:8]:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        began = time.perf_counter()
        reader(corner)
        seconds.append(time.perf_counter() - began)
    return 1 / float(np.median(seconds))


def _line(name: str, size: str, how: str, rates: list[float | None]) -> None:
    ours = rates[0] or 0.0
    figures = [f"{rate:,.1f}" if rate else "" for rate in rates]
    ratios = [f"{ours / rate:.1f}" if rate else "" for rate in rates[1:]]
    print(f"| {name} | {size} | {how} | {' | '.join(figures + ratios)} |", flush=True)


def _more(paths: dict[str, Path]) -> None:
    """What keeping tiles and a second thread add."""
    pixels, count = SIZES["1 arcmin"]
    for name in ("RICE, row tiles", "RICE, 100 x 100"):
        image = OpenImages().image(paths[name])
        corners = [(4000 + 9 * step, 4000 + 7 * step) for step in range(count)]
        kept = _warm(lambda corner, image=image: read_box(image, _box(corner, pixels)), corners)
        print(f"{name}, 1 arcmin, {count} stamps that overlap, tiles kept: {kept:,.1f} a second")
        alone, both = (
            _by_clock(OpenImages(decoded_bytes=0).image(paths[name]), threads) for threads in (1, 2)
        )
        print(f"{name}, 1 arcmin, by the clock: {alone:,.1f} a second in one thread, {both:,.1f} in two")


def _by_clock(image: Image, threads: int) -> float:
    pixels, count = SIZES["1 arcmin"]
    boxes = [_box(corner, pixels) for corner in _corners(pixels, count)] * ROUNDS
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(partial(read_box, image), boxes))
        return len(boxes) / (time.perf_counter() - began)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
