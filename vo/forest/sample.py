"""Drawing rows from a stream, or from partitions of a table, as if all of it lay before us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.forest import draws
from vo.forest.settings import Settings
from vo.forest.weights import shares_of

SAMPLE_BYTES = 1 << 28
"""Of a sample at the most."""

Columns = Sequence[NDArray[Any]] | NDArray[Any]
"""Numbers by feature: columns of the same length, or an array of shape (features, rows)."""


def capacity(settings: Settings, n_features: int) -> int:
    """The rows a sample holds at the most: enough for the trees to share none, as far as memory allows."""
    most = SAMPLE_BYTES // (8 * n_features + 24)
    return max(settings.sample_size, min(settings.ntrees * settings.sample_size, most))


@dataclass(frozen=True, eq=False)
class Sample:
    """A simple random sample without replacement of all rows that were offered, or one by weights.

    Each row waits a time that is exponential, at a rate that is its weight, and depends on its id and the
    seed alone; the `capacity` rows that come first are kept (Efraimidis & Spirakis 2006; a bottom-k sketch,
    Cohen & Kaplan 2007). So the sample of a whole is that of the samples of its parts, in whatever order.
    `columns` (features, rows), `ids` and `weights` are in the order of waiting; `n_offered` counts all rows
    that were looked at, `n_usable` those among them that could be used, `n_missing` the values that are not
    finite, by feature.
    """

    seed: int
    capacity: int
    columns: NDArray[np.float64]
    ids: NDArray[np.int64]
    waits: NDArray[np.float64]
    weights: NDArray[np.float64]
    n_offered: int
    n_usable: int
    n_missing: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64] | None:
        """What each row stands for among all that could be used; None: all for the same."""
        complete = self.n_usable <= self.capacity
        return shares_of(self.weights, self.waits, np.inf if complete else float(self.waits[-1]))


def empty(seed: int, capacity: int, n_features: int) -> Sample:
    """The sample of no rows."""
    none = np.zeros(0)
    return Sample(
        seed,
        capacity,
        np.zeros((n_features, 0)),
        none.astype(np.int64),
        none,
        none,
        0,
        0,
        np.zeros(n_features, np.int64),
    )


def offered(
    sample: Sample,
    columns: Columns,
    ids: NDArray[np.int64],
    *,
    weights: NDArray[Any] | None = None,
    required: Sequence[bool] | None = None,
) -> Sample:
    """`sample` after it has seen more rows.

    `ids` are whole numbers that name the rows, such as their places in the table. Rows without a finite value
    of a `required` feature cannot be used, nor those of weight 0.
    """
    finite = np.stack([np.isfinite(column) for column in columns])
    usable = np.ones(len(ids), np.bool_) if required is None else finite[np.array(required)].all(axis=0)
    waits = np.empty(len(ids))
    weights = np.ones(1) if weights is None else _checked(weights, len(ids))
    draws.fill_waits(sample.seed, np.ascontiguousarray(ids, np.int64), weights, waits)
    waits[~usable] = np.inf
    near = np.flatnonzero(waits <= _bound(sample, waits))
    part = replace(
        empty(sample.seed, sample.capacity, len(columns)),
        columns=np.stack([np.asarray(column)[near].astype(np.float64) for column in columns]),
        ids=np.asarray(ids, np.int64)[near],
        waits=waits[near],
        weights=np.broadcast_to(weights, waits.shape)[near].astype(np.float64),
        n_offered=len(ids),
        n_usable=int((waits < np.inf).sum()),
        n_missing=(~finite).sum(axis=1),
    )
    return united([sample, part])


def _bound(sample: Sample, waits: NDArray[np.float64]) -> float:
    """Who waits longer is not among the first, and need not be copied."""
    bounds = [np.finfo(np.float64).max]
    if len(sample.waits) == sample.capacity:
        bounds.append(sample.waits[-1])
    if len(waits) > sample.capacity:
        bounds.append(np.partition(waits, sample.capacity - 1)[sample.capacity - 1])
    return float(min(bounds))


def united(parts: Iterable[Sample]) -> Sample:
    """The sample of everything that the parts have seen, in whatever order they come."""
    samples = list(parts)
    first = samples[0]
    if len({(part.seed, part.capacity, len(part.columns)) for part in samples}) > 1:
        raise UsageError("Samples of different seed, capacity or features cannot be united.")
    waits, ids, weights = (
        np.concatenate([getattr(part, name) for part in samples]) for name in ("waits", "ids", "weights")
    )
    kept = np.lexsort((ids, waits))[: first.capacity]
    return Sample(
        first.seed,
        first.capacity,
        np.concatenate([part.columns for part in samples], axis=1)[:, kept],
        ids[kept],
        waits[kept],
        weights[kept],
        sum(part.n_offered for part in samples),
        sum(part.n_usable for part in samples),
        np.sum([part.n_missing for part in samples], axis=0),
    )


def _checked(weights: NDArray[Any], n_rows: int) -> NDArray[Any]:
    if len(weights) != n_rows:
        raise UsageError(f"There are {len(weights)} weights for {n_rows} rows.")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise UsageError("Weights must be finite and not negative.", hint="Rows to leave out have weight 0.")
    return weights
