"""A model as a file: the forest, what prepares its features, and how these were asked for."""

from __future__ import annotations

import io

import pyarrow as pa

from vo.forest.detector import Detector
from vo.forest.files import detector_table, read_detector

MEDIA_TYPE = "application/vnd.apache.arrow.file"


def model_table(detector: Detector) -> pa.Table:
    """The model, a row a tree."""
    return detector_table(detector)


def model_of(table: pa.Table) -> Detector:
    """The model that a table holds; UsageError: it holds none."""
    return read_detector(table)


def model_bytes(detector: Detector) -> bytes:
    """The model as an Arrow file."""
    table, file = model_table(detector), io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()
