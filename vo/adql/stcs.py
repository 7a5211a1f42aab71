"""The string of REGION (ADQL 2.1, 4.2.20): a shape in the words of STC-S."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_NUMBERS: Mapping[str, tuple[str, int | None]] = {
    "POSITION": ("POINT", 2),
    "POINT": ("POINT", 2),
    "CIRCLE": ("CIRCLE", 3),
    "BOX": ("BOX", 4),
    "POLYGON": ("POLYGON", None),
}
_FRAMES = frozenset({"ICRS", "UNKNOWNFRAME"})
_REFERENCES = frozenset({"BARYCENTER", "GEOCENTER", "HELIOCENTER", "TOPOCENTER", "UNKNOWNREFPOS"})
_FLAVOURS = frozenset({"SPHERICAL2"})
_NUMBER = r"[-+]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:e[-+]?[0-9]+)?"
_IS_NUMBER = re.compile(_NUMBER, re.IGNORECASE)
SHAPE_IN_WORDS = (
    rf"\s*(?:{'|'.join(_NUMBERS)})"
    + "".join(rf"(?:\s+(?:{'|'.join(sorted(words))}))?" for words in (_FRAMES, _REFERENCES, _FLAVOURS))
    + rf"(?:[\s,]+{_NUMBER})+\s*"
)
"""A pattern of the strings that `shape` understands, case apart, for databases."""


def shape(text: str) -> tuple[str, str, list[float]] | None:
    """The function of ADQL, the coordinate system and the arguments that a string stands for.

    None if it stands for no shape; the words of the coordinate system are not judged.

    >>> shape("Circle GALACTIC 10 -20 0.5"), shape("10 -20"), shape("Circle ICRS 10 -20")
    (('CIRCLE', 'GALACTIC', [10.0, -20.0, 0.5]), ('POINT', '', [10.0, -20.0]), None)
    """
    words = text.replace(",", " ").split()
    if not words or words[0].upper() not in _NUMBERS:
        found = numbers_of(text)
        return None if found is None else (found[0], "", found[1])
    name, count = _NUMBERS[words.pop(0).upper()]
    start = next((i for i, word in enumerate(words) if _IS_NUMBER.fullmatch(word)), len(words))
    try:
        values = [float(word) for word in words[start:]]
    except ValueError:
        return None
    fitting = len(values) == count if count is not None else len(values) >= 6 and len(values) % 2 == 0  # noqa: PLR2004
    return (name, " ".join(words[:start]), values) if fitting else None


def numbers_of(text: str) -> tuple[str, list[float]] | None:
    """The point, circle or polygon that numbers alone stand for (DALI 1.1, 3.3.5 to 3.3.7).

    >>> numbers_of("10 -20"), numbers_of("10 -20 0.5"), numbers_of("10 -20 north")
    (('POINT', [10.0, -20.0]), ('CIRCLE', [10.0, -20.0, 0.5]), None)
    """
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        return None
    if not all(map(math.isfinite, values)):
        return None
    name = {2: "POINT", 3: "CIRCLE"}.get(len(values), "POLYGON")
    fitting = name != "POLYGON" or (len(values) >= 6 and len(values) % 2 == 0)  # noqa: PLR2004  three vertices
    return (name, values) if fitting else None
