"""Growing trees (Hariri, Carrasco Kind & Brunner 2019, algorithms 1 and 2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import UsageError
from vo.forest import draws
from vo.forest.instructions import fused
from vo.forest.settings import Settings
from vo.forest.trees import Forest
from vo.forest.weights import drawn, sums_of

_ROWS, _NODES = np.uint64(0), np.uint64(1)
"""The streams of a tree: which rows it sees, and how its nodes cut them."""

_Columns = NDArray[np.float32]
_Weights = NDArray[np.float32]
_Rows = NDArray[np.int32]


def grow(
    sample: _Columns,
    settings: Settings,
    trees: range | None = None,
    *,
    shares: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> Forest:
    """Grow `trees` of a forest, all of them when left out, on prepared columns of shape (features, rows).

    Tree t of a seed is the same whichever others are grown with it. Each takes `sample_size` of the rows
    without replacement, by their `shares` if they have any, all of them if there are fewer.
    """
    sample = np.ascontiguousarray(sample, np.float32)
    n_features, n_rows = sample.shape
    settings = settings.fitted(n_features, n_rows)
    trees = range(settings.ntrees) if trees is None else trees
    if trees.step != 1 or not 0 <= trees.start < trees.stop <= settings.ntrees:
        raise UsageError(f"Trees {trees} are not some in a row of {settings.ntrees}.")
    forest, sums = _bare(settings, n_features, trees), sums_of(shares)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: _grow_part(sample, sums, forest, part), _split(len(trees), threads)))
    return forest


def _split(count: int, threads: int) -> Iterable[range]:
    size = -(-count // threads)
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _bare(settings: Settings, n_features: int, trees: range) -> Forest:
    """A forest of leaves."""
    nodes, cut = (1 << settings.depth) - 1, (settings.extension or 0) + 1
    return Forest(
        settings=settings,
        n_features=n_features,
        first=trees.start,
        features=np.tile(np.arange(cut, dtype=np.int32)[None, :, None], (len(trees), 1, nodes)),
        weights=np.zeros((len(trees), cut, nodes), np.float32),
        means=np.zeros((len(trees), cut, nodes), np.float32),
        thresholds=np.full((len(trees), nodes), np.inf, np.float32),
        counts=np.zeros((len(trees), 2 * nodes + 1), np.int32),
    )


def _grow_part(sample: _Columns, sums: NDArray[np.float64], forest: Forest, part: range) -> None:
    for place in part:
        _grow_tree(
            sample,
            sums,
            (forest.settings.seed, forest.first + place),
            forest.settings.sample_size,
            forest.features[place],
            (forest.weights[place], forest.means[place], forest.thresholds[place]),
            forest.counts[place],
        )


@compiled
def _grow_tree(
    sample: _Columns,
    sums: NDArray[np.float64],
    number: tuple[int, int],
    size: int,
    features: NDArray[np.int32],
    numbers: tuple[_Weights, _Weights, NDArray[np.float32]],
    counts: NDArray[np.int32],
) -> None:
    weights, means, thresholds = numbers
    tree = draws.stream(np.uint64(number[0]), np.uint64(number[1]))
    seen = draws.stream(tree, _ROWS)
    rows = drawn(seen, sums, size) if len(sums) else _chosen(seen, sample.shape[1], size)
    spare = np.empty_like(rows)
    starts = np.zeros(len(counts), np.int32)
    counts[0] = size
    for node in range(len(thresholds)):
        here = rows[starts[node] : starts[node] + counts[node]]
        if len(here) <= 1:
            continue
        cut = draws.stream(draws.stream(tree, _NODES), np.uint64(node))
        _choose_direction(cut, len(sample), features[:, node], weights[:, node])
        thresholds[node] = _threshold(sample, here, cut, features[:, node], weights[:, node])
        _set_means(sample, here, features[:, node], means[:, node])
        left = _parted(sample, here, (features[:, node], weights[:, node], thresholds[node]), spare)
        counts[2 * node + 1], counts[2 * node + 2] = left, len(here) - left
        starts[2 * node + 1], starts[2 * node + 2] = starts[node], starts[node] + left


@compiled
def _chosen(rows: np.uint64, n_rows: int, size: int) -> NDArray[np.int32]:
    """`size` of `n_rows` rows, each set of them as likely as any other (Fisher and Yates, cut short)."""
    order = np.arange(n_rows).astype(np.int32)
    for i in range(size):
        j = min(i + int(draws.uniform(rows, np.uint64(i)) * (n_rows - i)), n_rows - 1)
        order[i], order[j] = order[j], order[i]
    return order[:size].copy()


@compiled
def _choose_direction(
    cut: np.uint64, n_features: int, features: NDArray[np.int32], weights: _Weights
) -> None:
    """The features of a cut in rising order (Knuth, 3.4.2, algorithm S), and a direction among them."""
    wanted, taken = len(features), 0
    for feature in range(n_features):
        if draws.uniform(cut, np.uint64(feature)) * (n_features - feature) < wanted - taken:
            weight = draws.normal(draws.stream(cut, np.uint64(feature)))
            # Of one feature only the sign matters, and products with 1 are exact.
            weights[taken] = weight if wanted > 1 else math.copysign(1.0, weight)
            features[taken] = feature
            taken += 1


@compiled
def _threshold(
    sample: _Columns, here: _Rows, cut: np.uint64, features: NDArray[np.int32], weights: _Weights
) -> np.float32:
    """Where the plane lies that goes through a random point of the box of the rows, of its cut features."""
    total = np.float32(0.0)
    for k in range(len(features)):
        feature = features[k]
        least = most = sample[feature, here[0]]
        for row in here:
            least, most = min(least, sample[feature, row]), max(most, sample[feature, row])
        part = draws.uniform(cut, np.uint64(sample.shape[0] + feature))
        point = np.float32(float(least) + part * (float(most) - float(least)))
        total = fused(weights[k], point, total)
    return total


@compiled
def _set_means(
    sample: _Columns, here: _Rows, features: NDArray[np.int32], means: NDArray[np.float32]
) -> None:
    for k in range(len(features)):
        total = 0.0
        for row in here:
            total += float(sample[features[k], row])
        means[k] = total / len(here)


@compiled
def _parted(
    sample: _Columns, here: _Rows, cut: tuple[NDArray[np.int32], _Weights, np.float32], spare: _Rows
) -> int:
    """Rows of the left child to the front, in their order; how many they are."""
    features, weights, threshold = cut
    left = right = 0
    for row in here:
        total = np.float32(0.0)
        for k in range(len(features)):
            total = fused(weights[k], sample[features[k], row], total)
        if total < threshold:
            here[left] = row
            left += 1
        else:
            spare[right] = row
            right += 1
    here[left:] = spare[:right]
    return left
