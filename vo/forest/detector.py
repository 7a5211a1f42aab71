"""A model: how columns become features, and the forest that knows what is ordinary among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vo.forest import depths
from vo.forest.grow import grow
from vo.forest.preparation import Missing, Preparation, Scaling, fitted, prepared
from vo.forest.sample import Columns, Sample
from vo.forest.settings import Settings
from vo.forest.trees import Forest


@dataclass(frozen=True, eq=False)
class Detector:
    """What scores rows: `names` are those of the columns, in their order."""

    names: tuple[str, ...]
    preparation: Preparation
    forest: Forest


def fit(
    sample: Sample,
    names: Sequence[str],
    settings: Settings,
    *,
    missing: Sequence[Missing],
    scaling: Scaling = Scaling.NONE,
    threads: int = 1,
) -> Detector:
    """The model of a sample, which was drawn with the `required` columns that `missing` asks for."""
    shares = sample.shares
    preparation = fitted(sample.columns, missing, scaling, names, shares)
    features, _ = prepared(preparation, sample.columns)
    return Detector(tuple(names), preparation, grow(features, settings, shares=shares, threads=threads))


def depth_sums(
    detector: Detector, columns: Columns, *, threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sums of path lengths over the trees of the detector, in PATH_UNIT, and which rows could be used."""
    sums = np.zeros(len(columns[0]), np.int64)
    usable = np.empty(len(sums), np.bool_)

    def work(rows: slice) -> None:
        features, usable[rows] = prepared(detector.preparation, [column[rows] for column in columns])
        sums[rows] = depths.depths(detector.forest, features)

    depths.in_blocks(work, len(sums), threads)
    return sums, usable


def score(detector: Detector, columns: Columns, *, threads: int = 1) -> NDArray[np.float64]:
    """The anomaly score of each row between 0 and 1; NaN where a value is missing that must be there."""
    sums, usable = depth_sums(detector, columns, threads=threads)
    forest = detector.forest
    return np.where(usable, depths.scores(sums, len(forest), forest.settings.sample_size), np.nan)
