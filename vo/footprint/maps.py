"""Maps from the rows of their statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vo.errors import UsageError
from vo.footprint.gather import gathered, outlines, shares
from vo.footprint.map_request import MapRequest
from vo.footprint.sky_map import SkyMap
from vo.moc.moc import Cells, Ranges

MOST_CELLS = 20_000_000
"""Cells of a map at the most."""

Batches = Iterator[pa.RecordBatch]


def map_of(request: MapRequest, batches: Batches, check: Callable[[], None]) -> SkyMap:
    """The map that the rows make; `check` is called between batches, to stop early."""
    make = {"coverage": _coverage, "depth": _depth}.get(request.value, _values)
    cells, values = make(request, _checked(batches, check))
    return SkyMap(request.order, cells, values, request.name, request.unit)


_Values = tuple[Cells, NDArray[np.float64]]


def _checked(batches: Batches, check: Callable[[], None]) -> Batches:
    for batch in batches:
        check()
        yield batch


def _values(request: MapRequest, batches: Batches) -> _Values:
    """Rows of cells and values; those without either are left out."""
    found, count = [], 0
    for batch in batches:
        known = pc.and_(batch.column(0).is_valid(), batch.column(1).is_valid())
        rows = batch.filter(known)
        count += rows.num_rows
        if count > MOST_CELLS:
            raise UsageError(
                f"The map has more than {MOST_CELLS:,} cells of order {request.order}.",
                hint="Send a smaller ORDER.",
            )
        found.append(rows)
    if not found:
        return np.empty(0, np.int64), np.empty(0)
    table = pa.Table.from_batches(found)
    cells = table.column(0).to_numpy().astype(np.int64)
    values = table.column(1).to_numpy().astype(np.float64)
    order = np.argsort(cells)
    cells, values = cells[order], values[order]
    known = np.isfinite(values)
    return cells[known], values[known]


def _coverage(request: MapRequest, batches: Batches) -> _Values:
    """The part of each cell that some tile covers."""
    finer = request.finer
    pieces: Iterator[Ranges] = (ranges for batch in batches for ranges in outlines(batch.column(0), finer))
    return shares(gathered(pieces, finer), request.order, MOST_CELLS)


def _depth(request: MapRequest, batches: Batches) -> _Values:
    """The mean depth of the tiles that cover each cell, each counted by how much of the cell is in it."""
    finer = request.finer
    cells, weights, weighted = np.empty(0, np.int64), np.empty(0), np.empty(0)
    for batch in batches:
        batch = batch.filter(batch.column(1).is_valid())  # noqa: PLW2901  a tile without a depth has none to tell
        parts = [(cells, weights, weighted)]
        for ranges, depth in zip(outlines(batch.column(0), finer), batch.column(1).to_pylist(), strict=True):
            own, share = shares(gathered([ranges], finer), request.order, MOST_CELLS)
            parts.append((own, share, share * depth))
        together = [np.concatenate(each) for each in zip(*parts, strict=True)]
        cells, place = np.unique(together[0], return_inverse=True)
        weights, weighted = (np.bincount(place, each, len(cells)).astype(float) for each in together[1:])
    return cells, weighted / weights
