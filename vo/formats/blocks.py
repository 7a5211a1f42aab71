"""How results are cut: into pieces worth encoding at a time, and into blocks worth sending."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pyarrow as pa

from vo.result import Result

FIRST_BLOCK, BLOCK, LARGEST_BLOCK = 8_192, 1_048_576, 2_097_152
"""Bytes of a block: at least, for the first and for the others, and at most."""
_FIRST_PIECE, _LARGEST_PIECE = 8_192, 4_194_304
"""Bytes of Arrow data that are encoded at a time: few at first, then twice as many each time."""
_CELL = 8
"""Bytes that a cell counts for at least: in text, small numbers are as long as others."""

Chunks = Iterator[bytes]
Encoded = TypeVar("Encoded", bound=bytes | memoryview)


def pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, the large ones in slices: memory stays bounded and the processor's caches warm."""
    size = _FIRST_PIECE
    for batch in batches:
        row_size = max(_CELL * batch.num_columns, batch.nbytes // max(1, batch.num_rows))
        done = 0
        while done < batch.num_rows:
            rows = max(1, size // row_size)
            yield batch.slice(done, rows)
            done += rows
            size = min(2 * size, _LARGEST_PIECE)


def encoded(
    result: Result, encode: Callable[[pa.RecordBatch], Encoded], *, growth: float = 1.0
) -> Iterator[Encoded]:
    """The rows piece by piece as `encode` makes bytes of them, up to the last that `byte_limit` has room for.

    `growth` is by how much transport makes them longer.
    """
    left = None if result.byte_limit is None else result.byte_limit / growth
    done = 0
    for piece in pieces(result):
        chunk = encode(piece)
        if left is not None and len(chunk) > left:
            rows = _fitting(piece, encode, left)
            result.cut(done + rows)
            yield encode(piece.slice(0, rows))
            return
        left = None if left is None else left - len(chunk)
        done += piece.num_rows
        yield chunk


def _fitting(piece: pa.RecordBatch, encode: Callable[[pa.RecordBatch], Encoded], size: float) -> int:
    """How many rows of the piece become at most so many bytes."""
    return bisect_right(
        range(1, piece.num_rows + 1), size, key=lambda rows: len(encode(piece.slice(0, rows)))
    )


def measured(result: Result) -> Iterator[pa.RecordBatch]:
    """The pieces up to `byte_limit` bytes in Arrow: for formats whose bytes come when all rows are there."""
    left = result.byte_limit
    done = 0
    for piece in pieces(result):
        if left is not None and piece.nbytes > left:
            rows = left * piece.num_rows // piece.nbytes
            result.cut(done + rows)
            yield piece.slice(0, rows)
            return
        left = None if left is None else left - piece.nbytes
        done += piece.num_rows
        yield piece


def blocks(chunks: Iterable[bytes]) -> Chunks:
    """The same bytes in blocks that are worth a frame of their own; an error lets those before it out."""
    waiting: list[bytes] = []
    size, enough = 0, FIRST_BLOCK
    try:
        for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            if size >= enough:
                yield from _cut(b"".join(waiting))
                waiting, size, enough = [], 0, BLOCK
    except Exception:
        yield from _cut(b"".join(waiting))
        raise
    yield from _cut(b"".join(waiting))


def _cut(block: bytes) -> Chunks:
    for start in range(0, len(block), LARGEST_BLOCK):
        yield block[start : start + LARGEST_BLOCK]
