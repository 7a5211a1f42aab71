"""Backends that tests share: what the double answers to every statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from oracle_wire.rows import NUMBER, Answer, Column, OraError, Row
from oracle_wire.session import Backend, Session

COUNT_COLUMNS = (NUMBER("C1", 19, 0),)


def giving(columns: tuple[Column, ...], rows: Iterable[Row]) -> Backend:
    """The same rows for every query."""
    return lambda _sql, _binds, _session: Answer(columns, rows)


def counting(rows: int, then: Callable[[Session], None] = lambda _: None) -> Backend:
    """Count from 0; a statement that says `then` does that after its last row."""

    def answer(sql: str, _binds: list[object], session: Session) -> Answer:
        def given() -> Iterator[Row]:
            yield from ((i,) for i in range(rows))
            if "then" in sql:
                then(session)

        return Answer(COUNT_COLUMNS, given())

    return answer


def failing(code: int, message: str = "as the test wants it") -> Backend:
    """Know one answer, an ORA number."""

    def answer(_sql: str, _binds: list[object], _session: Session) -> Answer:
        raise OraError(code, message)

    return answer
