"""Rows that a client sends, scored at once by a model that is kept: parsed, scored and written as columns."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from vo import formats
from vo.anomaly.shelf import Kept
from vo.catalog import Column, nearest
from vo.dali import Params
from vo.errors import LoadError, TooLargeError, UsageError
from vo.forest.contributions import contributions
from vo.forest.detector import score
from vo.formats import Format
from vo.result import Result
from vo.tablefiles.incoming import incoming_file
from vo.tablefiles.inference import inferred
from vo.votable.document import Notes

MOST_ROWS = 100_000
"""Rows of one request; more of them are a job."""

_JSON = "application/json"
_SCORE = Column("score", "double", ucd="stat.likelihood", description="Anomaly score s = 2^(-E[h]/c(n))")


@dataclass(frozen=True, slots=True)
class Asked:
    """How the scores are wanted: in which format, and with the part of each feature or not."""

    format: Format
    explain: bool

    @classmethod
    def from_params(cls, params: Params, media_type: str) -> Asked:
        """RESPONSEFORMAT, else the type that the rows came in; EXPLAIN=1 asks for contributions."""
        named = params.single("RESPONSEFORMAT") or (_JSON if media_type == _JSON else None)
        explain = params.integer("EXPLAIN", minimum=0)
        return cls(formats.find(named), bool(explain))


def scored(content: bytes, media_type: str, asked: Asked, kept: Kept) -> Iterator[bytes]:
    """The rows in `content` without the columns of the features, with a score each, in their order."""
    columns, table = _rows_in(content, media_type)
    numbers = [_numbers(table, columns, name, kept.detector.names) for name in kept.detector.names]
    wanted = {name.lower() for name in kept.detector.names}
    others = [place for place, column in enumerate(columns) if column.name.lower() not in wanted]
    scores = pa.array(score(kept.detector, numbers), from_pandas=True)
    arrays, told = (
        [table.column(place) for place in others] + [scores],
        [columns[p] for p in others] + [_SCORE],
    )
    if asked.explain:
        shares = contributions(kept.detector, numbers)
        arrays += [pa.array(share.astype(np.float32)) for share in shares]
        told += [Column(f"contribution_{name}", "float") for name in kept.detector.names]
    batches = pa.table(arrays, names=[f"c{place}" for place in range(len(arrays))]).to_batches()
    with Result(tuple(told), iter(batches)) as result:
        yield from asked.format.write(result, Notes(extra=(("model", kept.model.id),)))


def _rows_in(content: bytes, media_type: str) -> tuple[tuple[Column, ...], pa.Table]:
    if media_type == _JSON:
        columns, table = _of_json(content)
    else:
        columns, table = _of_file(content)
    if table.num_rows > MOST_ROWS:
        raise TooLargeError(
            f"{table.num_rows:,} rows were sent and {MOST_ROWS:,} may be.", hint="Run a job with MODEL."
        )
    return columns, table


def _of_file(content: bytes) -> tuple[tuple[Column, ...], pa.Table]:
    with _laid_down(content) as path:
        try:
            file = incoming_file(path)
            batches = list(file.batches())
        except LoadError as error:
            raise UsageError(str(error).replace(path.name, "The table")) from error
    if not batches:
        raise UsageError("The table has no rows.")
    return file.columns, pa.Table.from_batches(batches).combine_chunks()


@contextmanager
def _laid_down(content: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="vo-score-") as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def _of_json(content: bytes) -> tuple[tuple[Column, ...], pa.Table]:
    """An array of objects, a row each, or an object of arrays, a column each."""
    try:
        told = json.loads(content)
        table = pa.Table.from_pylist(told) if isinstance(told, list) else pa.Table.from_pydict(told)
    except (ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        raise UsageError(
            "The JSON is neither an array of objects nor an object of arrays of the same length.",
            hint='For instance [{"x": 1.5, "y": 2}, {"x": 1.4, "y": 3}].',
        ) from error
    if not table.num_rows:
        raise UsageError("The table has no rows.")
    for field in table.schema:
        if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            place = table.schema.get_field_index(field.name)
            table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
    return tuple(
        inferred(field.name, table.column(field.name).combine_chunks()) for field in table.schema
    ), table


def _numbers(table: pa.Table, columns: Sequence[Column], name: str, names: Sequence[str]) -> np.ndarray:
    """The values of a feature, by its name in any case."""
    found = [place for place, column in enumerate(columns) if column.name.lower() == name.lower()]
    if len(found) != 1:
        close = nearest(name, [column.name for column in columns], 1)
        hint = f"Did you mean it by {close[0]}? " if close else ""
        raise UsageError(
            f"The table has {'no' if not found else len(found)} column{'s' * (len(found) > 1)} {name}.",
            hint=f"{hint}The model knows {', '.join(names)[:500]}.",
        )
    column = columns[found[0]]
    if not column.is_numeric:
        raise UsageError(f"The column {name} is of type {column.datatype} and must be a number.")
    values = table.column(found[0]).cast(pa.float64(), safe=False)
    return np.asarray(values.to_numpy())
