"""Numbers and times as text, compiled: the shortest decimal that reads back as the same number.

The shortest decimal is found by Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.votable.instructions import bit_length, high_half, poke
from vo.votable.kernels import Bytes, Nulls, Places, is_valid

Signed = int | np.int64
"""A count, an exponent or an address."""

LONGEST = 32
"""Bytes that no number or time exceeds, the gap behind it included."""

_FIRST_POWER, _LAST_POWER = -292, 324


def _powers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The 128 leading bits of 10^k, rounded up, in two words: the table g of Schubfach."""
    high, low = [], []
    for k in range(_FIRST_POWER, _LAST_POWER + 1):
        shift = 127 - ((k * 1741647) >> 19)  # floor(k * log2(10)), exact in this range
        bits = -(-(10 ** max(k, 0) << max(shift, 0)) // (10 ** max(-k, 0) << max(-shift, 0)))
        high.append(bits >> 64)
        low.append(bits & 0xFFFF_FFFF_FFFF_FFFF)
    return np.array(high, np.uint64), np.array(low, np.uint64)


_HIGH, _LOW = _powers()
_PAIRS = np.frombuffer("".join(f"{n:02}" for n in range(100)).encode(), np.uint8)
_TEN = 10 ** np.arange(20, dtype=np.uint64)


@compiled
def _rounded_to_odd(power: Signed, factor: np.uint64) -> np.uint64:
    low = high_half(_LOW[power], factor)
    middle = _HIGH[power] * factor
    high: np.uint64 = high_half(_HIGH[power], factor)
    total = middle + low
    if total < low:
        high += np.uint64(1)
    return high | np.uint64(total > np.uint64(1))


@compiled
def _shortest(c: np.uint64, q: Signed, closer: Signed) -> tuple[np.uint64, Signed]:
    """The shortest digits and exponent in the rounding interval of c * 2^q, the nearest of them to it.

    `closer` is 1 where the lower neighbour is at half the distance, that is at powers of two.
    """
    k = (q * 1262611 - 524031 * closer) >> 22
    h = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    power = -k - _FIRST_POWER
    odd = c & np.uint64(1)
    four = np.uint64(4)
    c4 = c * four
    lower = _rounded_to_odd(power, (c4 - np.uint64(2 - closer)) << h) + odd
    middle = _rounded_to_odd(power, c4 << h)
    upper = _rounded_to_odd(power, (c4 + np.uint64(2)) << h) - odd
    s = middle // four
    if s >= np.uint64(10):
        tens = s // np.uint64(10)
        below = lower <= np.uint64(40) * tens
        above = np.uint64(40) * tens + np.uint64(40) <= upper
        if below != above:
            return tens + np.uint64(above), k + 1
    below = lower <= four * s
    above = four * s + four <= upper
    if below != above:
        return s + np.uint64(above), k
    tie = four * s + np.uint64(2)
    up = middle > tie or (middle == tie and (s & np.uint64(1)) != np.uint64(0))
    return s + np.uint64(up), k


@compiled
def _put_digits(place: Signed, number: np.uint64, count: Signed) -> Signed:
    """The last `count` digits of `number`; the place behind them."""
    end = place + count
    while count > 1:
        rest = number // np.uint64(100)
        pair = (number - rest * np.uint64(100)) << np.uint64(1)
        count -= 2
        poke(place + count, _PAIRS[pair])
        poke(place + count + 1, _PAIRS[pair + np.uint64(1)])
        number = rest
    if count:
        poke(place, np.uint8(48) + np.uint8(number % np.uint64(10)))
    return end


@compiled
def _size(number: np.uint64) -> Signed:
    estimate = (bit_length(number) * 1233) >> 12  # floor(bits * log10(2))
    return estimate + np.int64(number >= _TEN[estimate]) if number else 1


@compiled
def _put_decimal(place: Signed, digits: np.uint64, exponent: Signed) -> Signed:
    """Digits * 10^exponent, as Python writes it: plainly from 0.0001 to below 10^16."""
    while True:
        tens = digits // np.uint64(10)
        if tens * np.uint64(10) != digits:
            break
        digits = tens
        exponent += 1
    count = _size(digits)
    point = count + exponent
    if point > 16 or point < -3:  # noqa: PLR2004
        scale = _TEN[count - 1]
        place = _put_digits(place, digits // scale, 1)
        if count > 1:
            poke(place, 46)
            place = _put_digits(place + 1, digits % scale, count - 1)
        poke(place, 101)
        poke(place + 1, 43 if point > 0 else 45)
        size = np.uint64(point - 1 if point > 0 else 1 - point)
        return _put_digits(place + 2, size, max(2, _size(size)))
    if exponent >= 0:
        place = _put_digits(place, digits * _TEN[exponent], point)
        poke(place, 46)
        poke(place + 1, 48)
        return place + 2
    if point <= 0:
        poke(place, 48)
        poke(place + 1, 46)
        return _put_digits(place + 2, digits, -exponent)
    scale = _TEN[-exponent]
    place = _put_digits(place, digits // scale, point)
    poke(place, 46)
    return _put_digits(place + 1, digits % scale, -exponent)


@compiled
def _put_float(place: Signed, fraction: np.uint64, exponent: Signed, width: Signed) -> Signed:
    """A number of IEEE 754 without its sign; `width` is the size of the fraction in bits."""
    hidden = np.uint64(1) << np.uint64(width)
    bias = 1023 if width == 52 else 127  # noqa: PLR2004
    if exponent == 2 * bias + 1:
        if fraction:
            return _put_letters(place, 78, 97, 78)  # NaN
        return _put_letters(place, 73, 110, 102)  # Inf
    if exponent == 0 and fraction == np.uint64(0):
        return _put_letters(place, 48, 46, 48)  # 0.0
    c = fraction if exponent == 0 else fraction | hidden
    q = max(exponent, 1) - bias - width
    if -width <= q <= 0 and c & ((np.uint64(1) << np.uint64(-q)) - np.uint64(1)) == np.uint64(0):
        return _put_decimal(place, c >> np.uint64(-q), 0)
    closer = 1 if fraction == np.uint64(0) and exponent > 1 else 0
    digits, power = _shortest(c, q, closer)
    return _put_decimal(place, digits, power)


@compiled
def _put_letters(place: Signed, first: Signed, second: Signed, third: Signed) -> Signed:
    poke(place, first)
    poke(place + 1, second)
    poke(place + 2, third)
    return place + 3


@compiled
def _put_double(place: Signed, word: np.uint64) -> Signed:
    fraction = word & np.uint64(0xF_FFFF_FFFF_FFFF)
    exponent = np.int64((word >> np.uint64(52)) & np.uint64(0x7FF))
    place = _put_sign(place, word >> np.uint64(63), exponent == 0x7FF, fraction)  # noqa: PLR2004
    return _put_float(place, fraction, exponent, 52)


@compiled
def _put_single(place: Signed, word: np.uint64) -> Signed:
    fraction = word & np.uint64(0x7F_FFFF)
    exponent = np.int64((word >> np.uint64(23)) & np.uint64(0xFF))
    place = _put_sign(place, word >> np.uint64(31), exponent == 0xFF, fraction)  # noqa: PLR2004
    return _put_float(place, fraction, exponent, 23)


@compiled
def _put_sign(place: Signed, negative: np.uint64, special: np.bool_, fraction: np.uint64) -> Signed:
    """The sign; +Inf has one too, NaN never has (VOTable 1.4, 6)."""
    if special and fraction:
        return place
    if negative:
        poke(place, 45)
        return place + 1
    if special:
        poke(place, 43)
        return place + 1
    return place


@compiled
def _put_integer(place: Signed, word: np.uint64) -> Signed:
    if word >> np.uint64(63):
        poke(place, 45)
        place += 1
        word = ~word + np.uint64(1)
    return _put_digits(place, word, _size(word))


@compiled
def _put_time(place: Signed, word: np.uint64) -> Signed:
    """Microseconds since 1970 as YYYY-MM-DDThh:mm:ss, with six digits more where there is a fraction.

    The date is counted from 1 March of year 0 in eras of 400 years, as is common for the proleptic calendar.
    """
    ticks = np.int64(word)
    days = ticks // 86_400_000_000
    rest = ticks - days * 86_400_000_000
    shifted = days + 719_468
    era = shifted // 146_097
    day = shifted - era * 146_097
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += era * 400
    if month >= 10:  # noqa: PLR2004
        year += 1
    month = (month + 2) % 12 + 1
    seconds = rest // 1_000_000
    place = _put_pair(_put_digits(place, np.uint64(year // 100), 2), year % 100, 45)
    place = _put_pair(_put_pair(place, month, 45), day + 1, 84)
    place = _put_pair(_put_pair(place, seconds // 3600, 58), seconds // 60 % 60, 58)
    place = _put_pair(place, seconds % 60, 46)
    if rest % 1_000_000 == 0:
        return place - 1
    return _put_digits(place, np.uint64(rest % 1_000_000), 6)


@compiled
def _put_pair(place: Signed, number: Signed, behind: Signed) -> Signed:
    """Two digits and the sign behind them."""
    pair = np.uint64(number) << np.uint64(1)
    poke(place, _PAIRS[pair])
    poke(place + 1, _PAIRS[pair + np.uint64(1)])
    poke(place + 2, behind)
    return place + 3


INTEGER, SINGLE, DOUBLE, TIME = range(4)


@compiled
def written(words: NDArray[np.uint64], nulls: Nulls, kind: int, gap: int) -> tuple[Places, Places, Bytes]:
    """The numbers as cells: starts, lengths and data, with `gap` blanks behind each; NULL has length 0."""
    starts = np.empty(len(words), np.int64)
    lengths = np.empty(len(words), np.int64)
    out = np.empty(len(words) * LONGEST, np.uint8)
    first: Signed = out.ctypes.data
    place = first
    for row in range(len(words)):
        starts[row] = place - first
        if is_valid(nulls, row):
            if kind == INTEGER:
                place = _put_integer(place, words[row])
            elif kind == SINGLE:
                place = _put_single(place, words[row])
            elif kind == DOUBLE:
                place = _put_double(place, words[row])
            else:
                place = _put_time(place, words[row])
        lengths[row] = place - first - starts[row]
        for _ in range(gap):
            poke(place, 32)
            place += 1
    return starts, lengths, out
