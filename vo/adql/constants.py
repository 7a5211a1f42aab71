"""Numbers that a query writes out: folded in Python, in doubles."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from sqlglot import exp

from vo.adql.nodes import Call

_OPERATIONS: dict[type[exp.Expr], Callable[[float, float], float]] = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
    exp.Div: operator.truediv,
}


def constant(node: exp.Expr) -> float | None:
    """The value of an expression of literals, or None if it depends on rows or is not finite.

    >>> from sqlglot import parse_one
    >>> constant(parse_one("-(2.0 / 4)")), constant(parse_one("ra + 1"))
    (-0.5, None)
    """
    value = _folded(node)
    return value if value is not None and math.isfinite(value) else None


def _folded(node: exp.Expr) -> float | None:
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    if isinstance(node, exp.Literal):
        return None if node.is_string else float(node.this)
    if isinstance(node, exp.Neg):
        value = _folded(node.this)
        return None if value is None else -value
    if isinstance(node, Call):
        return _of_call(node)
    return _of_operation(node)


def _of_operation(node: exp.Expr) -> float | None:
    operation = _OPERATIONS.get(type(node))
    if operation is None:
        return None
    left, right = _folded(node.this), _folded(node.expression)
    if left is None or right is None or (operation is operator.truediv and right == 0):
        return None
    return operation(left, right)


def _of_call(node: Call) -> float | None:
    """Integer division, and the constant of the circle."""
    if node.this == "PI":
        return math.pi
    if node.this == "DIVIDE":
        left, right = (_folded(argument) for argument in node.arguments)
        return None if left is None or not right else float(int(left / right))
    return None
