"""The files of a cutout, each made whole: its length is known, and an error comes before its first byte."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from vo.cutout.options import Options, Product
from vo.cutout.places import Place
from vo.errors import NotFoundError, TooLargeError, UsageError
from vo.images.collection import ImageFile
from vo.images.image import OpenImages
from vo.images.picture import Percentile, picture
from vo.images.pixels import Box
from vo.images.sky import box_around, sky_of
from vo.images.stamp import Cut, stamp
from vo.images.stitch import best_covering, neighbours
from vo.images.view import View, picture_scale

_ARCMIN = 60.0
_COLOURS = ("i", "r", "g")
"""Red, green and blue of a picture where they are there and nobody says more (Lupton et al. 2004)."""

_COLOUR = 3
_ROUNDING = 1e-6  # of the last digit that is told
_NOT_SAFE = re.compile(r"[^A-Za-z0-9+_.-]")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one band contributes: the image that has its way, and the box of its pixels."""

    image: ImageFile
    box: Box


@dataclass(frozen=True, slots=True)
class CutoutFile:
    """A file of a cutout, in blocks; `size` is that of all."""

    name: str
    media_type: str
    blocks: tuple[bytes, ...]
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.blocks))


def reach_of(options: Options) -> float:
    """Degrees from the middle of a cutout to its corners."""
    return math.hypot(options.width, options.height) / 2 / _ARCMIN


@dataclass(frozen=True, slots=True)
class Cutout:
    """A file to be made: of which place, how large, what of it, and of which images for each of its bands."""

    place: Place
    options: Options
    product: Product
    bands: tuple[tuple[ImageFile, ...], ...]

    @classmethod
    def of(cls, place: Place, options: Options, product: Product) -> Self:
        """The file for a place; NotFoundError or UsageError: its bands are not there, or make no picture."""
        return cls(place, options, product, _images_of(place, product))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in degrees."""
        return self.options.width / _ARCMIN, self.options.height / _ARCMIN

    @property
    def pixels(self) -> int:
        """About how many pixels it has, by the inventory."""
        sides = self.options.width * _ARCMIN, self.options.height * _ARCMIN
        scales = (images[0].pixel_scale for images in self.bands)
        return sum(math.prod(max(1, round(side / scale)) for side in sides) for scale in scales)


def _images_of(place: Place, product: Product) -> tuple[tuple[ImageFile, ...], ...]:
    """The images of each band that the product has, in the order of the product.

    Pictures begin with the longest wavelength, which is red, whatever their bands were called for.
    """
    by_band: dict[str, tuple[ImageFile, ...]] = {}
    for image in place.images:
        by_band[image.band or ""] = (*by_band.get(image.band or "", ()), image)
    there = sorted(by_band, key=lambda band: (by_band[band][0].em_min or math.inf, band))
    missing = [band for band in product.bands if band not in by_band]
    if missing:
        raise NotFoundError(
            f"No image in {' or '.join(missing)} shows the position.", hint=f"There are {', '.join(there)}."
        )
    if not product.is_picture:
        return tuple(by_band[band] for band in product.bands or there)
    bands = product.bands or _good_colours(there)
    if len(bands) not in (1, _COLOUR):
        raise UsageError(f"A picture has one band or three, not {len(bands)}: {', '.join(bands)}.")
    return tuple(by_band[band] for band in sorted(bands, key=there.index, reverse=True))


def _good_colours(there: Sequence[str]) -> tuple[str, ...]:
    if set(_COLOURS) <= set(there):
        return _COLOURS
    if len(there) >= _COLOUR:
        return there[-1], there[len(there) // 2], there[0]
    return (there[-1],)


def file_of(cutout: Cutout, opened: OpenImages, most_pixels: int) -> CutoutFile:
    """Make a file; ImageError where an image that it needs is broken."""
    if cutout.pixels > most_pixels:
        raise TooLargeError(
            f"The cutout has {cutout.pixels:,} pixels and may have {most_pixels:,}.",
            hint="Ask for less sky or fewer bands.",
        )
    position, size = cutout.place.position, cutout.size
    chosen = [_chosen(images, position, size, opened) for images in cutout.bands]
    if cutout.product.is_picture:
        blocks = _picture(chosen, View.around(position, size, _scale(chosen, size)), cutout.product)
    else:
        blocks = _fits(chosen, cutout.product)
    pieces = tuple(each.piece for each in chosen)
    return CutoutFile(_name(cutout, pieces), cutout.product.media_type, blocks, pieces)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The images of a band, the best one first, and what is cut out of it and its neighbours."""

    piece: Piece
    cut: Cut
    files: tuple[ImageFile, ...]
    opened: OpenImages


