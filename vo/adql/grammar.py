"""The grammar of queries (ADQL 2.1, appendix A): SELECT, set operators, ORDER BY, WITH."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from vo.adql import advice
from vo.adql.table_references import CLAUSES, MAX_OPERANDS, TableReferences
from vo.adql.tokens import Token

MAX_QUERIES = 20
"""Sub-queries inside sub-queries at the most."""

_SETS: dict[str, type[exp.SetOperation]] = {
    "UNION": exp.Union,
    "EXCEPT": exp.Except,
    "INTERSECT": exp.Intersect,
}


def parse(query: str) -> exp.Query:
    """The tree of one ADQL query; whatever else the text holds is refused by a QueryError."""
    grammar = Grammar(query)
    tree = grammar.whole()
    grammar.problems.raise_any()
    return tree


class Grammar(TableReferences):
    """The rules of queries above those of tables and expressions."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self._queries = 0

    def whole(self) -> exp.Query:
        """One query up to the end of the text, which a single semicolon may close.

        What is wrong with it and still made sense is in `problems`, for the caller to raise.
        """
        ctes: list[exp.Expr] = []
        start = self.token.start
        if self.at("WITH"):
            self.require("WITH")
            self.advance()
            ctes.append(self._with_query())
            while self.take(","):
                ctes.append(self._with_query())
        elif not self.at("SELECT", "("):
            self.refuse("Expected SELECT", suggestion=advice.for_beginning(self.token, self.following))
        query = self.select_expression()
        self.take(";")
        if self.token.kind != "end":
            self.note("Expected the end of the query", suggestion=self._out_of_order())
        if ctes:
            query.set("with_", exp.With(expressions=ctes))
        return self.marked(query, start)

    def _out_of_order(self) -> str | None:
        if self.at("WHERE", "GROUP", "HAVING", "ORDER"):
            return "The order is FROM, WHERE, GROUP BY, HAVING, ORDER BY, OFFSET, each of them once."
        if self.at("UNION", "EXCEPT", "INTERSECT"):
            return "A query with ORDER BY or OFFSET of its own stands in parentheses."
        if self.at(")"):
            return "No parenthesis is open here."
        if self._tokens[self._index - 1].value == ";":
            return "Send one query at a time."
        if self.token.kind in ("number", "string", "delimited"):
            return "An operator or a comma may be missing in front of it."
        return None

    def _with_query(self) -> exp.Expr:
        start = self.token.start
        if self.at("RECURSIVE"):
            self.refuse(
                "WITH is not recursive in ADQL", rule="ADQL 2.1, 4.5", suggestion="Leave out RECURSIVE."
            )
        name = self.identifier("the name of the query")
        if self.at("("):
            self.refuse(
                "The columns of a WITH query are not named here",
                rule="ADQL 2.1, appendix A, with_query",
                suggestion="Name them inside: WITH q AS (SELECT x AS a, …).",
            )
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
            self.refuse(f"Queries are nested more than {MAX_QUERIES} deep", rule="a limit of this service")
        start = self.token.start
        query = self._set_chain(("UNION", "EXCEPT"))
        order = self._order_by() if self.at("ORDER") else None
        offset = self._offset() if self.at("OFFSET") else None
        if order is not None or offset is not None:
            if isinstance(query, exp.Subquery) and not _is_cut(query.this):
                query = query.this
            if order is not None and isinstance(query, exp.SetOperation) and _computes(order):
                query = self.everything(query)
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
        return self.refuse(f"More than {MAX_OPERANDS} set operators in a row", rule="a limit of this service")

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
        value = self.going_on(self.value, ",", "ASC", "DESC", *CLAUSES)
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
            if self.at("ALL", "DISTINCT", ","):
                comma = "No comma stands behind TOP." if self.at(",") else None
                self.note("Expected a value", suggestion=comma)
                self.advance()
        select.set("expressions", self._select_list())
        self._expect_from()
        select.set("from_", exp.From(this=self.from_()))
        if self.take("WHERE"):
            select.set("where", exp.Where(this=self._condition()))
        if self.take("GROUP"):
            self.expect("BY", "behind GROUP")
            select.set("group", exp.Group(expressions=self._several(self.value, *CLAUSES)))
        if self.take("HAVING"):
            select.set("having", exp.Having(this=self._condition()))
        return self.marked(select, start)

    def _expect_from(self) -> None:
        """FROM, perhaps behind something that is not understood."""
        if not self.at("FROM"):
            self.note("Expected FROM behind the columns", suggestion=self._about_missing_from())
            if self.problems.enough or not self.skip_to("FROM") or not self.at("FROM"):
                raise self.problems.error()
        self.advance()

    def _about_missing_from(self) -> str | None:
        if self.token.kind == "end":
            return "Every query reads a table: SELECT … FROM table."
        if self.at("INTO"):
            return "Results are not stored in tables; leave out INTO."
        if self.token.kind in ("word", "delimited", "number", "string") and not self.token.is_reserved:
            return "A comma may be missing in front of it."
        return None

    def _condition(self) -> exp.Expr:
        return self.going_on(self.expression, *CLAUSES)

    def _several(self, rule: Callable[[], exp.Expr], *stops: str) -> list[exp.Expr]:
        """What commas separate; one that is not understood does not keep the others from being read."""
        items = [self.going_on(rule, ",", *stops)]
        while self.take(","):
            items.append(self.going_on(rule, ",", *stops))
        return items

    def _select_list(self) -> list[exp.Expr]:
        star = self.token
        if not self.take("*"):
            return self._several(self._select_item, *CLAUSES)
        items: list[exp.Expr] = [self.marked(exp.Star(), star.start)]
        if self.at(","):
            self._note_star(self.token)
            self.advance()
            items += self._several(self._select_item, *CLAUSES)
        return items

    def _note_star(self, token: Token) -> None:
        self.note(
            "* stands alone",
            token,
            suggestion="Write t.*, … with the name of the table.",
            rule="ADQL 2.1, 2.2",
        )

    def _select_item(self) -> exp.Expr:
        start = self.token.start
        stars = self._qualified_star()
        if stars is not None:
            return stars
        if self.at("*"):
            self._note_star(self.token)
            return self.marked(exp.Star(), self.advance().start)
        value = self.expression()
        alias = self.alias("the name of the column", "a comma or FROM")
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
        if len(names) > len(parts):
            self.refuse("A table has at most two names before its own", self._tokens[ahead])
        return self.marked(exp.Column(this=exp.Star(), **parts), start)

    def _state(self) -> tuple[int, ...]:
        return (*super()._state(), self._queries)

    def _restore(self, state: tuple[int, ...]) -> None:
        *below, self._queries = state
        super()._restore(tuple(below))


def _computes(order: exp.Expr) -> bool:
    """Whether ORDER BY has more than names and numbers of columns."""
    return any(
        not isinstance(term.this, exp.Column | exp.Literal | exp.Null) or term.this.args.get("table")
        for term in order.expressions
    )


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
