"""GROUP BY: whether every value of a grouped query is one value for each group."""

from __future__ import annotations

from sqlglot import exp

from vo.adql.functions import FUNCTIONS
from vo.adql.nodes import Call, collected, described
from vo.adql.problems import Problems, span_of


def judge_grouping(select: exp.Select, aliases: frozenset[str], problems: Problems) -> None:
    """Note each column of the tables `aliases` that is neither grouped by nor inside an aggregate."""
    group = select.args.get("group")
    terms = list(group.expressions) if group is not None else []
    having, order = select.args.get("having"), select.args.get("order")
    values = [*select.expressions]
    values += [having.this] if having is not None else []
    values += [term.this for term in order.expressions] if order is not None else []
    for value in values:
        for column in _loose(value, terms, aliases):
            name = described(column).name
            problems.add(
                f"The column {name} is neither in GROUP BY nor inside an aggregate function",
                span_of(column) or span_of(value),
                rule="ADQL 2.1, 2.2",
                suggestion=f"Add {name} to GROUP BY, or write MIN({name}).",
            )


def has_aggregate(value: exp.Expr) -> bool:
    """Whether an aggregate function is called in `value`."""
    return any(_is_aggregate(node) for node in collected(value, Call))


def _is_aggregate(node: exp.Expr) -> bool:
    return isinstance(node, Call) and node.this in FUNCTIONS and FUNCTIONS[node.this].aggregate


def _loose(value: exp.Expr, terms: list[exp.Expr], aliases: frozenset[str]) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if node in terms or isinstance(node, exp.Query):
            continue
        if _is_aggregate(node):
            continue
        if isinstance(node, exp.Column):
            if node.table in aliases:
                found.append(node)
            continue
        waiting.extend(node.iter_expressions())
    return found
