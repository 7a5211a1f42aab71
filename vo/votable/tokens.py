"""Compiled scanners of a table's data: where each cell lies, in XML and in binary rows."""

from __future__ import annotations

import numpy as np

from vo.compiled import compiled
from vo.votable.instructions import peek
from vo.votable.kernels import Bytes, Places

MORE, DONE, WRONG_COUNT, STRAY = range(4)
"""How a scan ended: with the bytes, with the table, at a row of the wrong length, at a stray element."""

PLAIN, REFERENCES, MARKUP = 0, 1, 2
"""What a cell holds besides characters: references (&lt;), comments or CDATA sections; the two are added."""

_TR, _TD, _TABLEDATA, _OTHER = 1, 2, 3, 4
"""Elements; negative for their end tags."""
_NOT_YET, _NEVER = -1, -2

_OPEN, _CLOSE, _SLASH, _COLON, _AMPERSAND = (ord(sign) for sign in "<>/:&")
_BANG, _QUERY, _DASH, _BRACKET, _APOSTROPHE, _QUOTE = (ord(sign) for sign in "!?-]'\"")
_BLANK = 32
_A, _D, _R, _T = (ord(letter) for letter in "ADRT")


@compiled
def _element(address: int, place: int, end: int) -> tuple[int, int]:
    """Which element a tag names, whatever its prefix, and where the name ends."""
    first = place
    while place < end:
        byte = peek(address + place)
        if byte in (_SLASH, _CLOSE) or byte <= _BLANK:
            break
        place += 1
        if byte == _COLON:
            first = place
    size = place - first
    if size in (2, 9) and peek(address + first) == _T:
        second = peek(address + first + 1)
        if size == 2:  # noqa: PLR2004
            return (_TR if second == _R else _TD if second == _D else _OTHER), place
        return (_TABLEDATA if second == _A else _OTHER), place
    return _OTHER, place


@compiled
def _tag_end(address: int, place: int, end: int) -> int:
    """Behind the > that ends a tag, those in an attribute's quotes aside."""
    quote = 0
    while place < end:
        byte = peek(address + place)
        place += 1
        if quote:
            if byte == quote:
                quote = 0
        elif byte in (_APOSTROPHE, _QUOTE):
            quote = byte
        elif byte == _CLOSE:
            return place
    return _NOT_YET


@compiled
def _aside_end(address: int, place: int, end: int) -> int:
    """Behind the comment, CDATA section or processing instruction that begins at `place`."""
    if place + 3 > end:
        return _NOT_YET
    if peek(address + place + 1) == _QUERY:
        first, second, place = _QUERY, _CLOSE, place + 2
    elif peek(address + place + 2) == _DASH:
        first, second, place = _DASH, _DASH, place + len("<!--")
    else:
        first, second, place = _BRACKET, _BRACKET, place + len("<![CDATA[")
    size = 2 if second == _CLOSE else 3
    while place + size <= end:
        ends = peek(address + place + size - 1) == _CLOSE
        if ends and peek(address + place) == first and peek(address + place + 1) == second:
            return place + size
        place += 1
    return _NOT_YET


@compiled
def _next_tag(address: int, place: int, end: int) -> tuple[int, bool, int]:
    """The next tag: its element, whether it closes itself, and what is behind it."""
    while place + 1 < end:
        if peek(address + place) != _OPEN:
            place += 1
            continue
        following = peek(address + place + 1)
        if following in (_BANG, _QUERY):
            place = _aside_end(address, place, end)
            if place < 0:
                break
            continue
        is_end = following == _SLASH
        element, place = _element(address, place + 1 + is_end, end)
        behind = _tag_end(address, place, end)
        if behind < 0:
            break
        is_empty = peek(address + behind - 2) == _SLASH
        if is_end or (is_empty and element == _TR):  # <TR/> ends the row that it is
            element = -element
        return element, is_empty, behind
    return 0, False, _NOT_YET


