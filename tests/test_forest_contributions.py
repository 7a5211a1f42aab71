"""The reasons of a score: the features in which a row was made strange."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vo.forest import sample
from vo.forest.contributions import contributions
from vo.forest.detector import Detector, fit
from vo.forest.preparation import Missing, Scaling
from vo.forest.settings import Settings

N_FEATURES = 5
SIGMAS = 6


def _detector(columns: NDArray[np.float64], scaling: Scaling, extension: int | None) -> Detector:
    settings = Settings(ntrees=60, extension=extension, seed=11)
    none = sample.empty(11, sample.capacity(settings, N_FEATURES), N_FEATURES)
    seen = sample.offered(none, columns, np.arange(columns.shape[1]))
    return fit(seen, "abcde", settings, missing=[Missing.MEDIAN] * N_FEATURES, scaling=scaling)


@pytest.mark.parametrize("extension", [0, 2, None])
@pytest.mark.parametrize("scaling", list(Scaling))
def test_what_makes_a_row_strange_has_the_largest_share(scaling: Scaling, extension: int | None) -> None:
    """Rows moved along one of five columns are explained by that column, whatever the units."""
    rng = np.random.default_rng(3)
    units = np.array([1.0, 1e-3, 50.0, 3.0, 1.0])[:, None] if scaling is not Scaling.NONE else 1.0
    columns = rng.normal(size=(N_FEATURES, 4000))
    strange, moved = columns[:, :200].copy(), rng.integers(N_FEATURES, size=200)
    strange[moved, np.arange(200)] += SIGMAS * rng.choice([-1, 1], 200)
    shares = contributions(_detector(columns * units, scaling, extension), strange * units)
    assert shares.sum(axis=0) == pytest.approx(np.ones(200))
    assert shares.min() >= 0
    assert np.mean(shares.argmax(axis=0) == moved) > 0.9


def test_rows_that_nothing_isolates_have_equal_shares() -> None:
    """Where all rows are the same there is no reason to name."""
    columns = np.ones((N_FEATURES, 300))
    shares = contributions(_detector(columns, Scaling.NONE, None), columns[:, :2])
    assert (shares == 1 / N_FEATURES).all()
