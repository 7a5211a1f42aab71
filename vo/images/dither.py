"""Integers back to the floating point numbers they stand for (FITS 4.0, 10.2), of a part of a tile only."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled

NONE, SUBTRACTIVE_1, SUBTRACTIVE_2 = -1, 1, 2
METHODS = {"NO_DITHER": NONE, "SUBTRACTIVE_DITHER_1": SUBTRACTIVE_1, "SUBTRACTIVE_DITHER_2": SUBTRACTIVE_2}
"""ZQUANTIZ → what restores the pixels."""

_COUNT = 10_000  # random numbers (FITS 4.0, appendix I)
_ZERO = -2_147_483_646  # what stands for 0 exactly under SUBTRACTIVE_DITHER_2


@lru_cache
def random_numbers() -> NDArray[np.float32]:
    """The random numbers of FITS 4.0, appendix I.

    >>> int(random_numbers()[-1].astype(float) * 2147483647 / 2**20)  # the seed behind them is 1043618065
    995
    """
    seed, seeds = 1, []
    for _ in range(_COUNT):
        seed = seed * 16807 % 2147483647
        seeds.append(seed)
    return (np.array(seeds, np.float64) / 2147483647).astype(np.float32)


def warm_up(out: NDArray[Any]) -> None:
    """Compile, or load from the cache, what fills such arrays."""
    restore(np.zeros(1, np.int32), 1, 0, 0, 1.0, 0.0, 0, NONE, 0, random_numbers(), out)


@compiled
def restore(  # noqa: PLR0913, PLR0917  a loop takes numbers, no objects
    stored: NDArray[np.int32],
    pitch: int,
    left: int,
    top: int,
    scale: float,
    zero: float,
    blank: int,
    method: int,
    seed: int,
    numbers: NDArray[np.float32],
    out: NDArray[Any],
) -> None:
    """Fill `out` with the pixels of a tile from column `left` and row `top` on.

    `stored` are the first pixels of the tile, `pitch` of them to a row; `blank` stands for NaN, if it is in
    the range of the pixels; `seed` counts from 0 the tile with which the series of random numbers starts.
    """
    seed %= _COUNT
    begin, first = 0, int(np.float64(numbers[seed]) * 500)  # the series in use: at which pixel, with which
    for y in range(out.shape[0]):
        base = (top + y) * pitch + left
        for x in range(out.shape[1]):
            value = stored[base + x]
            if method == NONE:
                out[y, x] = value * scale + zero
            else:
                while base + x - begin >= _COUNT - first:
                    begin += _COUNT - first
                    seed = (seed + 1) % _COUNT
                    first = int(np.float64(numbers[seed]) * 500)
                if method == SUBTRACTIVE_2 and value == _ZERO:
                    out[y, x] = 0.0
                else:
                    random = np.float64(numbers[base + x - begin + first])
                    out[y, x] = (np.float64(value) - random + 0.5) * scale + zero
            if value == blank:
                out[y, x] = np.nan
