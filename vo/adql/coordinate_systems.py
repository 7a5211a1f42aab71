"""The coordinate systems that shapes name, and shapes of different ones brought together.

ADQL 2.1 (4.2.5) keeps the first argument of POINT, CIRCLE, POLYGON and BOX from 2.0 as deprecated: a frame, a
reference position and a flavour in the words of STC-S (TAP 1.0, 6), each of which may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.frames import FRAMES, turned
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import described
from vo.adql.problems import span_of
from vo.catalog import Frame, frames_agree, nearest

if TYPE_CHECKING:
    from vo.adql.reader import Reader

_RULE = "ADQL 2.1, 4.2.5"
_UNKNOWN = "UNKNOWNFRAME"
_FRAMES: Mapping[str, str] = {
    **{name: name for name in FRAMES},
    "J2000": "FK5",
    "B1950": "FK4",
    "GALACTIC_II": "GALACTIC",
    _UNKNOWN: "",
}
_FOLLOWING: Mapping[str, str] = {"FK5": "J2000", "FK4": "B1950", "ECLIPTIC": "J2000", "GALACTIC": "II"}
"""The equinox that may stand behind a frame, or the number of the system: the only one that is offered."""

# Stars are too far away for their directions to depend on where in the solar system one stands.
_POSITIONS = frozenset(
    {"BARYCENTER", "GEOCENTER", "HELIOCENTER", "TOPOCENTER", "LSR", "LSRK", "LSRD", "UNKNOWNREFPOS"}
)
_FLAVOURS = frozenset({"SPHERICAL2", "SPHERICAL"})
_EQUINOX = re.compile(r"[JB][0-9]+([.][0-9]*)?")


def named(reader: Reader, node: exp.Expr, text: str) -> Frame | None:
    """The frame that the words of a coordinate system name; None where they name none, or an unknown one."""
    words = text.upper().split()
    frame = None
    if words and words[0] in _FRAMES:
        name = words.pop(0)
        frame = Frame(_FRAMES[name]) if name != _UNKNOWN else None
        if words and words[0] == _FOLLOWING.get(name):
            words.pop(0)
    elif words and words[0] not in _POSITIONS | _FLAVOURS:
        _refuse_frame(reader, node, words[0])
        return None
    for known in (_POSITIONS, _FLAVOURS):
        if words and words[0] in known:
            words.pop(0)
    if words:
        _refuse_word(reader, node, words[0], frame)
    return frame


def _refuse_frame(reader: Reader, node: exp.Expr, word: str) -> None:
    closest = nearest(word, list(_FRAMES), 1)
    names = [*closest, *(name for name in _FRAMES if name not in closest)]
    reader.problems.add(
        f"The frame '{word}' is not offered",
        span_of(node),
        rule=_RULE,
        suggestion=f"The frames are {', '.join(names)}; without one, coordinates are ICRS.",
    )


def _refuse_word(reader: Reader, node: exp.Expr, word: str, frame: Frame | None) -> None:
    if frame is not None and _EQUINOX.fullmatch(word):
        equinox = _FOLLOWING.get(frame.name)
        message = f"The equinox {word} is not offered for {frame.name}"
        advice = f"{frame.name} is that of {equinox}." if equinox else f"{frame.name} has no equinox."
    else:
        message = f"'{word}' is not understood in a coordinate system"
        advice = (
            "It is a frame, a reference position and a flavour, such as 'GALACTIC BARYCENTER SPHERICAL2': "
            f"the positions are {', '.join(sorted(_POSITIONS))}."
        )
    reader.problems.add(message, span_of(node), rule=_RULE, suggestion=advice)


def of_shape(reader: Reader, arguments: list[exp.Expr], written: Frame | None) -> Frame | None:
    """The frame of a shape that `arguments` make, the points among them turned into it.

    It is the one that is `written`; else that of the points, or ICRS where they have several.
    """
    places = [i for i, value in enumerate(arguments) if kind_of(described(value)) is Kind.POINT]
    if not places:
        return written
    found = [described(arguments[place]).frame for place in places]
    if written is None:
        first = next((frame for frame in found if frame is not None), None)
        if all(frames_agree(first, frame) for frame in found):
            return first if None not in found else None
    for place in places:
        point = arguments[place]
        if described(point).frame is None and written is not None and written.axes != "ICRS":
            reader.problems.add(
                f"The point names no coordinate system inside a shape in {written.name}",
                span_of(point),
                rule=_RULE,
                suggestion=f"Write POINT('{written.name}', …), or POINT('ICRS', …) if it is in that.",
            )
        arguments[place] = turned(reader, point, (written or Frame("ICRS")).name)
    return written or Frame("ICRS")


def agreeing(reader: Reader, shapes: list[exp.Expr]) -> list[exp.Expr]:
    """Two shapes in one frame: as they are if their frames agree, else both in ICRS."""
    if not _are_shapes(shapes) or frames_agree(*(described(shape).frame for shape in shapes)):
        return shapes
    return [turned(reader, shape, "ICRS") for shape in shapes]


def _are_shapes(values: list[exp.Expr]) -> bool:
    return len(values) == _PAIR and all(kind_of(described(value)) in kinds.SHAPES for value in values)


_PAIR = 2


def in_icrs(reader: Reader, shape: exp.Expr) -> exp.Expr:
    """A shape in ICRS, if it is in another frame because a query says so."""
    return shape if frames_agree(None, described(shape).frame) else turned(reader, shape, "ICRS")
