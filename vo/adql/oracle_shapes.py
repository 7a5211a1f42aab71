"""Shapes as outputs on Oracle, which has no arrays: each is as many columns as it has numbers.

The numbers of the output `c2` are `c2_1`, `c2_2`, …, in sub-queries too; whoever reads the rows joins them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.nodes import Call, call, collected, describe, duplicate
from vo.adql.oracle_functions import refuse
from vo.adql.problems import refusing_at
from vo.adql.scopes import Source

_SHAPES = ("TUPLE", "CIRCLE", "POLYGON")
_QUERIES = (exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery)


def split_shapes(tree: exp.Expr) -> None:
    """Split every output that is a shape, and note the columns of each in the tree's meta as `widths`."""
    splitting = _Splitting()
    queries = collected(tree, *_QUERIES)
    for query in queries:
        splitting.shift_order(query)
    for group in collected(tree, exp.Group):
        terms = [splitting.parts(term) or [term] for term in group.expressions]
        group.set("expressions", [part for parts in terms for part in parts])
    for node in collected(tree, Call):
        if node.this == "ELEMENT":
            splitting.name_element(node)
    tree.meta["widths"] = tuple(splitting.widths(tree))


class _Splitting:
    """The columns of each output of the queries of one tree, known once a query is split."""

    def __init__(self) -> None:
        self._sizes: dict[int, Mapping[str, int]] = {}

    def widths(self, query: exp.Expr) -> list[int]:
        """How many columns each output has."""
        return list(self._split(query).values())

    def _split(self, query: exp.Expr) -> Mapping[str, int]:
        """The same by the names that the outputs had."""
        selects = _selects(query)
        first = selects[0]
        if id(first) not in self._sizes:
            names = [item.alias for item in first.expressions]
            outputs = [self._parted(items) for items in zip(*map(_items, selects), strict=True)]
            for number, select in enumerate(selects):
                select.set("expressions", [item for output in outputs for item in output[number]])
                sizes = (len(output[number]) for output in outputs)
                self._sizes[id(select)] = dict(zip(names, sizes, strict=True))
        return self._sizes[id(first)]

    def _parted(self, items: Sequence[exp.Expr]) -> list[list[exp.Expr]]:
        """One output of every operand of a set operator: all of them get as many columns."""
        found = [None if _is_null(item.this) else self.parts(item.this) for item in items]
        size = max((len(parts) for parts in found if parts is not None), default=0)
        if size == 0:
            return [[item] for item in items]
        for item, parts in zip(items, found, strict=True):
            if not _is_null(item.this) and (parts is None or len(parts) != size):
                refusing_at(item.this, _refuse_sizes)
        nulls: list[exp.Expr] = [exp.Null()] * size
        return [_named(item.alias, parts or nulls) for item, parts in zip(items, found, strict=True)]

    def parts(self, node: exp.Expr) -> list[exp.Expr] | None:
        """The numbers of a shape; None for what is no shape, or one whose numbers are not known."""
        found: list[exp.Expr] | None = None
        match node:
            case exp.Paren():
                found = self.parts(node.this)
            case Call() if node.this in _SHAPES:
                found = node.arguments
            case Call() if node.this == "OUTPUT":
                inner = self.parts(node.arguments[0])
                found = inner and [call("OUTPUT", part, _double()) for part in inner]
            case exp.Column():
                found = self._columns(node)
            case exp.Case() if node.this is None:
                found = self._cases(node)
        return found

    def _columns(self, column: exp.Column) -> list[exp.Expr] | None:
        """The columns that the output of a sub-query has become."""
        source = column.meta.get("source")
        if not isinstance(source, Source) or source.query is None:
            return None
        size = self._split(source.query).get(column.name, 1)
        return [_part(column, i) for i in range(1, size + 1)] if size > 1 else None

    def _cases(self, case: exp.Case) -> list[exp.Expr] | None:
        """A CASE for each number; a branch without a shape has none of them."""
        branches = [*(branch.args["true"] for branch in case.args["ifs"]), case.args.get("default")]
        found = [None if branch is None or _is_null(branch) else self.parts(branch) for branch in branches]
        sizes = {len(parts) for parts in found if parts is not None}
        if len(sizes) != 1:
            return None
        values = [parts or [exp.Null()] * next(iter(sizes)) for parts in found]
        return [_case(case, branch) for branch in zip(*values, strict=True)]

    def shift_order(self, query: exp.Expr) -> None:
        """The numbers of columns in ORDER BY, counted anew."""
        widths = self.widths(query)
        order = query.args.get("order")
        for term in order.expressions if order is not None else ():
            if term.this.meta.get("position"):
                before = widths[: int(term.this.this) - 1]
                term.this.set("this", str(sum(before) + 1))

    def name_element(self, node: exp.Expr) -> None:
        """A number of a shape that a sub-query gives is a column of it."""
        shape, position = node.expressions
        if isinstance(shape, exp.Column):
            columns, number = self._columns(shape), constant(position)
            if columns is not None and number is not None:
                node.replace(columns[int(number) - 1])


def _selects(query: exp.Expr) -> list[exp.Expr]:
    """The operands of set operators, which name and type the columns of a query."""
    if isinstance(query, exp.Subquery):
        return _selects(query.this)
    if isinstance(query, exp.SetOperation):
        return [*_selects(query.this), *_selects(query.expression)]
    return [query]


def _items(select: exp.Expr) -> list[exp.Expr]:
    items: list[exp.Expr] = select.expressions
    return items


def _refuse_sizes(_: exp.Expr) -> str:
    refuse("A set operator of shapes with different numbers of vertices")


def _named(alias: str, parts: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The outputs that an output becomes."""
    names = (exp.Identifier(this=f"{alias}_{i}", quoted=True) for i in range(1, len(parts) + 1))
    return [exp.Alias(this=duplicate(part), alias=name) for part, name in zip(parts, names, strict=True)]


def _part(column: exp.Column, number: int) -> exp.Expr:
    name = exp.Identifier(this=f"{column.name}_{number}", quoted=True)
    return describe(exp.Column(this=name, table=duplicate(column.args["table"])), kinds.DOUBLE)


def _case(case: exp.Case, values: Sequence[exp.Expr]) -> exp.Expr:
    """The same conditions with other values, of which the last is for none of them."""
    pairs = zip(case.args["ifs"], values[:-1], strict=True)
    branches = [exp.If(this=duplicate(branch.this), true=duplicate(value)) for branch, value in pairs]
    return exp.Case(ifs=branches, default=duplicate(values[-1]))


def _double() -> exp.Expr:
    return describe(exp.Null(), kinds.DOUBLE)


def _is_null(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren) or (isinstance(node, Call) and node.this == "OUTPUT"):
        node = node.this if isinstance(node, exp.Paren) else node.arguments[0]
    return isinstance(node, exp.Null)
