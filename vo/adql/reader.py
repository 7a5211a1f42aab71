"""Names, kinds and metadata of values and conditions, found from the leaves of an expression upwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import calls, casts, conditions, kinds, operators
from vo.adql.kinds import Kind, kind_of
from vo.adql.names import Names
from vo.adql.nodes import Call, describe, described
from vo.adql.problems import Problems, span_of
from vo.adql.scopes import Scope

if TYPE_CHECKING:
    from vo.adql.columns import Queries


@dataclass
class Reader:
    """The reader of the expressions of one clause.

    `refused` names the clause if aggregate functions cannot stand in it; `found_aggregate` is set when
    one was met. `prefer_selected` looks for names in SELECT first, as ORDER BY does.
    """

    scope: Scope
    queries: Queries
    problems: Problems
    refused: str | None = None
    prefer_selected: bool = False
    found_aggregate: bool = False

    def condition(self, node: exp.Expr) -> exp.Expr:
        """`node` read as a condition."""
        written = node
        node = self.read(node)
        kind = kind_of(described(node))
        if kind not in (Kind.CONDITION, Kind.NULL) or _is_null(written):
            self.problems.add(
                f"Expected a condition, not {kind.value}",
                span_of(node),
                rule="ADQL 2.1, appendix A, search_condition",
                suggestion=_about_conditions(node),
            )
        return node

    def value(self, node: exp.Expr) -> exp.Expr:
        """`node` read as a value."""
        node = self.read(node)
        if kind_of(described(node)) is Kind.CONDITION:
            self.problems.add(
                "A condition cannot be a value",
                span_of(node),
                rule="ADQL 2.1, appendix A, value_expression",
                suggestion="Write CASE WHEN … THEN 1 ELSE 0 END.",
            )
            return describe(node, kinds.NULL)
        return node

    def arguments(self, node: exp.Expr, *names: str) -> list[exp.Expr]:
        """The arguments `names` of `node`, read as values and set again."""
        found = []
        for name in names:
            child = self.value(node.args[name])
            node.set(name, child)
            found.append(child)
        return found

    def compare(self, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
        """Judge two values that `node` compares."""
        conditions.compare(self, node, left, right)

    def read(self, node: exp.Expr) -> exp.Expr:
        """`node` with its names resolved and everything below it described; columns of a star already are."""
        if "column" in node.meta:
            return node
        for operand in _spine(node):
            result = self._read(operand)
            if result is not operand:
                operand.replace(result)
        return self._read(node)

    def _read(self, node: exp.Expr) -> exp.Expr:
        result = _READERS[type(node)](self, node)
        if result is not node and "span" in node.meta:
            result.meta["span"] = node.meta["span"]
        return result

    def column(self, node: exp.Expr) -> exp.Expr:
        """The column that a name means."""
        names = Names(self.scope, self.problems, self.queries.catalog)
        return names.column(node, prefer_selected=self.prefer_selected)


def _about_conditions(node: exp.Expr) -> str:
    kind = kind_of(described(node))
    if isinstance(node, Call) and node.this in ("CONTAINS", "INTERSECTS"):
        return f"It returns 1 or 0: write 1 = {node.this}(…)."
    if kind is Kind.BOOLEAN:
        return "Write column = 1."
    if kind is Kind.NULL:
        return "Write column IS NULL."
    return "Write a comparison, such as x > 0."


def _is_null(node: exp.Expr) -> bool:
    """Whether NULL was written; a name that is not known counts as NULL as well, and is no second problem."""
    while isinstance(node, exp.Paren):
        node = node.this
    return isinstance(node, exp.Null) and "unread" not in node.meta


def _spine(node: exp.Expr) -> list[exp.Expr]:
    """The left operands of a chain of operators, innermost first: long sums would be deep recursion."""
    operands: list[exp.Expr] = []
    while (
        isinstance(node, exp.Binary) and isinstance(node.this, exp.Binary) and "column" not in node.this.meta
    ):
        node = node.this
        operands.append(node)
    return operands[::-1]


# The whole language of expressions: a node that is not here cannot come out of the grammar.
_READERS: Mapping[type[exp.Expr], Callable[[Reader, exp.Expr], exp.Expr]] = {
    exp.Literal: operators.literal,
    exp.Null: operators.null,
    exp.Star: operators.star,
    exp.Column: Reader.column,
    exp.Paren: operators.paren,
    exp.Neg: operators.negated,
    **dict.fromkeys(operators.SIGNS, operators.arithmetic),
    exp.DPipe: operators.concatenated,
    exp.Case: operators.case,
    exp.Cast: casts.cast,
    Call: calls.read,
    exp.And: conditions.connector,
    exp.Or: conditions.connector,
    exp.Not: conditions.negation,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), conditions.comparison),
    exp.Between: conditions.between,
    exp.In: conditions.membership,
    exp.Like: conditions.likeness,
    exp.ILike: conditions.likeness,
    exp.Is: conditions.null_test,
    exp.Exists: conditions.existence,
}
