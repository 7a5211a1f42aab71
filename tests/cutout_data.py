"""Images for tests of cutouts: where the requests of DESaccess' own tests ask for them, and odd ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from loading import config_of

from vo.load import load_images, load_release

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "fits-images"
"""Real images, where they are at hand."""

BANDS = ("g", "r", "i", "z", "Y")
SHAPE = (160, 200)
SCALE = 0.004
"""Rows and columns of an image, and degrees to a pixel."""

FIELDS = {
    "DES0126+0335": (21.58, 3.6),
    "DES0226-1541": (36.64, -15.67),
    "DES0305-3415": (46.28, -34.25),
    "DES0200-6354": (30.05, -63.9),
}
"""Tiles and their middles."""

OBJECTS = {
    61407409: (21.5, 3.5),
    61407410: (36.6, -15.6),
    61407318: (30.5728072563486, -63.8975657679885),
    61407322: (29.6042028605732, -63.9003217744268),
    61407330: (29.5620189708651, -63.9028641875708),
}
"""Objects of the catalogue, some of them where DES has objects of that number."""

ONE_GRID, TWO_GRIDS = (99.9995, 20.0), (150.05, 30.0)
"""Where two images overlap, and neither has all of twelve arcminutes: left and right; west and east."""

_DESCRIPTION = """\
name: des
description: A release for tests.
tables:
  - name: main
    primaryKey: coadd_object_id
    columns:
      - {name: coadd_object_id, datatype: long, ivoa:ucd: meta.id;meta.main}
      - {name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}
      - {name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}
"""


def write_release(directory: Path) -> Path:
    """A data directory with the releases `des`, `odd` and, where the real images are at hand, `surveys`."""
    source, data = directory / "source", directory / "data"
    source.mkdir()
    (source / "release.yaml").write_text(_DESCRIPTION)
    rows = (f"{number},{ra!r},{dec!r}" for number, (ra, dec) in OBJECTS.items())
    (source / "main.csv").write_text("\n".join(["coadd_object_id,ra,dec", *rows]))
    config = config_of(data)
    load_release(source, config)
    for folder, images in (("des", _fields()), ("odd", _odd())):
        for name, hdu in images:
            path = data / "images" / folder / f"{name}.fits"
            path.parent.mkdir(parents=True, exist_ok=True)
            hdu.writeto(path)
        load_images(data / "images" / folder, config, release=folder)
    _break(data / "images" / "odd")
    if REAL.is_dir():
        _copy_real(data / "images" / "surveys")
        load_images(data / "images" / "surveys", config, release="surveys")
    return data


def _copy_real(folder: Path) -> None:
    """The real images, those of SDSS with the band that their names tell: their cards all say g."""
    for path in sorted(REAL.rglob("*.fits")):
        copy = folder / path.relative_to(REAL)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        if path.name.startswith("reprojected_sdss"):
            fits.setval(copy, "FILTER", value=path.stem[-1])


def _fields() -> Iterator[tuple[str, fits.PrimaryHDU]]:
    for tile, (ra, dec) in FIELDS.items():
        for band in BANDS:
            noise = np.random.default_rng(len(tile) + ord(band)).normal(0, 3, SHAPE).astype("f4")
            yield f"{tile}_{band}", image(noise, ra, dec, TILENAME=tile, BAND=band)


def image(pixels: np.ndarray, ra: float, dec: float, **cards: Any) -> fits.PrimaryHDU:
    """An image around a position, of SCALE, TAN."""
    rows, columns = pixels.shape
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": dec}
    header |= {"CRPIX1": (columns + 1) / 2, "CRPIX2": (rows + 1) / 2, "CD1_1": -SCALE, "CD2_2": SCALE}
    return fits.PrimaryHDU(pixels, fits.Header({**header, "CD1_2": 0.0, "CD2_1": 0.0, **cards}))


def grid(left: int, columns: int) -> np.ndarray:
    """Pixels that tell their place on a grid: a thousand times the row, and the column."""
    y, x = np.mgrid[: SHAPE[0], left : left + columns]
    return (1000.0 * y + x).astype("f4")


def _odd() -> Iterator[tuple[str, fits.PrimaryHDU]]:
    """Two images of one grid, two of different grids, and two that will be broken."""
    for tile, first in (("left", 0), ("right", 180)):
        yield tile, image(grid(first, 200), 100.0, 20.0, CRPIX1=200.5 - first, TILENAME=tile, BAND="r")
    for tile, ra in (("west", 149.7), ("east", 150.4)):
        yield tile, image(grid(0, 200), ra, 30.0, TILENAME=tile, BAND="r")
    for name, ra in (("cut", 200.0), ("gone", 220.0)):
        for band in ("g", "r"):
            yield f"{name}_{band}", image(grid(0, 200), ra, 0.0, TILENAME=name, BAND=band)


def _break(folder: Path) -> None:
    """Cut one file short, and take another away."""
    whole = (folder / "cut_r.fits").read_bytes()
    (folder / "cut_r.fits").write_bytes(whole[: len(whole) // 2])
    (folder / "gone_r.fits").unlink()
