"""What a forest is asked to be, and the average path that its depths are measured by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vo.errors import UsageError

TREES_LIMIT = 10_000
SAMPLE_LIMIT = 65_536
DEPTH_LIMIT = 16
FEATURES_LIMIT = 1_000
FOREST_BYTES_LIMIT = 1 << 30

PATH_UNIT = 1 << 20
"""Path lengths are counted in this part of an edge: sums of whole numbers do not depend on their order."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How many trees are grown, from how many rows each, and how they cut.

    `extension` is the number of features that a cut is inclined to beyond the first: 0 cuts along the axes,
    as the isolation forest of Liu et al. (2008); None is all of them. `depth_limit` None is
    ceil(log2(sample_size)), the height of an average tree.
    """

    ntrees: int = 100
    sample_size: int = 256
    extension: int | None = None
    depth_limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _within("ntrees", self.ntrees, 1, TREES_LIMIT)
        _within("sample_size", self.sample_size, 2, SAMPLE_LIMIT)
        _within("seed", self.seed, 0, (1 << 63) - 1)
        if self.extension is not None:
            _within("extension", self.extension, 0, FEATURES_LIMIT - 1)
        if self.depth_limit is not None:
            _within("depth_limit", self.depth_limit, 1, DEPTH_LIMIT)

    @property
    def depth(self) -> int:
        """The edges from the root to the deepest node."""
        return self.depth_limit or (self.sample_size - 1).bit_length()

    def fitted(self, n_features: int, n_rows: int) -> Settings:
        """These settings for rows that are there: nothing left open, no sample larger than all rows."""
        if not 1 <= n_features <= FEATURES_LIMIT:
            raise UsageError(
                f"A forest takes 1 to {FEATURES_LIMIT} features, not {n_features}.",
                hint="Choose fewer columns.",
            )
        if n_rows < 2:  # noqa: PLR2004  one row cannot be told from others
            raise UsageError(
                f"A forest needs at least 2 rows, and {n_rows} can be used.",
                hint="Select more rows, or fill missing values instead of dropping their rows.",
            )
        extension = n_features - 1 if self.extension is None else self.extension
        if extension >= n_features:
            raise UsageError(
                f"extension is {extension}, and {n_features} features allow at most {n_features - 1}.",
                hint="Leave it out for the fully extended forest.",
            )
        fitted = replace(self, extension=extension, sample_size=min(self.sample_size, n_rows))
        fitted = replace(fitted, depth_limit=fitted.depth)
        size = fitted.ntrees * (12 * extension + 24) << fitted.depth
        if size > FOREST_BYTES_LIMIT:
            raise UsageError(
                f"The forest would take {size >> 20} MiB, and {FOREST_BYTES_LIMIT >> 20} MiB is the limit.",
                hint="Lower ntrees, extension, sample_size or depth_limit.",
            )
        return fitted


def _within(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"{name} is {value!r}, and must be a whole number from {least} to {most}.")


def average_paths(most: int) -> NDArray[np.float64]:
    """c(n) of n = 0 to `most`: the average path of an unsuccessful search among n rows, in edges.

    c(n) = 2 H(n-1) - 2 (n-1)/n (Liu, Ting & Zhou 2008, eq. 1; Hariri, Carrasco Kind & Brunner 2019, eq. 2)
    with the harmonic number itself, for which they take ln(n-1) + 0.5772: c(2) = 1, and not 0.15.
    """
    n = np.arange(2, most + 1, dtype=np.float64)
    return np.concatenate([[0.0, 0.0], 2.0 * np.cumsum(1.0 / (n - 1.0)) - 2.0 * (n - 1.0) / n])[: most + 1]
