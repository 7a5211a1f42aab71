"""A cursor over the tokens of a query, which refuses what is not ADQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from sqlglot import exp

from vo.adql import advice
from vo.adql.features import OFFERED
from vo.adql.problems import Problems
from vo.adql.tokens import Token, scan
from vo.errors import QueryError

MAX_HEAVY = 4
"""Functions inside each other at the most, of those that write their arguments several times into the SQL."""

MAX_WEIGHT = 3000
"""What they may weigh in one query: 1 each, and ten times that for every such function around them."""

_LONGEST = 40
"""Characters of a token that a message repeats."""

_Node = TypeVar("_Node", bound=exp.Expr)


class Cursor:
    """A place in a query, and the steps that the rules of the grammar take from it."""

    def __init__(self, query: str) -> None:
        self.problems = Problems(query)
        self._tokens = scan(query)
        self._index = 0
        self._heavy = 0
        self._weight = 0
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
            self.refuse(f"Expected {value} {context}", suggestion=self._unclosed() if value == ")" else None)
        return self.advance()

    def _unclosed(self) -> str | None:
        """Where the parenthesis is that nothing closes, at the end of the query."""
        if self.token.kind != "end":
            return None
        opened: list[Token] = []
        for token in self._tokens:
            if token.kind == "operator" and token.value == "(":
                opened.append(token)
            elif token.kind == "operator" and token.value == ")" and opened:
                opened.pop()
        line, column = self.problems.place(opened[-1].start)
        return f"The parenthesis at line {line}, column {column} is not closed."

    def note(
        self,
        message: str,
        token: Token | None = None,
        *,
        rule: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Keep the problem of a syntax that is not ADQL, with the advice for its token; one at a place."""
        token = token or self.token
        if self.problems.has_at(token.start):
            return
        if message.startswith("Expected"):
            message = f"{message}, not {_shown(token)}"
            suggestion = self._about_pair(token) or suggestion
            suggestion = suggestion or advice.for_token(token, self._behind(token))
        self.problems.add(message, token.span, rule=rule or "ADQL 2.1, appendix A", suggestion=suggestion)

    def refuse(
        self,
        message: str,
        token: Token | None = None,
        *,
        rule: str | None = None,
        suggestion: str | None = None,
    ) -> NoReturn:
        """Raise the QueryError of a syntax that is not ADQL and after which no sense can be made."""
        self.note(message, token, rule=rule, suggestion=suggestion)
        raise self.problems.error()

    def _about_pair(self, token: Token) -> str | None:
        """What two signs that touch each other were meant to be."""
        before = self._tokens[self._index - 1] if self._index and token is self.token else None
        if before is None or before.span[1] != token.start:
            return None
        return advice.for_signs(before.text + token.text)

    def _behind(self, token: Token) -> Token:
        return self.following if token is self.token else self.token

    # --- going on behind a problem

    def going_on(self, rule: Callable[[], exp.Expr], *stops: str) -> exp.Expr:
        """What `rule` reads; where it cannot, its problem is kept and reading goes on at one of `stops`.

        So a query is told all its faults at once. What was not understood is a NULL marked with the words
        that are `unread`.
        """
        begun, start, state = self._index, self.token.start, self._state()
        try:
            return rule()
        except QueryError:
            if self.problems.enough or not self._skip(begun, stops):
                raise
        self._restore(state)
        node = self.marked(exp.Null(), start)
        node.meta["unread"] = frozenset(token.value.lower() for token in self._tokens[begun : self._index])
        return node

    def skip_to(self, *stops: str) -> bool:
        """Step to the first of `stops` outside parentheses, or the one that closes them, if there is any."""
        return self._skip(self._index, stops)

    def _skip(self, begun: int, stops: tuple[str, ...]) -> bool:
        depth = 0
        for place in range(begun, len(self._tokens)):
            token = self._tokens[place]
            sign = token.value if token.kind in ("word", "operator") else ""
            outside = depth == 0 and (sign == ")" or sign in stops or token.kind == "end")
            if outside and place >= self._index:
                self._index, self.token = place, token
                return True
            if outside and sign == ")":
                return False
            depth += (sign == "(") - (sign == ")")
        return False

    def _state(self) -> tuple[int, ...]:
        return ()

    def _restore(self, state: tuple[int, ...]) -> None:
        """Set back what rules count while they are inside each other."""

    def marked(self, node: _Node, start: int) -> _Node:
        """`node`, with the place where it was written: from offset `start` to the last token taken."""
        last = self._tokens[max(self._index - 1, 0)]
        node.meta["span"] = (start, last.span[1])
        return node

    def require(self, form: str) -> None:
        """Refuse the current word if the feature table does not offer it (ADQL 2.1, 4.1)."""
        if form not in OFFERED:
            self.refuse(f"This service does not offer {form}", rule="ADQL 2.1, 4.1")

    # --- names and numbers

    def identifier(self, what: str) -> exp.Identifier:
        """A regular or delimited identifier (ADQL 2.1, 2.1.5 and 2.1.6)."""
        token = self.token
        if token.is_reserved:
            self.refuse(
                f"{token.text} is a reserved word and cannot be {what} as it stands",
                rule="ADQL 2.1, 2.1.2",
                suggestion=advice.for_reserved(token),
            )
        if token.kind not in ("word", "delimited"):
            self.refuse(f"Expected {what}", suggestion=advice.for_name(token))
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

    def unsigned(self, what: str, least: int = 0) -> int:
        """An unsigned integer without point or exponent."""
        token = self.token
        if token.kind != "number" or not token.value.isdigit() or not least <= int(token.value) < 2**63:
            self.refuse(f"Expected {what} as a whole number", suggestion=advice.for_count(token))
        self.advance()
        return int(token.value)

    def weigh(self, token: Token) -> None:
        """Count a function that is written at length: databases must read the whole of it quickly."""
        self._weight += 10**self._heavy
        self._heavy += 1
        if self._heavy > MAX_HEAVY or self._weight > MAX_WEIGHT:
            self.refuse(
                f"Too many functions like {token.value} are in each other or in one query",
                token,
                rule="a limit of this service",
                suggestion="Compute inner ones in a sub-query of FROM, and use its columns.",
            )


def _shown(token: Token) -> str:
    """A token as a message repeats it."""
    if token.kind == "end":
        return "the end of the query"
    return token.text if len(token.text) <= _LONGEST else f"{token.text[:_LONGEST]}…"
