"""Pictures in place of pixels: what /cutout draws of the same sky, north up, told before it does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.images.services import PICTURE_PATH
from vo.images.tables import LINKS
from vo.images.view import grid_of
from vo.sia.v1.archive import Arrays
from vo.sia.v1.image_formats import GRAPHICS

_ARCMIN, _ARCSEC = 60.0, 3600.0
_NARROWEST, _WIDEST = 0.1, 12.0  # arcminutes along a side of a picture
_DIGITS = 4  # of arcminutes


def with_pictures(stored: Arrays, told: Arrays) -> Arrays:
    """The rows, those of pictures telling of them in place of the FITS file of the same sky.

    A picture is of as much sky around the same middle, but for the limits of /cutout; of an arcminute, where
    it is not known how much that is.
    """
    is_picture = pc.is_in(stored["image_format"], pa.array(GRAPHICS))
    if not pc.any(is_picture).as_py():
        return told
    pictures = _pictures(stored, told)
    return {
        name: pc.if_else(is_picture, pictures[name].cast(column.type), column) if name in pictures else column
        for name, column in told.items()
    }


def _pictures(stored: Arrays, told: Arrays) -> Arrays:
    """What is told of pictures, whose projection is gnomonic around their middle."""
    scale, known = _floats(told["pixel_scale"]), np.stack([_floats(told[f"naxis{i}"]) for i in (1, 2)])
    sides = np.nan_to_num(known * scale / _ARCMIN, nan=1.0).clip(_NARROWEST, _WIDEST).round(_DIGITS)
    scale = np.nan_to_num(scale, nan=1.0)
    columns, rows, fit = grid_of(sides[0] / _ARCMIN, sides[1] / _ARCMIN, scale / _ARCSEC)
    nothing, count = np.zeros(len(fit)), len(fit)
    return {
        "title": pc.binary_join_element_wise("Picture of", told["title"], " "),
        "acref": _links(stored, told, sides),
        "kbyte": pa.nulls(count),
        "pixflags": pa.repeat("V", count),
        "pixel_scale": pa.array(fit * _ARCSEC),
        "naxis1": pa.array(columns),
        "naxis2": pa.array(rows),
        "frame": pa.repeat("ICRS", count),
        "equinox": pa.nulls(count),
        "projection": pa.repeat("TAN", count),
        "crpix1": pa.array((columns + 1) / 2),
        "crpix2": pa.array((rows + 1) / 2),
        "crval1": told["ra"],
        "crval2": told["dec"],
        "cd1_1": pa.array(-fit),
        "cd1_2": pa.array(nothing),
        "cd2_1": pa.array(nothing),
        "cd2_2": pa.array(fit),
    }


def _links(stored: Arrays, told: Arrays, sides: np.ndarray) -> pa.Array:
    images = pc.replace_substring(stored["access_url"], LINKS, f"{PICTURE_PATH}?IMAGE=")
    values = {"RA": told["ra"], "DEC": told["dec"], "XSIZE": pa.array(sides[0]), "YSIZE": pa.array(sides[1])}
    words = [text for name, each in values.items() for text in (f"&{name}=", each.cast(pa.string()))]
    form = pc.replace_substring(stored["image_format"], "image/", "")
    return pc.binary_join_element_wise(images, *words, "&FORMAT=", form, "")


def _floats(column: pa.Array) -> np.ndarray:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
