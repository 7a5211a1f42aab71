"""A forest as flat arrays, put together from trees that were grown anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.forest.settings import PATH_UNIT, Settings, average_paths
from vo.forest.walk import LINE


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees as complete heaps of `nodes` = 2**depth - 1 cuts: the children of node i are 2i+1 and 2i+2.

    A row goes left where the sum of weights times values is below the threshold, over the features of the cut
    in rising order, each step one fused multiplication and addition in single precision, beginning with 0.
    Below a leaf everything goes left. `features`, `weights` and `means`, those of the rows of the sample that
    came to the cut, have shape (trees, extension + 1, nodes), `thresholds` (trees, nodes), and `counts`, how
    many rows of the sample came to each node, (trees, 2 nodes + 1).
    `first` is the number of the first tree; `settings` are as fitted, `ntrees` that of the whole forest.
    """

    settings: Settings
    n_features: int
    first: int
    features: NDArray[np.int32]
    weights: NDArray[np.float32]
    means: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    counts: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.thresholds)

    @property
    def depth(self) -> int:
        """The edges from the root to the deepest node."""
        return self.settings.depth

    @cached_property
    def paths(self) -> NDArray[np.int32]:
        """The path length of each of the 2**depth places below a tree, in PATH_UNIT: shape (trees, places).

        A leaf at depth e with n rows stands for e + c(n) edges (Hariri et al. 2019, algorithm 3).
        """
        below = np.rint(average_paths(self.settings.sample_size) * PATH_UNIT).astype(np.int32)
        paths = np.zeros((len(self), 1), np.int32)
        ended = np.zeros((len(self), 1), np.bool_)
        for level in range(self.depth + 1):
            counts = self.counts[:, (1 << level) - 1 : (2 << level) - 1]
            paths = np.where(ended, paths, level * PATH_UNIT + below[counts])
            ended = ended | (counts <= 1)
            if level < self.depth:
                paths, ended = np.repeat(paths, 2, axis=1), np.repeat(ended, 2, axis=1)
        return np.ascontiguousarray(paths)

    @cached_property
    def tables(self) -> NDArray[np.float32]:
        """What `walk` needs to add all features up: shape (trees, rows of numbers, places of nodes)."""
        tables = self._tables(self.n_features)
        np.put_along_axis(tables[:, :, 1 : self.thresholds.shape[1] + 1], self.features, self.weights, axis=1)
        return tables

    @cached_property
    def sparse_tables(self) -> NDArray[np.float32]:
        """What `walk` needs to look up which features are cut."""
        n_cut, nodes = self.features.shape[1:]
        tables = self._tables(n_cut, n_cut)
        tables[:, :n_cut, 1 : nodes + 1] = self.weights
        tables[:, n_cut + 2 :, 1 : nodes + 1] = self.features.view(np.float32)
        return tables

    def _tables(self, n_weights: int, n_more: int = 0) -> NDArray[np.float32]:
        n_trees, nodes = self.thresholds.shape
        places = max(LINE, nodes + 1)
        tables = np.zeros((n_trees, n_weights + 2 + n_more, places), np.float32)
        tables[:, n_weights, 1 : nodes + 1] = self.thresholds
        first = (nodes + 1) % places
        tables[:, n_weights + 1, first : first + nodes + 1] = self.paths.view(np.float32)
        return tables

    def tree_slice(self, start: int, stop: int) -> Forest:
        """The trees from place `start` to before `stop`, as views."""
        start, stop, _ = slice(start, stop).indices(len(self))
        return replace(
            self, first=self.first + start, **{name: getattr(self, name)[start:stop] for name in ARRAYS}
        )


ARRAYS = ("features", "weights", "means", "thresholds", "counts")


def merged(parts: Sequence[Forest]) -> Forest:
    """The forest of which `parts` are pieces, in whatever order: the same arrays as if grown at once."""
    pieces = sorted(parts, key=lambda part: part.first)
    if not pieces:
        raise UsageError("There are no trees to merge.")
    for piece, following in pairwise(pieces):
        if (piece.settings, piece.n_features) != (following.settings, following.n_features):
            raise UsageError("Trees of different settings or features make no forest.")
        if piece.first + len(piece) != following.first:
            raise UsageError(
                f"After tree {piece.first + len(piece) - 1} comes tree {following.first}.",
                hint="Give each tree once, and leave none out between them.",
            )
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in ARRAYS
    }
    return replace(pieces[0], **arrays)
