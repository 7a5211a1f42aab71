"""The grammar of values and conditions (ADQL 2.1, appendix A), by operator precedence.

Values and conditions share one set of rules here; which of the two may stand where is a matter of
types, and judged in `reader.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from vo.adql import advice
from vo.adql.cursor import Cursor
from vo.adql.functions import FUNCTIONS, HEAVY
from vo.adql.kinds import SHAPE_TYPES, TYPES
from vo.adql.nodes import Call, target

MAX_NESTING = 150
"""Operators and parentheses inside each other at the most."""

_SHOWN = 40

MAX_CHAIN = 200
"""Arithmetic operators in a row at the most; AND and OR have no limit, as they are balanced."""

_COMPARISONS: dict[str, type[exp.Expr]] = {
    "=": exp.EQ,
    "<>": exp.NEQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_OR, _AND, _NOT, _PREDICATE, _VALUE = 1, 2, 3, 4, 5
_BINARY: dict[str, tuple[int, type[exp.Expr]]] = {
    "||": (5, exp.DPipe),
    "+": (6, exp.Add),
    "-": (6, exp.Sub),
    "*": (7, exp.Mul),
    "/": (7, exp.Div),
}
_UNJOINED = (exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div)
_NAMES = ("this", "table", "db", "catalog")
_PREDICATES = frozenset({"NOT", "BETWEEN", "IN", "LIKE", "ILIKE", "IS"})
_CONNECTORS: dict[str, tuple[int, type[exp.Connector]]] = {"OR": (_OR, exp.Or), "AND": (_AND, exp.And)}


class Expressions(Cursor):
    """The rules that read expressions."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self._depth = 0

    def expression(self, binding: int = _OR) -> exp.Expr:
        """What binds at least as tightly as `binding`: 1 a condition, 5 a value."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.refuse("The expression is nested too deeply", rule="a limit of this service")
        start = self.token.start
        left = self._prefix(binding)
        for _ in range(MAX_CHAIN):
            operator = self._operator(binding)
            if operator is None:
                break
            left = self.marked(operator(left), start)
        else:
            self.refuse(
                f"More than {MAX_CHAIN} operators in a row",
                rule="a limit of this service",
                suggestion="Group the terms by parentheses.",
            )
        self._depth -= 1
        return left

    def value(self) -> exp.Expr:
        """A value expression."""
        return self.expression(_VALUE)

    def _prefix(self, binding: int) -> exp.Expr:
        start = self.token.start
        if self.at("NOT") and binding <= _NOT:
            self.advance()
            if self.at("NOT"):
                self.note("NOT stands twice", suggestion="Leave out both, or write NOT (NOT …).")
            while self.take("NOT"):
                continue
            return self.marked(exp.Not(this=self.expression(_PREDICATE)), start)
        sign = self.take("-", "+")
        if sign is None:
            return self._primary()
        if self.at("-", "+"):
            self.refuse(
                "Two signs in a row",
                rule="ADQL 2.1, appendix A, factor",
                suggestion="Write -(-x), or x alone.",
            )
        value = self._primary()
        if sign.value == "-":
            return self.marked(exp.Neg(this=value), start)
        node = self.marked(exp.Paren(this=value), start)
        node.meta["sign"] = "+"
        return node

    def _operator(self, binding: int) -> Callable[[exp.Expr], exp.Expr] | None:
        """The rule that goes on behind a left operand, or None where the expression ends."""
        token = self.token
        if token.kind not in ("word", "operator"):
            return None
        power, connector = _CONNECTORS.get(token.value, (0, exp.And))
        if power >= binding and power:
            return lambda left: self._connected(left, token.value, power, connector)
        if binding <= _PREDICATE and token.value in _COMPARISONS:
            return self._comparison
        if binding <= _PREDICATE and token.value in _PREDICATES:
            return self._predicate
        power, operation = _BINARY.get(token.value, (0, exp.Add))
        if power >= binding and power:
            return lambda left: self._binary(left, power, operation)
        return None

    def _connected(self, left: exp.Expr, word: str, power: int, kind: type[exp.Connector]) -> exp.Expr:
        """A chain of one connector as a balanced tree, so that long lists of conditions stay shallow."""
        operands = [left]
        while self.take(word):
            operands.append(self.expression(power + 1))
        while len(operands) > 1:
            pairs = [operands[i : i + 2] for i in range(0, len(operands), 2)]
            operands = [self._pair(kind, pair) for pair in pairs]
        return operands[0]

    @staticmethod
    def _pair(kind: type[exp.Connector], pair: list[exp.Expr]) -> exp.Expr:
        if len(pair) == 1:
            return pair[0]
        node = kind(this=pair[0], expression=pair[1])
        node.meta["span"] = (pair[0].meta["span"][0], pair[1].meta["span"][1])
        return node

    def _binary(self, left: exp.Expr, power: int, operation: type[exp.Expr]) -> exp.Expr:
        token = self.advance()
        if operation is not exp.DPipe:
            return operation(this=left, expression=self.expression(power + 1))
        if isinstance(left, _UNJOINED) or "sign" in left.meta or self.at("-", "+"):
            self.refuse(
                "|| joins single values",
                token,
                rule="ADQL 2.1, appendix A, concatenation",
                suggestion="Write parentheses around the arithmetic.",
            )
        return operation(this=left, expression=self._primary())

    def _comparison(self, left: exp.Expr) -> exp.Expr:
        sign = self.advance()
        operation = _COMPARISONS[sign.value]
        if sign.value == "=" and self.at("=") and self.token.start == sign.span[1]:
            self.note("== is not ADQL", sign, suggestion="Write a single =.")
            self.advance()
        self._refuse_quantifier()
        node = operation(this=left, expression=self.value())
        if self.token.value in _COMPARISONS and self.token.kind == "operator":
            self.refuse("Comparisons do not chain", suggestion="Write a < b AND b < c, or BETWEEN.")
        return node

    def _refuse_quantifier(self) -> None:
        if self.at("ALL", "ANY", "SOME"):
            self.refuse(
                f"A comparison with {self.token.value} is not ADQL",
                rule="ADQL 2.1, appendix A, comparison_predicate",
                suggestion="Write IN (SELECT …), or EXISTS (SELECT … WHERE …).",
            )

    def _predicate(self, left: exp.Expr) -> exp.Expr:
        """BETWEEN, IN, LIKE, ILIKE and IS NULL, each with its NOT."""
        start = left.meta["span"][0]
        if self.take("IS"):
            negated = self.take("NOT")
            self.expect("NULL", "behind IS")
            if not isinstance(left, exp.Column):
                self.note(
                    "IS NULL asks of a column",
                    self._tokens[self._index - 1],
                    rule="ADQL 2.1, appendix A, null_predicate",
                    suggestion="Name the value in a sub-query of FROM, and ask of that column.",
                )
            node: exp.Expr = exp.Is(this=left, expression=exp.Null())
        else:
            negated = self.take("NOT")
            if self.take("BETWEEN"):
                low = self.value()
                self.expect("AND", "between the bounds of BETWEEN")
                node = exp.Between(this=left, low=low, high=self.value())
            elif self.take("IN"):
                node = self._in(left)
            elif self.take("LIKE"):
                node = exp.Like(this=left, expression=self.value())
            elif self.at("ILIKE"):
                self.require("ILIKE")
                self.advance()
                node = exp.ILike(this=left, expression=self.value())
            else:
                self.refuse("Expected BETWEEN, IN, LIKE or ILIKE behind NOT")
        if self.at("ESCAPE"):
            self.note(
                "LIKE has no ESCAPE in ADQL",
                rule="ADQL 2.1, appendix A, like_predicate",
                suggestion="_ in a pattern stands for any character, itself among them.",
            )
            self.advance()
            self.value()
        return exp.Not(this=self.marked(node, start)) if negated else node

    def _in(self, left: exp.Expr) -> exp.Expr:
        self.expect("(", "behind IN")
        if self.at("SELECT", "(") or self.token.kind in ("word", "delimited"):
            query = self.subquery_or_none()
            if query is not None:
                self.expect(")", "behind the sub-query")
                return exp.In(this=left, query=query)
        values = self.listed()
        self.expect(")", "behind the list of IN")
        return exp.In(this=left, expressions=values)

    def listed(self) -> list[exp.Expr]:
        """Value expressions between commas."""
        values = [self.value()]
        while self.take(","):
            values.append(self.value())
        return values

    # --- primaries

    def _primary(self) -> exp.Expr:
        """A literal, a column, a call, or an expression in parentheses."""
        token = self.token
        if token.kind in ("string", "number"):
            self.advance()
            make = exp.Literal.string if token.kind == "string" else exp.Literal.number
            return self.marked(make(token.value), token.start)
        if self.at("("):
            return self._parenthesised()
        if self.at("NULL", "CASE", "CAST", "EXISTS"):
            return self.marked(self._special(), token.start)
        if token.kind == "word" and self.following.kind == "operator" and self.following.value == "(":
            return self._call()
        return self._column()

    def _special(self) -> exp.Expr:
        """What begins with a word of its own."""
        match self.token.value:
            case "CASE":
                return self._case()
            case "CAST":
                return self._cast()
            case "EXISTS":
                return self._exists()
        self.advance()
        return exp.Null()

    def _column(self) -> exp.Expr:
        """A column, with up to three names before its own."""
        token = self.token
        if token.kind == "delimited" or (token.kind == "word" and not token.is_reserved):
            names = self.dotted(self.identifier("a column"), "a name behind the period")
            if len(names) > len(_NAMES):
                self.refuse("A column has at most three names before its own", token)
            parts = dict(zip(_NAMES, reversed(names), strict=False))
            return self.marked(exp.Column(**parts), token.start)
        if token.is_reserved and token.value not in advice.CLAUSES:
            self.refuse(
                f"{token.text} is a reserved word and cannot be a column as it stands",
                rule="ADQL 2.1, 2.1.2",
                suggestion=advice.for_reserved(token),
            )
        missing = token.kind == "operator" and token.value in (",", ")")
        return self.refuse("Expected a value", suggestion=advice.MISSING_VALUE if missing else None)

    def _parenthesised(self) -> exp.Expr:
        start = self.advance().start
        if self.at("SELECT", "WITH"):
            self.refuse(
                "A sub-query cannot be a value",
                rule="ADQL 2.1, appendix A, value_expression_primary",
                suggestion="Sub-queries go into FROM, IN and EXISTS; join one of FROM to use its value.",
            )
        inner = self.expression()
        if self.at(","):
            self.refuse(
                "Expected ) to close the parenthesis",
                suggestion="Values do not come in rows; write the parentheses around one of them.",
            )
        self.expect(")", "to close the parenthesis")
        return self.marked(exp.Paren(this=inner), start)

    def _case(self) -> exp.Expr:
        self.advance()
        operand = None if self.at("WHEN") else self.value()
        ifs: list[exp.Expr] = []
        while True:
            start = self.token.start
            if not self.take("WHEN"):
                break
            condition = self.expression()
            self.expect("THEN", "behind the condition of WHEN")
            ifs.append(self.marked(exp.If(this=condition, true=self.value()), start))
        if not ifs:
            self.refuse("Expected WHEN in CASE")
        default = self.value() if self.take("ELSE") else None
        self.expect("END", "to close CASE")
        return exp.Case(this=operand, ifs=ifs, default=default)

    def _cast(self) -> exp.Expr:
        self.require("CAST")
        self.advance()
        self.expect("(", "behind CAST")
        value = self.value()
        self.expect("AS", "in CAST")
        target = self._cast_target()
        self.expect(")", "to close CAST")
        return exp.Cast(this=value, to=target)

    def _cast_target(self) -> exp.DataType:
        """A type of ADQL 2.1 (4.7.1), perhaps with its length."""
        token = self.advance()
        name = token.value
        if name == "DOUBLE":
            self.expect("PRECISION", "behind DOUBLE")
        if token.kind != "word" or name not in (*TYPES, *SHAPE_TYPES):
            known = ", ".join((*TYPES, *SHAPE_TYPES)).replace("DOUBLE", "DOUBLE PRECISION")
            self.refuse(
                f"{token.text} is no type that CAST knows",
                token,
                rule="ADQL 2.1, 4.7.1",
                suggestion=advice.for_type(name) or f"The types are {known}.",
            )
        length: list[exp.Expr] = []
        if name in ("CHAR", "VARCHAR") and self.take("("):
            length = [exp.DataTypeParam(this=exp.Literal.number(self.unsigned("the length", 1)))]
            self.expect(")", "behind the length")
        return self.marked(target(name, *length), token.start)

    def _exists(self) -> exp.Expr:
        self.advance()
        self.expect("(", "behind EXISTS")
        query = self.subquery_or_none()
        if query is None:
            self.refuse("Expected SELECT in EXISTS", rule="ADQL 2.1, appendix A, exists_predicate")
        self.expect(")", "behind the sub-query")
        return exp.Exists(this=query)

    def _call(self) -> exp.Expr:
        """A function: its name in any case, its arguments, and for aggregates DISTINCT, ALL or *."""
        if self.token.value in advice.CLAUSES:
            self.refuse("Expected a value")
        token = self.advance()
        self.advance()
        if token.is_reserved and token.value not in FUNCTIONS:
            self.refuse(
                f"There is no function {token.text} in ADQL",
                token,
                rule="ADQL 2.1, 2.3 and 4",
                suggestion=advice.for_function(token.value),
            )
        heavy = token.value in HEAVY
        if heavy:
            self.weigh(token)
        aggregate = token.value in FUNCTIONS and FUNCTIONS[token.value].aggregate
        quantifier = self.take("DISTINCT", "ALL") if aggregate else None
        arguments: list[exp.Expr] = []
        if token.value == "COUNT" and quantifier is None and self.take("*"):
            arguments = [exp.Star()]
        elif not self.at(")"):
            arguments = self.listed()
        self.expect(")", f"to close {token.text[:_SHOWN]}(")
        self._heavy -= heavy
        distinct = quantifier is not None and quantifier.value == "DISTINCT"
        return self.marked(Call(this=token.value, expressions=arguments, distinct=distinct), token.start)

    def _state(self) -> tuple[int, ...]:
        return self._depth, self._heavy

    def _restore(self, state: tuple[int, ...]) -> None:
        self._depth, self._heavy = state

    def subquery_or_none(self) -> exp.Expr | None:
        """A query, or None (and nothing read) if the parenthesis holds values."""
        raise NotImplementedError
