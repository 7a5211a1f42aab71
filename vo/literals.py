"""Values of parameters as DALI 1.1 (3) writes them: numbers and intervals."""

from __future__ import annotations

import math

from vo.errors import UsageError


def number(text: str, name: str, *, infinite: bool = False) -> float:
    """The number given as `name`; with `infinite`, ±Inf are numbers (DALI 1.1, 3.1.1); NaN never is.

    >>> number("4.5e1", "RA"), number("-Inf", "BAND", infinite=True)
    (45.0, -inf)
    """
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if math.isnan(value) or (math.isinf(value) and not (infinite and "inf" in text.lower())):
        raise UsageError(f"{name} must be a number, not {text[:40]!r}.")
    return value + 0.0  # -0.0 is 0.0


def interval(text: str, name: str) -> tuple[float, float]:
    """The closed interval given as `name`, one number being both its ends (DALI 1.1, 3.3.4).

    >>> interval("500e-9 +Inf", "BAND"), interval("0.21", "BAND")
    ((5e-07, inf), (0.21, 0.21))
    """
    ends = [number(word, name, infinite=True) for word in text.split()]
    if len(ends) not in (1, 2):
        raise UsageError(f"{name} must be one number or two, not {text[:40]!r}.")
    low, high = ends[0], ends[-1]
    if low > high:
        raise UsageError(f"{name}: {low:g} is above {high:g}.", hint="Send the lower end first.")
    if low == high and math.isinf(low):
        raise UsageError(f"{name}: {text[:40]!r} holds no number.")
    return low, high
