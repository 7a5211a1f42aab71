"""The nodes that ADQL needs beside those of sqlglot, and what is known about every value of a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from sqlglot import exp

from vo.adql.kinds import TYPES
from vo.catalog import Column


class Call(exp.Expression):
    """A function of ADQL by its name in capitals; each printer has a table of the names."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False, "distinct": False}

    @property
    def arguments(self) -> list[exp.Expr]:
        """The arguments in order."""
        arguments: list[exp.Expr] = self.expressions
        return arguments


class Joined(exp.Expression):
    """Two table references joined; `kind` is "," or INNER, LEFT, RIGHT, FULL."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expression": True,
        "kind": True,
        "natural": False,
        "on": False,
        "using": False,
    }


class Within(exp.Expression):
    """Whether two positions (`this` and `expression`, each a Place) are within `radius` degrees.

    `strict` leaves out the radius itself.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True, "radius": True, "strict": False}


class Place(exp.Expression):
    """A position by two numbers in degrees: longitude `this` and latitude `expression`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class Inside(exp.Expression):
    """Whether a Place is inside a polygon, which is an array lon1, lat1, lon2, …."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class Covered(exp.Expression):
    """Whether a Place is in the MOC `expression`; `index` computes the cell of order 29 that holds it."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True, "index": True}


class Spread(exp.Expression):
    """A table (`this`) with each row once for every cell near its unit vector (`expressions`).

    Cells are cubes of side 1 / `scale`; near is a distance of `reach`; `name` is the column of the cell.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": True,
        "reach": True,
        "scale": True,
        "name": True,
        "alias": True,
    }


class Angle(exp.Expression):
    """The angle between two places in degrees."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class Flag(exp.Expression):
    """1 where the condition holds, 0 where it does not, NULL where it is unknown."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class Let(exp.Expression):
    """The value of `this`, in which each Local stands for one of the values `expressions`.

    `names` are those of the values, `scope` is that of all of them: Locals inside other Lets tell by it
    which of them is theirs.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": True, "names": True, "scope": True}


class Local(exp.Expression):
    """A value of the Let around it: `expression` is its name, `this` its scope."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


def call(name: str, *arguments: exp.Expr) -> Call:
    """The function `name` of `arguments`."""
    return Call(this=name, expressions=list(arguments))


def target(name: str, *length: exp.Expr) -> exp.DataType:
    """What CAST makes: a type by its name in ADQL, perhaps with a length."""
    node = exp.DataType(this=TYPES[name].sql if name in TYPES else "UNKNOWN", expressions=list(length))
    node.meta["name"] = name
    return node


def number(value: float) -> exp.Expr:
    """A literal of Python's number: `repr` keeps every bit of a double.

    >>> number(0.1).sql(), number(-2).sql()
    ('0.1e0', '-2')
    """
    text = repr(abs(value))
    if isinstance(value, float) and "e" not in text:
        text += "e0"
    literal = exp.Literal.number(text)
    return exp.Neg(this=literal) if value < 0 else literal


def describe(node: exp.Expr, column: Column, **changes: Any) -> exp.Expr:
    """`node`, known from now on to hold values like `column` (with `changes`)."""
    node.meta["column"] = replace(column, **changes) if changes else column
    return node


def described(node: exp.Expr) -> Column:
    """What is known about the values of a node."""
    column: Column = node.meta["column"]
    return column


def duplicate(node: exp.Expr) -> exp.Expr:
    """A copy of `node` and all below it; what is known about them is shared, not copied."""
    arguments = {
        name: [duplicate(item) if isinstance(item, exp.Expr) else item for item in value]
        if isinstance(value, list)
        else duplicate(value)
        if isinstance(value, exp.Expr)
        else value
        for name, value in node.args.items()
    }
    copied = type(node)(**arguments)
    copied.meta.update(node.meta)
    return copied


def conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    """The conditions that AND joins, parentheses looked through."""
    found, waiting = [], [condition]
    while waiting:
        node = waiting.pop()
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.And):
            waiting += [node.expression, node.this]
        else:
            found.append(node)
    return found


_LEAVES = (exp.Identifier, exp.Literal)
"""Classes without nodes below them: two thirds of a tree, passed over unopened."""


def collected(tree: exp.Expr, *kinds: type[exp.Expr]) -> list[exp.Expr]:
    """The nodes of exactly these classes, outer ones before those inside them."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind in kinds:
            found.append(node)
        if kind in _LEAVES:
            continue
        for value in node.args.values():
            if isinstance(value, exp.Expr):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(item for item in value if isinstance(item, exp.Expr))
    return found


def joins(node: exp.Expr) -> Iterator[Joined]:
    """The joins of one FROM, outer ones first; those of its sub-queries are not among them."""
    if isinstance(node, Joined):
        yield node
        yield from joins(node.this)
        yield from joins(node.expression)
