"""The shapes of POS (SIA 2.0, 2.1.1) as conditions of ADQL on s_region."""

from __future__ import annotations

from vo.shapes import Shape, parse_shape

_TURN, _HALF_TURN, _RIGHT_ANGLE = 360.0, 180.0, 90.0


def meets(name: str, value: str) -> str:
    """The condition that an image meets the shape `value` of the parameter `name`."""
    shape = parse_shape(name, value)
    if shape.word == "RANGE" and shape.numbers[1] - shape.numbers[0] >= _TURN:
        return _band(shape)
    return " OR ".join(
        f"INTERSECTS(s_region, {word}({', '.join(map(repr, numbers))})) = 1"
        for word, numbers in shape.parts()
    )


def _band(shape: Shape) -> str:
    """As an image is in one piece, it has some of a band if it has some of each of the caps that share it."""
    _, _, south, north = shape.numbers
    caps = ((_RIGHT_ANGLE, _RIGHT_ANGLE - south), (-_RIGHT_ANGLE, _RIGHT_ANGLE + north))
    terms = [
        f"INTERSECTS(s_region, CIRCLE(0.0, {pole!r}, {radius!r})) = 1"
        for pole, radius in caps
        if radius < _HALF_TURN
    ]
    return " AND ".join(terms) or "s_region IS NOT NULL"
