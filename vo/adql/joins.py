"""Joins: what they show, with NATURAL and USING written out as conditions."""

from __future__ import annotations

from sqlglot import exp

from vo.adql import kinds
from vo.adql.advice import did_you_mean
from vo.adql.kinds import kind_of, united
from vo.adql.nodes import Joined, describe
from vo.adql.problems import Problems, span_of
from vo.adql.scopes import Relation, Visible
from vo.catalog import nearest


def joined(node: Joined, left: Relation, right: Relation, problems: Problems) -> Relation:
    """What a join shows: shared columns first, then those of the left, then those of the right table.

    NATURAL and USING become ON; the node is then marked as `made`, as its names are resolved.
    """
    _judge_names(node, left, right, problems)
    pairs = _shared(node, left, right, problems)
    if pairs:
        node.set("on", _all_equal(pairs))
        node.meta["made"] = True
    elif node.args.get("natural"):
        # Without a column in common, all pairs remain (SQL-92, 7.5).
        node.set(
            "on",
            describe(exp.EQ(this=exp.Literal.number(1), expression=exp.Literal.number(1)), kinds.CONDITION),
        )
        node.meta["made"] = True
    node.set("natural", None)
    node.set("using", None)
    firsts, seconds = {id(first) for first, _ in pairs}, {id(second) for _, second in pairs}
    columns = (
        *(_merged(node.args["kind"], first, second) for first, second in pairs),
        *(item for item in left.columns if id(item) not in firsts),
        *(item for item in right.columns if id(item) not in seconds),
    )
    return Relation((*left.sources, *right.sources), columns)


def _judge_names(node: Joined, left: Relation, right: Relation, problems: Problems) -> None:
    names = {(source.name.lower(), source.schema) for source in left.sources}
    for source in right.sources:
        if (source.name.lower(), source.schema) in names:
            problems.add(
                f"Two tables of the query are called {source.name}",
                span_of(node.expression),
                rule="ADQL 2.1, 2.2",
                suggestion="Give each its own name: table AS name.",
            )


def _shared(
    node: Joined, left: Relation, right: Relation, problems: Problems
) -> list[tuple[Visible, Visible]]:
    """The pairs of columns that NATURAL or USING makes one."""
    if node.args.get("natural"):
        names = [exp.Identifier(this=item.column.name, quoted=False) for item in left.columns]
        names = [name for name in names if right.find(name)]
        span = node.meta.get("operator")
    else:
        names, span = node.args.get("using") or [], None
    pairs: dict[str, tuple[Visible, Visible]] = {}
    for name in names:
        first, second = left.find(name), right.find(name)
        if len(first) == len(second) == 1:
            pair = first[0], second[0]
            if united(pair[0].column, pair[1].column) is None:
                problems.add(
                    f"The column {name.this} is {kind_of(pair[0].column).value} in one table "
                    f"and {kind_of(pair[1].column).value} in the other",
                    span or span_of(name),
                    rule="ADQL 2.1, 2.2",
                )
            pairs[name.this.lower()] = pair
        elif all(source.known for source in (*left.sources, *right.sources)):
            _judge_using(name, left, right, span, problems)
    return list(pairs.values())


def _judge_using(
    name: exp.Identifier,
    left: Relation,
    right: Relation,
    span: tuple[int, int] | None,
    problems: Problems,
) -> None:
    """Say on which side of a join a column is missing, or there more than once."""
    names = {item.column.name.lower() for item in right.columns}
    known = [item.column.name for item in left.columns if item.column.name.lower() in names]
    side, relation = ("left", left) if len(left.find(name)) != 1 else ("right", right)
    count = len(relation.find(name))
    message = f"is not in the {side} table" if count == 0 else f"is more than once in the {side} tables"
    problems.add(
        f"The column {name.this} {message} of the join",
        span or span_of(name),
        rule="ADQL 2.1, 2.2",
        suggestion=did_you_mean(nearest(name.this, known)),
    )


def _merged(kind: str, first: Visible, second: Visible) -> Visible:
    """The one column of a pair: from the side whose rows are all there, or the first value of both."""
    if kind == "FULL":
        return Visible(first.column, (*first.parts, *second.parts))
    return second if kind == "RIGHT" else first


def _all_equal(pairs: list[tuple[Visible, Visible]]) -> exp.Expr:
    conditions: list[exp.Expr] = [
        describe(exp.EQ(this=first.reference(), expression=second.reference()), kinds.CONDITION)
        for first, second in pairs
    ]
    result = conditions[0]
    for condition in conditions[1:]:
        result = describe(exp.And(this=result, expression=condition), kinds.CONDITION)
    return result
