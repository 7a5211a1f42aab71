"""The extended isolation forest: its depths beside a plain reading of the paper, exact however split."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.forest.depths import depths, scores
from vo.forest.grow import grow
from vo.forest.settings import PATH_UNIT, Settings
from vo.forest.trees import ARRAYS, Forest, merged


def _blob(n_rows: int, n_features: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n_features, n_rows)).astype(np.float32)


def _path(forest: Forest, tree: int, row: NDArray[np.float32]) -> float:
    """The path length of a row as the paper counts it (algorithm 3), node by node."""
    node, edges = 0, 0
    while forest.counts[tree, node] > 1 and edges < forest.settings.depth:
        total = 0.0
        for feature, weight in zip(
            forest.features[tree, :, node], forest.weights[tree, :, node], strict=True
        ):
            total = float(np.float32(float(weight) * float(row[feature]) + total))
        node, edges = 2 * node + (1 if total < forest.thresholds[tree, node] else 2), edges + 1
    size = int(forest.counts[tree, node])
    return edges + (2 * math.fsum(1 / i for i in range(1, size)) - 2 * (size - 1) / size if size > 1 else 0)


def _same(one: Forest, other: Forest) -> bool:
    return one.settings == other.settings and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS
    )


@hypothesis_settings(deadline=None, max_examples=25)
@given(
    n_features=st.integers(1, 9),
    n_rows=st.integers(2, 300),
    sample_size=st.integers(2, 100),
    depth_limit=st.none() | st.integers(1, 9),
    seed=st.integers(0, 2**63 - 1),
    data=st.data(),
)
def test_depths_are_those_of_the_paper(
    n_features: int, n_rows: int, sample_size: int, depth_limit: int | None, seed: int, data: st.DataObject
) -> None:
    """Whatever the shape of data and forest, each row lies as deep as a walk node by node says."""
    extension = data.draw(st.none() | st.integers(0, n_features - 1))
    columns = _blob(n_rows, n_features, seed % 1000)
    columns[:, ::3] = np.round(columns[:, ::3])  # ties
    forest = grow(columns, Settings(3, sample_size, extension, depth_limit, seed))
    found = depths(forest, columns[:, :50])
    wanted = [sum(_path(forest, tree, row) for tree in range(3)) for row in columns[:, :50].T]
    assert found / PATH_UNIT == pytest.approx(wanted, abs=3 / PATH_UNIT)


@pytest.mark.parametrize("extension", [0, 1, 3])
def test_trees_do_not_depend_on_who_grows_them(extension: int) -> None:
    """Threads, shards and their order change no bit of a forest."""
    columns, wanted = _blob(1000, 4), Settings(ntrees=20, sample_size=64, extension=extension, seed=7)
    whole = grow(columns, wanted)
    shards = [grow(columns, wanted, range(*ends), threads=2) for ends in ((12, 20), (0, 5), (5, 12))]
    assert _same(whole, merged(shards))
    assert _same(whole.tree_slice(5, 12), shards[2])


@pytest.mark.parametrize("extension", [0, 1, 30])
@pytest.mark.parametrize("depth_limit", range(1, 12))
def test_every_processor_finds_the_same_depths(depth_limit: int, extension: int) -> None:
    """Rows walk with AVX-512 as without, whatever the depth and however sparse the cuts."""
    columns = _blob(300, 31)
    forest = grow(columns, Settings(5, 256, extension, depth_limit, seed=2))
    columns[:, 7] = np.nan  # nobody should ask, and all answer the same
    portable = depths(forest, columns, wide=False)
    assert np.array_equal(portable, depths(forest, columns))
    wanted = [sum(_path(forest, tree, row) for tree in range(5)) for row in columns[:, :3].T]
    assert portable[:3] / PATH_UNIT == pytest.approx(wanted, abs=5 / PATH_UNIT)


def test_sums_of_shards_are_those_of_the_whole() -> None:
    """Path lengths are whole numbers, so that trees and rows can be split at will."""
    columns = _blob(20_000, 3)
    forest = grow(columns, Settings(ntrees=30))
    whole = depths(forest, columns)
    assert np.array_equal(whole, depths(forest, columns, threads=2))
    assert np.array_equal(
        whole, sum(depths(forest.tree_slice(*ends), columns) for ends in ((20, 30), (0, 20)))
    )
    assert np.array_equal(whole[5001:5008], depths(forest, columns[:, 5001:5008]))


def test_scores_are_those_of_the_paper() -> None:
    """A row as deep as the average has 1/2, one at the root 1."""
    assert scores(np.array([0]), 100, 256) == [1.0]
    harmonic = math.fsum(1 / i for i in range(1, 256))
    average = round((2 * harmonic - 2 * 255 / 256) * PATH_UNIT)
    assert scores(np.array([100 * average]), 100, 256) == pytest.approx(0.5, abs=1e-7)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"ntrees": 0}, "ntrees is 0"),
        ({"sample_size": 1}, "sample_size is 1"),
        ({"extension": -1}, "extension is -1"),
        ({"depth_limit": 17}, "depth_limit is 17"),
        ({"seed": -1}, "seed is -1"),
        ({"ntrees": 10_000, "depth_limit": 16}, "MiB is the limit"),
        ({"extension": 4}, "at most 3"),
    ],
)
def test_settings_out_of_range_are_refused(wanted: dict[str, int], words: str) -> None:
    """The error names the setting and what it may be."""
    with pytest.raises(UsageError, match=words):
        grow(_blob(100, 4), Settings(**wanted))


def test_shards_that_do_not_fit_are_refused() -> None:
    """A tree that is missing, or there twice, is no forest."""
    parts = [grow(_blob(50, 2), Settings(ntrees=9), range(*ends)) for ends in ((0, 3), (3, 6), (6, 9))]
    with pytest.raises(UsageError, match="After tree 2 comes tree 6"):
        merged([parts[2], parts[0]])
    with pytest.raises(UsageError, match="After tree 5 comes tree 3"):
        merged([parts[1], parts[1]])
