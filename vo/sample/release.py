"""A sample release written to a directory: release.yaml and one Parquet file a table, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vo.catalog import Table
from vo.sample.columns import schema, table
from vo.sample.coverage import cover, describe
from vo.sample.felis import to_felis
from vo.sample.measurement import measure
from vo.sample.objects import GALAXY, KINDS, Objects, draw_objects
from vo.sample.oddities import plant_oddities
from vo.sample.sky import BANDS
from vo.sample.tiles import Tile, sample_tiles

OBJECTS = 500_000
SEED = 2018
SAMPLE_STEP = 10

Progress = Callable[[str, float], None]


def write_sample(
    directory: Path, *, objects: int = OBJECTS, seed: int = SEED, progress: Progress | None = None
) -> None:
    """Write the synthetic release of about that many objects; the same arguments give the same bytes.

    `progress` is told what is being written and the fraction done. Memory is bounded by one tile.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # The description goes first and comes last: a directory that lacks it is plainly not whole.
    description = directory / "release.yaml"
    description.unlink(missing_ok=True)
    tiles = sample_tiles()
    with ExitStack() as stack:
        writers = {found.name: stack.enter_context(_writer(directory, found)) for found in schema().tables}
        rows = []
        for done, tile in enumerate(tiles):
            if progress is not None:
                progress(f"tile {tile.name}", done / len(tiles))
            made = make_objects(tile, objects=objects, seed=seed)
            _write_tile(writers, tile, made, seed)
            rows.append(describe(tile, made.ident.size))
        writers["tile_info"].write_table(pa.Table.from_pylist(rows, schema=arrow_schema(table("tile_info"))))
    description.write_text(to_felis(schema()), encoding="utf-8")
    if progress is not None:
        progress("done", 1.0)


def make_objects(tile: Tile, *, objects: int = OBJECTS, seed: int = SEED) -> Objects:
    """The objects of one tile of the release that `write_sample` makes of the same arguments."""
    density = objects / sum(found.area_deg2 for found in sample_tiles())
    return plant_oddities(draw_objects(tile, density, seed), tile, seed)


def arrow_schema(described: Table) -> pa.Schema:
    """The columns of a table under their own names."""
    return pa.schema([pa.field(column.name, column.arrow_type()) for column in described.columns])


def _write_tile(writers: Mapping[str, pq.ParquetWriter], tile: Tile, objects: Objects, seed: int) -> None:
    """Write what one tile adds to each table but tile_info."""
    main = _as_table("main", {**measure(objects, tile, seed), "tilename": tile.name})
    writers["main"].write_table(main)
    writers["main_sample"].write_table(main.take(np.arange(0, main.num_rows, SAMPLE_STEP)))
    writers["truth"].write_table(_as_table("truth", _truth(objects)))
    writers["coverage"].write_table(_as_table("coverage", {**cover(tile, seed), "tilename": tile.name}))


def _truth(objects: Objects) -> dict[str, Any]:
    return {
        "coadd_object_id": objects.ident,
        "kind": pa.array(KINDS).take(pa.array(objects.kind)),
        "is_oddity": objects.kind > GALAXY,
        "redshift": objects.redshift,
        "half_light_radius": objects.radius,
        "axis_ratio": objects.axis_ratio,
        "position_angle": objects.angle,
        "sersic_index": objects.sersic,
        "motion_east": objects.motion[:, 0],
        "motion_north": objects.motion[:, 1],
        **{f"mag_true_{name}": objects.magnitudes[:, band] for band, name in enumerate(BANDS)},
    }


def _as_table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """The columns in published order and type; NaN becomes NULL, a single text fills its column."""
    types = arrow_schema(table(name))
    count = max(len(values) for values in columns.values() if not isinstance(values, str))
    arrays = [_as_array(columns[field.name], field.type, count) for field in types]
    return pa.Table.from_arrays(arrays, schema=types)


def _as_array(values: Any, kind: pa.DataType, count: int) -> pa.Array:  # noqa: ANN401  text, NumPy or Arrow
    if isinstance(values, str):
        return pa.repeat(values, count)
    if isinstance(values, pa.Array):
        return values
    return pa.array(values.astype(kind.to_pandas_dtype(), copy=False), kind, from_pandas=True)


def _writer(directory: Path, described: Table) -> pq.ParquetWriter:
    """A Parquet file of its own; the bytes of floats are split by significance, which packs them better."""
    types = arrow_schema(described)
    floats = [field.name for field in types if pa.types.is_floating(field.type)]
    return pq.ParquetWriter(
        directory / f"{described.name}.parquet",
        types,
        compression="zstd",
        use_dictionary=[field.name for field in types if field.name not in floats],
        use_byte_stream_split=floats,
    )
