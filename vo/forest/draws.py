"""Random numbers by counter: the n-th number of a stream is a function of the stream and n alone.

So what is drawn for a tree, a node or a row does not depend on what was drawn before it, by whom, or in which
order. Only additions, multiplications, divisions and square roots are used, which IEEE 754 rounds in one way:
every machine draws the same forest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled

_STEP = np.uint64(0x9E3779B97F4A7C15)  # splitmix64: Steele, Lea & Flood 2014, fig. 17
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ULP = 2.0**-53
_LN_2 = 0.6931471805599453
_TERMS = 13
"""Of the series of the logarithm: the next would be below 1e-19."""
_POWERS = 15
"""Of the series of the exponential on half of ln 2: the next would be below 1e-20."""
_LATE = 40.0
"""After so long, a wait of rate 1 is over to the last bit."""


@compiled
def mixed(word: np.uint64) -> np.uint64:
    """`word` with every bit depending on all of its bits, one to one (splitmix64)."""
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


@compiled
def stream(parent: np.uint64, child: np.uint64) -> np.uint64:
    """The stream number `child` below another stream, or below a seed."""
    return mixed(mixed(parent + _STEP) ^ (child * _STEP))


@compiled
def uniform(of: np.uint64, n: np.uint64) -> float:
    """The n-th number of a stream, uniform between 0 and 1, both left out."""
    word = mixed(of + (n + np.uint64(1)) * _STEP)
    return (float(word >> np.uint64(11)) + 0.5) * _ULP


@compiled
def logarithm(x: float) -> float:
    """The natural logarithm of a positive number, the same to the last bit on every machine."""
    fraction, exponent = math.frexp(x)
    if fraction < math.sqrt(0.5):
        fraction, exponent = 2.0 * fraction, exponent - 1
    s = (fraction - 1.0) / (fraction + 1.0)
    square, total = s * s, 0.0
    for k in range(_TERMS - 1, -1, -1):
        total = total * square + 1.0 / (2.0 * k + 1.0)
    return 2.0 * s * total + exponent * _LN_2


@compiled
def arrived(x: float) -> float:
    """1 - e^(-x) for x >= 0, how likely a wait of rate 1 is over by x: the same bits on every machine."""
    if x > _LATE:
        return 1.0
    halvings = math.floor(x / _LN_2 + 0.5)
    rest, total = halvings * _LN_2 - x, 0.0
    for k in range(_POWERS, 0, -1):
        total = (total + 1.0) * rest / k
    left = math.ldexp(1.0, -halvings)
    return (1.0 - left) - left * total


@compiled
def normal(of: np.uint64) -> float:
    """A number of a stream with mean 0 and variance 1 (Marsaglia's polar method)."""
    n = np.uint64(0)
    while True:
        u, v = 2.0 * uniform(of, n) - 1.0, 2.0 * uniform(of, n + np.uint64(1)) - 1.0
        square = u * u + v * v
        if 0.0 < square < 1.0:
            return u * math.sqrt(-2.0 * logarithm(square) / square)
        n += np.uint64(2)


@compiled
def fill_waits(seed: int, ids: NDArray[np.int64], weights: NDArray[Any], out: NDArray[np.float64]) -> None:
    """Exponential waiting times of rows, at a rate that is their weight; for ever without weight."""
    for i in range(len(ids)):
        weight = float(weights[i % len(weights)])
        time = -logarithm(uniform(stream(np.uint64(seed), np.uint64(ids[i])), np.uint64(0)))
        out[i] = time / weight if weight > 0.0 else np.inf
