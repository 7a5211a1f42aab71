"""A search for tiles: its parameters, judged, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo import formats
from vo.catalog import Column, arrow_schema
from vo.config import Config
from vo.dali import Params
from vo.delivery import maxrec_of
from vo.errors import UsageError
from vo.footprint.index import TileIndex, is_position
from vo.footprint.places import Numbers, places
from vo.formats import Format
from vo.moc import Moc, read_ascii, read_json
from vo.result import Result
from vo.tiling.outlines import Indices
from vo.votable.document import Notes

MORE_COLUMNS = (
    Column(
        "owner", "boolean", ucd="meta.code", description="Whether a position asked for is uniquely the tile's"
    ),
    Column("tile_url", "char", "*", ucd="meta.ref.url", description="All about the tile, its files included"),
)
"""The columns of an answer behind those of footprint.tiles."""

_MOST_IDS = 1_000
_MOST_MOCS = 10
_BATCH_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class TileSearch:
    """Tiles with some of any of the places and MOCs, of any of the names and releases; none: whichever.

    Places are arrays of `vo.regions.shapes`.
    """

    places: tuple[Numbers, ...]
    mocs: tuple[Moc, ...]
    names: tuple[str, ...]
    releases: tuple[str, ...]
    format: Format
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, config: Config) -> Self:
        """Read and judge the parameters; those that are not ours are ignored (DALI 1.1, 2.1)."""
        names = tuple(dict.fromkeys(params.all("ID")))
        if len(params.all("MOC")) > _MOST_MOCS:
            raise UsageError(f"A request may have {_MOST_MOCS} MOCs.", hint="Send their union.")
        if len(names) > _MOST_IDS:
            raise UsageError(f"{len(names):,} tiles are named by ID, and may be {_MOST_IDS:,}.")
        return cls(
            places(params),
            tuple(map(_moc, params.all("MOC"))),
            names,
            params.all("RELEASE"),
            format=formats.find(params.single("RESPONSEFORMAT")),
            maxrec=maxrec_of(params, config),
        )

    def found(self, index: TileIndex) -> Indices:
        """The numbers of the tiles: in the order of the places, or else of the names, or else all."""
        tiles = np.arange(index.rows.num_rows)
        if self.names:
            tiles = _distinct([index.named(name) for name in self.names])
        if self.places or self.mocs:
            by_place = [index.meeting(place) for place in self.places]
            here = _distinct([*by_place, *map(index.meeting_moc, self.mocs)])
            tiles = here[np.isin(here, tiles)]
        return tiles[index.of_releases(self.releases)[tiles]]

    def answer(self, index: TileIndex, base_url: str, notes: Notes) -> bytes:
        """The document; `base_url` is that of the service."""
        found = self.found(index)
        numbers, columns = pa.array(found), (*index.columns, *MORE_COLUMNS)
        urls = pc.binary_join_element_wise(base_url, index.paths.take(numbers), "")
        arrays = [*index.rows.take(numbers).combine_chunks().columns, self._owned(index, found), urls]
        schema = arrow_schema(columns)
        rows = pa.Table.from_arrays(
            [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)], schema=schema
        )
        result = Result(columns, iter(rows.to_batches(_BATCH_ROWS)), maxrec=self.maxrec)
        return b"".join(self.format.write(result, notes))

    def _owned(self, index: TileIndex, found: Indices) -> pa.Array:
        """Whether each tile owns one of the positions; NULL where none is asked for."""
        positions = np.array([place[:2] for place in self.places if is_position(place)])
        if len(positions) == 0:
            return pa.nulls(len(found), pa.bool_())
        pairs = index.holding(*positions.T)
        return pa.array(np.isin(found, pairs.tiles[pairs.owned]))


def _moc(value: str) -> Moc:
    """A MOC as ASCII or JSON (MOC 2.0, 4.3)."""
    return read_json(value) if value.lstrip().startswith("{") else read_ascii(value)


def _distinct(several: list[Indices]) -> Indices:
    """The numbers of all, each where it comes first."""
    numbers = np.concatenate(several)
    _, first = np.unique(numbers, return_index=True)
    return numbers[np.sort(first)]
