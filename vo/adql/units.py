"""Units of expressions, by the rules of VOUnits 1.1."""

from __future__ import annotations

import warnings
from functools import lru_cache

from astropy import units


@lru_cache(maxsize=4096)
def parsed(text: str) -> units.UnitBase | None:
    """The unit that `text` names in VOUnits, or None if it names none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return units.Unit(text, format="vounit")
        except (ValueError, TypeError):
            return None


@lru_cache(maxsize=4096)
def written(unit: units.UnitBase) -> str | None:
    """`unit` in VOUnits; None for no unit, or one that the format cannot say."""
    if unit == units.dimensionless_unscaled:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text: str = unit.to_string("vounit")
        except ValueError:
            return None
    return text


@lru_cache(maxsize=4096)
def product(left: str | None, right: str | None, power: float = 1.0) -> str | None:
    """The unit of left · right^power; a missing unit counts as a pure number.

    >>> product("deg", "s", -1.0), product("deg", None), product("mag", "mag", -1.0)
    ('deg.s**-1', 'deg', None)
    """
    if left is None and right is None:
        return None
    if right is None:
        return left
    first = units.dimensionless_unscaled if left is None else parsed(left)
    second = parsed(right)
    if (
        first is None
        or second is None
        or isinstance(first, units.MagUnit)
        or isinstance(second, units.MagUnit)
    ):
        return None
    try:
        return written(first * second**power)
    except (units.UnitsError, TypeError, ValueError):
        return None


@lru_cache(maxsize=4096)
def factor(source: str, target: str) -> float | None:
    """By what a value in `source` is multiplied to be in `target`; None if that is not possible.

    >>> factor("deg", "arcsec")
    3600.0
    """
    first, second = parsed(source), parsed(target)
    if first is None or second is None:
        return None
    try:
        return float(first.to(second))
    except (units.UnitConversionError, TypeError, ValueError):
        return None
