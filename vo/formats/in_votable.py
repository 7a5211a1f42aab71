"""Results as VOTable, in each serialisation: the one form that tells overflow and late errors by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vo.formats.blocks import Chunks, encoded
from vo.formats.format import cut_note, told
from vo.result import Result
from vo.votable.document import Chunk, Notes, Serialisation, Version, head, tail


class _Guarded:
    """Chunks that end at the first error and keep it, so that the document is closed before it is raised."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = chunks
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Chunk]:
        try:
            yield from self._chunks
        except Exception as error:  # noqa: BLE001  raised again by the writer, behind the tail
            self.failure = error


def write(serialisation: Serialisation, version: Version, result: Result, notes: Notes) -> Chunks:
    """The whole document."""
    encode = serialisation.encoder(result.columns)
    rows = _Guarded(encoded(result, encode, growth=serialisation.growth))
    yield head(serialisation.fields(result.columns), notes, serialisation.opening, version=version)
    yield from serialisation.stream(rows)
    if rows.failure is not None:
        yield tail(serialisation.closing, status="ERROR", message=told(rows.failure))
        raise rows.failure
    if result.overflow:
        note = cut_note(result)
        yield tail(serialisation.closing, status="OVERFLOW", message=note, resources=notes.resources)
    else:
        yield tail(serialisation.closing, resources=notes.resources)
