"""MOC, and positions inside one: conditions on the HEALPix cell of order 29 that holds a position.

The spelling is that of DaCHS: MOC('6/1,2 7/40-45') for one in writing, MOC(order, shape) for the cells of
an order that have some of a circle, polygon or box in them. A column of strings with the xtype `moc` of
DALI 1.2 is a MOC as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from vo.adql import healpix, kinds
from vo.adql.boxes import box_corners
from vo.adql.constants import constant
from vo.adql.coordinate_systems import in_icrs
from vo.adql.frames import written_numbers
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Covered, Flag, Place, call, describe, described, duplicate, number
from vo.adql.positions import place_in, stored_beside
from vo.adql.problems import span_of
from vo.adql.regions import unwrapped
from vo.moc import FINEST, Moc, ascii_text, cone_moc, polygon_moc, read_ascii
from vo.moc.moc import Cells
from vo.moc.shapes import WIDEST
from vo.moc.text import WRITTEN, MocSyntaxError

if TYPE_CHECKING:
    from vo.adql.reader import Reader

MOST_CELLS = 200_000
"""Cells of the MOC of a shape at the most."""

LONGEST_BESIDE_ROWS = 10_000
"""Characters of a MOC that is compared with regions of rows: it is handed over with each of them."""

FEW_RANGES = 16
"""So many are written as ranges, more as lists of cells by their order."""

_CELL_DEG = 58.6  # the side of a cell of order 0
_RULE = "MOC 2.0, 4.3.2"
_CIRCLE = 3  # numbers
_PAIR = 2


def moc(reader: Reader, node: exp.Expr) -> exp.Expr:
    """MOC of a string, or of an order and a shape in numbers: a string that is known to be a MOC."""
    found = _of_text(reader, node) if len(node.expressions) == 1 else _of_shape(reader, node)
    if found is None:
        return describe(node, kinds.MOC)
    written = exp.Literal.string(ascii_text(found))
    written.meta.update(moc=found, span=span_of(node))
    return describe(written, kinds.MOC)


def _of_text(reader: Reader, node: exp.Expr) -> Moc | None:
    text = node.expressions[0]
    try:
        return read_ascii(text.this)
    except MocSyntaxError as error:
        reader.problems.add(
            error.told, _span_within(reader, text, error.offset), rule=_RULE, suggestion=WRITTEN
        )
    return None


def _span_within(reader: Reader, text: exp.Expr, offset: int) -> tuple[int, int] | None:
    """The place of a character of a string in the query; the string, where it is written in pieces."""
    span = span_of(text)
    if span is None or reader.problems.query[span[0] + 1 : span[1] - 1] != text.this:
        return span
    return span[0] + 1 + offset, span[1] - 1


def _of_shape(reader: Reader, node: exp.Expr) -> Moc | None:
    order, shape = constant(node.expressions[0]), in_icrs(reader, node.expressions[1])
    message, place, numbers = None, node.expressions[1], _numbers(shape)
    if order is None or not 0 <= order <= FINEST:
        message, place = f"The order of a MOC must be a number from 0 to {FINEST}", node.expressions[0]
    elif numbers is None:
        message = "The shape of a MOC must be a circle, polygon or box in numbers"
    elif len(numbers) == _CIRCLE and numbers[2] > WIDEST:
        message = f"The circle of a MOC may have a radius of {WIDEST:g} degrees"
    elif _estimate(numbers, int(order)) > MOST_CELLS:
        message = f"The MOC would have more than {MOST_CELLS:,} cells of order {int(order)}"
    else:
        return _cells(numbers, int(order))
    reader.problems.add(message, span_of(place) or span_of(node), rule="MOC 2.0, 4.1", suggestion=_ADVICE)
    return None


_ADVICE = "Write MOC(10, CIRCLE(12.5, -30, 2)), for example."


def _numbers(shape: exp.Expr) -> list[float] | None:
    """lon, lat; or lon, lat, radius; or lon1, lat1, …; None for what is not in numbers."""
    found = written_numbers(shape, "POINT", "CIRCLE", "POLYGON", "BOX")
    is_box = found is not None and unwrapped(shape).this == "BOX"
    return box_corners(*found) if is_box and found is not None else found


def _estimate(numbers: list[float], order: int) -> float:
    """About how many cells the border meets: coarser ones fill the inside."""
    if len(numbers) == _CIRCLE:
        border = 360 * math.sin(math.radians(numbers[2]))
    else:
        lon, lat = np.radians(numbers[0::2]), np.radians(numbers[1::2])
        vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
        chords = np.linalg.norm(vectors - np.roll(vectors, 1, axis=0), axis=1)
        border = float(np.degrees(2 * np.arcsin(np.minimum(chords / 2, 1))).sum())
    return float(3 * border / _CELL_DEG * 2**order)


def _cells(numbers: list[float], order: int) -> Moc:
    if len(numbers) <= _CIRCLE:
        lon, lat, radius = (*numbers, 0.0)[:3]
        return cone_moc(lon, lat, radius, order)
    return polygon_moc(numbers, order)


def in_moc(reader: Reader, node: exp.Expr) -> exp.Expr | None:
    """CONTAINS or INTERSECTS of a position and a MOC, in either order; None for other shapes."""
    if len(node.expressions) != _PAIR:
        return None
    first, second = node.expressions
    if _kind(first) is Kind.MOC and node.this == "INTERSECTS":
        first, second = second, first
    if _kind(second) is not Kind.MOC or _kind(first) is not Kind.POINT:
        return None
    place = place_in([in_icrs(reader, first)])
    computed = healpix.index(reader, FINEST, duplicate(place.this), duplicate(place.expression))
    covered = Covered(this=place, expression=duplicate(second), index=computed)
    covered.meta["span"] = span_of(node)
    return describe(Flag(this=describe(covered, kinds.CONDITION)), kinds.INT)


def beside_moc(reader: Reader, arguments: list[exp.Expr]) -> list[exp.Expr] | None:
    """A region and a MOC, the region in ICRS; None for other shapes."""
    kinds_found = [_kind(argument) for argument in arguments]
    if Kind.MOC not in kinds_found:
        return None
    place = kinds_found.index(Kind.MOC)
    found, region = arguments[place], in_icrs(reader, arguments[1 - place])
    text = unwrapped(found)
    if isinstance(text, exp.Literal) and len(text.this) > LONGEST_BESIDE_ROWS and _numbers(region) is None:
        reader.problems.add(
            f"A MOC beside regions of rows may have up to {LONGEST_BESIDE_ROWS:,} characters",
            span_of(found),
            suggestion="Take a MOC of a coarser order.",
        )
    return [found, region] if place == 0 else [region, found]


def _kind(node: exp.Expr) -> Kind:
    return kind_of(described(node))


def area(node: exp.Expr) -> exp.Expr:
    """Square degrees of a MOC."""
    found: Moc | None = unwrapped(node).meta.get("moc")
    return number(found.area_deg2) if found is not None else call("MOC_AREA", duplicate(node))


# --- once places are known


def moc_of(node: exp.Expr) -> Moc | None:
    """The MOC in writing of a Covered; None for that of a row."""
    found: Moc | None = unwrapped(node.expression).meta.get("moc")
    return found


def written(node: Covered) -> exp.Expr:
    """A Covered as a condition on the stored cell of its position, or on the computed one."""
    cell = stored_beside(_place(node)) or node.args["index"]
    found = moc_of(node)
    if found is None:
        return describe(call("MOC_COVERS", node.expression, cell), kinds.CONDITION)
    condition = call("IN_MOC", cell)
    condition.meta.update(moc=found, span=span_of(node))
    return describe(condition, kinds.CONDITION)


def _place(node: Covered) -> Place:
    place: Place = node.this
    return place


def lists(found: Moc) -> Iterator[tuple[int, Cells]]:
    """Cells of a few orders that make up a MOC: a database looks each order up in a table of hashes.

    A coarse order is spelt out in cells of a finer one where that makes the lists three times longer at most.
    """
    cells = found.cells()
    budget = 3 * sum(map(len, cells.values())) + 1_000
    while cells:
        order = max(cells)
        members = [cells.pop(order)]
        while cells:
            coarser = max(cells)
            children = 4 ** (order - coarser)
            if sum(map(len, members)) + len(cells[coarser]) * children > budget:
                break
            members.append((cells.pop(coarser)[:, None] * children + np.arange(children)).ravel())
        yield order, np.concatenate(members)
