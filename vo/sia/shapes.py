"""The shapes of POS (SIA 2.0, 2.1.1) as conditions of ADQL on s_region."""

from __future__ import annotations

from vo.shapes import parse_shape


def meets(name: str, value: str) -> str:
    """The condition that an image meets the shape `value` of the parameter `name`."""
    shape = parse_shape(name, value)
    if shape.is_whole_sky:
        return "s_region IS NOT NULL"
    return " OR ".join(
        f"INTERSECTS(s_region, {word}({', '.join(map(repr, numbers))})) = 1"
        for word, numbers in shape.parts()
    )
