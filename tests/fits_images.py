"""FITS images that tests write: any projection, packing and set of planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

SHAPE = (30, 40)


def header(ra: float = 10.0, dec: float = -40.0, *, scale: float = 0.01, **cards: Any) -> fits.Header:
    """The header of an image of 40 x 30 pixels of `scale` degrees around a position, TAN unless told."""
    return fits.Header(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": ra,
            "CRVAL2": dec,
            "CRPIX1": 20.5,
            "CRPIX2": 15.5,
            "CD1_1": -scale,
            "CD1_2": 0.0,
            "CD2_1": 0.0,
            "CD2_2": scale,
            **cards,
        }
    )


def pixels(kind: str = "f4") -> np.ndarray[Any, Any]:
    """Pixels of such an image: noise, so that any compression has something to do."""
    return np.random.default_rng(1).normal(100.0, 10.0, SHAPE).astype(kind)


def write_image(path: Path, *, hdus: list[Any] | None = None, **cards: Any) -> Path:
    """A file with one image, or with `hdus` behind an empty primary one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [fits.PrimaryHDU(), *hdus] if hdus is not None else [fits.PrimaryHDU(pixels(), header(**cards))]
    fits.HDUList(content).writeto(path)
    return path


def coadd(path: Path, packing: str | None = None, **cards: Any) -> Path:
    """A file as of a DES coadd: image, mask and weight, packed by one of the algorithms of fpack."""
    planes = (("SCI", "IMAGE", "f4"), ("MSK", "MASK", "i4"), ("WGT", "WEIGHT", "f4"))
    hdus = []
    for name, word, kind in planes:
        told = header(**cards)
        told["DES_EXT"] = word
        if packing is None:
            hdus.append(fits.ImageHDU(pixels(kind), told, name=name))
        else:
            hdus.append(fits.CompImageHDU(pixels(kind), told, name=name, compression_type=packing))
    return write_image(path, hdus=hdus)