@compiled
def _cell_end(address: int, place: int, end: int) -> tuple[int, int]:
    """Where a cell's end tag begins, and the kind of the cell."""
    kind = PLAIN
    while place + 1 < end:
        byte = peek(address + place)
        if byte == _AMPERSAND:
            kind |= REFERENCES
        elif byte == _OPEN:
            following = peek(address + place + 1)
            if following == _SLASH:
                return place, kind
            if following not in (_BANG, _QUERY):
                return _NEVER, kind
            kind |= MARKUP
            place = _aside_end(address, place, end)
            if place < 0:
                return _NOT_YET, kind
            continue
        place += 1
    return _NOT_YET, kind


@compiled
def scan_rows(data: Bytes, starts: Places, lengths: Places, kinds: Bytes) -> tuple[int, int, int, int]:
    """Find the cells of whole rows of TABLEDATA: (how it ended, rows, bytes used, cells of the last row).

    `starts`, `lengths` and `kinds` have a line for each column and a place for each row.
    """
    address, end = data.ctypes.data, len(data)
    columns, capacity = starts.shape
    row, used, column, place = 0, 0, -1, 0
    while row < capacity:
        element, is_empty, behind = _next_tag(address, place, end)
        if behind < 0:
            break
        if element == _TR:
            column = 0
        elif element == _TD and column >= 0:
            stop, kind = (behind, PLAIN) if is_empty else _cell_end(address, behind, end)
            if stop == _NOT_YET:
                break
            if stop == _NEVER or column == columns:
                return (STRAY if stop == _NEVER else WRONG_COUNT), row, used, column + 1
            starts[column, row], lengths[column, row], kinds[column, row] = behind, stop - behind, kind
            column += 1
            behind = stop
        elif element == -_TR:
            if column != columns:
                return WRONG_COUNT, row, used, max(column, 0)
            row, used, column = row + 1, behind, -1
        elif element != -_TD:
            is_done = element == -_TABLEDATA
            return (DONE if is_done else STRAY), row, (behind if is_done else used), 0
        place = behind
    return MORE, row, used, 0


@compiled
def locate_rows(
    data: Bytes, sizes: Places, flags: int, starts: Places, lengths: Places
) -> tuple[int, int, int]:
    """Find the fields of whole binary rows: (how it ended, rows, bytes used).

    `sizes` are the bytes of each field, negative: those of one of a counted number of elements; `flags` bytes
    of null flags begin each row. The last line of `starts` is where each row begins.
    """
    end, capacity, columns = len(data), starts.shape[1], len(sizes)
    used = 0
    for row in range(capacity):
        place = used + flags
        for column in range(columns):
            size = sizes[column]
            if size < 0:
                if place + 4 > end:
                    return MORE, row, used
                count = np.int64(data[place]) << 24 | np.int64(data[place + 1]) << 16
                count |= np.int64(data[place + 2]) << 8 | np.int64(data[place + 3])
                if count >= 1 << 31:
                    return WRONG_COUNT, row, used
                place += 4
                size = -size * count
            starts[column, row] = place
            lengths[column, row] = size
            place += size
        if place > end:
            return MORE, row, used
        starts[columns, row] = used
        used = place
    return MORE, capacity, used


@compiled
def gathered(data: Bytes, starts: Places, lengths: Places) -> Bytes:
    """The cells' bytes, one behind the other."""
    out = np.empty(lengths.sum(), np.uint8)
    place = 0
    for row in range(len(starts)):
        start, length = starts[row], lengths[row]
        for k in range(length):
            out[place + k] = data[start + k]
        place += length
    return out


@compiled
def until_nul(data: Bytes, starts: Places, lengths: Places, unit: int) -> Places:
    """The lengths of texts up to their first NUL, in bytes; a NUL has `unit` bytes (VOTable 1.4, 2.3)."""
    out = np.empty(len(starts), np.int64)
    for row in range(len(starts)):
        length = 0
        while length < lengths[row]:
            place = starts[row] + length
            if data[place] == 0 and data[place + unit - 1] == 0:
                break
            length += unit
        out[row] = length
    return out
