"""Why a row is strange: what each feature has to do with its isolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.forest.detector import Detector
from vo.forest.instructions import fused
from vo.forest.preparation import prepared
from vo.forest.sample import Columns
from vo.forest.trees import Forest

_Matrix = NDArray[np.float64]
_Vector = NDArray[np.float64]
_Numbers = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
_Cut = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


def contributions(detector: Detector, columns: Columns) -> NDArray[np.float64]:
    """The share of each column in the isolation of each row: shape (columns, rows), each row adding up to 1.

    A cut that leaves a row with n' of the n rows of the sample isolates it by log2(n / n'), the imbalance by
    which DIFFI (Carletti, Terzi & Susto 2023) and ExIFFI (Arcudi et al. 2024) weigh cuts. They give it to
    features by the normal of the cut alone; here a feature has part in it as far as the row stands off from
    the mean of the n rows along it, w (x - mean), to the side that the row went to. Otherwise features that
    an inclined cut met by chance would have as large a share. Columns that were turned into principal
    components get their shares as columns. A row that no cut parted from the others has equal shares.
    """
    features, _ = prepared(detector.preparation, columns)
    turns = _turns(detector.preparation.turn)
    steps = np.ascontiguousarray(turns[1] @ features if len(turns[1]) else features.astype(np.float64))
    shares = np.zeros((features.shape[1], len(columns)))
    for tree in range(len(detector.forest)):
        _add_shares(*_tree(detector.forest, tree), (features, steps), turns, shares)
    total = shares.sum(axis=1, keepdims=True)
    shares = np.divide(shares, total, out=np.full_like(shares, 1.0 / len(columns)), where=total > 0)
    return np.ascontiguousarray(shares.T)


def _turns(turn: _Matrix) -> tuple[_Matrix, _Matrix]:
    """What turns columns into features, and steps along features into steps along columns."""
    if turn.ndim == 1:
        return np.empty((0, 0)), np.empty((0, 0))
    return turn, np.ascontiguousarray(np.linalg.pinv(turn), np.float64)


def _tree(forest: Forest, tree: int) -> tuple[_Numbers, NDArray[np.int32], NDArray[np.int32]]:
    numbers = forest.weights[tree], forest.means[tree], forest.thresholds[tree]
    return numbers, forest.features[tree], forest.counts[tree]


@compiled
def _add_shares(
    numbers: _Numbers,
    cuts: NDArray[np.int32],
    counts: NDArray[np.int32],
    rows: tuple[NDArray[np.float32], _Matrix],
    turns: tuple[_Matrix, _Matrix],
    shares: _Matrix,
) -> None:
    weights, means, thresholds = numbers
    features, steps = rows
    leaning = np.empty(shares.shape[1])
    for row in range(len(shares)):
        node = 0
        while node < len(thresholds) and counts[node] > 1:
            cut = cuts[:, node], weights[:, node], means[:, node]
            right = _side(cut, features[:, row]) >= thresholds[node]
            child = 2 * node + (2 if right else 1)
            _lean(cut, steps[:, row], 1.0 if right else -1.0, turns, leaning)
            _share(leaning, np.log2(counts[node] / max(counts[child], 1)), shares[row])
            node = child


@compiled
def _side(cut: _Cut, row: NDArray[np.float32]) -> np.float32:
    features, weights, _ = cut
    total = np.float32(0.0)
    for k in range(len(features)):
        total = fused(weights[k], row[features[k]], total)
    return total


@compiled
def _lean(cut: _Cut, steps: _Vector, side: float, turns: tuple[_Matrix, _Matrix], leaning: _Vector) -> None:
    """How far the row stands off to a side of the cut along each column."""
    features, weights, means = cut
    turn, back = turns
    leaning[:] = 0.0
    if not len(turn):
        for k in range(len(features)):
            leaning[features[k]] = side * float(weights[k]) * (steps[features[k]] - float(means[k]))
        return
    for column in range(len(leaning)):
        slope, step = 0.0, steps[column]
        for k in range(len(features)):
            slope += float(weights[k]) * turn[features[k], column]
            step -= back[column, features[k]] * float(means[k])
        leaning[column] = side * slope * step


@compiled
def _share(leaning: _Vector, amount: float, shares: _Vector) -> None:
    """Divide an amount by what leans to the right side."""
    total = 0.0
    for part in leaning:
        total += max(part, 0.0)
    if total > 0.0:
        for column in range(len(shares)):
            shares[column] += amount * max(leaning[column], 0.0) / total
