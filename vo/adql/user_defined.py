"""Functions of the catalogue of user-defined functions (IVOA Endorsed Note 1.2), as plain expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import kinds
from vo.adql.constants import constant
from vo.adql.nodes import Call, Flag, Place, call, describe, duplicate, number
from vo.adql.positions import key_of, stored_column
from vo.adql.problems import span_of
from vo.adql.regions import unwrapped
from vo.adql.spatial_index import ORDER, cell_of

if TYPE_CHECKING:
    from vo.adql.reader import Reader


def healpix_index(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_healpix_index: bits of the stored index, or a number for a position in numbers."""
    order = constant(node.expressions[0])
    place = _place(node.expressions[1:])
    if order is None or not 0 <= order <= ORDER:
        message, where = (
            f"The order of ivo_healpix_index must be a number from 0 to {ORDER}",
            node.expressions[0],
        )
    else:
        source = key_of(place)
        lon, lat = constant(place.this), constant(place.expression)
        if lon is not None and lat is not None:
            return describe(number(cell_of(lon, lat, int(order))), kinds.LONG, ucd="pos.healpix")
        if source is not None:
            index = stored_column(source, source.index)
            index.meta["span"] = span_of(node)
            describe(index, kinds.LONG, name=source.index)
            shifted = call("SHIFT_RIGHT", index, number(2 * (ORDER - int(order))))
            return describe(shifted, kinds.LONG, ucd="pos.healpix")
        message, where = "ivo_healpix_index takes the main position of a table, or numbers", node
    reader.problems.add(
        message,
        span_of(where),
        rule="UDF catalogue 1.2",
        suggestion="It has the UCD pos.eq.ra;meta.main and pos.eq.dec;meta.main.",
    )
    return describe(node, kinds.LONG)


def _place(arguments: list[exp.Expr]) -> Place:
    """The position that the arguments give: two numbers, or a POINT of them."""
    point = unwrapped(arguments[0])
    if len(arguments) == 1 and isinstance(point, Call) and point.this == "POINT":
        arguments = point.arguments
    return Place(this=duplicate(arguments[0]), expression=duplicate(arguments[-1]))


def no_case_match(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_nocasematch: ILIKE as 1 or 0."""
    value, pattern = node.expressions
    return _flag(exp.ILike(this=value, expression=pattern))


def has_word(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_hasword: the needle between characters that are no letters."""
    return _flag(call("HAS_WORD", *node.expressions))


def hash_list_has(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_hashlist_has: one item of many."""
    return _flag(call("HASH_LIST_HAS", *node.expressions))


def interval_overlaps(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_interval_overlaps: neither interval ends before the other begins."""
    low, high, other_low, other_high = node.expressions
    first = exp.LTE(this=low, expression=other_high)
    return _flag(exp.And(this=first, expression=exp.LTE(this=other_low, expression=high)))


def _flag(condition: exp.Expr) -> exp.Expr:
    return describe(Flag(this=describe(condition, kinds.CONDITION)), kinds.INT)
