"""Filters by name: the wavelengths they let through, and the words in which headers name them."""

from __future__ import annotations

import re
from collections.abc import Mapping

NANOMETRE = 1e-9
ANGSTROM = 1e-10

# Half-power limits in nm, rounded: DECam's for its own bands (DES DR1, arXiv:1801.03181, fig. 2), else those
# of Johnson, Cousins and 2MASS.
_LIMITS_NM: Mapping[str, tuple[float, float]] = {
    "u": (332.0, 392.0),
    "g": (398.0, 548.0),
    "r": (568.0, 716.0),
    "i": (710.0, 857.0),
    "z": (850.0, 1002.0),
    "Y": (930.0, 1070.0),
    "VR": (490.0, 760.0),
    "U": (333.0, 399.0),
    "B": (398.0, 492.0),
    "V": (507.0, 595.0),
    "R": (589.0, 727.0),
    "I": (731.0, 881.0),
    "J": (1117.0, 1328.0),
    "H": (1506.0, 1765.0),
    "Ks": (2022.0, 2285.0),
}
_SPELLINGS = {"y": "Y", "K": "Ks", "KS": "Ks", "Vr": "VR"}
_WORDS = re.compile(r"[\s._/'-]+")
_IN_NAME = re.compile(r"(?<![A-Za-z0-9])([ugrizyY]|VR)(?![A-Za-z0-9])")
_CENTRE_AND_WIDTH = re.compile(r"\b(\d{4,5}(?:\.\d*)?)\s+(\d{2,4}(?:\.\d*)?)\s*$")


def band_of(text: str) -> str | None:
    """The band that a FILTER or BAND card names: the first known one among its words, else the first word.

    >>> band_of("z DECam SDSS c0004 9260.0 1520.0"), band_of("SDSS-r'"), band_of("y"), band_of("F814W")
    ('z', 'r', 'Y', 'F814W')
    """
    words = [word for word in _WORDS.split(text.strip()) if word]
    spelt = [_SPELLINGS.get(word, word) for word in words]
    known = [word for word in spelt if word in _LIMITS_NM]
    return next(iter(known or spelt), None)


def band_in_name(name: str) -> str | None:
    """The band that the name of a file tells, as a letter that stands alone.

    >>> band_in_name("c4d_140818_ooi_z_ls9.N12.fits"), band_in_name("panstarrs-g-m61"), band_in_name("ngc")
    ('z', 'g', None)
    """
    found = _IN_NAME.findall(name.replace("_", " "))
    return band_of(found[-1]) if found else None


def limits_m(band: str | None, text: str = "") -> tuple[float, float] | None:
    """The wavelengths of a band in metres: as a FILTER card tells, else of the table; None: not known.

    DECam's cards end with the centre and the width in Angstrom.

    >>> [round(limit * 1e9) for limit in limits_m("z", "z DECam SDSS c0004 9260.0 1520.0")]
    [850, 1002]
    """
    numbers = _CENTRE_AND_WIDTH.search(text)
    if numbers:
        centre, width = float(numbers[1]) * ANGSTROM, float(numbers[2]) * ANGSTROM
        return centre - width / 2, centre + width / 2
    if band is None or band not in _LIMITS_NM:
        return None
    low, high = _LIMITS_NM[band]
    return low * NANOMETRE, high * NANOMETRE
