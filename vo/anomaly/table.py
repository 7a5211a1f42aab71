"""The table of a run: every object with its features, score and rank, the strangest with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from vo.anomaly.features import Selection
from vo.catalog import Column

_SCORE = (
    Column(
        "score",
        "double",
        ucd="stat.likelihood",
        description="Anomaly score s = 2^(-E[h]/c(n)); 1: set apart at once, well below 0.5: one of many",
    ),
    Column("rank", "long", ucd="meta.number", description="Place by falling score, from 1"),
    Column("anomaly", "boolean", ucd="meta.code", description="Whether the object counts as an anomaly"),
)


def columns_of(selection: Selection) -> tuple[Column, ...]:
    """The columns of the table."""
    reasons = (
        Column(
            f"contribution_{name}",
            "float",
            description=f"Share of {name} in what sets the object apart; NULL for all but the strangest",
        )
        for name in selection.features
    )
    return (*selection.columns, *_SCORE, *reasons)


def batches_of(
    ranked: Iterable[pa.RecordBatch], names: Sequence[str], anomalies: int, reasons: np.ndarray
) -> Iterator[pa.RecordBatch]:
    """The rows of the table from ranked ones: their columns `names`, then what is added to them.

    `anomalies` is how many of the first are such, `reasons` are the contributions (rows, features) to the
    first of them.
    """
    done = 0
    for batch in ranked:
        rows = batch.num_rows
        rank = np.arange(done + 1, done + rows + 1)
        told = reasons[done : done + rows]
        added = [batch.column("score"), pa.array(rank), pa.array(rank <= anomalies)]
        added += [_padded(told[:, place], rows) for place in range(reasons.shape[1])]
        arrays = [_without_nan(batch.column(name)) for name in names]
        yield pa.RecordBatch.from_arrays(
            [*arrays, *added], names=[f"c{place}" for place in range(1, len(arrays) + len(added) + 1)]
        )
        done += rows


def _padded(values: np.ndarray, rows: int) -> pa.Array:
    known = pa.array(values.astype(np.float32))
    return pa.concat_arrays([known, pa.nulls(rows - len(values), pa.float32())])


def _without_nan(array: pa.Array) -> pa.Array:
    """NaN, by which pieces say that a value is missing, as NULL again."""
    if not pa.types.is_floating(array.type):
        return array
    return pa.array(array.to_numpy(zero_copy_only=False), from_pandas=True, type=array.type)
