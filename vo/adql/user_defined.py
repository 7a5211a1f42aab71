"""Functions of the catalogue of user-defined functions (IVOA Endorsed Note 1.2), as plain expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from vo.adql import astrometry, coordinate_systems, frames, healpix, kinds, sexagesimal
from vo.adql.constants import constant
from vo.adql.definitions import defined, let
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Flag, call, describe, described, duplicate, number, target
from vo.adql.positions import key_of, place_in, stored_column
from vo.adql.problems import span_of
from vo.adql.spatial_index import ORDER, cell_of
from vo.adql.sphere import RIGHT_ANGLE
from vo.catalog import Column, Frame, frames_agree

if TYPE_CHECKING:
    from vo.adql.reader import Reader


def healpix_index(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_healpix_index: a number, bits of the index stored beside a main position, or computed."""
    order = _order(reader, node)
    place = place_in([coordinate_systems.in_icrs(reader, value) for value in node.expressions[1:]])
    lon, lat = constant(place.this), constant(place.expression)
    source = key_of(place)
    if order is None:
        cell = node
    elif lon is not None and lat is not None and abs(lat) <= RIGHT_ANGLE:
        cell = number(cell_of(lon, lat, order))
    elif source is not None:
        stored = stored_column(source, source.index)
        stored.meta["span"] = span_of(node)
        describe(stored, kinds.LONG, name=source.index)
        cell = call("SHIFT_RIGHT", stored, number(2 * (ORDER - order)))
    else:
        cell = healpix.index(reader, order, place.this, place.expression)
    return describe(cell, kinds.LONG, ucd="pos.healpix")


