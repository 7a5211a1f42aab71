"""How a cutout is to be made: sizes, bands and products, told at several levels, the last having its way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from vo.catalog import nearest
from vo.errors import UsageError
from vo.images.picture import Lupton, Percentile, Style
from vo.literals import number

SMALLEST, LARGEST = 0.1, 12.0
"""Arcminutes along a side of a cutout."""

SYSTEM: Mapping[str, str] = {"SIZE": "1", "FORMAT": "fits", "STYLE": "lupton"}
"""The level below all others: what is taken where nobody says more."""

FORMATS: Mapping[str, tuple[str, str]] = {
    "fits": ("application/fits", "fits"),
    "fits.fz": ("application/fits", "fits.fz"),
    "png": ("image/png", "png"),
    "jpeg": ("image/jpeg", "jpg"),
}
"""Format → its media type, and how the names of its files end."""

STYLES: Mapping[str, tuple[type[Style], Mapping[str, str]]] = {
    "lupton": (Lupton, {"MINIMUM": "minimum", "STRETCH": "stretch", "Q": "q"}),
    "percentile": (Percentile, {"LOW": "low", "HIGH": "high"}),
}
"""Style of a picture → what makes it, of which options."""

_SAME: Mapping[str, str] = {
    "COLORS": "BANDS",
    "BAND": "BANDS",
    "COLORS_FITS": "BANDS",
    "RGB_MINIMUM": "MINIMUM",
    "RGB_STRETCH": "STRETCH",
    "RGB_ASINH": "Q",
}
"""The words of requests to DESaccess that mean the same as one of ours."""

_MAKE = ("MAKE_FITS", "MAKE_RGB_LUPTON", "MAKE_RGB_STIFF")
_COLOURS = {
    "MAKE_RGB_LUPTON": ("RGB_LUPTON_COLORS", "lupton"),
    "MAKE_RGB_STIFF": ("RGB_STIFF_COLORS", "percentile"),
}

NAMES = frozenset(
    {
        *("SIZE", "XSIZE", "YSIZE", "BANDS", "FORMAT", "STYLE", "MINIMUM", "STRETCH", "Q", "LOW", "HIGH"),
        *("RGB_LUPTON_COLORS", "RGB_STIFF_COLORS", "DISCARD_FITS_FILES"),
        *_MAKE,
        *_SAME,
    }
)
"""Every word of an option, in capitals."""

_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
_ALIASES = {"jpg": "jpeg", "fz": "fits.fz", "application/fits": "fits", "image/fits": "fits"}
_SEPARATORS = re.compile(r"[\s,;]+")
_LONGEST = 200  # characters of a list of bands


@dataclass(frozen=True, slots=True)
class Product:
    """One file of a cutout; without `bands`, of all there are, or of those that make a good picture."""

    format: str
    bands: tuple[str, ...] = ()
    style: Style = field(default_factory=Lupton)

    @property
    def is_picture(self) -> bool:
        """Whether it is to be looked at."""
        return not self.format.startswith("fits")

    @property
    def media_type(self) -> str:
        """What it is told to be."""
        return FORMATS[self.format][0]

    @property
    def extension(self) -> str:
        """How the name of its file ends."""
        return FORMATS[self.format][1]


@dataclass(frozen=True, slots=True)
class Options:
    """A width and a height in arcminutes, and what is made of that piece of sky."""

    width: float
    height: float
    products: tuple[Product, ...]

    @classmethod
    def from_levels(cls, known: Sequence[str], *levels: Mapping[str, str]) -> Self:
        """Judge the options of all levels, the weakest first; `known` are the bands that there are.

        The names of options are in capitals; what is empty is not told.
        """
        told: dict[str, str] = {}
        for level in levels:
            told |= _plain(level)
        products = tuple(_products(told, known))
        if not products:
            raise UsageError(
                "No file is asked for.", hint=f"Set one of {', '.join(_MAKE)} to true, or FORMAT."
            )
        return cls(_side(told["XSIZE"], "width"), _side(told["YSIZE"], "height"), products)


def _plain(level: Mapping[str, str]) -> dict[str, str]:
    """A level in our own words, SIZE being both sizes that are not told apart."""
    told = {_SAME.get(name, name): value.strip() for name, value in level.items() if value and value.strip()}
    size = told.pop("SIZE", None)
    return told if size is None else {"XSIZE": size, "YSIZE": size, **told}


def _side(text: str, name: str) -> float:
    value = number(text, f"The {name}")
    if not SMALLEST <= value <= LARGEST:
        raise UsageError(f"The {name} is {value:g} arcmin, and is from {SMALLEST:g} to {LARGEST:g} here.")
    return value


def _products(told: Mapping[str, str], known: Sequence[str]) -> Iterator[Product]:
    """What MAKE_FITS and the like say, or else FORMAT."""
    if not any(name in told for name in _MAKE):
        bands = bands_named(told.get("BANDS", ""), known)
        for word in _words(told["FORMAT"]):
            yield Product(_format(word), bands, _style(told, told["STYLE"]))
        return
    wanted = [name for name in _MAKE if _truth(told, name)]
    if "MAKE_FITS" in wanted and not _truth(told, "DISCARD_FITS_FILES"):
        yield Product("fits", bands_named(told.get("BANDS", ""), known))
    for name in wanted:
        if name in _COLOURS:
            colours, style = _COLOURS[name]
            for each in told.get(colours, "").split(";"):
                yield Product("png", bands_named(each, known), _style(told, style))


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text.strip()) if word]


def _format(word: str) -> str:
    found = _ALIASES.get(word.lower(), word.lower())
    if found not in FORMATS:
        close = nearest(found, list(FORMATS), 1)
        guess = f"Did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"FORMAT {word[:40]!r} is not known.", hint=f"{guess}Known are {', '.join(FORMATS)}."
        )
    return found


def _style(told: Mapping[str, str], word: str) -> Style:
    if word.lower() not in STYLES:
        raise UsageError(f"STYLE {word[:40]!r} is not known.", hint=f"Known are {', '.join(STYLES)}.")
    kind, names = STYLES[word.lower()]
    return kind(**{own: number(told[name], name) for name, own in names.items() if name in told})


def _truth(told: Mapping[str, str], name: str) -> bool:
    text = told.get(name, "false")
    if text.lower() not in _TRUTHS:
        raise UsageError(f"{name} must be true or false, not {text[:40]!r}.")
    return _TRUTHS[text.lower()]


def bands_named(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """The bands of a text, apart or as letters in a row, in any case where that leaves no choice.

    >>> bands_named("grz", ("g", "r", "i", "z", "Y")), bands_named("Y, VR;g", ("g", "VR", "Y"))
    (('g', 'r', 'z'), ('Y', 'VR', 'g'))
    >>> bands_named("y", ("g", "Y"))
    ('Y',)
    """
    if len(text) > _LONGEST:
        raise UsageError(f"BANDS has {len(text):,} characters and may have {_LONGEST}.")
    found: list[str] = []
    for word in _words(text):
        for name in [word] if _spelt(word, known) else word:
            band = _spelt(name, known)
            if band is None:
                raise _unknown_band(name, word, known)
            found.append(band)
    return tuple(dict.fromkeys(found))


def _spelt(word: str, known: Sequence[str]) -> str | None:
    if word in known:
        return word
    close = [band for band in known if band.lower() == word.lower()]
    return close[0] if len(close) == 1 else None


def _unknown_band(band: str, word: str, known: Sequence[str]) -> UsageError:
    close = nearest(word, known, 1)
    guess = f"Did you mean {close[0]}? " if close else ""
    return UsageError(
        f"There are no images in band {band[:40]!r}.", hint=f"{guess}There are {', '.join(known)}."
    )
