"""What a run found: how scores are spread, which objects are anomalies, and why the strangest are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vo.anomaly.plan import Plan
from vo.anomaly.ranking import Ranking
from vo.anomaly.read import WEIGHT, carried_names, feature_names, values_of
from vo.errors import UsageError
from vo.forest.contributions import contributions
from vo.forest.detector import Detector
from vo.forest.preparation import prepared

MOST_EXPLAINED = 100
"""Anomalies, the strangest first, whose reasons are told."""

LEVELS = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
"""Of the quantiles of the scores."""

_ORDINARY = 20_000
"""Ordinary objects that the strangest are held against."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The ranked rows and what is said of them: `strange` are the first, `ordinary` some of the lower half.

    `anomalies` are how many of the first count as such, `threshold` is the score of the last of those;
    `reasons` are the contributions of features to each strange row, (rows, features).
    """

    plan: Plan
    detector: Detector
    ranked: Ranking
    anomalies: int
    threshold: float
    span: tuple[float, float]
    quantiles: tuple[float, ...]
    strange: pa.Table
    ordinary: pa.Table
    reasons: np.ndarray
    histogram: np.ndarray

    @classmethod
    def of(cls, plan: Plan, detector: Detector, ranked: Ranking) -> Outcome:
        """Look at the scores of a run."""
        if not ranked.count:
            raise UsageError(
                "No row has all the values that it must have.", hint="Send MISSING=median, or fewer features."
            )
        cut = plan.request.cut
        at_least = 0 if cut.threshold is None else ranked.at_least(cut.threshold)
        anomalies = cut.count(ranked.count, at_least)
        low, high, quantiles = ranked.summary(LEVELS)
        threshold = cut.threshold or (ranked.score_at(anomalies) if anomalies else 1.0)
        strange = pa.Table.from_batches(list(ranked.top(min(max(anomalies, 1), MOST_EXPLAINED))))
        strange = strange.slice(0, anomalies)
        features = values_of(strange, feature_names(len(plan.selection.features)))
        median = quantiles[LEVELS.index(0.5)]
        return cls(
            plan,
            detector,
            ranked,
            anomalies,
            threshold,
            (low, high),
            tuple(quantiles),
            strange,
            ranked.ordinary(_ORDINARY, median),
            contributions(detector, features).T,
            ranked.histogram(),
        )

    def features_of(self, rows: pa.Table) -> np.ndarray:
        """The features of rows as they were read, (rows, features)."""
        return np.column_stack(values_of(rows, feature_names(len(self.plan.selection.features))))

    def prepared(self, rows: pa.Table) -> np.ndarray:
        """The features of rows as the forest sees them, (rows, features of the forest)."""
        columns = values_of(rows, feature_names(len(self.plan.selection.features)))
        return prepared(self.detector.preparation, columns)[0].T

    def places_of(self, rows: pa.Table) -> np.ndarray:
        """Longitude and latitude of rows in degrees, (rows, 2); of a run without positions no rows."""
        position = self.plan.selection.position
        if position is None:
            return np.empty((0, 2))
        return np.column_stack(values_of(rows, [f"c{place}" for place in position]))

    @property
    def repeated_ids(self) -> int:
        """How many rows have the ID of another row before them; 0 where no ID is known."""
        selection = self.plan.selection
        ids = [f"c{place}" for place, column in enumerate(selection.columns) if column.name in selection.ids]
        return self.ranked.repeated(ids[: len(selection.ids)]) if ids else 0

    @property
    def weightless(self) -> int:
        """How many rows no tree could grow from, as they have no weight."""
        return self.ranked.weightless(WEIGHT) if self.plan.selection.weighted else 0

    @property
    def names(self) -> list[str]:
        """The columns of ranked rows that are in the table of results."""
        selection = self.plan.selection
        return [*carried_names(selection.carried), *feature_names(len(selection.features))]
