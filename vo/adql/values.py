"""Names, kinds and metadata of values and conditions, found from the leaves of an expression upwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import calls, kinds
from vo.adql.kinds import NUMBERS, ORDERED, Kind, kind_of, wider
from vo.adql.names import Names
from vo.adql.nodes import Call, call, describe, described, number
from vo.adql.problems import Problems, span_of
from vo.adql.scopes import Scope
from vo.adql.times import timestamp
from vo.adql.units import product
from vo.catalog import Column

if TYPE_CHECKING:
    from vo.adql.columns import Queries

_MAX_INT, _MAX_LONG = 2**31, 2**63
_FLIPPED = "Write the condition as a comparison; geometric functions return 1 or 0: 1 = CONTAINS(…)."


@dataclass
class Values:
    """The reader of the expressions of one clause.

    `aggregates` says where aggregate functions may stand: None anywhere, else the clause that refuses
    them; `found_aggregate` is set when one was met.
    """

    scope: Scope
    queries: Queries
    problems: Problems
    aggregates: str | None = None
    prefer_selected: bool = False
    found_aggregate: bool = False

    def condition(self, node: exp.Expr) -> exp.Expr:
        """`node` read as a condition."""
        node = self.read(node)
        if kind_of(described(node)) not in (Kind.CONDITION, Kind.NULL):
            self.problems.add(
                f"Expected a condition, not {kind_of(described(node)).value}",
                span_of(node),
                rule="ADQL 2.1, appendix A, search_condition",
                suggestion=_FLIPPED,
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

    def read(self, node: exp.Expr) -> exp.Expr:
        """`node` with its names resolved and everything below it described; columns of a star already are."""
        if "column" in node.meta:
            return node
        span = node.meta.get("span")
        result = _READERS[type(node)](self, node)
        if span is not None:
            result.meta.setdefault("span", span)
        return result

    def _values(self, node: exp.Expr, *names: str) -> list[exp.Expr]:
        """The arguments `names` of `node`, read as values and set again."""
        found = []
        for name in names:
            child = self.value(node.args[name])
            node.set(name, child)
            found.append(child)
        return found

    # --- leaves

    def _literal(self, node: exp.Expr) -> exp.Expr:
        if node.args.get("is_string"):
            return describe(node, kinds.TEXT)
        text: str = node.this
        if text.isdigit() and int(text) < _MAX_LONG:
            node.set("this", str(int(text)))
            return describe(node, kinds.INT if int(text) < _MAX_INT else kinds.LONG)
        # A decimal literal of the database would be exact and slow; numbers of the language are doubles.
        return describe(number(float(text)), kinds.DOUBLE)

    def _null(self, node: exp.Expr) -> exp.Expr:
        return describe(node, kinds.NULL)

    def _column(self, node: exp.Expr) -> exp.Expr:
        return Names(self.scope, self.problems).column(node, prefer_selected=self.prefer_selected)

    # --- operators

    def _paren(self, node: exp.Expr) -> exp.Expr:
        inner = self.read(node.this)
        node.set("this", inner)
        return describe(node, described(inner))

    def _numbers(self, node: exp.Expr, values: list[exp.Expr], what: str, wanted: frozenset[Kind]) -> bool:
        wrong = [value for value in values if kind_of(described(value)) not in wanted | {Kind.NULL}]
        for value in wrong:
            self.problems.add(
                f"{what} needs {'integers' if len(wanted) == 1 else 'numbers'}, "
                f"not {kind_of(described(value)).value}",
                span_of(value) or span_of(node),
                rule="ADQL 2.1, appendix A, numeric_value_expression",
                suggestion="Write a || b to join strings." if what == "+" else None,
            )
        return not wrong

    def _negated(self, node: exp.Expr) -> exp.Expr:
        (value,) = self._values(node, "this")
        if not self._numbers(node, [value], "-", NUMBERS):
            return describe(node, kinds.NULL)
        if isinstance(value, exp.Neg):
            node.set("this", describe(exp.Paren(this=value), described(value)))
        return describe(node, replace(described(value), name="", ucd=None, utype=None, description=None))

    def _arithmetic(self, node: exp.Expr) -> exp.Expr:
        left, right = self._values(node, "this", "expression")
        if not self._numbers(node, [left, right], node.meta.get("sign", _SIGNS[type(node)]), NUMBERS):
            return describe(node, kinds.NULL)
        first, second = described(left), described(right)
        unit = self._unit(node, first.unit, second.unit)
        if kind_of(first) is Kind.REAL or kind_of(second) is Kind.REAL:
            width = wider(first.datatype, second.datatype) if _both_numbers(first, second) else "double"
            return describe(_widened(node, width), replace(kinds.DOUBLE, datatype=width, unit=unit))
        if isinstance(node, exp.Div):
            # Integers divide to integers, towards zero, as the types of SQL-92 have it; by zero is no value.
            divided = call("DIVIDE", left, right)
            divided.meta.update(node.meta)
            return describe(divided, kinds.LONG, unit=unit)
        return describe(_widened(node, "long"), kinds.LONG, unit=unit)

    @staticmethod
    def _unit(node: exp.Expr, left: str | None, right: str | None) -> str | None:
        if isinstance(node, exp.Mul):
            return product(left, right)
        if isinstance(node, exp.Div):
            return product(left, right, -1.0)
        if isinstance(node.expression, exp.Literal) or isinstance(node.this, exp.Literal):
            return left or right
        return left if left == right else None

    def _bitwise(self, node: exp.Expr) -> exp.Expr:
        names = ("this", "expression") if isinstance(node, exp.Binary) else ("this",)
        values = self._values(node, *names)
        self._numbers(node, values, "A bitwise operator", frozenset({Kind.INTEGER}))
        widened = [_as(value, "long") for value in values]
        return describe(_placed(call(_BITWISE[type(node)], *widened), node), kinds.LONG)

    def _concatenated(self, node: exp.Expr) -> exp.Expr:
        for value in self._values(node, "this", "expression"):
            if kind_of(described(value)) not in (Kind.TEXT, Kind.NULL):
                self.problems.add(
                    f"|| joins strings, not {kind_of(described(value)).value}",
                    span_of(value),
                    rule="ADQL 2.1, appendix A, concatenation",
                    suggestion="Write CAST(x AS VARCHAR).",
                )
        return describe(node, kinds.TEXT)

    # --- conditions

    def _connector(self, node: exp.Expr) -> exp.Expr:
        for name in ("this", "expression"):
            node.set(name, self.condition(node.args[name]))
        return describe(node, kinds.CONDITION)

    def _not(self, node: exp.Expr) -> exp.Expr:
        inner = self.condition(node.this)
        if not isinstance(inner, exp.Paren):
            inner = describe(exp.Paren(this=inner), kinds.CONDITION)
        node.set("this", inner)
        return describe(node, kinds.CONDITION)

    def _comparison(self, node: exp.Expr) -> exp.Expr:
        self._compared(node, *self._values(node, "this", "expression"))
        return describe(node, kinds.CONDITION)

    def _between(self, node: exp.Expr) -> exp.Expr:
        value, *bounds = self._values(node, "this", "low", "high")
        for bound in bounds:
            self._compared(node, value, bound)
        return describe(node, kinds.CONDITION)

    def _in(self, node: exp.Expr) -> exp.Expr:
        (value,) = self._values(node, "this")
        query = node.args.get("query")
        if query is not None:
            bound, columns = self.queries.subquery(query, self.scope)
            node.set("query", bound)
            if len(columns) != 1:
                self.problems.add(
                    f"The sub-query of IN must have one column, not {len(columns)}",
                    span_of(query),
                    rule="ADQL 2.1, appendix A, in_predicate",
                )
                return describe(node, kinds.CONDITION)
            stand_in = describe(exp.Null(), columns[0])
            stand_in.meta["span"] = span_of(query)
            self._compared(node, value, stand_in)
            return describe(node, kinds.CONDITION)
        options = [self.value(option) for option in node.expressions]
        node.set("expressions", options)
        for option in options:
            self._compared(node, value, option)
        return describe(node, kinds.CONDITION)

    def _like(self, node: exp.Expr) -> exp.Expr:
        for value in self._values(node, "this", "expression"):
            if kind_of(described(value)) not in (Kind.TEXT, Kind.NULL):
                self.problems.add(
                    f"LIKE compares strings, not {kind_of(described(value)).value}",
                    span_of(value),
                    rule="ADQL 2.1, appendix A, like_predicate",
                )
        return describe(node, kinds.CONDITION)

    def _is_null(self, node: exp.Expr) -> exp.Expr:
        node.set("this", self.value(node.this))
        return describe(node, kinds.CONDITION)

    def _exists(self, node: exp.Expr) -> exp.Expr:
        bound, _ = self.queries.subquery(node.this, self.scope)
        node.set("this", bound)
        return describe(node, kinds.CONDITION)

    def _compared(self, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
        """Judge two compared values, and give a literal the type of what it is compared with."""
        first, second = kind_of(described(left)), kind_of(described(right))
        if first is Kind.TIME and second is Kind.TEXT:
            self._as_time(right)
        elif second is Kind.TIME and first is Kind.TEXT:
            self._as_time(left)
        elif {first, second} <= NUMBERS | {Kind.BOOLEAN, Kind.NULL} and Kind.BOOLEAN in (first, second):
            for value, kind in ((left, first), (right, second)):
                if kind is Kind.BOOLEAN and first is not second:
                    _replace_child(node, value, describe(call("FLAG", value), kinds.INT))
        elif not _comparable(first, second):
            self.problems.add(
                f"{first.value.capitalize()} cannot be compared with {second.value}",
                span_of(node) or span_of(left),
                rule="ADQL 2.1, appendix A, comparison_predicate",
                suggestion=_comparison_advice(first, second, right),
            )

    def _as_time(self, node: exp.Expr) -> None:
        if not isinstance(node, exp.Literal) or not node.args.get("is_string"):
            self.problems.add(
                "A timestamp cannot be compared with a string",
                span_of(node),
                rule="ADQL 2.1, 4.7",
                suggestion="Write CAST(x AS TIMESTAMP).",
            )
            return
        text = timestamp(node.this)
        if text is None:
            self.problems.add(
                f"'{node.this}' is no timestamp",
                span_of(node),
                rule="DALI 1.1, 3.3.3",
                suggestion="Write 'YYYY-MM-DDThh:mm:ss'.",
            )
            return
        node.replace(describe(call("TIMESTAMP", exp.Literal.string(text)), kinds.TIME))

    # --- functions, CAST, CASE

    def _case(self, node: exp.Expr) -> exp.Expr:
        operand = self.value(node.this) if node.this is not None else None
        node.set("this", operand)
        results = []
        for branch in node.args["ifs"]:
            if operand is None:
                branch.set("this", self.condition(branch.this))
            else:
                branch.set("this", self.value(branch.this))
                self._compared(branch, operand, branch.this)
            branch.set("true", self.value(branch.args["true"]))
            results.append(branch.args["true"])
        if node.args.get("default") is not None:
            results += self._values(node, "default")
        return describe(node, self.common(node, results, "CASE"))

    def common(self, node: exp.Expr, values: list[exp.Expr], what: str) -> Column:
        """The column that holds all of `values`; a problem where there is none."""
        result = kinds.NULL
        for value in values:
            joined = calls.united(result, described(value))
            if joined is None:
                self.problems.add(
                    f"The values of {what} differ in type: "
                    f"{kind_of(result).value} and {kind_of(described(value)).value}",
                    span_of(value) or span_of(node),
                    rule="ADQL 2.1, 4.8",
                )
                return kinds.NULL
            result = joined
        return result

    def _call(self, node: exp.Expr) -> exp.Expr:
        return calls.read(self, node)

    def _cast(self, node: exp.Expr) -> exp.Expr:
        return calls.cast(self, node)

    def _star(self, node: exp.Expr) -> exp.Expr:
        return describe(node, kinds.LONG)


def _both_numbers(first: Column, second: Column) -> bool:
    return kind_of(first) in NUMBERS and kind_of(second) in NUMBERS


def _as(node: exp.Expr, datatype: str) -> exp.Expr:
    """`node` as a number of `datatype`, cast where it is not already."""
    column = described(node)
    if kind_of(column) is Kind.NULL or column.datatype == datatype:
        return node
    cast = exp.Cast(this=node, to=exp.DataType(this=_SQL_TYPES[datatype]))
    return describe(cast, column, datatype=datatype)


def _widened(node: exp.Expr, datatype: str) -> exp.Expr:
    """An operation done in `datatype`: its first operand is cast unless an operand has the width already."""
    left, right = node.this, node.expression
    if datatype not in (described(left).datatype, described(right).datatype):
        node.set("this", _as(left, datatype))
    return node


def _placed(node: Call, old: exp.Expr) -> Call:
    node.meta.update(old.meta)
    return node


def _replace_child(node: exp.Expr, old: exp.Expr, new: exp.Expr) -> None:
    for name, child in list(node.args.items()):
        if child is old:
            node.set(name, new)
        elif isinstance(child, list):
            node.set(name, [new if item is old else item for item in child])


def _comparable(first: Kind, second: Kind) -> bool:
    if Kind.NULL in (first, second):
        return first in ORDERED and second in ORDERED
    return first in ORDERED and (first is second or {first, second} <= NUMBERS)


def _comparison_advice(first: Kind, second: Kind, right: exp.Expr) -> str | None:
    if first in kinds.SHAPES or second in kinds.SHAPES:
        return "Compare shapes by CONTAINS, INTERSECTS or DISTANCE."
    if isinstance(right, exp.Literal) and first in NUMBERS:
        return "Leave out the quotes around the number."
    if isinstance(right, exp.Literal) and first is Kind.TEXT:
        return f"Write '{right.this}' between single quotes."
    return None


_SQL_TYPES = {"long": "BIGINT", "int": "INT", "short": "SMALLINT", "float": "FLOAT", "double": "DOUBLE"}
_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_BITWISE: dict[type[exp.Expr], str] = {
    exp.BitwiseAnd: "BIT_AND",
    exp.BitwiseOr: "BIT_OR",
    exp.BitwiseXor: "BIT_XOR",
    exp.BitwiseNot: "BIT_NOT",
}
_Reader = Callable[[Values, exp.Expr], exp.Expr]
# The whole language of expressions: a node that is not here cannot come out of the grammar.
_READERS: dict[type[exp.Expr], _Reader] = {
    exp.Literal: Values._literal,
    exp.Null: Values._null,
    exp.Column: Values._column,
    exp.Star: Values._star,
    exp.Paren: Values._paren,
    exp.Neg: Values._negated,
    **dict.fromkeys(_SIGNS, Values._arithmetic),
    **dict.fromkeys(_BITWISE, Values._bitwise),
    exp.DPipe: Values._concatenated,
    exp.And: Values._connector,
    exp.Or: Values._connector,
    exp.Not: Values._not,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), Values._comparison),
    exp.Between: Values._between,
    exp.In: Values._in,
    exp.Like: Values._like,
    exp.ILike: Values._like,
    exp.Is: Values._is_null,
    exp.Exists: Values._exists,
    exp.Case: Values._case,
    exp.Cast: Values._cast,
    Call: Values._call,
}
