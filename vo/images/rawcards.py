"""Cards of FITS headers as they are in files, 80 bytes each: most are copied and never parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from astropy.io.fits import Card

CARD = 80
BLOCK = 2880
"""Bytes of a card; of a FITS block, of which headers and data are made (FITS 4.0, 3.1)."""

Cards = tuple[bytes, ...]
"""A header without its END."""

Value = bool | int | float | str

_DIGITS = 20  # columns of a number in fixed format (FITS 4.0, 4.2)
_LONGEST = 68  # characters of a text that needs no CONTINUE


def keyword(card: bytes) -> str:
    """The keyword of a card.

    >>> keyword(b"CRPIX1  =                  5.0")
    'CRPIX1'
    """
    return card[:8].decode("ascii", "replace").rstrip()


def card(name: str, value: Value, comment: str = "") -> bytes:
    """A card of a keyword of the standard, in fixed format; 80 bytes, or more if the text needs CONTINUE.

    >>> card("NAXIS1", 228, "columns").rstrip()
    b'NAXIS1  =                  228 / columns'
    """
    if isinstance(value, bool):
        text = "T" if value else "F"
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, float):
        text = number(value)
    else:
        return _text_card(name, value, comment)
    line = f"{name:<8}= {text:>{_DIGITS}}"
    return (f"{line} / {comment}" if comment else line)[:CARD].ljust(CARD).encode("ascii", "replace")


def number(value: float) -> str:
    """A number that reads back as the same double, with a point (FITS 4.0, 4.2.4).

    >>> number(5000.5), number(1e-07)
    ('5000.5', '1E-07')
    """
    text = repr(float(value)).upper()
    return text if "." in text or "E" in text else f"{text}.0"


def _text_card(name: str, value: str, comment: str) -> bytes:
    clean = "".join(letter if " " <= letter <= "~" else "?" for letter in value)
    quoted = clean.replace("'", "''")
    if len(quoted) > _LONGEST:
        return str(Card(name, clean, comment)).encode("ascii")
    line = f"{name:<8}= '{quoted:<8}'"
    return (f"{line:<30} / {comment}" if comment else line)[:CARD].ljust(CARD).encode("ascii", "replace")


def history(text: str) -> bytes:
    """HISTORY cards with the text.

    >>> history("cut by x").rstrip()
    b'HISTORY cut by x'
    """
    clean = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    pieces = [clean[i : i + CARD - 8] for i in range(0, len(clean), CARD - 8)] or [""]
    return b"".join(f"HISTORY {piece}".ljust(CARD).encode("ascii") for piece in pieces)


def split(block: bytes) -> Cards:
    """The cards of a string of them."""
    return tuple(block[i : i + CARD] for i in range(0, len(block), CARD))


def header_bytes(cards: Iterable[bytes]) -> bytes:
    """A header as it is in a file: the cards, END, blanks up to the end of the block."""
    text = b"".join(cards) + b"END".ljust(CARD)
    return text + b" " * (-len(text) % BLOCK)


def without(cards: Cards, names: re.Pattern[str]) -> Cards:
    """The cards whose keywords do not match; what CONTINUEs a card that goes, goes too."""
    kept: list[bytes] = []
    dropping = False
    for one in cards:
        name = keyword(one)
        if name != "CONTINUE":
            dropping = bool(names.fullmatch(name))
        if not dropping:
            kept.append(one)
    return tuple(kept)
