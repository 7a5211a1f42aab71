"""Models and samples as Arrow tables with JSON in their schema: safe to read from anybody."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.forest.detector import Detector
from vo.forest.preparation import Missing, Preparation, Scaling
from vo.forest.sample import Sample
from vo.forest.settings import FEATURES_LIMIT, Settings
from vo.forest.trees import ARRAYS, Forest

_KEY = b"vo.forest"
_FORMAT = 1
_DAMAGES = (AttributeError, KeyError, OverflowError, TypeError, ValueError, pa.ArrowException)
"""What ends in these when a file is read is not as it was written."""


def detector_table(detector: Detector) -> pa.Table:
    """A model, a row for each tree."""
    forest, preparation = detector.forest, detector.preparation
    columns = {name: _lists(getattr(forest, name)) for name in ARRAYS}
    described = {
        "kind": "detector",
        "names": list(detector.names),
        "settings": asdict(forest.settings),
        "n_features": forest.n_features,
        "first": forest.first,
        "missing": list(preparation.missing),
        "scaling": preparation.scaling,
        "centre": preparation.centre.tolist(),
        "turn": preparation.turn.tolist(),
        "fills": preparation.fills.tolist(),
    }
    return _described(columns, described)


def read_detector(table: pa.Table) -> Detector:
    """The model in a table; an error where it is not one that could have been written here."""
    described = _description(table, "detector")
    try:
        detector = _detector(table, described)
    except (*_DAMAGES, UsageError) as error:
        raise UsageError(
            f"The model file is damaged: {error}", hint="Download or fit the model again."
        ) from error
    return detector


def sample_table(sample: Sample) -> pa.Table:
    """A sample, a row for each of its rows."""
    columns = {f"f{place}": pa.array(column) for place, column in enumerate(sample.columns)}
    described = {
        "kind": "sample",
        "seed": sample.seed,
        "capacity": sample.capacity,
        "n_offered": sample.n_offered,
        "n_usable": sample.n_usable,
        "n_missing": sample.n_missing.tolist(),
    }
    ordered = {"id": sample.ids, "wait": sample.waits, "weight": sample.weights}
    return _described({name: pa.array(array) for name, array in ordered.items()} | columns, described)


def read_sample(table: pa.Table) -> Sample:
    """The sample in a table."""
    described = _description(table, "sample")
    ids, waits, weights, *columns = (column.to_numpy() for column in table.columns)
    return Sample(
        seed=described["seed"],
        capacity=described["capacity"],
        columns=np.stack(columns),
        ids=ids,
        waits=waits,
        weights=weights,
        n_offered=described["n_offered"],
        n_usable=described["n_usable"],
        n_missing=np.array(described["n_missing"], np.int64),
    )


def _lists(array: NDArray[Any]) -> pa.Array:
    """An array with a list of the same length for each tree."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), flat.size // len(array))


def _described(columns: dict[str, pa.Array], described: dict[str, Any]) -> pa.Table:
    text = json.dumps({"format": _FORMAT, **described}, allow_nan=False)
    return pa.table(columns).replace_schema_metadata({_KEY: text.encode()})


def _description(table: pa.Table, kind: str) -> dict[str, Any]:
    try:
        described = json.loads((table.schema.metadata or {})[_KEY])
    except (KeyError, RecursionError, ValueError) as error:
        raise UsageError(f"This file is no {kind} of this service.") from error
    if not isinstance(described, dict) or (described.get("kind"), described.get("format")) != (kind, _FORMAT):
        raise UsageError(f"This file is no {kind} of this service, or one of another version.")
    return described


def _detector(table: pa.Table, described: dict[str, Any]) -> Detector:
    preparation = Preparation(
        missing=tuple(Missing(policy) for policy in described["missing"]),
        scaling=Scaling(described["scaling"]),
        **{name: np.array(described[name], np.float64) for name in ("centre", "turn", "fills")},
    )
    names = tuple(str(name) for name in described["names"])
    forest = _forest(table, described)
    n = len(names)
    turns = (n,) if preparation.turn.ndim == 1 else (forest.n_features, n)
    shapes = (
        preparation.centre.shape,
        preparation.fills.shape,
        preparation.turn.shape,
        len(preparation.missing),
    )
    if shapes != ((n,), (n,), turns, n) or preparation.n_features != forest.n_features:
        raise ValueError("names, preparation and forest are of different numbers of features")
    if not all(
        np.isfinite(array).all() for array in (preparation.centre, preparation.turn, preparation.fills)
    ):
        raise ValueError("the preparation has numbers that are not finite")
    return Detector(names, preparation, forest)


def _forest(table: pa.Table, described: dict[str, Any]) -> Forest:
    settings, n_features = Settings(**described["settings"]), described["n_features"]
    if settings != settings.fitted(n_features, settings.sample_size) or not 1 <= n_features <= FEATURES_LIMIT:
        raise ValueError("its settings are not those of a forest that was grown")
    nodes, cut = (1 << settings.depth) - 1, (settings.extension or 0) + 1
    kinds = {
        "features": (np.int32, (cut, nodes)),
        "weights": (np.float32, (cut, nodes)),
        "means": (np.float32, (cut, nodes)),
        "thresholds": (np.float32, (nodes,)),
        "counts": (np.int32, (2 * nodes + 1,)),
    }
    arrays: dict[str, Any] = {
        name: _array(table.column(name), kind).reshape(table.num_rows, *shape)
        for name, (kind, shape) in kinds.items()
    }
    forest = Forest(settings, n_features, int(described["first"]), **arrays)
    _check(forest)
    return forest


def _array(column: pa.ChunkedArray, kind: Any) -> NDArray[Any]:  # noqa: ANN401  a type of NumPy
    flat = column.combine_chunks().flatten()
    if flat.null_count or flat.type != pa.from_numpy_dtype(kind):
        raise ValueError(f"an array is of {flat.type}, or has gaps")
    return np.ascontiguousarray(flat.to_numpy())


def _check(forest: Forest) -> None:
    """What the loops over a forest rely on: they look nothing up outside its arrays."""
    if not 0 <= forest.first <= forest.settings.ntrees - len(forest) or not len(forest):
        raise ValueError("its trees are not those of its settings")
    if forest.features.min() < 0 or forest.features.max() >= forest.n_features:
        raise ValueError("a cut is of a feature that is not there")
    if not np.isfinite(forest.weights * forest.means).all() or np.isnan(forest.thresholds).any():
        raise ValueError("a cut is not a number")
    counts, nodes = forest.counts, forest.thresholds.shape[1]
    below = counts[:, 1::2] + counts[:, 2::2]
    parents = counts[:, :nodes]
    if counts.min() < 0 or (counts[:, 0] != forest.settings.sample_size).any():
        raise ValueError("its trees did not begin with the sample")
    if (below != np.where(parents > 1, parents, 0)).any():
        raise ValueError("rows of the sample were lost or found on the way down")
