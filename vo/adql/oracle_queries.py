"""The queries of Oracle 19c: clauses, set operators, joins, and what limits rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import ClassVar

from sqlglot import exp
from sqlglot.generators.oracle import OracleGenerator

from vo.adql.nodes import Joined, Spread
from vo.adql.oracle_functions import bounded, cell
from vo.adql.oracle_tree import is_cut
from vo.adql.printing import printed_join

_CORNERS = " UNION ALL ".join(
    f'SELECT {x} AS "x", {y} AS "y", {z} AS "z" FROM DUAL'  # noqa: S608  numbers of our own
    for x, y, z in product((-1, 1), repeat=3)
)
_SET_OPERATORS: Mapping[type[exp.Expr], str] = {
    exp.Union: "UNION",
    exp.Except: "MINUS",
    exp.Intersect: "INTERSECT",
}


class QueryPrinter(OracleGenerator):
    """sqlglot's printer of Oracle, for the queries that ADQL makes; how values are printed is added to it."""

    TRANSFORMS: ClassVar = {
        **OracleGenerator.TRANSFORMS,
        Joined: printed_join,
        Spread: lambda self, node: self.adql_spread(node),
        exp.Ordered: lambda self, node: self.adql_ordered(node),
        exp.Exists: lambda self, node: f"EXISTS ({self.query(node.this)})",
        exp.CTE: lambda self, node: f"{self.sql(node, 'alias')} AS ({self.query(node.this)})",
        exp.Subquery: lambda self, node: self.adql_subquery(node),
    }

    locals: dict[tuple[str, str], str]
    """What stands for the Locals: their values in writing."""

    def statement(self, tree: exp.Expr) -> str:
        """The whole statement; the rows are counted around it, which keeps their order and stops early."""
        self.locals = {}
        with_, limit = tree.args.get("with_"), tree.args.get("limit")
        tree.set("with_", None)
        tree.set("limit", None)
        query = self.query(tree)
        if limit is not None:
            query = f"SELECT * FROM ({query}) WHERE ROWNUM <= {self.sql(limit.expression)}"  # noqa: S608  printed from the tree
        return bounded(query if with_ is None else f"{self.sql(with_)} {query}")

    def query(self, node: exp.Expr) -> str:
        """A query without parentheses around it."""
        if isinstance(node, exp.Subquery):
            inner = self.query(node.this)
            return f"SELECT * FROM ({inner}){self._tail(node)}" if is_cut(node) else inner  # noqa: S608  likewise
        body = self._select(node) if isinstance(node, exp.Select) else self._set_operation(node)
        return body + self._tail(node)

    def _select(self, node: exp.Expr) -> str:
        quantifier = "DISTINCT " if node.args.get("distinct") else ""
        parts = [f"SELECT {quantifier}{self.expressions(node, flat=True)}"]
        parts.append(f"FROM {self.sql(node.args['from_'].this)}")
        if node.args.get("where") is not None:
            parts.append(f"WHERE {self.sql(node.args['where'].this)}")
        if node.args.get("group") is not None:
            parts.append(f"GROUP BY {self.expressions(node.args['group'], flat=True)}")
        if node.args.get("having") is not None:
            parts.append(f"HAVING {self.sql(node.args['having'].this)}")
        return " ".join(parts)

    def _tail(self, node: exp.Expr) -> str:
        """ORDER BY, OFFSET and FETCH of a query."""
        order, offset, limit = (node.args.get(name) for name in ("order", "offset", "limit"))
        tail = "" if order is None else f" ORDER BY {self.expressions(order, flat=True)}"
        tail += "" if offset is None else f" OFFSET {self.sql(offset.expression)} ROWS"
        return tail + ("" if limit is None else f" FETCH FIRST {self.sql(limit.expression)} ROWS ONLY")

    def _set_operation(self, node: exp.Expr) -> str:
        operator = _SET_OPERATORS[type(node)]
        left, right = self._operand(node.this, node), self._operand(node.expression)
        if node.args["distinct"] or operator == "UNION":
            return f"{left} {operator}{'' if node.args['distinct'] else ' ALL'} {right}"
        # 19c has no MINUS ALL: equal rows are numbered, so that they differ.
        select = node.find(exp.Select)
        names = ", ".join(f'"{item.alias}"' for item in select.expressions) if select is not None else ""
        numbered = f"SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {names} ORDER BY NULL)"
        sides = [f'{numbered} AS "copy" FROM ({side})' for side in (left, right)]
        return f"SELECT {names} FROM ({f' {operator} '.join(sides)})"  # noqa: S608  likewise

    def _operand(self, node: exp.Expr, chain: exp.Expr | None = None) -> str:
        """An operand of a set operator: all of them bind alike before 21c, so what differs is enclosed."""
        while isinstance(node, exp.Subquery) and not is_cut(node):
            node = node.this
        query = self.query(node)
        if is_cut(node):
            return f"SELECT * FROM ({query})"  # noqa: S608  likewise
        if not isinstance(node, exp.SetOperation):
            return query
        same = isinstance(chain, type(node)) and chain.args["distinct"] == node.args["distinct"]
        return query if same else f"({query})"

    def adql_subquery(self, node: exp.Subquery) -> str:
        """A query in parentheses, in FROM with its alias."""
        alias = self.sql(node, "alias")
        node.set("alias", None)
        return f"({self.query(node)}){f' {alias}' if alias else ''}"

    def adql_ordered(self, node: exp.Ordered) -> str:
        """A term of ORDER BY, with the place of NULL in writing."""
        return f"{self.sql(node, 'this')} {'DESC NULLS FIRST' if node.args.get('desc') else 'ASC NULLS LAST'}"

    def adql_spread(self, node: Spread) -> str:
        """A table with each row once for every cell that its reach touches.

        The corners of the cube around a position are tried; one whose cell another corner has is left out.
        """
        alias, name = self.sql(node, "alias"), node.args["name"].this
        reach, scale = self.sql(node, "reach"), self.sql(node, "scale")
        given = [
            f'{self.sql(axis)} AS "{name}_{letter}"'
            for axis, letter in zip(node.expressions, "xyz", strict=True)
        ]
        table = f"(SELECT {alias}.*, {', '.join(given)} FROM {self.sql(node, 'this')}) {alias}"  # noqa: S608  likewise
        values, kept = [], []
        for letter in "xyz":
            axis, sign = f'{alias}."{name}_{letter}"', f'"corner"."{letter}"'
            values.append(f"(({axis} + {sign} * {reach}) * {scale})")
            ends = [f"FLOOR(({axis} {end} {reach}) * {scale})" for end in "-+"]
            kept.append(f"({sign} = -1 OR {ends[0]} <> {ends[1]})")
        spread = f'SELECT {alias}.*, {cell(values)} AS "{name}" FROM {table}'  # noqa: S608  likewise
        return f'({spread} CROSS JOIN ({_CORNERS}) "corner" WHERE {" AND ".join(kept)}) {alias}'
