"""A forest written from the paper alone, in plain NumPy and double precision, and how scores are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


@dataclass
class _Node:
    """Algorithm 2 of Hariri et al.: a node with what came to it."""

    sample: Rows
    depth: int
    limit: int
    extension: int
    rng: np.random.Generator

    def paths(self, rows: Rows) -> Rows:
        """Algorithm 3, for all rows that come to the node: their path lengths from the root."""
        n, d = self.sample.shape
        if self.depth >= self.limit or n <= 1:
            return np.full(len(rows), self.depth + average_path(n))
        normal = self.rng.normal(size=d)
        normal[self.rng.choice(d, d - self.extension - 1, replace=False)] = 0
        point = self.rng.uniform(self.sample.min(axis=0), self.sample.max(axis=0))
        found = np.empty(len(rows))
        for left in (True, False):
            mine, theirs = (((x - point) @ normal < 0) == left for x in (self.sample, rows))
            below = _Node(self.sample[mine], self.depth + 1, self.limit, self.extension, self.rng)
            found[theirs] = below.paths(rows[theirs])
        return found


def average_path(n: int) -> float:
    """c(n), by the harmonic number itself."""
    return 2 * math.fsum(1 / i for i in range(1, n)) - 2 * (n - 1) / n if n > 1 else 0.0


def plain_scores(rows: Rows, ntrees: int, sample_size: int, extension: int, seed: int) -> Rows:
    """The scores of rows, (rows, features), by a forest that grew from them."""
    rng = np.random.default_rng(seed)
    limit = math.ceil(math.log2(sample_size))
    total = np.zeros(len(rows))
    for _ in range(ntrees):
        sample = rows[rng.choice(len(rows), sample_size, replace=False)]
        total += _Node(sample, 0, limit, extension, rng).paths(rows)
    return np.exp2(-total / ntrees / average_path(sample_size))


def ranks(values: Rows) -> Rows:
    """Ranks from 1, the mean of them for equal values."""
    _, inverse, counts = np.unique(values.round(9), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])
