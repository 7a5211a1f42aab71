"""What is wrong with a query: problems with their places, gathered so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from sqlglot import exp

from vo.errors import Problem, QueryError

TOLD = 20
"""Problems told about one query at the most; whoever has more reads the first ones."""

_SHOWN = 60
_READABLE = 300


_Rest = tuple[tuple[int, int] | None, str | None, str | None]
"""Span, rule and suggestion of a problem: its line and column are counted only if it is told."""


class Problems:
    """The problems of one query, in the order of its text."""

    def __init__(self, query: str) -> None:
        self.query = query
        self._found: dict[tuple[int, str], _Rest] = {}

    def add(
        self,
        message: str,
        span: tuple[int, int] | None,
        *,
        rule: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Note a problem of the characters `span` (start and end offset) of the query."""
        message = message if len(message) <= _READABLE else f"{message[:_READABLE]}…"
        start = len(self.query) if span is None else span[0]
        self._found.setdefault((start, message), (span, rule, suggestion))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        before = self.query[:offset]
        return before.count("\n") + 1, offset - before.rfind("\n")

    def error(self) -> QueryError:
        """The exception that tells the first of the problems."""
        ordered = sorted(self._found, key=itemgetter(0))
        return QueryError(
            *(self._problem(message, *self._found[start, message]) for start, message in ordered[:TOLD])
        )

    def _problem(
        self, message: str, span: tuple[int, int] | None, rule: str | None, suggestion: str | None
    ) -> Problem:
        if span is None:
            return Problem(message, rule=rule, suggestion=suggestion)
        start, end = span
        token = " ".join(self.query[start : min(end, start + _SHOWN)].split()) or None
        return Problem(message, *self.place(start), token, rule, suggestion)

    def has_at(self, start: int) -> bool:
        """Whether there is a problem at an offset already."""
        return any(offset == start for offset, _ in self._found)

    @property
    def count(self) -> int:
        """How many problems there are."""
        return len(self._found)

    @property
    def enough(self) -> bool:
        """Whether there are as many problems as are told."""
        return len(self._found) >= TOLD

    def raise_any(self) -> None:
        """Raise the QueryError if there is any problem."""
        if self._found:
            raise self.error()


class RefusalError(QueryError):
    """What a database cannot be asked for, with the place in the query as soon as a node knows it."""

    span: tuple[int, int] | None = None

    def placed(self, query: str) -> QueryError:
        """The same as an error of the text `query`."""
        problems = Problems(query)
        for problem in self.problems:
            problems.add(problem.message, self.span, rule=problem.rule, suggestion=problem.suggestion)
        return problems.error() if self.span is not None else QueryError(*self.problems)


def refusing_at(node: exp.Expr, write: Callable[[exp.Expr], str]) -> str:
    """What `write` makes of a node; a RefusalError that has no place yet is one of this node."""
    try:
        return write(node)
    except RefusalError as refusal:
        refusal.span = refusal.span or span_of(node)
        raise


def span_of(node: exp.Expr | None) -> tuple[int, int] | None:
    """Where in the query a node of the tree was written; None for what no one wrote."""
    if node is None:
        return None
    span: tuple[int, int] | None = node.meta.get("span")
    return span
