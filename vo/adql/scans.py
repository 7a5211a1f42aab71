"""What a compiled query reads: the stored tables in it, and the ranges to which the index narrows each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlglot import exp

from vo.adql.nodes import collected, conjuncts, joins
from vo.result import Ranges, Scan


def scans(tree: exp.Query) -> tuple[Scan, ...]:
    """The scans of `tree`, one for each time that a stored table is named in it."""
    found = collected(tree, exp.Table, exp.Select)
    ranges = _narrowed(node for node in found if isinstance(node, exp.Select))
    return tuple(
        Scan(node.meta["source"].table, ranges.get(node.alias, ()))
        for node in found
        if isinstance(node, exp.Table) and "source" in node.meta
    )


def _narrowed(selects: Iterable[exp.Expr]) -> Mapping[str, Ranges]:
    """The ranges of the index that bound a table, by its alias; of several the first."""
    found: dict[str, Ranges] = {}
    for select in selects:
        for condition in _demanded(select):
            ranges: Ranges = condition.meta.get("ranges", ())
            if ranges:
                column = next(condition.find_all(exp.Column))
                found.setdefault(column.meta["scanned"].alias, ranges)
    return found


def _demanded(select: exp.Expr) -> Iterator[exp.Expr]:
    """The conditions that every row read for `select` has to meet.

    The ON of an outer join is none: rows of one side remain without it.
    """
    where = select.args.get("where")
    if where is not None:
        yield from conjuncts(where.this)
    for join in joins(select.args["from_"].this):
        if join.args["kind"] == "INNER" and join.args.get("on") is not None:
            yield from conjuncts(join.args["on"])
