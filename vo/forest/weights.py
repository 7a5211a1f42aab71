"""Rows that count for more than others: what a row of a sample stands for, and drawing rows by it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.forest import draws

_Numbers = NDArray[np.float64]

_LEAST = np.finfo(np.float64).tiny
"""Of a share, so that every row of a sample can be drawn."""


def shares_of(weights: _Numbers, waits: _Numbers, last: float) -> _Numbers | None:
    """What each row of a sample stands for among all rows, the most of them for 1; None: all for the same.

    A row of weight w is in the sample if it waits no longer than `last`, with probability 1 - e^(-w last);
    w divided by it is what the row stands for (rank conditioning: Cohen & Kaplan 2007). A sample of few among
    many rows was drawn by weight, and its rows are alike; one that has all rows has their weights. Infinite
    `last` is such a sample.
    """
    if not len(waits) or (weights == weights[0]).all():
        return None
    shares = np.empty(len(weights))
    _fill_shares(np.array(weights), max(last, _LEAST), shares)
    shares /= shares.max()
    return np.maximum(shares, _LEAST, out=shares)


@compiled
def _fill_shares(weights: _Numbers, last: float, out: _Numbers) -> None:
    for row in range(len(weights)):
        kept = draws.arrived(weights[row] * last)
        out[row] = weights[row] / kept if kept > 0.0 else 1.0 / last


def sums_of(shares: _Numbers | None) -> _Numbers:
    """A heap of sums: node i is that of its children 2i and 2i+1, shares are the leaves; None: nothing."""
    if shares is None:
        return np.empty(0)
    level = 1 << (len(shares) - 1).bit_length()
    sums = np.zeros(2 * level)
    sums[level : level + len(shares)] = shares
    while level > 1:
        level //= 2
        sums[level : 2 * level] = sums[2 * level : 4 * level : 2] + sums[2 * level + 1 : 4 * level : 2]
    return sums


@compiled
def drawn(of: np.uint64, sums: _Numbers, size: int) -> NDArray[np.int32]:
    """`size` rows, one after the other, each as likely as its share of those that are left."""
    left, leaves = sums.copy(), len(sums) // 2
    rows = np.empty(size, np.int32)
    for i in range(size):
        point, node = draws.uniform(of, np.uint64(i)) * left[1], 1
        while node < leaves:
            node *= 2
            if left[node + 1] > 0.0 and point >= left[node]:
                point -= left[node]
                node += 1
        rows[i] = node - leaves
        left[node] = 0.0
        while node > 1:
            node //= 2
            left[node] = left[2 * node] + left[2 * node + 1]
    return rows
