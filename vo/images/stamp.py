"""Stamps: parts of images as FITS files of their own, with what the header knew and where they come from."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from astropy.io import fits

from vo.errors import ImageError, UsageError
from vo.images.checksum import summed_header
from vo.images.cutheader import cut_cards
from vo.images.headers import TABLE_ONLY
from vo.images.image import Image
from vo.images.pixels import Box, Mask, Pixels
from vo.images.rawcards import BLOCK, CARD, Cards, card, history, keyword, split, without
from vo.images.stitch import Neighbour, read_stitched

_CHUNK = 1 << 20
_TILE = (100, 100)  # nine times as fast to cut again as rows, for 0.8 % more bytes
_QUANTA = 16  # to a standard deviation of the noise: half a per cent of it is lost
_SEED = 1  # of the dither: the same stamp is the same bytes
_NAMES = re.compile(r"EXTNAME|EXTVER|EXTLEVEL")
_YES: bool = True
_PRIMARY = (card("SIMPLE", _YES, "conforms to FITS standard"),)
_EXTENSION = (card("XTENSION", "IMAGE", "image extension"),)


@dataclass(frozen=True, eq=False)
class Cut:
    """One HDU of a stamp: a box of an image, and of its neighbours where it sticks out.

    `inside` are the pixels that are kept, the others become NaN or BLANK; without it all are. `name` is the
    EXTNAME, empty: that of the image. `notes` become HISTORY.
    """

    image: Image
    box: Box
    inside: Mask | None = None
    name: str = ""
    around: tuple[Neighbour, ...] = ()
    notes: tuple[str, ...] = ()


def same_box(
    planes: Sequence[Image], box: Box, inside: Mask | None = None, notes: Sequence[str] = ()
) -> tuple[Cut, ...]:
    """The same pixels of an image and of what lies over it: its mask, its weights; `notes` go with each."""
    first = planes[0]
    for plane in planes:
        if (plane.width, plane.height) != (first.width, first.height):
            raise ImageError(
                f"HDU {plane.index} of {plane.file.path.name} is not of the size of HDU {first.index}."
            )
    return tuple(Cut(plane, box, inside, notes=tuple(notes)) for plane in planes)


def stamp(cuts: Sequence[Cut], *, packed: bool = False, header_only: bool = False) -> Iterator[bytes]:
    """A FITS file piece by piece, one HDU in memory at a time.

    One cut alone is the primary HDU; several, and `packed` ones (RICE_1, FITS 4.0, 10), are extensions. With
    `header_only` there are no pixels, and NAXIS is 0.
    """
    if not cuts:
        raise UsageError("A stamp needs an image.")
    alone = len(cuts) == 1 and not (packed and not header_only)
    make = partial(_bare_unit if header_only else _packed_unit if packed else _plain_unit, primary=alone)
    pieces = chain.from_iterable(map(make, cuts))
    first = next(pieces)  # what is wrong with the first image is told before any byte
    if not alone:
        yield summed_header((*_PRIMARY, card("BITPIX", 8), card("NAXIS", 0), card("EXTEND", _YES)), b"")
    yield first
    yield from pieces


def _pixels(cut: Cut) -> tuple[Pixels, Cards]:
    """The pixels as they are stored, those that are not there blanked, and the cards that tell of it."""
    pixels, known, used = read_stitched(cut.image, cut.around, cut.box)
    notes = [history(f"Pixels of {image.file.path.name}.") for image in used if image is not cut.image]
    kept = known if cut.inside is None else known & cut.inside
    if kept.all():
        return pixels, tuple(notes)
    if pixels.dtype.kind == "f":
        pixels[~kept] = np.nan
        return pixels, tuple(notes)
    blank = cut.image.header.get("BLANK")
    if not isinstance(blank, int):
        blank = _unused(pixels, kept)
        notes.append(card("BLANK", blank, "no pixel, or outside the stencil"))
    pixels[~kept] = blank
    return pixels, tuple(notes)


def _unused(pixels: Pixels, kept: Mask) -> int:
    """An integer that no pixel has: the lowest, the highest, or any other."""
    limits = np.iinfo(pixels.dtype)
    there = set(np.unique(pixels[kept]).tolist())
    candidates = (limits.min, limits.max, *range(limits.min, limits.min + len(there) + 1))
    found = next((value for value in candidates if value not in there and value <= limits.max), None)
    if found is None:
        raise UsageError("The image uses all values of its pixels, so that none is left for those outside.")
    return int(found)


def _cards(cut: Cut) -> Cards:
    cards = cut_cards(cut.image, cut.box)
    if cut.name:
        cards = (card("EXTNAME", cut.name), *without(cards, _NAMES))
    return (*cards, *(history(note) for note in cut.notes))


def _structure(pixels: Pixels, *, primary: bool) -> Cards:
    """The mandatory cards (FITS 4.0, 4.4.1)."""
    bits = pixels.dtype.itemsize * 8 * (-1 if pixels.dtype.kind == "f" else 1)
    start = _PRIMARY if primary else _EXTENSION
    rows, columns = pixels.shape
    axes = (card("NAXIS", 2), card("NAXIS1", columns), card("NAXIS2", rows))
    end = () if primary else (card("PCOUNT", 0), card("GCOUNT", 1))
    return (*start, card("BITPIX", bits), *axes, *end)


def _bare_unit(cut: Cut, *, primary: bool) -> Iterator[bytes]:
    yield summed_header(_bare(cut, primary=primary), b"")


def _plain_unit(cut: Cut, *, primary: bool) -> Iterator[bytes]:
    yield from _plain(cut, *_pixels(cut), primary=primary)


def _packed_unit(cut: Cut, *, primary: bool) -> Iterator[bytes]:
    pixels, more = _pixels(cut)
    if pixels.dtype == np.int64:  # which cfitsio does not unpack
        yield from _plain(cut, pixels, more, primary=primary)
    else:
        yield from _packed(cut, pixels, more)


def _plain(cut: Cut, pixels: Pixels, more: Cards, *, primary: bool) -> Iterator[bytes]:
    cards = (*_structure(pixels, primary=primary), *_cards(cut), *more)
    raw = np.ascontiguousarray(pixels)
    if sys.byteorder == "little":
        raw.byteswap(inplace=True)  # nobody else has them, and a copy could be hundreds of megabytes
    yield from _unit(cards, raw.data.cast("B"))


def _packed(cut: Cut, pixels: Pixels, more: Cards) -> Iterator[bytes]:
    """Astropy packs pixels without a header, so that the cards need not be read and written by it."""
    hdu = fits.CompImageHDU(
        pixels,
        compression_type="RICE_1",
        tile_shape=tuple(min(tile, length) for tile, length in zip(_TILE, pixels.shape, strict=True)),
        quantize_level=_QUANTA,
        quantize_method=2,
        dither_seed=_SEED,
    )
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file)
    raw = file.getvalue()[BLOCK:]
    end = next(i for i in range(0, len(raw), CARD) if raw[i : i + 8] == b"END     ")
    structure = tuple(one for one in split(raw[:end]) if TABLE_ONLY.fullmatch(keyword(one)))
    start = end + CARD + -(end + CARD) % BLOCK
    yield from _unit((*structure, *_cards(cut), *more), raw[start:])


def _bare(cut: Cut, *, primary: bool) -> Cards:
    """A header without pixels, whose WCS has axes all the same."""
    start = _PRIMARY if primary else _EXTENSION
    end = () if primary else (card("PCOUNT", 0), card("GCOUNT", 1))
    cards = _cards(cut)
    axes = () if any(keyword(one) == "WCSAXES" for one in cards) else (card("WCSAXES", 2),)
    return (*start, card("BITPIX", cut.image.bitpix), card("NAXIS", 0), *end, *axes, *cards)


def _unit(cards: Cards, data: bytes | memoryview) -> Iterator[bytes]:
    yield summed_header(cards, data)
    for start in range(0, len(data), _CHUNK):
        yield bytes(data[start : start + _CHUNK])
    yield bytes(-len(data) % BLOCK)