def _chosen(
    files: Sequence[ImageFile], position: tuple[float, float], size: tuple[float, float], opened: OpenImages
) -> _Chosen:
    """The first image that has all of the box; else the one that has most of it, with its neighbours."""
    around = []
    for file in files:
        image = opened.image(file.file, file.hdu)
        box = box_around(sky_of(image), position, size)
        if box is not None and box.within(image.width, image.height) == box:
            return _Chosen(Piece(file, box), Cut(image, box), (file,), opened)
        around.append((file, image, box))
    held = [(file, image, box) for file, image, box in around if box is not None]
    if not held:
        raise NotFoundError(f"No image in {files[0].band or 'one band'} shows the position.")
    file, image, box = held[best_covering([(image, box) for _, image, box in held])]
    beside = neighbours(image, [other for _, other, _ in around])
    where = f"tile {file.tile}" if file.tile else file.file.name
    note = f"The cutout reaches beyond {where}" + (
        ", and is stitched where its neighbours have the same grid of pixels."
        if beside
        else ", the only image used."
    )
    others = (each for each, _, _ in around if each is not file)
    return _Chosen(Piece(file, box), Cut(image, box, around=beside, notes=(note,)), (file, *others), opened)


def _fits(chosen: Sequence[_Chosen], product: Product) -> tuple[bytes, ...]:
    """Each band an HDU of its own, which has the band's name where there are several."""
    cuts = [each.cut for each in chosen]
    if len(cuts) > 1:
        cuts = [replace(each.cut, name=each.piece.image.band or "") for each in chosen]
    return tuple(stamp(cuts, packed=product.format == "fits.fz"))


def _scale(chosen: Sequence[_Chosen], size: tuple[float, float]) -> float:
    """Degrees to a pixel of a picture of these images."""
    sharpest = min(math.degrees(sky_of(each.cut.image).scale) for each in chosen)
    return float(picture_scale(np.array(size[0]), np.array(size[1]), np.array(sharpest)))


def _picture(chosen: Sequence[_Chosen], view: View, product: Product) -> tuple[bytes, ...]:
    bands = [[each.opened.image(file.file, file.hdu) for file in each.files] for each in chosen]
    return (picture(view, bands, product.style, encoding=product.format),)


def _name(cutout: Cutout, pieces: Sequence[Piece]) -> str:
    """A name that tells release, tile, position, size and bands."""
    place, options, product = cutout.place, cutout.options, cutout.product
    tiles = "-".join(dict.fromkeys(piece.image.tile for piece in pieces if piece.image.tile))
    bands = "".join(piece.image.band or "" for piece in pieces)
    style = "percentile" if product.is_picture and isinstance(product.style, Percentile) else ""
    size = f"{options.width:g}x{options.height:g}"
    words = (place.release, tiles, designation(*place.position), size, bands, style)
    text = "_".join(word for word in words if word)
    return f"{_NOT_SAFE.sub('-', text)}.{product.extension}"


def designation(ra: float, dec: float) -> str:
    """A position as in the names of sources, cut off and not rounded, as the IAU has it.

    >>> designation(10.5, -0.25), designation(359.99999999, 45.0), designation(math.nextafter(360, 0), 45.0)
    ('J004200.00-001500.0', 'J235959.99+450000.0', 'J000000.00+450000.0')
    """
    hours = int(ra % 360.0 / 15 * 360_000 + _ROUNDING) % 8_640_000
    degrees = int(abs(dec) * 36_000 + _ROUNDING)
    at = f"{hours // 360_000:02}{hours // 6_000 % 60:02}{hours % 6_000 / 100:05.2f}"
    up = f"{degrees // 36_000:02}{degrees // 600 % 60:02}{degrees % 600 / 10:04.1f}"
    return f"J{at}{'-' if dec < 0 else '+'}{up}"