def healpix_center(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_healpix_center: a point that is computed from the bits of the index."""
    order = _order(reader, node)
    if order is None:
        return describe(node, kinds.POINT)
    return healpix.center(reader, order, node.expressions[1])


def _order(reader: Reader, node: exp.Expr) -> int | None:
    """The order of HEALPix that a call gives in writing; a problem if it does not."""
    order = constant(node.expressions[0])
    if order is not None and 0 <= order <= ORDER:
        return int(order)
    reader.problems.add(
        f"The order of {node.this.lower()} must be a number from 0 to {ORDER}",
        span_of(node.expressions[0]) or span_of(node),
        rule="UDF catalogue 1.2",
    )
    return None


def no_case_match(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_nocasematch: ILIKE as 1 or 0."""
    value, pattern = node.expressions
    return _flag(node, exp.ILike(this=value, expression=pattern))


def has_word(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_hasword: every word of the needle between characters that are no letters."""
    text, needle = node.expressions
    if not isinstance(needle, exp.Literal):
        return _flag(node, call("HAS_WORDS", text, needle))
    words = [exp.Literal.string(word) for word in needle.this.split()] or [exp.Literal.string("")]
    conditions: list[exp.Expr] = [call("HAS_WORD", duplicate(text), word) for word in words]
    found = conditions[0]
    for condition in conditions[1:]:
        found = exp.And(this=found, expression=condition)
    return _flag(node, found)


def hash_list_has(_: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_hashlist_has: one item of many."""
    return _flag(node, call("HASH_LIST_HAS", *node.expressions))


def interval_overlaps(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_interval_overlaps: neither interval ends before the other or itself begins."""
    values = dict(zip(("l1", "h1", "l2", "h2"), node.expressions, strict=True))
    return _flag(node, defined(reader, "l1 <= h2 AND l2 <= h1 AND l1 <= h1 AND l2 <= h2", values))


def days(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_to_jd and ivo_to_mjd: of a timestamp, or of a string in the form of DALI."""
    (time,) = node.expressions
    if kind_of(described(time)) is not Kind.TIME:
        node.set("expressions", [reader.read(exp.Cast(this=time, to=target("TIMESTAMP")))])
    return describe(node, kinds.DOUBLE, unit="d")


def normal_random(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_normal_random: the method of Box and Muller (1958, Ann. Math. Stat. 29, 610)."""
    mean, sigma = node.expressions
    text = "mean + sigma * (SQRT(-2 * LOG(1 - RAND())) * COS(2 * PI() * RAND()))"
    drawn = defined(reader, text, {"mean": mean, "sigma": sigma})
    return describe(drawn, kinds.DOUBLE, unit=described(mean).unit)


def epoch_prop(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_epoch_prop and ivo_epoch_prop_pos; positions and epochs must be known."""
    positions = node.this == "IVO_EPOCH_PROP_POS"
    values: dict[str, exp.Expr] = {}
    for name, value in zip(astrometry.PARAMETERS, node.expressions, strict=True):
        if isinstance(value, exp.Null) and name in ("ra", "dec", "ref_epoch", "out_epoch"):
            reader.problems.add(
                f"The {name} of {node.this.lower()} cannot be NULL", span_of(value), rule="UDF catalogue 1.2"
            )
        values[name] = defined(reader, "CAST(given AS DOUBLE PRECISION)", {"given": value})
    return astrometry.moved_position(reader, values) if positions else astrometry.moved(reader, values)


def geom_transform(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_geom_transform: a shape of the same kind, turned from frame to frame once its form is known."""
    source, target, shape = node.expressions
    given = described(shape)
    unknown = [frame for frame in (source, target) if frame.this not in frames.FRAMES]
    for frame in unknown:
        reader.problems.add(
            f"The frame '{frame.this}' is not offered",
            span_of(frame),
            rule="UDF catalogue 1.2",
            suggestion=f"The frames are {', '.join(frames.FRAMES)}, in capitals.",
        )
    if not unknown and not frames_agree(given.frame, Frame(source.this)) and given.frame is not None:
        reader.problems.add(
            f"The shape is in {given.frame.name}, not in {source.this}",
            span_of(shape) or span_of(node),
            rule="UDF catalogue 1.2",
            suggestion=f"Write '{given.frame.name}'.",
        )
    if not unknown:
        node.set("expressions", [source, target, shape, *frames.angles(reader, source.this, target.this)])
    frame = Frame(target.this, stated=False) if not unknown else None
    kind = kind_of(given)
    return describe(node, frames.column_of(kind, frame) if frame is not None else kinds.POINT)


MOST_BINS = 10_000
"""Bins of a histogram at the most."""

_BIN = (
    {"place": "(val - low) / width * bins"},
    {
        "bin": "CAST(FLOOR(CASE WHEN val IS NULL OR val < low THEN 0.0 WHEN val > high THEN bins + 1 "
        "WHEN place >= bins THEN bins ELSE place + 1 END) AS BIGINT)"
    },
)


def histogram(reader: Reader, node: exp.Expr) -> exp.Expr:
    """ivo_histogram: how often each number of a bin comes; 0 is below, the last above all bins."""
    low, high, bins = (constant(argument) for argument in node.expressions[1:])
    message = None
    if low is None or high is None or bins is None:
        message = "The limits and the number of bins of ivo_histogram must be numbers"
    elif not low < high:
        message = "The upper limit of ivo_histogram must be above the lower"
    elif not 1 <= bins <= MOST_BINS:
        message = f"ivo_histogram has 1 to {MOST_BINS} bins"
    elif node.args.get("distinct"):
        message = "ivo_histogram counts every value: it takes no DISTINCT"
    else:
        sizes = {"low": low, "high": high, "width": high - low, "bins": bins}
        values = {name: describe(number(float(value)), kinds.DOUBLE) for name, value in sizes.items()}
        values["val"] = defined(reader, "CAST(given AS DOUBLE PRECISION)", {"given": node.expressions[0]})
        node.set("expressions", [let(reader, "bin", values, _BIN), number(int(bins))])
    if message is not None:
        reader.problems.add(message, span_of(node), rule="UDF catalogue 1.2")
    return describe(node, Column("", "long", "*"), ucd="meta.number")


def _flag(node: exp.Expr, condition: exp.Expr) -> exp.Expr:
    condition.meta["span"] = span_of(node)
    return describe(Flag(this=describe(condition, kinds.CONDITION)), kinds.INT)


USER_DEFINED: Mapping[str, Callable[[Reader, exp.Expr], exp.Expr]] = {
    "IVO_HEALPIX_INDEX": healpix_index,
    "IVO_HEALPIX_CENTER": healpix_center,
    "IVO_EPOCH_PROP": epoch_prop,
    "IVO_EPOCH_PROP_POS": epoch_prop,
    "IVO_GEOM_TRANSFORM": geom_transform,
    "IVO_TO_JD": days,
    "IVO_TO_MJD": days,
    "IVO_NOCASEMATCH": no_case_match,
    "IVO_HASWORD": has_word,
    "IVO_HASHLIST_HAS": hash_list_has,
    "IVO_HISTOGRAM": histogram,
    "IVO_NORMAL_RANDOM": normal_random,
    "IVO_INTERVAL_OVERLAPS": interval_overlaps,
    "IVO_HMS_TO_DEGREES": sexagesimal.degrees,
    "IVO_DMS_TO_DEGREES": sexagesimal.degrees,
}
"""What stands for a call of each function; ivo_string_agg is one of the databases."""
