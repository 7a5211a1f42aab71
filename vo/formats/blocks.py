"""How results are cut: into pieces worth encoding at a time, and into blocks worth sending."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

FIRST_BLOCK, BLOCK, LARGEST_BLOCK = 8_192, 1_048_576, 2_097_152
"""Bytes of a block: at least, for the first and for the others, and at most."""
_FIRST_PIECE, _LARGEST_PIECE = 8_192, 4_194_304
"""Bytes of Arrow data that are encoded at a time: few at first, then twice as many each time."""
_CELL = 8
"""Bytes that a cell counts for at least: in text, small numbers are as long as others."""

Chunks = Iterator[bytes]


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
