"""A part of the rows from the database: laid down in numbered pieces, with a sample of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.anomaly.plan import Plan
from vo.anomaly.spool import Spool
from vo.db.base import Database
from vo.errors import UsageError
from vo.forest.files import read_sample, sample_table
from vo.forest.sample import Sample, capacity, empty, offered, united
from vo.result import Result
from vo.uws.run import Run

ROW = "row"
"""The column that numbers the rows of a run: the part in the high bits, the place in it in the low ones."""

WEIGHT = "weight"
"""The column of the weight of a row, where there are weights; NaN is none."""

_PART_BITS = 36
_PIECE_BYTES = 1 << 27
_MOST_ROWS, _LEAST_ROWS = 1_000_000, 8_192
_FEWEST = 2

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """What reading a part left: pieces with their rows, and the least and greatest value of each feature.

    `lightest` is the least weight; NaN: there is none.
    """

    pieces: tuple[tuple[str, int], ...]
    least: tuple[float, ...]
    greatest: tuple[float, ...]
    lightest: float


def carried_names(count: int) -> list[str]:
    """The columns of a piece that name and place a row."""
    return [f"c{place}" for place in range(count)]


def feature_names(count: int) -> list[str]:
    """The columns of a piece that the forest looks at."""
    return [f"f{place}" for place in range(count)]


def values_of(table: pa.Table, names: Sequence[str]) -> list[Numbers]:
    """Columns of numbers."""
    return [table.column(name).to_numpy() for name in names]


def read_part(plan: Plan, part: int, run: Run, database: Database, spool: Spool) -> None:
    """Read a part and leave its pieces, its sample and, last, a note that tells of both."""
    count = len(plan.selection.features)
    settings, missing = plan.request.settings, plan.missing
    sample = empty(settings.seed, capacity(settings, count), count)
    least, greatest, lightest = np.full(count, np.inf), np.full(count, -np.inf), np.nan
    pieces: list[tuple[str, int]] = []
    required = [policy == "drop" for policy in missing]
    plan.check_release(database)
    for table in _pieces(plan, part, run, database):
        columns, weights = values_of(table, feature_names(count)), _weights_of(table, plan)
        if weights is not None:
            lightest = np.fmin(lightest, _extreme(weights, np.min))
            weights = np.fmax(weights, 0.0)  # NaN, too, is none; negative ones are refused when all are seen
        if plan.kept is None:
            ids = table.column(ROW).to_numpy()
            sample = offered(sample, columns, ids, weights=weights, required=required)
        least = np.minimum(least, [_extreme(column, np.min) for column in columns])
        greatest = np.maximum(greatest, [_extreme(column, np.max) for column in columns])
        name = f"rows-{part:05}-{len(pieces):04}.parquet"
        spool.write_table(name, table)
        pieces.append((name, table.num_rows))
    plan.check_release(database)
    spool.write_table(_sample_name(part), sample_table(sample))
    note = Part(tuple(pieces), tuple(least.tolist()), tuple(greatest.tolist()), float(lightest))
    spool.write_note(note_name(part), asdict(note))


def note_name(part: int) -> str:
    """The note that a part is read."""
    return f"read-{part:05}.json"


def _sample_name(part: int) -> str:
    return f"sample-{part:05}.parquet"


def _weights_of(table: pa.Table, plan: Plan) -> Numbers | None:
    return values_of(table, [WEIGHT])[0] if plan.selection.weighted else None


def _extreme(column: Numbers, of: Any) -> float:  # noqa: ANN401  a function of NumPy
    finite = column[np.isfinite(column)]
    return float(of(finite)) if finite.size else np.nan


def parts_of(plan: Plan, spool: Spool) -> list[Part]:
    """What was read."""
    notes = (spool.read_note(note_name(part)) for part in range(len(plan.parts)))
    return [Part(**note) for note in notes]


def united_sample(plan: Plan, spool: Spool) -> Sample:
    """The sample of all parts, two at a time so that it stays within its size."""
    whole = read_sample(spool.read_table(_sample_name(0)))
    for part in range(1, len(plan.parts)):
        whole = united([whole, read_sample(spool.read_table(_sample_name(part)))])
    if plan.selection.weighted and len(whole.ids) < _FEWEST:
        raise UsageError(
            f"WEIGHT is above 0 in {len(whole.ids)} of the rows that can be used, and a forest needs "
            f"{_FEWEST} or more.",
            hint="Rows in which it is 0 or NULL are scored, but no tree grows from them.",
        )
    return whole


def check_rows(plan: Plan, parts: Sequence[Part]) -> None:
    """Refuse what no forest can grow from: no rows, negative weights, features with one value or none."""
    if not any(part.pieces for part in parts):
        raise UsageError("QUERY has no rows.", hint="Widen its WHERE clause.")
    if plan.kept is not None:
        return
    with np.errstate(invalid="ignore"):
        least = np.fmin.reduce([part.least for part in parts])
        greatest = np.fmax.reduce([part.greatest for part in parts])
    lightest = min((part.lightest for part in parts if part.lightest < 0), default=0)
    if lightest < 0:
        raise UsageError(
            f"WEIGHT is {lightest:g} in some row and must not be negative.",
            hint="Rows to leave out have weight 0.",
        )
    names = np.array(plan.selection.features)
    if empty_ones := names[~np.isfinite(least)].tolist():
        raise UsageError(
            f"FEATURES: {', '.join(empty_ones[:5])} is NULL or no number in every row.", hint="Leave it out."
        )
    if constant := names[least == greatest].tolist():
        raise UsageError(
            f"FEATURES: {', '.join(constant[:5])} is the same in every row and tells none apart.",
            hint="Leave it out.",
        )


def _pieces(plan: Plan, part: int, run: Run, database: Database) -> Iterator[pa.Table]:
    """The rows of a part, some at a time, numbered."""
    with database.stream(plan.statement(part, database), on_start=run.on_start) as result:
        first = part << _PART_BITS
        for table in _gathered(result, plan, run):
            yield table.append_column(ROW, pa.array(np.arange(first, first + table.num_rows)))
            first += table.num_rows


def _gathered(result: Result, plan: Plan, run: Run) -> Iterator[pa.Table]:
    width = plan.selection.width + 1
    most = max(_LEAST_ROWS, min(_MOST_ROWS, _PIECE_BYTES // (8 * width)))
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in result:
        run.check()
        waiting.append(_named(batch, plan))
        rows += batch.num_rows
        if rows >= most:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting, rows = [], 0
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()


def _named(batch: pa.RecordBatch, plan: Plan) -> pa.RecordBatch:
    """The batch under the names of a piece, its features and weight as doubles that are finite or NaN."""
    carried = plan.selection.carried
    arrays = [*batch.columns[:carried], *(_finite(array) for array in batch.columns[carried:])]
    names = [*carried_names(carried), *feature_names(len(plan.selection.features))]
    names += [WEIGHT] * plan.selection.weighted
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _finite(array: pa.Array) -> pa.Array:
    values = pc.fill_null(array.cast(pa.float64(), safe=False), float("nan"))
    return pc.if_else(pc.is_finite(values), values, float("nan"))
