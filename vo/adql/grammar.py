"""The grammar of queries (ADQL 2.1, appendix A): SELECT, FROM, joins, set operators, WITH."""

from __future__ import annotations

from sqlglot import exp

from vo.adql import advice
from vo.adql.expressions import Expressions
from vo.adql.nodes import Joined
from vo.adql.tokens import Token

MAX_QUERIES = 20
"""Sub-queries inside sub-queries at the most."""

MAX_OPERANDS = 100
"""Tables of one FROM, or operands of one chain of set operators, at the most."""

_SETS: dict[str, type[exp.SetOperation]] = {
    "UNION": exp.Union,
    "EXCEPT": exp.Except,
    "INTERSECT": exp.Intersect,
}
_JOIN_WORDS = frozenset({"NATURAL", "INNER", "LEFT", "RIGHT", "FULL", "JOIN"})
_BEHIND_QUERY = frozenset({")", "UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET"})


def parse(query: str) -> exp.Query:
    """The tree of one ADQL query; whatever else the text holds is refused by a QueryError."""
    return Grammar(query).whole()


class Grammar(Expressions):
    """The rules of queries above those of expressions."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self._queries = 0

    def whole(self) -> exp.Query:
        """One query up to the end of the text; a single semicolon may close it."""
        ctes: list[exp.Expr] = []
        start = self.token.start
        if self.at("WITH"):
            self.require("WITH")
            self.advance()
            ctes.append(self._with_query())
            while self.take(","):
                ctes.append(self._with_query())
        elif not self.at("SELECT", "("):
            self.refuse("Expected SELECT", suggestion=advice.for_keyword(self.token.text))
        query = self.select_expression()
        self.take(";")
        if self.token.kind != "end":
            self.refuse("Expected the end of the query")
        if ctes:
            query.set("with_", exp.With(expressions=ctes))
        return self.marked(query, start)

    def _with_query(self) -> exp.Expr:
        start = self.token.start
        if self.at("RECURSIVE"):
            self.refuse("WITH is not recursive in ADQL", rule="ADQL 2.1, 4.5")
        name = self.identifier("the name of the query")
        self.expect("AS", "behind the name of the query")
        self.expect("(", "behind AS")
        query = self.select_expression()
        self.expect(")", "to close the query")
        return self.marked(exp.CTE(this=query, alias=exp.TableAlias(this=name)), start)

    # --- queries and set operators

    def select_expression(self) -> exp.Query:
        """Set operators over SELECTs, then ORDER BY and OFFSET."""
        self._queries += 1
        if self._queries > MAX_QUERIES:
            self.refuse(f"Queries are nested more than {MAX_QUERIES} deep")
        start = self.token.start
        query = self._set_chain(("UNION", "EXCEPT"))
        order = self._order_by() if self.at("ORDER") else None
        offset = self._offset() if self.at("OFFSET") else None
        if order is not None or offset is not None:
            if isinstance(query, exp.Subquery) and not _is_cut(query.this):
                query = query.this
            query.set("order", order)
            query.set("offset", offset)
        elif isinstance(query, exp.Subquery):
            query = query.this
        self._queries -= 1
        return self.marked(query, start)

    def _set_chain(self, words: tuple[str, ...]) -> exp.Query:
        """Operands of set operators, from left to right; INTERSECT binds tighter (ADQL 2.1, 4.6)."""
        start = self.token.start
        query = self._set_operand(words)
        for _ in range(MAX_OPERANDS):
            token = self.token
            if not self.at(*words):
                return query
            self.require(token.value)
            self.advance()
            every = self.take("ALL") is not None
            right = self._set_operand(words)
            node = _SETS[token.value](this=_enclosed(query), expression=_enclosed(right), distinct=not every)
            query = self.marked(node, start)
            query.meta["operator"] = token.span
        return self.refuse(f"More than {MAX_OPERANDS} set operators in a row")

    def _set_operand(self, words: tuple[str, ...]) -> exp.Query:
        if "UNION" in words:
            return self._set_chain(("INTERSECT",))
        start = self.token.start
        if self.take("("):
            inner = self.select_expression()
            self.expect(")", "to close the query")
            return self.marked(exp.Subquery(this=inner), start)
        return self._select()

    def _order_by(self) -> exp.Expr:
        self.advance()
        self.expect("BY", "behind ORDER")
        terms = [self._order_term()]
        while self.take(","):
            terms.append(self._order_term())
        return exp.Order(expressions=terms)

    def _order_term(self) -> exp.Expr:
        start = self.token.start
        value = self.value()
        direction = self.take("ASC", "DESC")
        descending = direction is not None and direction.value == "DESC"
        # Rows without a value sort as the largest, as in Oracle; the standard leaves it open.
        return self.marked(exp.Ordered(this=value, desc=descending, nulls_first=descending), start)

    def _offset(self) -> exp.Expr:
        self.require("OFFSET")
        self.advance()
        return exp.Offset(expression=exp.Literal.number(self.unsigned("the number of rows behind OFFSET")))

    # --- SELECT

    def _select(self) -> exp.Query:
        start = self.expect("SELECT", "to begin a query").start
        select = exp.Select()
        quantifier = self.take("ALL", "DISTINCT")
        if quantifier is not None and quantifier.value == "DISTINCT":
            select.set("distinct", exp.Distinct())
        if self.take("TOP"):
            rows = exp.Literal.number(self.unsigned("the number of rows behind TOP"))
            select.set("limit", exp.Limit(expression=rows))
        select.set("expressions", self._select_list())
        self.expect("FROM", "behind the columns")
        select.set("from_", exp.From(this=self._from()))
        if self.take("WHERE"):
            select.set("where", exp.Where(this=self.expression()))
        if self.take("GROUP"):
            self.expect("BY", "behind GROUP")
            select.set("group", exp.Group(expressions=self.listed()))
        if self.take("HAVING"):
            select.set("having", exp.Having(this=self.expression()))
        return self.marked(select, start)

    def _select_list(self) -> list[exp.Expr]:
        star = self.token
        if self.take("*"):
            if self.at(","):
                self.refuse(
                    "* stands alone",
                    suggestion="Write t.*, … with the name of the table.",
                    rule="ADQL 2.1, 2.2",
                )
            return [self.marked(exp.Star(), star.start)]
        items = [self._select_item()]
        while self.take(","):
            items.append(self._select_item())
        return items

    def _select_item(self) -> exp.Expr:
        start = self.token.start
        stars = self._qualified_star()
        if stars is not None:
            return stars
        if self.at("*"):
            self.refuse(
                "* stands alone", suggestion="Write t.*, … with the name of the table.", rule="ADQL 2.1, 2.2"
            )
        value = self.expression()
        alias = self._alias("the name of the column")
        return value if alias is None else self.marked(exp.Alias(this=value, alias=alias), start)

    def _qualified_star(self) -> exp.Expr | None:
        """`t.*` or `schema.t.*`, or None with nothing read."""
        ahead = self._index
        tokens = self._tokens
        while tokens[ahead].kind in ("word", "delimited") and tokens[ahead + 1].value == ".":
            ahead += 2
        if ahead == self._index or tokens[ahead].value != "*" or tokens[ahead].kind != "operator":
            return None
        start = self.token.start
        names = self.dotted(self.identifier("a table"), "a table")
        self.advance()
        self.advance()
        parts = dict(zip(("table", "db", "catalog"), reversed(names), strict=False))
        return self.marked(exp.Column(this=exp.Star(), **parts), start)

    def _alias(self, what: str) -> exp.Identifier | None:
        """`AS name` or `name`."""
        if self.take("AS"):
            return self.identifier(what)
        if self.token.kind == "delimited" or (self.token.kind == "word" and not self.token.is_reserved):
            if self.token.value in advice.NEVER_ALIASES:
                self.refuse("Expected the next clause")
            return self.identifier(what)
        return None

    # --- FROM

    def _from(self) -> exp.Expr:
        start = self.token.start
        tree = self._joined()
        for _ in range(MAX_OPERANDS):
            if not self.take(","):
                return tree
            tree = self.marked(Joined(this=tree, expression=self._joined(), kind=","), start)
        return self.refuse(f"More than {MAX_OPERANDS} tables in FROM")

    def _joined(self) -> exp.Expr:
        tree = self._table()
        for _ in range(MAX_OPERANDS):
            if not self.at(*_JOIN_WORDS):
                return tree
            tree = self._join(tree)
        return self.refuse(f"More than {MAX_OPERANDS} tables in FROM")

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
                self.refuse("A NATURAL JOIN takes neither ON nor USING", rule="ADQL 2.1, appendix A")
        elif self.take("ON"):
            node.set("on", self.expression())
        elif self.take("USING"):
            self.expect("(", "behind USING")
            names = [self.identifier("a column")]
            while self.take(","):
                names.append(self.identifier("a column"))
            self.expect(")", "behind the columns of USING")
            node.set("using", names)
        else:
            self.refuse(
                "Expected ON or USING behind the tables of JOIN",
                suggestion="Write ON a.x = b.x, USING (x), or NATURAL JOIN.",
            )

    def _table(self) -> exp.Expr:
        start = self.token.start
        if self.at("("):
            query = self._derived()
            if query is not None:
                return query
            self.advance()
            tree = self._joined()
            if not isinstance(tree, Joined):
                self.refuse("Expected a join inside the parentheses")
            self.expect(")", "to close the join")
            return self.marked(tree, start)
        first = self.token
        names = self.dotted(self.identifier("a table"), "a table")
        if self.at("("):
            self.refuse("There are no table functions in ADQL", first, rule="ADQL 2.1, appendix A")
        parts = dict(zip(("this", "db", "catalog"), reversed(names), strict=False))
        if len(names) > len(parts):
            self.refuse("A table has at most two names before its own")
        table = self.marked(exp.Table(**parts), start)
        alias = self._alias("the name of the table in this query")
        if alias is not None:
            table.set("alias", exp.TableAlias(this=alias))
        return table

    def _derived(self) -> exp.Expr | None:
        """A sub-query with its name, or None if the parenthesis holds a join."""
        start = self.token.start
        if not self._opens_query(self._index):
            return None
        self.advance()
        query = self.select_expression()
        self.expect(")", "to close the sub-query")
        end = self.token
        alias = self._alias("the name of the sub-query")
        if alias is None:
            self.refuse(
                "A sub-query in FROM needs a name",
                end if end.kind != "end" else self._tokens[self._index - 1],
                rule="ADQL 2.1, appendix A, derived_table",
                suggestion="Write (SELECT …) AS name.",
            )
        return self.marked(exp.Subquery(this=query, alias=exp.TableAlias(this=alias)), start)

    def subquery_or_none(self) -> exp.Expr | None:
        """A query, or None (and nothing read) if the parenthesis holds values."""
        ahead = self._index
        while self._is_sign(ahead, "("):
            ahead += 1
        return self.select_expression() if self._tokens[ahead].value == "SELECT" else None

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


def _is_cut(query: exp.Expr) -> bool:
    """Whether the query sorts or limits its rows, so that its parentheses mean something."""
    return any(query.args.get(name) for name in ("order", "limit", "offset"))


def _enclosed(query: exp.Query) -> exp.Query:
    """An operand of a set operator, in parentheses where it sorts or limits its rows."""
    if isinstance(query, exp.Subquery) or not _is_cut(query):
        return query
    enclosed = exp.Subquery(this=query)
    enclosed.meta["span"] = query.meta["span"]
    return enclosed
