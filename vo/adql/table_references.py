"""The grammar of FROM (ADQL 2.1, appendix A): tables, joins, sub-queries, and the names that they get."""

from __future__ import annotations

from sqlglot import exp

from vo.adql import advice
from vo.adql.expressions import Expressions
from vo.adql.nodes import Joined
from vo.adql.tokens import Token

MAX_OPERANDS = 100
"""Tables of one FROM, or operands of one chain of set operators, at the most."""

CLAUSES = ("FROM", "WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "UNION", "EXCEPT", "INTERSECT")
"""The words with which the parts of a query begin."""

_JOIN_WORDS = frozenset({"NATURAL", "INNER", "LEFT", "RIGHT", "FULL", "JOIN"})
_BEHIND_QUERY = frozenset({")", "UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET"})
_BEHIND_ALIAS = frozenset({"", ",", ")", ";", "ON", "USING", "CROSS", *CLAUSES, *_JOIN_WORDS})


class TableReferences(Expressions):
    """The rules that read FROM."""

    def select_expression(self) -> exp.Query:
        """Set operators over SELECTs, then ORDER BY and OFFSET."""
        raise NotImplementedError

    def alias(self, what: str, expected: str = "the next clause") -> exp.Identifier | None:
        """`AS name` or `name`; `expected` is what else may stand there."""
        if self.take("AS"):
            return self.identifier(what)
        if self.token.kind == "delimited" or (self.token.kind == "word" and not self.token.is_reserved):
            return self.identifier(what) if self._ends_behind_alias(expected) else None
        return None

    def _ends_behind_alias(self, expected: str) -> bool:
        """Whether the current word can be an alias without AS; what cannot is stepped over with a problem."""
        following = self.following
        if following.kind in ("word", "operator", "end") and following.value in _BEHIND_ALIAS:
            return True
        meant = advice.for_token(self.token, following) or advice.for_keyword(self.token.text)
        self.note(f"Expected {expected}", suggestion=meant or advice.for_alias(following))
        if (
            following.value == "SELECT"
            or self.problems.enough
            or not self.skip_to(",", *CLAUSES, *_JOIN_WORDS)
        ):
            raise self.problems.error()
        return False

    # --- tables and joins

    def from_(self) -> exp.Expr:
        """The tables behind FROM, joined in the order of their commas and joins."""
        start = self.token.start
        tree = self._joined()
        for _ in range(MAX_OPERANDS):
            if not self.take(","):
                return tree
            tree = self.marked(Joined(this=tree, expression=self._joined(), kind=","), start)
        return self.refuse(f"More than {MAX_OPERANDS} tables in FROM", rule="a limit of this service")

    def _joined(self) -> exp.Expr:
        tree = self._table()
        for _ in range(MAX_OPERANDS):
            if self.at("CROSS"):
                tree = self._crossed(tree)
            elif self.at(*_JOIN_WORDS):
                tree = self._join(tree)
            else:
                return tree
        return self.refuse(f"More than {MAX_OPERANDS} tables in FROM", rule="a limit of this service")

    def _crossed(self, left: exp.Expr) -> exp.Expr:
        """CROSS JOIN, which is noted, and read as the comma that it stands for."""
        self.note(
            "CROSS JOIN is not ADQL",
            rule="ADQL 2.1, 2.2.2",
            suggestion="Write a comma between the tables for all their pairs.",
        )
        self.advance()
        self.expect("JOIN", "behind CROSS")
        return self.marked(Joined(this=left, expression=self._table(), kind=","), left.meta["span"][0])

    def _join(self, left: exp.Expr) -> exp.Expr:
        start = left.meta["span"][0]
        first = self.token
        natural = self.take("NATURAL") is not None
        kind = self.take("INNER", "LEFT", "RIGHT", "FULL")
        if kind is not None and kind.value != "INNER":
            self.take("OUTER")
        self.expect("JOIN", "between the tables")
        right = self._table()
        node = Joined(this=left, expression=right, kind=kind.value if kind else "INNER", natural=natural)
        node.meta["operator"] = first.span
        if not natural and not self.at("ON", "USING") and self.at(*_JOIN_WORDS):
            # `a JOIN b JOIN c ON … ON …`: the inner join comes first.
            right = self._join(right)
            node.set("expression", right)
        self._join_specification(node, natural=natural)
        return self.marked(node, start)

    def _join_specification(self, node: Joined, *, natural: bool) -> None:
        if natural:
            if self.at("ON", "USING"):
                self.refuse(
                    "A NATURAL JOIN takes neither ON nor USING",
                    rule="SQL-92, 7.5",
                    suggestion="Leave out NATURAL, or the condition.",
                )
        elif self.take("ON"):
            node.set("on", self.going_on(self.expression, ",", "CROSS", *_JOIN_WORDS, *CLAUSES))
        elif self.take("USING"):
            self.expect("(", "behind USING")
            names = [self.identifier("a column")]
            while self.take(","):
                names.append(self.identifier("a column"))
            self.expect(")", "behind the columns of USING")
            node.set("using", names)
        else:
            self.note(
                "Expected ON or USING behind the tables of JOIN",
                rule="SQL-92, 7.5",
                suggestion="Write ON a.x = b.x, USING (x), or NATURAL JOIN.",
            )

    def _table(self) -> exp.Expr:
        start = self.token.start
        if self.at("("):
            query = self._derived()
            if query is not None:
                return query
            return self._enclosed_join()
        first = self.token
        if self.at("SELECT", "VALUES", *_JOIN_WORDS, *CLAUSES):
            self.refuse("Expected a table", suggestion=advice.for_table(first))
        names = self.dotted(self.identifier("a table"), "a table")
        if self.at("("):
            self.refuse(
                "There are no table functions in ADQL",
                first,
                rule="ADQL 2.1, appendix A",
                suggestion=advice.for_table(first),
            )
        parts = dict(zip(("this", "db", "catalog"), reversed(names), strict=False))
        if len(names) > len(parts):
            self.refuse("A table has at most two names before its own", first)
        table = self.marked(exp.Table(**parts), start)
        alias = self.alias("the name of the table in this query")
        if alias is not None:
            table.set("alias", exp.TableAlias(this=alias))
        return table

    def _enclosed_join(self) -> exp.Expr:
        """A join in parentheses; with a name behind them it is a table of its own (derived_table)."""
        start = self.advance().start
        tree = self._joined()
        if not isinstance(tree, Joined):
            self.refuse(
                "Expected a join inside the parentheses",
                suggestion="Leave out the parentheses around a single table.",
            )
        self.expect(")", "to close the join")
        self.marked(tree, start)
        alias = self.alias("the name of the joined tables")
        if alias is None:
            return tree
        query = self.everything(tree)
        return self.marked(exp.Subquery(this=query, alias=exp.TableAlias(this=alias)), start)

    def everything(self, tree: exp.Expr) -> exp.Query:
        """The query `SELECT * FROM tree`, which a joined table is where a query stands (query_expression)."""
        star, span = exp.Star(), tree.meta["span"]
        star.meta["span"] = span
        if isinstance(tree, exp.Query):
            unnamed = exp.TableAlias(this=exp.Identifier(this="", quoted=True))
            tree = exp.Subquery(this=tree, alias=unnamed)
        select = exp.Select(expressions=[star], from_=exp.From(this=tree))
        select.meta["span"] = tree.meta["span"] = span
        return select

    def _derived(self) -> exp.Expr | None:
        """A sub-query with its name, or None if the parenthesis holds a join."""
        start = self.token.start
        if not self._opens_query(self._index):
            return None
        self.advance()
        query = self.select_expression()
        self.expect(")", "to close the sub-query")
        end = self.token
        alias = self.alias("the name of the sub-query")
        if alias is None:
            self.note(
                "A sub-query in FROM needs a name",
                end if end.kind != "end" else self._tokens[self._index - 1],
                rule="ADQL 2.1, appendix A, derived_table",
                suggestion="Write (SELECT …) AS name.",
            )
            alias = exp.Identifier(this="", quoted=True)
        return self.marked(exp.Subquery(this=query, alias=exp.TableAlias(this=alias)), start)

    def subquery_or_none(self) -> exp.Expr | None:
        """A query, or None (and nothing read) if the parenthesis holds values."""
        ahead = self._index
        while self._is_sign(ahead, "("):
            ahead += 1
        if self._tokens[ahead].value == "SELECT":
            return self.select_expression()
        return self.everything(self._joined()) if self._holds_join() else None

    def _holds_join(self) -> bool:
        """Whether there is a JOIN before the parenthesis closes that was opened last."""
        depth = 0
        for place in range(self._index, len(self._tokens)):
            depth += self._is_sign(place, "(") - self._is_sign(place, ")")
            if depth < 0:
                return False
            if depth == 0 and self._is_word(place, "JOIN"):
                return True
        return False

    def _opens_query(self, index: int) -> bool:
        """Whether the parenthesis at `index` holds a query: what follows an inner one tells."""
        inner = index + 1
        if not self._is_sign(inner, "("):
            return self._is_word(inner, "SELECT")
        ahead = inner
        while self._is_sign(ahead, "("):
            ahead += 1
        if not self._is_word(ahead, "SELECT"):
            return False
        depth = 0
        for place in range(inner, len(self._tokens)):
            depth += self._is_sign(place, "(") - self._is_sign(place, ")")
            if depth == 0:
                return self._tokens[place + 1].value in _BEHIND_QUERY
        return True

    def _is_sign(self, index: int, value: str) -> bool:
        token: Token = self._tokens[index]
        return token.kind == "operator" and token.value == value

    def _is_word(self, index: int, value: str) -> bool:
        token: Token = self._tokens[index]
        return token.kind == "word" and token.value == value
