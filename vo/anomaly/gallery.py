"""The pictures of a run, made of its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vo.anomaly import pictures
from vo.anomaly.canvas import limits_of
from vo.anomaly.outcome import Outcome
from vo.anomaly.sheet import contact_sheet
from vo.context import Context
from vo.forest import depths
from vo.forest.detector import score
from vo.forest.settings import PATH_UNIT

_GRID = 120
"""Steps of a score map along each axis."""


def gallery(outcome: Outcome, context: Context) -> Mapping[str, Callable[[], bytes | None]]:
    """What makes each picture; None: there is nothing to show."""
    return {
        "histogram": lambda: _histogram(outcome),
        "corner": lambda: _corner(outcome),
        "scoremap": lambda: _score_map(outcome),
        "skymap": lambda: _sky_map(outcome),
        "forest": lambda: _radial(outcome),
        "contactsheet": lambda: contact_sheet(outcome, context),
    }


def _histogram(outcome: Outcome) -> bytes:
    title = f"Scores of {outcome.ranked.count:,} objects"
    return pictures.histogram(outcome.histogram, outcome.threshold, title)


def _telling(outcome: Outcome) -> list[int]:
    """The features by their part in what sets the strangest apart, the greatest first."""
    shares = outcome.reasons.mean(axis=0) if len(outcome.reasons) else np.zeros(outcome.reasons.shape[1])
    return [int(place) for place in np.argsort(-shares, kind="stable")]


def _corner(outcome: Outcome) -> bytes:
    chosen = _telling(outcome)
    names = [outcome.plan.selection.features[place] for place in chosen]
    ordinary, strange = outcome.features_of(outcome.ordinary), outcome.features_of(outcome.strange)
    title = f"The {len(strange):,} strangest among ordinary objects"
    return pictures.corner(names, ordinary[:, chosen], strange[:, chosen], title)


def _score_map(outcome: Outcome) -> bytes | None:
    chosen = _telling(outcome)[:2]
    if len(chosen) < 2:  # noqa: PLR2004  a map has two axes
        return None
    ordinary, strange = outcome.features_of(outcome.ordinary), outcome.features_of(outcome.strange)
    both = np.concatenate((ordinary, strange))[:, chosen]
    x, y = (limits_of(both[:, axis], cut=0.001) for axis in range(2))
    grid = np.meshgrid(np.linspace(*x, _GRID), np.linspace(*y, _GRID))
    columns = [np.full(_GRID * _GRID, median) for median in outcome.detector.preparation.centre]
    for place, values in zip(chosen, grid, strict=True):
        columns[place] = values.ravel()
    scores = score(outcome.detector, columns).reshape(_GRID, _GRID)
    names = [outcome.plan.selection.features[place] for place in chosen]
    return pictures.score_map(names, (x, y), scores, ordinary[:2000, chosen], strange[:, chosen])


def _sky_map(outcome: Outcome) -> bytes | None:
    if outcome.plan.selection.position is None:
        return None
    cells = outcome.ranked.cells()
    if not cells.num_rows:
        return None
    return pictures.sky_map(
        cells.column("cell").to_numpy(), cells.column("mean").to_numpy(), outcome.places_of(outcome.strange)
    )


def _radial(outcome: Outcome) -> bytes | None:
    """The usual object is the one of the median score among the ordinary ones that are at hand."""
    if not len(outcome.strange) or not len(outcome.ordinary):
        return None
    scores = outcome.ordinary.column("score").to_numpy()
    usual = int(np.argsort(scores, kind="stable")[len(scores) // 2])
    rows = np.stack([outcome.prepared(outcome.ordinary)[usual], outcome.prepared(outcome.strange)[0]], axis=1)
    forest = outcome.detector.forest
    paths = np.stack(
        [depths.depths(forest.tree_slice(tree, tree + 1), rows) / PATH_UNIT for tree in range(len(forest))]
    )
    return pictures.radial_forest(paths[:, 0], paths[:, 1], float(forest.depth))
