"""From columns as they are stored to the features a forest cuts: missing values, scale, precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import UsageError
from vo.forest.sample import Columns

_FAR = np.float32(1e18)
"""Where what lies farther out is put, in widths of the sample: sums of thousands of products stay finite."""

_Shares = NDArray[np.float64] | None
"""What rows of the sample stand for; None: all for the same."""

_FLAT = 1e-10
"""Directions in which the sample is narrower than its widest by this factor are rounding errors."""


class Missing(StrEnum):
    """What becomes of a row whose value of a feature is NULL, NaN or infinite."""

    DROP = "drop"
    """It is neither sampled nor scored."""
    MEDIAN = "median"
    """The value is taken to be the median of the sample."""
    BRANCH = "branch"
    """The value stands apart: below all others, as far as they are wide, so that cuts part it from them."""


class Scaling(StrEnum):
    """What a unit of each feature is; a forest whose cuts follow the axes does not depend on it."""

    NONE = "none"
    """The unit of the column: wide columns rule the direction of inclined cuts."""
    STANDARD = "standard"
    """The standard deviation of the sample."""
    ROBUST = "robust"
    """The range from the first to the third quartile of the sample."""
    PCA = "pca"
    """The sample turned into its principal components, each with variance 1."""


@dataclass(frozen=True, eq=False)
class Preparation:
    """How columns become features; part of the model.

    A feature is `turn` x (value - centre), rounded to single precision once: `turn` has shape
    (features of the forest, columns) or, where nothing is turned, (columns,). `fills` stand for missing
    values; rows that lack a value of a `required` column are left out.
    """

    missing: tuple[Missing, ...]
    scaling: Scaling
    centre: NDArray[np.float64]
    turn: NDArray[np.float64]
    fills: NDArray[np.float64]

    @property
    def required(self) -> tuple[bool, ...]:
        """Of each column, whether a row must have a value."""
        return tuple(policy is Missing.DROP for policy in self.missing)

    @property
    def n_features(self) -> int:
        """Features of the forest."""
        return len(self.turn)


def fitted(
    sample: NDArray[np.float64],
    missing: Sequence[Missing],
    scaling: Scaling,
    names: Sequence[str] | None = None,
    shares: _Shares = None,
) -> Preparation:
    """The preparation for a sample of shape (columns, rows), of which each row stands for its share."""
    finite = np.isfinite(sample)
    known = [column[there] for column, there in zip(sample, finite, strict=True)]
    for place, column in enumerate(known):
        if not len(column):
            name = names[place] if names else f"number {place + 1}"
            raise UsageError(f"Feature {name} has no value in the sample.", hint="Leave it out.")
    counts = [None if shares is None else shares[there] for there in finite]
    medians = np.array([_quantiles(column, 0.5, count) for column, count in zip(known, counts, strict=True)])
    ranges = [(column.min(), column.max()) for column in known]
    apart = [least - ((most - least) or 1.0) for least, most in ranges]
    fills = np.where([policy is Missing.BRANCH for policy in missing], apart, medians)
    if scaling is Scaling.PCA:
        turn = _whitening(np.where(finite, sample, medians[:, None]), shares)
    else:
        turn = _units(known, counts, scaling)
    return Preparation(tuple(missing), scaling, medians, turn, fills)


def _units(
    known: Sequence[NDArray[np.float64]], counts: Sequence[_Shares], scaling: Scaling
) -> NDArray[np.float64]:
    """By what each column is multiplied."""
    if scaling is Scaling.NONE:
        # A forest does not change when everything is moved, or made larger, as one.
        widest = max(float(np.ptp(column)) for column in known)
        return np.full(len(known), 2.0 ** -np.frexp(widest)[1])
    width = _deviation if scaling is Scaling.STANDARD else _quartile_range
    widths = [
        width(column, count) or _deviation(column, count) or 1.0
        for column, count in zip(known, counts, strict=True)
    ]
    return 1.0 / np.array(widths)


def _quantiles(column: NDArray[np.float64], levels: float | tuple[float, ...], shares: _Shares) -> Any:  # noqa: ANN401  as many as levels
    if shares is None:
        return np.quantile(column, levels)
    return np.quantile(column, levels, weights=shares, method="inverted_cdf")


def _quartile_range(column: NDArray[np.float64], shares: _Shares) -> float:
    low, high = _quantiles(column, (0.25, 0.75), shares)
    return float(high - low)


def _deviation(column: NDArray[np.float64], shares: _Shares) -> float:
    if shares is None:
        return float(np.std(column))
    return float(np.sqrt(np.cov(column, bias=True, aweights=shares)))


def _whitening(sample: NDArray[np.float64], shares: _Shares) -> NDArray[np.float64]:
    """The principal components of the correlations, widest first, those without width left out."""
    deviations = np.array([_deviation(column, shares) or 1.0 for column in sample])
    variances, vectors = np.linalg.eigh(
        np.cov(sample / deviations[:, None], bias=True, aweights=shares).reshape(len(sample), -1)
    )
    kept = np.flatnonzero(variances > _FLAT * variances[-1])[::-1]
    if not len(kept):
        raise UsageError(
            "All features are constant in the sample.", hint="Choose others, or scaling other than pca."
        )
    axes = vectors[:, kept].T
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[
        :, None
    ]  # eigh leaves the sign open
    return np.ascontiguousarray(axes / np.sqrt(variances[kept])[:, None] / deviations)


def prepared(preparation: Preparation, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features of shape (features, rows), and which rows have every value they must have."""
    if len(columns) != len(preparation.centre):
        raise UsageError(f"The model has {len(preparation.centre)} features, the rows have {len(columns)}.")
    n_rows = len(columns[0])
    turned = preparation.turn.ndim > 1
    features = np.empty((preparation.n_features, n_rows), np.float32)
    usable = np.ones(n_rows, np.bool_)
    plain = np.empty((len(columns), n_rows)) if turned else np.empty((0, 0))
    for place, column in enumerate(columns):
        numbers = (preparation.centre[place], preparation.fills[place], preparation.required[place])
        if turned:
            _centre(_floats(column), numbers, usable, plain[place])
        else:
            _scale(_floats(column), numbers, preparation.turn[place], usable, features[place])
    if turned:
        _rotate(plain, preparation.turn, features)
    return features, usable


