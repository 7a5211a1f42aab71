"""Joins of two positions: rows meet in cells of a grid before the exact distance is computed.

The cells are cubes around unit vectors, so that neither the poles nor the seam of right ascension are
special. One table is spread over every cell that its circle of the given radius touches; the other is
looked up in its own cell. A pair within the radius so meets once, and no other pair twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.nodes import Joined, Place, Spread, Within, call, conjuncts, describe, duplicate, joins, number
from vo.adql.positions import unit_vector
from vo.adql.scopes import Source

_MAX_RADIUS = 10.0
_SMALLEST_CELL = 1e-6  # of the radius of the sphere: 0.2 arcsec; three counts of it fit into 63 bits
_CELLS_PER_REACH = 4
_ROUNDING = 1e-12


@dataclass
class _Side:
    """A table with a position: its leaf in the tree of FROM, if it is there, and its columns' source."""

    place: Place
    leaf: exp.Expr | None
    source: Source

    @property
    def rows(self) -> int:
        """Its size, as far as the catalogue knows it; uploads and sub-queries are taken for small."""
        return (self.source.table.nrows or 0) if self.source.table is not None else 0


def add_cells(select: exp.Expr) -> bool:
    """Join by cells wherever AND demands that positions of two tables be near each other."""
    from_, where = select.args["from_"], select.args.get("where")
    found = where is not None and _match(where.this, from_.this, None)
    for join in list(joins(from_.this)):
        if join.args.get("on") is not None:
            found |= _match(join.args["on"], from_.this, join)
    return found


def _leaves(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, Joined):
        yield from _leaves(node.this)
        yield from _leaves(node.expression)
    else:
        yield node


def _match(condition: exp.Expr, tree: exp.Expr, join: Joined | None) -> bool:
    leaves = {leaf.alias: leaf for leaf in _leaves(tree)}
    for node in conjuncts(condition):
        if not isinstance(node, Within):
            continue
        radius = constant(node.args["radius"])
        sides = [_side(place, leaves) for place in (node.this, node.expression)]
        if radius is None or not 0 <= radius <= _MAX_RADIUS:
            continue
        known = [side for side in sides if side is not None]
        if len(known) == len(sides) and known[0].source is not known[1].source:
            free = [
                (side, side.leaf) for side in known if side.leaf is not None and _may_be_spread(side, join)
            ]
            if free:
                # The smaller table is spread, as each of its rows then costs a few.
                spread, leaf = min(free, key=lambda pair: pair[0].rows)
                other = known[1] if spread is known[0] else known[0]
                met = _spread_over_cells(spread, leaf, other, radius)
                node.replace(
                    describe(exp.Paren(this=exp.And(this=met, expression=duplicate(node))), kinds.CONDITION)
                )
                return True
    return False


def _side(place: Place, leaves: dict[str, exp.Expr]) -> _Side | None:
    """The one table that all columns of a position belong to; that of a query around this one has no leaf."""
    sources = {column.meta.get("source") for column in place.find_all(exp.Column)}
    source = sources.pop() if len(sources) == 1 else None
    if not isinstance(source, Source):
        return None
    leaf = leaves.get(source.alias)
    return None if isinstance(leaf, Spread) else _Side(place, leaf, source)


def _may_be_spread(side: _Side, join: Joined | None) -> bool:
    """Whether several copies of a row of this table cannot show in the result.

    The condition of WHERE drops all copies but one. That of ON does so only where rows without a
    partner are dropped as well.
    """
    if join is None:
        return True
    if side.leaf is join.expression:
        return join.args["kind"] in ("INNER", "LEFT")
    return side.leaf is join.this and join.args["kind"] in ("INNER", "RIGHT")


def _spread_over_cells(spread: _Side, leaf: exp.Expr, other: _Side, radius: float) -> exp.Expr:
    """Spread a table in place; the condition that a row of the other is in its cell."""
    reach = 2 * math.sin(math.radians(radius) / 2) * (1 + _ROUNDING) + _ROUNDING
    size = max(_CELLS_PER_REACH * reach, _SMALLEST_CELL)
    name = f"cell_{spread.source.alias}"
    alias = exp.TableAlias(this=exp.Identifier(this=spread.source.alias, quoted=True))
    placeholder = exp.Null()
    leaf.replace(placeholder)
    placeholder.replace(
        Spread(
            this=leaf,
            expressions=unit_vector(spread.place),
            reach=number(reach),
            scale=number(1 / size),
            name=exp.Identifier(this=name, quoted=True),
            alias=alias,
        )
    )
    cell = exp.Column(
        this=exp.Identifier(this=name, quoted=True),
        table=exp.Identifier(this=spread.source.alias, quoted=True),
    )
    return exp.EQ(this=cell, expression=call("CELL", *unit_vector(other.place), number(1 / size)))
