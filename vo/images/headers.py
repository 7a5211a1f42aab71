"""The headers of a FITS file: where its data lie, and what image a compressed one stands for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from astropy.io.fits import Card, VerifyError

from vo.images.files import FitsFile
from vo.images.rawcards import BLOCK, CARD, Cards, card, keyword, split, without

_CHUNK = 16 * BLOCK
_MAX_HEADER = 4096 * BLOCK  # 147,456 cards
_MAX_UNITS = 2000
_BITPIX = (8, 16, 32, 64, -32, -64)

TABLE_ONLY = re.compile(
    r"XTENSION|SIMPLE|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|EXTEND|TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM)\d+"
    r"|ZIMAGE|ZSIMPLE|ZEXTEND|ZTENSION|ZBITPIX|ZNAXIS\d*|ZTILE\d+|ZPCOUNT|ZGCOUNT|ZBLOCKED|ZCMPTYPE|ZNAME\d+|ZVAL\d+"
    r"|ZQUANTIZ|ZDITHER0|ZSCALE|ZZERO|ZBLANK|ZMASKCMP|ZHECKSUM|ZDATASUM|CHECKSUM|DATASUM"
)
"""Keywords of a table that holds a compressed image, and not of that image (FITS 4.0, 10.1)."""


class Keywords(Mapping[str, Any]):
    """Values by keyword, parsed as they are asked for; of a repeated keyword the first."""

    def __init__(self, cards: Cards) -> None:
        self._cards: dict[str, bytes] = {}
        for one in cards:
            self._cards.setdefault(keyword(one), one)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  a value is of any type
        try:
            return Card.fromstring(self._cards[name]).value
        except VerifyError:
            raise KeyError(name) from None  # not to be parsed: as good as absent

    def comment(self, name: str) -> str:
        """The comment behind a value; empty without one."""
        try:
            return str(Card.fromstring(self._cards[name]).comment)
        except (KeyError, VerifyError):
            return ""

    def __iter__(self) -> Any:  # noqa: ANN401
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)


@dataclass(frozen=True, eq=False)
class Unit:
    """One HDU: its number, its header, and where its data lie in the file."""

    file: FitsFile
    index: int
    cards: Cards
    data_offset: int

    @cached_property
    def keywords(self) -> Keywords:
        """The values of the header."""
        return Keywords(self.cards)

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """The value of a keyword that is a whole number between two."""
        value = self.keywords.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.file.broken(f"{name} of HDU {self.index} is {value!r}")
        return value

    def axes(self, prefix: str = "") -> tuple[int, ...]:
        """The lengths of the axes, the fastest first; with the prefix Z, of the compressed image."""
        count = self.whole(f"{prefix}NAXIS", 0, 999)
        return tuple(self.whole(f"{prefix}NAXIS{i + 1}", 0, 2**40) for i in range(count))

    def bitpix(self, prefix: str = "") -> int:
        """BITPIX, which must be one of the six (FITS 4.0, 4.4.1)."""
        value = self.whole(f"{prefix}BITPIX", -64, 64)
        if value not in _BITPIX:
            raise self.file.broken(f"{prefix}BITPIX of HDU {self.index} is {value}")
        return value

    @property
    def is_compressed(self) -> bool:
        """Whether it is a table that holds an image in tiles."""
        return self.keywords.get("ZIMAGE") is True and self.keywords.get("XTENSION") == "BINTABLE"

    @property
    def is_image(self) -> bool:
        """Whether it holds an image, compressed or not."""
        return self.is_compressed or "SIMPLE" in self.keywords or self.keywords.get("XTENSION") == "IMAGE"

    @cached_property
    def data_bytes(self) -> int:
        """The bytes of the data without the fill behind them (FITS 4.0, 4.4.1)."""
        axes = self.axes()
        if not axes:
            return 0
        groups = axes[0] == 0 and self.keywords.get("GROUPS") is True
        pixels = math.prod(axes[1:] if groups else axes)
        pcount, gcount = self.whole("PCOUNT", 0, 2**50, 0), self.whole("GCOUNT", 0, 2**31, 1)
        return abs(self.bitpix()) // 8 * gcount * (pcount + pixels)


def units(file: FitsFile) -> tuple[Unit, ...]:
    """All HDUs of a file; ImageError unless the file has all their bytes."""
    found: list[Unit] = []
    offset = 0
    while offset < file.size and len(found) < _MAX_UNITS:
        if found and not _begins_header(file, offset):
            break  # special records may follow the last HDU (FITS 4.0, 3.5)
        cards, data = _read_header(file, offset, len(found))
        unit = Unit(file, len(found), cards, data)
        if data + unit.data_bytes > file.size:
            raise file.broken(f"it is cut short: HDU {unit.index} has {unit.data_bytes} bytes of data")
        found.append(unit)
        offset = data + unit.data_bytes + -unit.data_bytes % BLOCK
    if not found:
        raise file.broken("it is empty")
    return tuple(found)


def _begins_header(file: FitsFile, offset: int) -> bool:
    return offset + BLOCK <= file.size and file.read(offset, 8) == b"XTENSION"


def _read_header(file: FitsFile, offset: int, index: int) -> tuple[Cards, int]:
    """The cards of the header at `offset`, and where its data begin."""
    text, size = b"", 0
    end = -1
    while end < 0:
        part = min(_CHUNK, file.size - offset - size)
        if part <= 0 or size > _MAX_HEADER:
            raise file.broken(f"the header of HDU {index} has no END")
        text += file.read(offset + size, part)
        if not size and not text.startswith((b"SIMPLE  =", b"XTENSION=")):
            raise file.broken("it is no FITS file")
        end = _end(text, max(size - CARD, 0) // CARD)
        size += part
    return split(text[: end * CARD]), offset + (end + 1) * CARD + -((end + 1) * CARD) % BLOCK


def _end(text: bytes, start: int) -> int:
    """The number of the card END from the `start`th on; -1 without one."""
    for i in range(start, len(text) // CARD):
        if text[i * CARD : i * CARD + 8] == b"END     ":
            return i
    return -1


def image_cards(unit: Unit, primary: Unit) -> Cards:
    """The header of an image: of the one that was compressed, and with what it inherits from the first HDU.

    Inheritance: the convention of INHERIT (FITS 4.0, Appendix K).
    """
    cards = unit.cards
    if unit.is_compressed:
        cards = _restored(unit)
    if unit.index and unit.keywords.get("INHERIT") is True:
        known = {keyword(one) for one in cards}
        cards += tuple(one for one in without(primary.cards, TABLE_ONLY) if keyword(one) not in known)
    return cards


def _restored(unit: Unit) -> Cards:
    axes = unit.axes("Z")
    start = [card("XTENSION", "IMAGE"), card("BITPIX", unit.bitpix("Z")), card("NAXIS", len(axes))]
    start += [card(f"NAXIS{i}", length) for i, length in enumerate(axes, 1)]
    rest = without(unit.cards, TABLE_ONLY)
    kept = tuple(one for one in rest if not (keyword(one) == "EXTNAME" and b"'COMPRESSED_IMAGE'" in one))
    known = {keyword(one) for one in kept}
    blank = unit.keywords.get("ZBLANK")
    if isinstance(blank, int) and unit.bitpix("Z") > 0 and "BLANK" not in known:
        start.append(card("BLANK", blank))
    return (*start, card("PCOUNT", 0), card("GCOUNT", 1), *kept)