def _floats(column: NDArray[Any]) -> NDArray[Any]:
    return column if column.dtype in (np.float32, np.float64) else column.astype(np.float64)


@compiled
def _value(value: float, numbers: tuple[float, float, bool], usable: NDArray[np.bool_], row: int) -> float:
    centre, fill, required = numbers
    if not abs(value) < np.inf:
        value = fill
        if required:
            usable[row] = False
    return value - centre


@compiled
def _single(value: float) -> np.float32:
    return min(max(np.float32(value), -_FAR), _FAR)


@compiled
def _scale(
    column: NDArray[Any],
    numbers: tuple[float, float, bool],
    factor: float,
    usable: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    for row in range(len(column)):
        out[row] = _single(_value(float(column[row]), numbers, usable, row) * factor)


@compiled
def _centre(
    column: NDArray[Any],
    numbers: tuple[float, float, bool],
    usable: NDArray[np.bool_],
    out: NDArray[np.float64],
) -> None:
    for row in range(len(column)):
        out[row] = _value(float(column[row]), numbers, usable, row)


@compiled
def _rotate(plain: NDArray[np.float64], turn: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Sums in the order of the columns, for any number of rows: libraries of matrices choose theirs by it."""
    total = np.empty(plain.shape[1])
    for feature in range(len(turn)):
        total[:] = 0.0
        for column in range(len(plain)):
            for row in range(len(total)):
                total[row] += turn[feature, column] * plain[column, row]
        for row in range(len(total)):
            out[feature, row] = _single(total[row])
