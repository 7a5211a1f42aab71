"""Headers of parts of images: what counts pixels moves, what tells of the whole goes, the rest stays."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vo.errors import ImageError
from vo.images.headers import Keywords
from vo.images.image import Image
from vo.images.pixels import Box
from vo.images.rawcards import Cards, card, history, keyword, without

_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLOCKED|CHECKSUM|DATASUM|INHERIT|END"
    r"|ORIGFILE|ORIGHDU|ORIGSEC"
)
"""Keywords that are written anew."""

_OF_THE_WHOLE = re.compile(
    r"DATAM(IN|AX)|RAC[1-4]|DECC[1-4]|RACM(IN|AX)|DECCM(IN|AX)|CROSSRA0|RA_CENT|DEC_CENT|CENTRA|CENTDEC"
    r"|COR[1-4](RA|DEC)1|CENRA1|CENDEC1|URA(MIN|MAX)|UDEC(MIN|MAX)|RA_SIZE|DEC_SIZE|HEALPIX"
)
"""Keywords of corners, middles and extremes of the image, which are those of no part of it."""

_MOVED = re.compile(r"(CRPIX|LTV)([12])[A-Z]?")
_SECTION = re.compile(r"(DATASEC|TRIMSEC|BIASSEC|AMPSEC|CCDSEC|DETSEC|STATSEC)[A-D]?")
_ELSEWHERE = ("CCDSEC", "DETSEC", "AMPSEC")  # sections in pixels of the detector
_RANGES = re.compile(r"\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*")
_TABULATED = re.compile(r"(CPDIS|D2IMDIS|CQDIS)\d[A-Z]?")


def cut_cards(image: Image, box: Box) -> Cards:
    """The cards of a part of an image without those of its structure, and from where it is.

    CRPIXj and LTVi move with the corner, whatever the projection: polynomials (SIP, TPV) and all other terms
    count from CRPIXj (FITS WCS paper IV, 2.1). Sections keep what the part has of them.
    """
    cards, has_wcs = image.kept("cards to cut", lambda: _prepared(image))
    moved = [_moved(one, image, box) for one in cards]
    return (*(one for one in moved if one), *_origin(image, box, cards, has_wcs=has_wcs))


def _prepared(image: Image) -> tuple[Cards, bool]:
    """What does not depend on the part."""
    names = [keyword(one) for one in image.cards]
    if any(map(_TABULATED.fullmatch, names)):
        raise ImageError(
            f"{image.file.path.name} has distortions in tables, which belong to the whole image.",
            hint="Take the whole image.",
        )
    kept = without(without(image.cards, _STRUCTURE), _OF_THE_WHOLE)
    return tuple(one for one in kept if one.strip()), "CTYPE1" in names


def _moved(one: bytes, image: Image, box: Box) -> bytes:
    """A card as the part needs it; none if it has no meaning there."""
    name = keyword(one)
    found = _MOVED.fullmatch(name)
    if found:
        value, comment = _value_and_comment(one)
        if isinstance(value, int | float):
            return card(name, float(value) - (box.left if found[2] == "1" else box.bottom), comment)
    elif _SECTION.fullmatch(name):
        value, comment = _value_and_comment(one)
        section = _section(name, str(value), image, box)
        return card(name, section, comment) if section else b""
    return one


def _value_and_comment(one: bytes) -> tuple[object, str]:
    words = Keywords((one,))
    return words.get(keyword(one)), words.comment(keyword(one))


def _section(name: str, text: str, image: Image, box: Box) -> str:
    """A section of the part, in pixels of the file or of the detector; empty if it has nothing of it."""
    found = _RANGES.fullmatch(text)
    if found is None:
        return ""
    ends = [int(end) for end in found.groups()]
    axes = ((ends[:2], box.left, box.right, image.width), (ends[2:], box.bottom, box.top, image.height))
    if not name.startswith(_ELSEWHERE):
        parts = [
            (max(low - first, 1), min(high - first, last - first)) for (low, high), first, last, _ in axes
        ]
        return _written(parts) if all(low <= high for low, high in parts) else ""
    if any(abs(high - low) + 1 != size for (low, high), _, _, size in axes):
        return ""  # binned, or of more than the image: what the part has cannot be told
    return _written(
        [
            (low + first, low + last - 1) if high >= low else (low - first, low - last + 1)
            for (low, high), first, last, _ in axes
        ]
    )


def _written(parts: list[tuple[int, int]]) -> str:
    return "[" + ",".join(f"{low}:{high}" for low, high in parts) + "]"


def _origin(image: Image, box: Box, cards: Cards, *, has_wcs: bool) -> Iterator[bytes]:
    """Where the part comes from, for people, programs and IRAF (LTV: from the whole to the part)."""
    known = {keyword(one) for one in cards}
    for i, first in ((1, box.left), (2, box.bottom)):
        if has_wcs and f"CRPIX{i}" not in known:
            yield card(f"CRPIX{i}", -float(first))  # it is 0 by default (FITS 4.0, 8.2)
        if f"LTV{i}" not in known:
            yield card(f"LTV{i}", -float(first), "original pixels to these")
            if f"LTM{i}_{i}" not in known:
                yield card(f"LTM{i}_{i}", 1.0)
    section = f"[{box.left + 1}:{box.right},{box.bottom + 1}:{box.top}]"
    yield card("ORIGFILE", image.file.path.name, "cut from this file")
    yield card("ORIGHDU", image.index, "its HDU, the first being 0")
    yield card("ORIGSEC", section, "columns and rows there")
    yield history(f"Cut from {image.file.path.name}, HDU {image.index}, {section}.")
