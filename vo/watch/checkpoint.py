"""The renewed model on disk, whole or not at all: where a watcher begins again, and others look for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa

from vo.errors import UsageError
from vo.forest.detector import Detector
from vo.forest.files import detector_table, read_detector
from vo.log import logger

_RENEWED = b"vo.watch.renewed"

log = logger(__name__)

State = tuple[Detector, int]
"""A model, and how many of its trees were renewed in all."""


class Checkpoint:
    """The file `path` with what became of `origin`; that of another model is not taken up."""

    def __init__(self, path: Path, origin: Detector) -> None:
        self._path = path
        self._origin = origin
        self._read_at = 0

    def read(self) -> State | None:
        """What was written last; None: nothing, or of another model."""
        try:
            self._read_at = self._path.stat().st_mtime_ns
            with pa.ipc.open_file(self._path) as file:
                table = file.read_all()
            renewed = int(json.loads((table.schema.metadata or {})[_RENEWED]))
            detector = read_detector(table)
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException, KeyError, ValueError, UsageError) as error:
            log.warning("the renewed model is damaged and left aside", path=str(self._path), error=str(error))
            return None
        origin = self._origin
        same = (detector.names, detector.forest.settings) == (origin.names, origin.forest.settings)
        return (detector, renewed) if same else None

    def newer(self) -> State | None:
        """What was written since the last look."""
        try:
            written_at = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        return self.read() if written_at != self._read_at else None

    def write(self, detector: Detector, renewed: int) -> None:
        """Keep a model, in place of the last one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        table = detector_table(detector)
        metadata = {**(table.schema.metadata or {}), _RENEWED: str(renewed).encode()}
        table = table.replace_schema_metadata(metadata)
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}.partial")
        try:
            with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            partial.replace(self._path)
            self._read_at = self._path.stat().st_mtime_ns
        finally:
            partial.unlink(missing_ok=True)
