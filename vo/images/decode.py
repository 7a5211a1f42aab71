"""Tiles decoded (FITS 4.0, 10.4): only those that are touched, each once, and only as far as it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from isal import igzip_lib, isal_zlib
from numpy.typing import NDArray

from vo.images import hcompress, plio, rice
from vo.images.cache import Recent
from vo.images.tiles import LOSSLESS, PLAIN, RAW, Place, TileTable

Tile = NDArray[Any]
"""The first pixels of a tile, as they were compressed."""

Decoded = Recent[Tile]

Scaling = tuple[float, float]
"""ZSCALE and ZZERO of a tile."""

_NEAR = 1 << 16  # bytes between two tiles up to which both are read in one go
_RUN = 1 << 24  # bytes read in one go, unless one tile has more
_GZIP = 31  # zlib's word for data with a header of gzip
_PADDING = rice.padding(1024)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tile, by its row in the table, and how many of its first pixels; where it lies in the image."""

    row: int
    pixels: int
    left: int
    bottom: int
    width: int
    height: int


def decoded_tiles(
    table: TileTable, wanted: Sequence[Wanted], kept: Decoded
) -> Iterator[tuple[Wanted, Tile, Scaling | None]]:
    """The tiles, in any order, and the scaling of those whose integers stand for floating point numbers."""
    missing: list[tuple[Place, Wanted]] = []
    for one in wanted:
        place = table.place(one.row)
        tile = kept.get(_key(table, one.row))
        if tile is not None and len(tile) >= one.pixels:
            yield one, tile, _scaling(table, place, one.row)
        else:
            # A tile of which more is needed than before may be needed whole the next time.
            whole = replace(one, pixels=one.width * one.height)
            missing.append((place, one if tile is None else whole))
    runs = list(_runs(sorted(missing, key=lambda pair: pair[0].offset)))
    for run in runs:
        table.unit.file.expect(*_extent(run))
    for run in runs:
        start, size = _extent(run)
        data = table.unit.file.read_array(start, size, _PADDING)
        for place, one in run:
            tile = _decoded(table, place, one, data[place.offset - start :])
            kept.put(_key(table, one.row), tile, tile.nbytes)
            yield one, tile, _scaling(table, place, one.row)


def _key(table: TileTable, row: int) -> tuple[Any, ...]:
    return (table.unit.file.key, table.unit.index, row)


def _scaling(table: TileTable, place: Place, row: int) -> Scaling | None:
    return table.scaling(row) if place.column == PLAIN else None


def _runs(places: list[tuple[Place, Wanted]]) -> Iterator[list[tuple[Place, Wanted]]]:
    """Tiles that are read in one go: those that lie near each other in the file."""
    run: list[tuple[Place, Wanted]] = []
    for place, one in places:
        if run:
            first, last = run[0][0], run[-1][0]
            far = place.offset - last.offset - last.size > _NEAR
            if far or place.offset + place.size - first.offset > _RUN:
                yield run
                run = []
        run.append((place, one))
    if run:
        yield run


def _extent(run: list[tuple[Place, Wanted]]) -> tuple[int, int]:
    """Where a run begins, and its bytes."""
    start = run[0][0].offset
    return start, max(place.offset + place.size for place, _ in run) - start


def _decoded(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile:
    columns = {PLAIN: _DECODERS[table.method], LOSSLESS: _gzip, RAW: _raw}
    tile = columns[place.column](table, place, wanted, data)
    if tile is None or len(tile) < wanted.pixels:
        raise table.unit.file.broken(f"tile {wanted.row + 1} of HDU {table.unit.index} cannot be decoded")
    return tile


def _rice(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile | None:
    out = np.empty(wanted.pixels, np.int32)
    block, width = int(table.settings.get("BLOCKSIZE", 32)), int(table.settings.get("BYTEPIX", 4))
    return out if rice.decode(data, length=place.size, block=block, width=width, out=out) else None


def _plio(_table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile | None:
    out = np.empty(wanted.pixels, np.int32)
    return out if plio.decode(data[: place.size // 2 * 2].view(">i2"), out) else None


def _hcompress(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile | None:
    smooth = bool(table.settings.get("SMOOTH", 0))
    return hcompress.decode(data[: place.size].tobytes(), shape=(wanted.height, wanted.width), smooth=smooth)


def _gzip(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile | None:
    """Tiles of GZIP_1 are big-endian numbers, and end where no more are needed."""
    kind = _item(table, place, wanted, data)
    if kind is None:
        return None
    found = _inflated(data[: place.size], wanted.pixels * kind.itemsize)
    return None if found is None else _numbers(found, kind)


def _shuffled(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile | None:
    """Tiles of GZIP_2 have the first bytes of all numbers, then their second bytes, and so on."""
    kind = _item(table, place, wanted, data)
    if kind is None:
        return None
    length = wanted.width * wanted.height * kind.itemsize
    found = _inflated(data[: place.size], length)
    if found is None or len(found) != length:
        return None
    mixed = np.frombuffer(found, np.uint8).reshape(kind.itemsize, -1)[:, : wanted.pixels]
    return _numbers(np.ascontiguousarray(mixed.T).tobytes(), kind)


def _item(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> np.dtype[Any] | None:
    """The numbers in gzipped data, by the length that its last four bytes tell (RFC 1952, 2.3.1)."""
    length = int.from_bytes(data[max(place.size - 4, 0) : place.size].tobytes(), "little")
    size, rest = divmod(length, wanted.width * wanted.height)
    if rest or size not in (1, 2, 4, 8):
        return None
    is_float = table.bitpix < 0 and _scaling(table, place, wanted.row) is None
    return np.dtype("u1" if size == 1 else f">{'f' if is_float else 'i'}{size}")


def _inflated(data: NDArray[np.uint8], length: int) -> bytes | None:
    try:
        return bytes(isal_zlib.decompressobj(wbits=_GZIP).decompress(data.tobytes(), max_length=length))
    except igzip_lib.IsalError:  # type: ignore[misc]  # its stub does not say that it is an exception
        return None


def _raw(table: TileTable, place: Place, wanted: Wanted, data: NDArray[np.uint8]) -> Tile | None:
    kind = np.dtype(place.item)
    if table.method == "NOCOMPRESS" and place.column == PLAIN:
        is_float = table.bitpix < 0 and _scaling(table, place, wanted.row) is None
        size = place.size // (wanted.width * wanted.height)
        if size not in (1, 2, 4, 8):
            return None
        kind = np.dtype("u1" if size == 1 else f">{'f' if is_float else 'i'}{size}")
    return _numbers(data[: min(place.size, wanted.pixels * kind.itemsize)].tobytes(), kind)


def _numbers(data: bytes, kind: np.dtype[Any]) -> Tile:
    found = np.frombuffer(data, kind, len(data) // kind.itemsize)
    return found.astype(kind.newbyteorder("="))


_DECODERS: dict[str, Callable[[TileTable, Place, Wanted, NDArray[np.uint8]], Tile | None]] = {
    "RICE_1": _rice,
    "RICE_ONE": _rice,
    "PLIO_1": _plio,
    "HCOMPRESS_1": _hcompress,
    "GZIP_1": _gzip,
    "GZIP_2": _shuffled,
    "NOCOMPRESS": _raw,
}
"""Values of ZCMPTYPE → what decodes a tile."""
