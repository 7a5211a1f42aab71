"""A table of positions: its parameters, judged, and the same table with the tiles of each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo import formats
from vo.catalog import Column, nearest
from vo.config import Config
from vo.context import Context
from vo.dali import Params
from vo.delivery import send
from vo.errors import TooLargeError, UsageError
from vo.footprint.index import Mask, TileIndex, index_of
from vo.formats import Format
from vo.result import Result
from vo.tiling.outlines import Numbers, Pairs
from vo.uploads import Upload, parse_uploads, with_table
from vo.uws.job import SYNC_LANE, JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink
from vo.votable.document import Notes

SYNC_ROWS = 20_000
"""Rows of a table for whose tiles a client may wait."""

_ADDED = (
    Column(
        "tile", "char", "*", ucd="meta.id", description="Tile of the position: its owner, or else the nearest"
    ),
    Column(
        "tile_owned", "boolean", ucd="meta.code", description="Whether the position is uniquely that tile's"
    ),
    Column("tile_count", "int", ucd="meta.number", description="Number of tiles that show the position"),
    Column("tiles", "char", "*", ucd="meta.id", description="All of them, that one first"),
)
"""The columns behind those of the table."""

_AXES = {
    "RA": (
        ("pos.eq.ra", "meta.main"),
        ("pos.eq.ra",),
        ("ra", "raj2000", "ra_j2000", "_raj2000", "alpha_j2000", "lon"),
    ),
    "DEC": (
        ("pos.eq.dec", "meta.main"),
        ("pos.eq.dec",),
        ("dec", "dej2000", "dec_j2000", "_dej2000", "delta_j2000", "lat"),
    ),
}
"""How the column of each coordinate is told: by the words of its UCD, the best first, or by its name."""

_RANGES = {"RA": (-180.0, 360.0), "DEC": (-90.0, 90.0)}


@dataclass(frozen=True, slots=True)
class PositionTable:
    """A table that comes along, the columns of its positions if they are named, and some releases."""

    upload: Upload
    columns: tuple[str | None, str | None]
    releases: tuple[str, ...]
    format: Format
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, files: Sequence[str], config: Config) -> Self:
        """Read and judge the parameters; `files` are the names of the file parts. All rows are sent."""
        asked = params.integer("MAXREC", minimum=0)
        return cls(
            _upload(params, files, config),
            (params.single("RA"), params.single("DEC")),
            params.all("RELEASE"),
            format=formats.find(params.single("RESPONSEFORMAT")),
            maxrec=config.maxrec_limit if asked is None else min(asked, config.maxrec_limit),
        )


def _upload(params: Params, files: Sequence[str], config: Config) -> Upload:
    """The one table: that of UPLOAD, or else the one file that is sent."""
    uploads = parse_uploads(params.all("UPLOAD"), config)
    if not uploads and len(files) == 1:
        return Upload("positions", f"param:{files[0]}")
    if len(uploads) != 1:
        raise UsageError(
            f"One table of positions is needed, not {len(uploads) or len(files)}.",
            hint="Send it as a file of a multipart/form-data request, or name it by UPLOAD.",
        )
    return uploads[0]


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Judge, read, look up, write, batch by batch."""
    run.enter(Stage.PARSE)
    names = [file.parameter for file in run.job.files]
    asked = PositionTable.from_params(Params(run.job.parameters), names, context.config)
    index = index_of(context.database)
    with with_table(asked.upload, run, context) as incoming:
        columns = incoming.table.columns
        places = tuple(map(partial(_place, columns), _AXES, asked.columns))
        is_sync = run.job.lane == SYNC_LANE
        batches = _limited(incoming.batches, SYNC_ROWS) if is_sync else incoming.batches
        run.enter(Stage.EXECUTE)
        found = _with_tiles(batches, places, index, asked.releases)
        if is_sync:  # few rows, all of which are judged before the first is sent
            found = iter(list(found))
        all_columns = (*columns, *_renamed(_ADDED, columns))
        with Result(all_columns, found, maxrec=asked.maxrec) as result:
            notes = Notes(title=context.config.title, requested=run.job.created, extra=(("job", run.job.id),))
            return send(result, asked.format, notes, run, sink, context.config)


