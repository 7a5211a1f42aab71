"""How deep rows lie in a forest, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import UsageError
from vo.forest.instructions import fused
from vo.forest.settings import PATH_UNIT, average_paths
from vo.forest.trees import Forest

_BLOCK = 4096
"""Rows that go through one tree after the other while they and a tree stay in the nearer caches."""


def depths(forest: Forest, columns: NDArray[np.float32], *, threads: int = 1) -> NDArray[np.int64]:
    """The sum of each row's path lengths over the trees, in PATH_UNIT; `columns` has shape (features, rows).

    Sums of parts of a forest add up to those of the whole, exactly.
    """
    columns = np.asarray(columns, np.float32)
    if columns.ndim != 2 or len(columns) != forest.n_features:  # noqa: PLR2004  features, rows
        raise UsageError(f"The forest knows {forest.n_features} features, the rows have {len(columns)}.")
    sums = np.zeros(columns.shape[1], np.int64)
    in_blocks(
        lambda rows: _add(forest, np.ascontiguousarray(columns[:, rows]), sums[rows]), len(sums), threads
    )
    return sums


def scores(sums: NDArray[np.int64], ntrees: int, sample_size: int) -> NDArray[np.float64]:
    """Anomaly scores s = 2^(-E[h] / c(n)) between 0 and 1, from sums of path lengths over `ntrees` trees.

    Liu, Ting & Zhou 2008, eq. 2; Hariri, Carrasco Kind & Brunner 2019, eq. 1.
    """
    average = PATH_UNIT * ntrees * float(average_paths(sample_size)[sample_size])
    return np.exp2(sums / -average)


def in_blocks(work: Callable[[slice], None], n_rows: int, threads: int) -> None:
    """Have `work` done on all rows, in blocks, by so many threads."""
    blocks = [slice(start, min(start + _BLOCK, n_rows)) for start in range(0, n_rows, _BLOCK)]
    if threads == 1 or len(blocks) == 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, blocks))


def _add(forest: Forest, block: NDArray[np.float32], sums: NDArray[np.int64]) -> None:
    _walk(forest.features, forest.weights, forest.thresholds, forest.paths, block, sums)


@compiled
def _walk(
    features: NDArray[np.int32],
    weights: NDArray[np.float32],
    thresholds: NDArray[np.float32],
    paths: NDArray[np.int32],
    block: NDArray[np.float32],
    sums: NDArray[np.int64],
) -> None:
    nodes = thresholds.shape[1]
    for tree in range(len(thresholds)):
        for row in range(len(sums)):
            node = 0
            while node < nodes:
                total = np.float32(0.0)
                for k in range(features.shape[1]):
                    total = fused(weights[tree, k, node], block[features[tree, k, node], row], total)
                node = 2 * node + (1 if total < thresholds[tree, node] else 2)
            sums[row] += paths[tree, node - nodes]
