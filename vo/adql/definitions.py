"""Functions that are defined in the language itself: text, parsed once, with values for its names.

What is defined in ADQL means the same on every database that ADQL is compiled for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.grammar import Grammar
from vo.adql.nodes import Call, Let, Local, collected, describe, described, duplicate

if TYPE_CHECKING:
    from vo.adql.reader import Reader
    from vo.catalog import Column

Values = Mapping[str, exp.Expr]
"""Values that were read already, by the names that a definition has for them."""

_OWN: Mapping[str, Column] = {"SPREAD_BITS": kinds.LONG, "EVEN_BITS": kinds.LONG, "MATCHED": kinds.TEXT}
"""Functions of definitions alone, which no query can call; their arguments are names and literals."""


def defined(reader: Reader, text: str, values: Values) -> exp.Expr:
    """What the ADQL expression `text` is with `values` in the place of its columns."""
    tree = exp.Paren(this=duplicate(_parsed(text)))
    for column in collected(tree, exp.Column):
        value = duplicate(values[column.name])
        if isinstance(value, exp.Binary | exp.Neg):
            value = describe(exp.Paren(this=value), described(value))
        column.replace(value)
    for node in collected(tree, Call):
        if node.this in _OWN:
            describe(node, _OWN[node.this])
    result: exp.Expr = reader.read(tree).this
    return describe(result, described(result), name="", ucd=None, utype=None, description=None)


def let(
    reader: Reader,
    scope: str,
    values: Values,
    steps: Sequence[Mapping[str, str]],
    *,
    where: str | None = None,
) -> exp.Expr:
    """The one value of the last step; each step may use the names of those before it and of `values`.

    Every text is evaluated once, and none where the condition `where` on the values does not hold: the
    result is NULL there. `scope` is a name that no other definition has.
    """
    known: dict[str, exp.Expr] = {}
    scopes: list[tuple[str, Values]] = []
    found: Values = values
    guard: exp.Expr | None = None
    for number, step in enumerate(steps, 1):
        name = f"{scope}{number}"
        known |= {key: value for key, value in found.items() if _is_written_out(value)}
        bound = {key: value for key, value in found.items() if not _is_written_out(value)}
        for key, value in bound.items():
            known[key] = describe(Local(this=name, expression=key), described(value), name="")
        scopes.append((name, bound))
        if number == 1 and where is not None:
            guard = defined(reader, where, known)
        found = {key: defined(reader, text, known) for key, text in step.items()}
    (result,) = found.values()
    for name, inner in reversed(scopes[1:]):
        result = _bound(name, inner, result)
    if guard is not None:
        result = describe(exp.Case(ifs=[exp.If(this=guard, true=result)]), described(result))
    return _bound(*scopes[0], result)


def _is_written_out(node: exp.Expr) -> bool:
    return isinstance(node.this if isinstance(node, exp.Neg) else node, exp.Literal)


def _bound(scope: str, values: Values, result: exp.Expr) -> exp.Expr:
    if not values:
        return result
    node = Let(this=result, expressions=list(values.values()), names=list(values), scope=scope)
    return describe(node, described(result))


@lru_cache(maxsize=256)
def _parsed(text: str) -> exp.Expr:
    """The tree of a text of ours, to which no message points."""
    grammar = Grammar(text)
    tree = grammar.expression()
    grammar.problems.raise_any()
    for node in tree.walk():
        node.meta.pop("span", None)
    return tree
