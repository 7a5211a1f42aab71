"""A cursor over the tokens of a query, which refuses what is not ADQL."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from sqlglot import exp

from vo.adql import advice
from vo.adql.features import OFFERED
from vo.adql.problems import Problems
from vo.adql.tokens import Token, scan

_Node = TypeVar("_Node", bound=exp.Expr)


class Cursor:
    """A place in a query, and the steps that the rules of the grammar take from it."""

    def __init__(self, query: str) -> None:
        self.problems = Problems(query)
        self._tokens = scan(query)
        self._index = 0
        self.token = self._tokens[0]

    # --- the cursor

    def advance(self) -> Token:
        """Step over the current token and return it."""
        token = self.token
        if token.kind != "end":
            self._index += 1
            self.token = self._tokens[self._index]
        return token

    @property
    def following(self) -> Token:
        """The token behind the current one."""
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)]

    def at(self, *values: str) -> bool:
        """Whether the current token is one of these words or signs."""
        return self.token.value in values and self.token.kind in ("word", "operator")

    def take(self, *values: str) -> Token | None:
        """Step over the current token if it is one of these words or signs."""
        return self.advance() if self.at(*values) else None

    def expect(self, value: str, context: str) -> Token:
        """Step over the word or sign that must stand here."""
        if not self.at(value):
            self.refuse(f"Expected {value} {context}")
        return self.advance()

    def refuse(
        self,
        message: str,
        token: Token | None = None,
        *,
        rule: str | None = None,
        suggestion: str | None = None,
    ) -> NoReturn:
        """Raise the QueryError of a syntax that is not ADQL, with the advice for its token."""
        token = token or self.token
        found = "the end of the query" if token.kind == "end" else token.text
        if message.startswith("Expected"):
            message = f"{message}, not {found}"
            suggestion = suggestion or advice.for_token(token, self.following)
        self.problems.add(message, token.span, rule=rule or "ADQL 2.1, appendix A", suggestion=suggestion)
        raise self.problems.error()

    def marked(self, node: _Node, start: int) -> _Node:
        """`node`, with the place where it was written: from offset `start` to the last token taken."""
        last = self._tokens[max(self._index - 1, 0)]
        node.meta["span"] = (start, last.span[1])
        return node

    def require(self, form: str) -> None:
        """Refuse the current word if the feature table does not offer it (ADQL 2.1, 4.1)."""
        if form not in OFFERED:
            self.refuse(f"This service does not offer {form}", rule="ADQL 2.1, 4.1")

    # --- names

    def identifier(self, what: str) -> exp.Identifier:
        """A regular or delimited identifier (ADQL 2.1, 2.1.3)."""
        token = self.token
        if token.is_reserved:
            self.refuse(
                f"{token.text} is a reserved word and cannot be {what} as it stands",
                rule="ADQL 2.1, 2.1.2",
                suggestion=advice.for_reserved(token),
            )
        if token.kind not in ("word", "delimited"):
            self.refuse(f"Expected {what}")
        self.advance()
        name = token.text if token.kind == "word" else token.value
        return self.marked(exp.Identifier(this=name, quoted=token.kind == "delimited"), token.start)

    def dotted(self, first: exp.Identifier, what: str) -> list[exp.Identifier]:
        """`first` and the identifiers that follow it behind periods."""
        names = [first]
        while self.at(".") and self.following.value != "*":
            self.advance()
            names.append(self.identifier(what))
        return names
