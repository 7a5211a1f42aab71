"""Rows drawn from streams and partitions: the same sample however the rows come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vo.errors import UsageError
from vo.forest.files import read_sample, sample_table
from vo.forest.sample import Sample, capacity, empty, offered, united
from vo.forest.settings import Settings


def _offered(columns: Any, ids: Any, size: int, **how: Any) -> Sample:  # noqa: ANN401  whatever a test offers
    return offered(empty(5, size, len(columns)), columns, np.asarray(ids), **how)


def _same(one: Sample, other: Sample) -> bool:
    counts = [(part.n_offered, part.n_usable, part.n_missing.tolist()) for part in (one, other)]
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "columns")
        for name in ("columns", "ids", "waits", "weights")
    )
    return arrays and counts[0] == counts[1]


@settings(deadline=None, max_examples=40)
@given(
    n_rows=st.integers(0, 200),
    size=st.integers(1, 60),
    kind=st.sampled_from([np.float32, np.float64]),
    data=st.data(),
)
def test_partitions_give_the_sample_of_the_whole(
    n_rows: int, size: int, kind: type, data: st.DataObject
) -> None:
    """However rows are split, ordered and united, the same rows are kept with the same counts."""
    rng = np.random.default_rng(n_rows)
    columns, ids = rng.normal(size=(3, n_rows)).astype(kind), rng.integers(-(10**18), 10**18, n_rows)
    columns[:, ::7] = np.nan
    weights = rng.integers(0, 3, n_rows) if data.draw(st.booleans()) else None
    required = data.draw(st.tuples(*[st.booleans()] * 3))
    whole = _offered(columns, ids, size, weights=weights, required=required)
    order = np.array(data.draw(st.permutations(range(n_rows))), int)
    pieces = np.split(order, sorted(data.draw(st.lists(st.integers(0, n_rows), max_size=4))))
    parts = [
        _offered(
            columns[:, piece],
            ids[piece],
            size,
            weights=None if weights is None else weights[piece],
            required=required,
        )
        for piece in pieces
    ]
    assert _same(whole, united(parts))
    stream = empty(5, size, 3)
    for piece in pieces:
        some = None if weights is None else weights[piece]
        stream = offered(stream, columns[:, piece], ids[piece], weights=some, required=required)
    assert _same(whole, stream)
    assert _same(whole, read_sample(sample_table(whole)))


def test_each_row_is_as_likely_as_any_other() -> None:
    """Over many seeds rows are kept as often as a simple random sample keeps them."""
    rows = np.arange(50.0)[None]
    kept = np.zeros(50)
    for seed in range(2000):
        kept[offered(empty(seed, 10, 1), rows, np.arange(50)).ids] += 1
    expected = 2000 * 10 / 50
    squares = (kept - expected) ** 2 / (expected * (1 - 10 / 50))
    assert squares.sum() < 49 + 5 * np.sqrt(2 * 49)  # chi squared


def test_rows_are_drawn_by_their_weights() -> None:
    """The first of a sample is each row as often as its share of the weights; weight 0 is never drawn."""
    weights = np.array([0.0, 1.0, 2.0, 5.0])
    first = [
        offered(empty(seed, 1, 1), np.zeros((1, 4)), np.arange(4), weights=weights).ids[0]
        for seed in range(4000)
    ]
    shares = np.bincount(first, minlength=4) / 4000
    assert shares[0] == 0
    assert shares == pytest.approx(weights / 8, abs=0.03)


def test_what_cannot_be_used_is_counted() -> None:
    """NaN and the infinities are missing; rows that lack what is required are offered and not usable."""
    columns = np.array([[1.0, np.nan, np.inf, 4.0], [1.0, 2.0, 3.0, -np.inf]])
    seen = _offered(columns, np.arange(4), 9, required=(True, False))
    assert (seen.n_offered, seen.n_usable, seen.n_missing.tolist()) == (4, 2, [2, 1])
    assert sorted(seen.ids) == [0, 3]


def test_capacity_follows_the_settings() -> None:
    """As many rows as all trees take, but not more than fit into the memory of a sample."""
    assert capacity(Settings(100, 256), 6) == 25_600
    assert capacity(Settings(10_000, 256), 1000) < 40_000


@pytest.mark.parametrize("weights", [[1.0, -1.0], [1.0, np.nan], [1.0]])
def test_odd_weights_are_refused(weights: list[float]) -> None:
    """Negative and missing weights, and too few of them."""
    with pytest.raises(UsageError, match=r"[Ww]eights"):
        _offered(np.ones((1, 2)), np.arange(2), 2, weights=np.array(weights))


def test_samples_of_different_plans_are_not_united() -> None:
    """Another seed is another sample."""
    with pytest.raises(UsageError, match="cannot be united"):
        united([empty(1, 5, 2), empty(2, 5, 2)])
