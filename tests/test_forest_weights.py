"""Rows that count for more than others: drawn, scaled and scored as if they were there more often."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vo.forest import draws
from vo.forest.detector import fit, score
from vo.forest.preparation import Missing, Scaling, fitted
from vo.forest.sample import empty, offered
from vo.forest.settings import Settings
from vo.forest.weights import drawn, shares_of, sums_of

_Numbers = NDArray[np.float64]


@settings(deadline=None)
@given(st.floats(0, 1e3))
@example(math.inf)
@example(5e-324)
def test_arrivals_are_those_of_the_exponential(x: float) -> None:
    """1 - e^(-x), also where e^(-x) is nearly 1."""
    assert draws.arrived(x) == pytest.approx(-math.expm1(-x), rel=1e-15)


def test_rows_are_drawn_one_after_the_other() -> None:
    """Every row is among those drawn as often as NumPy draws it without replacement by the same shares."""
    shares = np.array([0.05, 1.0, 0.3, 0.3, 0.6, 0.0001, 0.2])
    sums = sums_of(shares)
    mine, theirs = np.zeros(7), np.zeros(7)
    rng = np.random.default_rng(1)
    for number in range(4000):
        rows = drawn(_stream(number), sums, 3)
        assert len(set(rows.tolist())) == 3
        mine[rows] += 1 / 4000
        theirs[rng.choice(7, 3, replace=False, p=shares / shares.sum())] += 1 / 4000
    assert mine == pytest.approx(theirs, abs=0.04)


def test_all_rows_can_be_drawn() -> None:
    """However far apart the shares are, as many rows as there are come out, each once."""
    shares = shares_of(np.array([1e300, 1.0, 1e-300, 5e-324, 3.0]), np.zeros(5), math.inf)
    rows = drawn(np.uint64(9), sums_of(shares), 5)
    assert sorted(rows.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [40, 150, 1000])
def test_trees_see_rows_by_weight_however_large_the_sample(size: int) -> None:
    """In a tree rows of weight 9 are as often as if it had drawn from all rows, of which samples have few."""
    weights = np.where(np.arange(300) < 100, 9.0, 1.0)
    heavy, plain, rng = 0.0, 0.0, np.random.default_rng(2)
    for seed in range(300):
        seen = offered(empty(seed, size, 1), np.zeros((1, 300)), np.arange(300), weights=weights)
        shares = np.ones(len(seen.ids)) if seen.shares is None else seen.shares
        rows = seen.ids[drawn(_stream(seed), sums_of(shares), 20)]
        heavy += (rows < 100).mean() / 300
        plain += (rng.choice(300, 20, replace=False, p=weights / weights.sum()) < 100).mean() / 300
    assert heavy == pytest.approx(plain, abs=0.02)


def _stream(number: int) -> np.uint64:
    return np.uint64(draws.stream(np.uint64(3), np.uint64(number)))


def test_shares_tell_of_the_whole() -> None:
    """The sum of something over all rows is known from a sample by its shares (Horvitz & Thompson)."""
    rng = np.random.default_rng(3)
    weights, values = rng.exponential(size=2000), rng.normal(5, 1, 2000)
    found = []
    for seed in range(60):
        seen = offered(empty(seed, 300, 1), values[None], np.arange(2000), weights=weights)
        assert seen.shares is not None
        found.append(np.average(seen.columns[0], weights=seen.shares))
    assert np.mean(found) == pytest.approx(np.average(values, weights=weights), abs=0.03)


@pytest.mark.parametrize("weights", [None, np.full(50, 7.5)])
def test_equal_weights_are_none(weights: _Numbers | None) -> None:
    """Rows that all count the same give the forest that they give without weights."""
    columns = np.random.default_rng(4).normal(size=(2, 50))
    plain, same = (
        fit(
            offered(empty(1, 30, 2), columns, np.arange(50), weights=each),
            "ab",
            Settings(10, 16),
            missing=[Missing.DROP] * 2,
        )
        for each in (None, weights)
    )
    assert np.array_equal(score(plain, columns), score(same, columns))


@pytest.mark.parametrize("scaling", Scaling)
def test_weights_are_repetitions(scaling: Scaling) -> None:
    """Centre and units are those of a sample in which a row of weight 3 is there three times."""
    rng = np.random.default_rng(5)
    sample, counts = rng.normal(size=(3, 41)), rng.integers(0, 3, 41) * 2 + 1
    sample[1, ::9] = np.nan
    policies = [Missing.MEDIAN, Missing.BRANCH, Missing.MEDIAN]
    weighted = fitted(sample, policies, scaling, shares=counts / counts.max())
    again = fitted(np.repeat(sample, counts, axis=1), policies, scaling)
    # Quartiles of repeated rows may lie between two of them.
    near = {"abs": 0.2} if scaling is Scaling.ROBUST else {"rel": 1e-9}
    assert weighted.centre == pytest.approx(again.centre, abs=0.05)
    assert weighted.turn.ravel() == pytest.approx(again.turn.ravel(), **near)


def test_a_crowd_that_counts_for_nothing_is_strange() -> None:
    """Of two equal clouds the one whose rows have no weight is unknown to the forest; it is scored."""
    rng = np.random.default_rng(6)
    columns = np.concatenate([rng.normal(0, 1, (2, 300)), rng.normal(8, 1, (2, 300))], axis=1)
    weights = np.repeat([1.0, 0.0], 300)
    seen = offered(empty(1, 2000, 2), columns, np.arange(600), weights=weights)
    found = score(fit(seen, "ab", Settings(50, 64), missing=[Missing.DROP] * 2), columns)
    assert found[:300].max() < found[300:].min() + 0.1
    assert found[300:].mean() > found[:300].mean() + 0.15
