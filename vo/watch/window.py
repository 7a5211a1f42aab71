"""A model kept current: its oldest trees give way to trees that grow from the rows seen last.

Trees of a forest are independent of each other, so a forest some of whose trees are younger is a forest
still (the sliding window of Ding & Fei 2013, a few trees at a time). Features keep the scale of the fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.forest.detector import Detector
from vo.forest.grow import grow
from vo.forest.preparation import prepared
from vo.forest.sample import Columns
from vo.forest.trees import ARRAYS, Forest


class Window:
    """The features of the last `size` rows that could be used, and the detector that is renewed from them.

    Every `every` rows, `trees` trees are grown anew; nothing before the window is full, and nothing where
    `trees` is 0.
    """

    def __init__(
        self, detector: Detector, *, size: int, every: int, trees: int = 1, renewed: int = 0
    ) -> None:
        sample = detector.forest.settings.sample_size
        if trees and size < sample:
            raise UsageError(f"A window of {size} rows is too small for trees of {sample}.")
        self.detector = detector
        self.renewed = renewed
        self._rows = np.empty((detector.forest.n_features, size), np.float32)
        self._seen = 0
        self._every = every
        self._trees = min(trees, len(detector.forest))
        self._fresh = 0

    def see(self, columns: Columns) -> bool:
        """Take rows in, as columns of the detector; whether trees were renewed by that."""
        features, usable = prepared(self.detector.preparation, columns)
        rows = features[:, usable][:, -self._rows.shape[1] :]
        places = (self._seen + np.arange(rows.shape[1])) % self._rows.shape[1]
        self._rows[:, places] = rows
        self._seen += rows.shape[1]
        self._fresh += rows.shape[1]
        if not self._trees or self._fresh < self._every or self._seen < self._rows.shape[1]:
            return False
        self._fresh = 0
        self._renew()
        return True

    def _renew(self) -> None:
        forest = self.detector.forest
        # A seed of its own for each renewal: the tree of that number is never the same one again.
        seed = (forest.settings.seed + self.renewed + 1) % (1 << 63)
        places = (self.renewed + np.arange(self._trees)) % len(forest)
        grown = grow(self._rows, replace(forest.settings, seed=seed, ntrees=self._trees))
        self.detector = replace(self.detector, forest=_replaced(forest, places, grown))
        self.renewed += self._trees


def _replaced(forest: Forest, places: NDArray[np.int64], grown: Forest) -> Forest:
    """The forest with the trees of `grown` at `places`; the one before stays as it was."""
    arrays = {name: getattr(forest, name).copy() for name in ARRAYS}
    for name, array in arrays.items():
        array[places] = getattr(grown, name)
    return replace(forest, **arrays)
