"""Rows as TABLEDATA (VOTable 1.4, 5.1): the plain XML that anything can read.

An empty TD is NULL for numbers; for text it is NULL or the empty string, which TABLEDATA cannot tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column
from vo.votable.cells import cells_of, framed_rows, holds_any, raw
from vo.votable.document import Chunk, Serialisation

_SPECIAL = np.zeros(256, np.uint8)
_SPECIAL[:0x20] = 1
_SPECIAL[[ord(character) for character in "&<>"]] = 1
_SPECIAL[[ord("\t"), ord("\n")]] = 0
_SPECIAL[0xEF] = 1  # the first byte of U+FFFE and U+FFFF, which XML forbids
_ILLEGAL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x{fffe}\\x{ffff}]"


def encoder(columns: Sequence[Column]) -> Callable[[pa.RecordBatch], bytes]:
    """A function from batches to their TR elements."""
    last = len(columns) - 1
    frames = [
        (raw("<TR><TD>" if i == 0 else "<TD>"), raw("</TD></TR>\n" if i == last else "</TD>"))
        for i in range(len(columns))
    ]
    return framed_rows([cells_of(column, escaped) for column in columns], frames)


def escaped(array: pa.StringArray) -> pa.StringArray:
    """Text as character data; left alone where nothing in the whole column needs it.

    What XML 1.0 (2.2) cannot hold becomes U+FFFD; a carriage return is kept by a reference.
    """
    if not holds_any(array, _SPECIAL):
        return array
    array = pc.replace_substring_regex(array, _ILLEGAL, "\ufffd")
    for character, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        array = pc.replace_substring(array, character, reference)
    return array


def stream(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The chunks as they are: TABLEDATA needs no transport encoding."""
    return map(bytes, chunks)


TABLEDATA = Serialisation("TABLEDATA", "<TABLEDATA>\n", "</TABLEDATA>", encoder, stream)