def _place(columns: Sequence[Column], axis: str, named: str | None) -> int:
    """The number of the column of a coordinate."""
    place = _told_by_itself(columns, axis) if named is None else _named(columns, axis, named.strip())
    column = columns[place]
    if not column.is_numeric:
        raise UsageError(f"{axis}: the column {column.name} has no numbers.")
    if column.unit not in (None, "deg"):
        raise UsageError(
            f"{axis}: the column {column.name} is in {column.unit}.", hint="Send degrees (ICRS)."
        )
    return place


def _named(columns: Sequence[Column], axis: str, name: str) -> int:
    for place, column in enumerate(columns):
        if column.name.lower() == name.lower():
            return place
    close = nearest(name, [column.name for column in columns], 1)
    hint = f"Did you mean {close[0]}?" if close else None
    raise UsageError(f"{axis}: the table has no column {name[:64]!r}.", hint=hint)


def _told_by_itself(columns: Sequence[Column], axis: str) -> int:
    """The one column with the UCD of the coordinate, or else the first with a name of it."""
    *ucds, names = _AXES[axis]
    for words in ucds:
        found = [i for i, column in enumerate(columns) if set(words) <= set((column.ucd or "").split(";"))]
        if len(found) == 1:
            return found[0]
    lowered = [column.name.lower() for column in columns]
    for name in names:
        if name in lowered:
            return lowered.index(name)
    raise UsageError(
        f"No column of the table is known by its name or UCD to be {axis}.",
        hint=f"Name it, {axis}={columns[0].name} for example." if columns else None,
    )


def _limited(batches: Iterable[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        if rows > limit:
            raise TooLargeError(
                f"The table has more than {limit:,} rows, too many to wait for.",
                hint="Send it to /footprint/tiles/async.",
            )
        yield batch


def _with_tiles(
    batches: Iterable[pa.RecordBatch], places: Sequence[int], index: TileIndex, releases: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    wanted = index.of_releases(releases)
    labels = _labels(index, releases)
    done = 0
    for batch in batches:
        lon, lat = (
            _degrees(batch.column(place), axis, done) for place, axis in zip(places, _AXES, strict=True)
        )
        pairs = _only(index.holding(lon, lat), wanted)
        arrays = [*batch.columns, *_told(pairs, labels)]
        yield pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])
        done += batch.num_rows


def _degrees(array: pa.Array, axis: str, done: int) -> Numbers:
    """A coordinate of each row; NaN where it is not known."""
    values: Numbers = pc.fill_null(array.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    low, high = _RANGES[axis]
    wrong = np.flatnonzero((values < low) | (values > high))
    if len(wrong):
        row, value = done + int(wrong[0]) + 1, values[wrong[0]]
        raise UsageError(f"Row {row}: {axis} must be between {low:g} and {high:g} degrees, but is {value:g}.")
    return values


def _labels(index: TileIndex, releases: Sequence[str]) -> pa.Array:
    """What each tile is called: by its name, and by its release where there may be several."""
    if len(releases) == 1 or len(index.releases) == 1:
        return index.names
    return pc.binary_join_element_wise(index.rows.column("release"), index.names, "/").combine_chunks()


def _only(pairs: Pairs, wanted: Mask) -> Pairs:
    """The pairs with tiles that are wanted."""
    if wanted.all():
        return pairs
    kept = wanted[pairs.tiles]
    before = np.concatenate(([0], np.cumsum(kept)))
    return Pairs(before[pairs.begins], pairs.tiles[kept], pairs.owned[kept])


def _told(pairs: Pairs, labels: pa.Array) -> list[pa.Array]:
    """The columns of _ADDED."""
    counts = np.diff(pairs.begins)
    none = counts == 0
    first = np.where(none, 0, pairs.begins[:-1])
    tiles, owned = (np.append(values, 0) for values in (pairs.tiles, pairs.owned))
    names = labels.take(pa.array(pairs.tiles))
    lists = pa.ListArray.from_arrays(pa.array(pairs.begins, pa.int32()), names)
    return [
        labels.take(pa.array(tiles[first], mask=none)),
        pa.array(owned[first].astype(bool), mask=none),
        pa.array(counts, pa.int32()),
        pc.if_else(none, None, pc.binary_join(lists, " ")),
    ]


def _renamed(added: Sequence[Column], columns: Sequence[Column]) -> Iterator[Column]:
    """The columns under names that the table does not have."""
    taken = {column.name.lower() for column in columns}
    for column in added:
        name = column.name
        while name in taken:
            name = f"{name}_"
        yield replace(column, name=name)
