"""Why the strangest objects are strange: the part of each feature, ordinary objects near them, cutouts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa

from vo.anomaly.outcome import Outcome
from vo.anomaly.read import carried_names
from vo.context import Context

CUTOUT_ARCMIN = 0.5
"""Along a side of the cutouts that are linked."""

_NEAREST = 3
"""Ordinary objects that are told of each strange one."""


def reasons_of(outcome: Outcome, context: Context) -> list[dict[str, Any]]:
    """What is said of each of the strangest, in their order."""
    selection, strange = outcome.plan.selection, outcome.strange
    known = [column.name for column in selection.columns[: selection.carried]]
    objects = _named(strange, known)
    values = outcome.features_of(strange)
    near, distances = _nearest(outcome)
    ordinary = _named(outcome.ordinary.take(near.ravel()), known)
    links = _cutouts(outcome, context)
    return [
        {
            "rank": place + 1,
            "score": strange.column("score")[place].as_py(),
            "object": objects[place],
            "features": _numbers(selection.features, values[place]),
            "contributions": _numbers(selection.features, outcome.reasons[place], falling=True),
            "nearest_ordinary": [
                {"object": ordinary[place * len(row) + column], "distance": float(distance)}
                for column, distance in enumerate(row)
            ],
            **({"cutout": links[place]} if links[place] else {}),
        }
        for place, row in enumerate(distances)
    ]


def _named(rows: pa.Table, names: list[str]) -> list[dict[str, Any]]:
    columns = carried_names(len(names))
    found = rows.select(columns).to_pylist()
    return [{name: _plain(row[column]) for name, column in zip(names, columns, strict=True)} for row in found]


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever a column holds
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _numbers(names: tuple[str, ...], values: np.ndarray, *, falling: bool = False) -> dict[str, float | None]:
    pairs = list(zip(names, values.tolist(), strict=True))
    if falling:
        pairs.sort(key=lambda pair: -pair[1])
    return {name: value if np.isfinite(value) else None for name, value in pairs}


def _nearest(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """The ordinary objects that are nearest in the features as the forest sees them, and how far they are."""
    ordinary, strange = outcome.prepared(outcome.ordinary), outcome.prepared(outcome.strange)
    count = min(_NEAREST, len(ordinary))
    places, distances = np.empty((len(strange), count), np.int64), np.empty((len(strange), count))
    for row, features in enumerate(strange):
        squares = ((ordinary - features) ** 2).sum(axis=1)
        places[row] = np.argsort(squares, kind="stable")[:count]
        distances[row] = np.sqrt(squares[places[row]])
    return places, distances


def _cutouts(outcome: Outcome, context: Context) -> list[str | None]:
    """The address of a picture of each of the strangest; None where no image shows it."""
    places = outcome.places_of(outcome.strange)
    if not len(places) or not context.images.releases():
        return [None] * len(outcome.strange)
    shown = context.images.by_positions(pa.array(places[:, 0]), pa.array(places[:, 1]))
    root = f"{context.config.public_url}/cutout"
    return [
        f"{root}?{urlencode({'RA': repr(lon), 'DEC': repr(lat), 'SIZE': CUTOUT_ARCMIN, 'FORMAT': 'png'})}"
        if images
        else None
        for (lon, lat), images in zip(places.tolist(), shown, strict=True)
    ]
