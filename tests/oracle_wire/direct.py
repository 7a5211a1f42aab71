"""Direct path loads: the rows of a batch as a stream, in the form in which a server would write them to disk.

Three calls: `prepare` names a table and its columns, `load` brings rows in pieces, `end` keeps them or not.
This double brings them in by INSERT, and keeps a batch as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oracle_wire.rows import KINDS, Answer, Column, OraError, Row, decoded
from oracle_wire.wire import LONG_LENGTH, NULL_LENGTH, Request, number, status

_LOAD = 1
_TABLE, _SCHEMA, _COLUMN = 1, 3, 4
_CURSOR = 7
_FINISH = 2
_FAST, _FIRST, _LAST, _CONTINUES = 0x20, 0x08, 0x04, 0x02
"""Flags of a piece: it has a length; its row begins; its row ends; its first segment began in another."""

Run = Callable[[str, list[object]], Answer | None]


@dataclass
class DirectPath:
    """The load of one session; `run` executes a statement, `keep` ends the transaction, for good or not."""

    run: Run
    keep: Callable[[bool], object]
    is_modern: bool
    target: str = ""
    columns: tuple[Column, ...] = ()

    def prepare(self, request: Request) -> bytes:
        """Look the table up and describe its columns."""
        if request.number() != _LOAD:
            raise OraError(3115, "direct paths but loading are beyond this double")
        request.byte()
        words = request.number()
        request.byte()
        settings = request.number()
        request.raw(6)
        named = [_named(request) for _ in range(words)]
        request.numbers(settings)
        (schema,), (table,) = ([text for place, text in named if place == at] for at in (_SCHEMA, _TABLE))
        names = ", ".join(f'"{text}"' for place, text in named if place == _COLUMN)
        self.target = f'"{schema}"."{table}" ({names})'
        answer = self.run(f'SELECT {names} FROM "{schema}"."{table}" WHERE 1 = 0', [])
        assert answer is not None
        self.columns = answer.columns
        described = b"".join(
            column.described(at, is_modern=self.is_modern) for at, column in enumerate(self.columns, 1)
        )
        given = (0, 0, 0, _CURSOR)
        told = number(len(self.columns)) + described + number(0) + number(len(given))
        return b"\x08" + told + b"".join(map(number, given)) + status()

    def load(self, request: Request) -> bytes:
        """Bring in the rows of a batch."""
        if request.number() != _CURSOR:
            raise OraError(1001, "invalid cursor")
        request.byte()
        length = request.number()
        request.number()
        request.byte()
        request.number()
        request.raw(2)
        marks = ", ".join(f":{at}" for at in range(1, len(self.columns) + 1))
        for row in _rows(request.raw(length), self.columns):
            self.run(f"INSERT INTO {self.target} VALUES ({marks})", list(row))
        return b"\x08" + number(0) + status(in_transaction=True)

    def end(self, request: Request) -> bytes:
        """Keep what was loaded, or forget it."""
        self.keep(request.number() == _FINISH)
        request.number()
        request.byte()
        request.number()
        request.raw(2)
        return b"\x08" + number(0) + status()


def _named(request: Request) -> tuple[int, str]:
    """One name and what it is the name of."""
    request.numbers(2)
    text = (request.octets() or b"").decode()
    return request.number(), text


def _rows(stream: bytes, columns: tuple[Column, ...]) -> Iterator[Row]:
    """The rows in a stream of pieces, each of which has some segments of a row, or all."""
    at = 0
    segments: list[bytes | None] = []
    while at < len(stream):
        flags = stream[at]
        at += 3 if flags & _FAST else 1
        count, at = stream[at], at + 1
        segments = [] if flags & _FIRST else segments
        for place in range(count):
            segment, at = _segment(stream, at)
            if place == 0 and flags & _CONTINUES:
                segments[-1] = (segments[-1] or b"") + (segment or b"")
            else:
                segments.append(segment)
        if flags & _LAST:
            yield tuple(
                decoded(KINDS[column.kind].code, segment)
                for column, segment in zip(columns, segments, strict=True)
            )


def _segment(stream: bytes, at: int) -> tuple[bytes | None, int]:
    """A segment and where the next one begins."""
    length, at = stream[at], at + 1
    if length == NULL_LENGTH:
        return None, at
    if length == LONG_LENGTH:
        length, at = int.from_bytes(stream[at : at + 2], "big"), at + 2
    return stream[at : at + length], at + length
