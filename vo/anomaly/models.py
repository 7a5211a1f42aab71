"""Models as files: Arrow or Parquet, nothing that could run; what comes from anybody is judged whole."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vo.anomaly.features import Feature
from vo.errors import UsageError
from vo.forest.detector import Detector
from vo.forest.files import detector_table, read_detector
from vo.forest.settings import FOREST_BYTES_LIMIT, TREES_LIMIT

MEDIA_TYPE = "application/vnd.apache.arrow.file"

_KEY = b"vo.anomaly"
_ARROW, _PARQUET = b"ARROW1", b"PAR1"
_MOST_TEXT = 1 << 20
_NAME_LENGTH = 200
_EXPRESSION_LENGTH = 10_000


def model_table(detector: Detector, features: Sequence[Feature] = ()) -> pa.Table:
    """The model, a row a tree; `features` say how its columns are made of a query's."""
    table = detector_table(detector)
    if not features:
        return table
    told = json.dumps({"features": [[feature.name, feature.expression] for feature in features]})
    return table.replace_schema_metadata({**table.schema.metadata, _KEY: told.encode()})


def model_bytes(detector: Detector, features: Sequence[Feature] = ()) -> bytes:
    """The model as an Arrow file."""
    table, file = model_table(detector, features), io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def model_of(table: pa.Table) -> Detector:
    """The model that a table holds; UsageError: it holds none."""
    lists = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    if not all(any(is_kind(field.type) for is_kind in lists) for field in table.schema):
        raise UsageError("This file is no model: its columns are no lists.")
    try:
        table.validate(full=True)
    except pa.ArrowException as error:
        raise UsageError(f"The model file is damaged: {error}") from error
    return read_detector(table)


def features_of(table: pa.Table) -> tuple[Feature, ...]:
    """How the columns of the model are made of a query's; the columns themselves where it does not say."""
    text = (table.schema.metadata or {}).get(_KEY, b"{}")
    try:
        told: Any = json.loads(text) if len(text) <= _MOST_TEXT else {}
        features = tuple(Feature(name, expression) for name, expression in told.get("features", ()))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError("The model file is damaged: its features cannot be read.") from error
    for feature in features:
        _check_text(feature.name, _NAME_LENGTH)
        _check_text(feature.expression, _EXPRESSION_LENGTH)
    return features


def _check_text(text: object, most: int) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= most or not text.replace("\n", " ").isprintable():
        raise UsageError("The model file is damaged: a name in it is no text, or too long.")


def read_model(content: bytes) -> pa.Table:
    """The table in a file that somebody sent, Arrow or Parquet; UsageError: it is neither, or too large."""
    source = pa.BufferReader(content)
    try:
        if content.startswith(_ARROW):
            table = pa.ipc.open_file(source).read_all()
        elif content.startswith(_PARQUET):
            table = _parquet(source)
        else:
            raise UsageError("A model is a file of Arrow or Parquet.", hint="Download one to see its form.")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(f"The model file is damaged: {str(error)[:200]}") from error
    if table.num_rows > TREES_LIMIT or table.nbytes > FOREST_BYTES_LIMIT:
        raise UsageError(f"The model has {table.num_rows:,} trees and {table.nbytes:,} bytes: too many.")
    return table


def _parquet(source: pa.BufferReader) -> pa.Table:
    file = pq.ParquetFile(source)
    groups = range(file.metadata.num_row_groups)
    size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
    if size > FOREST_BYTES_LIMIT or file.metadata.num_rows > TREES_LIMIT:
        raise UsageError(f"The model has {file.metadata.num_rows:,} trees and {size:,} bytes: too many.")
    return file.read()
