"""A MOC in ASCII and in JSON (MOC 2.0, 4.3.2 and 4.3.3), read to the letter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np

from vo.errors import UsageError
from vo.moc.moc import FINEST, Cells, Moc, joined, shift

MOST_RANGES = 1_000_000
"""Ranges of one MOC at the most, as they are written."""

_TOKEN = re.compile(
    r"\s*,?\s*(?:(?P<order>[0-9]{1,9})\s*/|(?P<low>[0-9]{1,19})(?:-(?P<high>[0-9]{1,19}))?(?=[\s,]|$))"
)
_REST = re.compile(r"\s*,?\s*\Z")
_SHOWN = 20
WRITTEN = "Write a MOC like 5/12 6/50-53,60."
"""What a message advises."""


class MocSyntaxError(UsageError):
    """A MOC that cannot be read; `offset` is the place in its text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} (character {offset + 1} of the MOC).", hint=WRITTEN)
        self.told = message
        self.offset = offset


def read_ascii(text: str) -> Moc:
    """The MOC of a text like `5/12 6/50-53 60 8/`: the last order may have no cells, to say how fine it is.

    >>> moc = read_ascii("1/0-2,5 3/")
    >>> moc.order, ascii_text(moc)
    (3, '1/0-2 5 3/')
    """
    order, finest, place, found = None, 0, 0, []
    while not _REST.match(text, place):
        match = _TOKEN.match(text, place)
        if match is None:
            raise MocSyntaxError(*_unread(text, place))
        place = match.end()
        if match["order"] is not None:
            order = _order(match["order"], match.start("order"))
            finest = max(finest, order)
        elif order is None:
            raise MocSyntaxError(f"{match['low']} stands before any order", match.start("low"))
        else:
            found.append(_range(match, order))
        if len(found) > MOST_RANGES:
            raise UsageError(f"A MOC may have {MOST_RANGES:,} ranges.")
    if order is None:
        raise MocSyntaxError("The MOC is empty", 0)
    ranges = np.array(found, np.int64).reshape(-1, 2)
    return Moc(finest, joined(ranges))


def _unread(text: str, place: int) -> tuple[str, int]:
    place += len(text[place:]) - len(text[place:].lstrip(" \t\r\n,"))
    return (
        f"{text[place : place + _SHOWN]!r} is neither an order like 6/ nor a cell nor a range like 5-8",
        place,
    )


def _order(digits: str, offset: int) -> int:
    order = int(digits)
    if order > FINEST:
        raise MocSyntaxError(f"There is no order {order}: the finest is {FINEST}", offset)
    return order


def _range(match: re.Match[str], order: int) -> tuple[int, int]:
    """The cells of order 29."""
    low, offset = int(match["low"]), match.start("low")
    high = low if match["high"] is None else int(match["high"])
    _check(low, high, order, offset)
    bits = shift(order)
    return low << bits, (high + 1) << bits


def _check(low: int, high: int, order: int, offset: int) -> None:
    if high < low:
        raise MocSyntaxError(f"The range {low}-{high} ends before it begins", offset)
    if high >= 12 * 4**order:
        raise MocSyntaxError(f"Order {order} has no cell {high}: its last is {12 * 4**order - 1}", offset)


def ascii_text(moc: Moc) -> str:
    """The MOC in its shortest form (MOC 2.0, 4.3.2)."""
    cells = moc.cells()
    parts = [f"{order}/{' '.join(_spelt(each))}" for order, each in cells.items()]
    return " ".join(parts if moc.order in cells else [*parts, f"{moc.order}/"])


def _spelt(cells: Cells) -> Iterator[str]:
    """Runs of sorted cells as ranges."""
    breaks = np.flatnonzero(np.diff(cells) != 1)
    firsts = cells[np.concatenate([[0], breaks + 1])].tolist()
    lasts = cells[np.concatenate([breaks, [len(cells) - 1]])].tolist()
    for first, last in zip(firsts, lasts, strict=True):
        yield str(first) if first == last else f"{first}-{last}"


def json_text(moc: Moc) -> str:
    """The MOC in JSON (MOC 2.0, 4.3.3): an object of lists of cells by order."""
    cells = {str(order): each.tolist() for order, each in moc.cells().items()}
    return json.dumps(cells if str(moc.order) in cells else {**cells, str(moc.order): []})


def read_json(text: str) -> Moc:
    """The MOC of an object of lists of cells by order.

    >>> read_json('{"1": [0, 1, 2, 5], "3": []}') == read_ascii("1/0-2,5 3/")
    True
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The MOC is no JSON: {str(error)[:100]}.") from error
    if not isinstance(raw, dict) or not raw:
        raise UsageError(
            "A MOC in JSON is an object of lists of cells by order.", hint='Send {"5": [12, 13]}.'
        )
    found, finest = [], 0
    for name, cells in raw.items():
        order = _json_order(name)
        finest = max(finest, order)
        found.append(_json_cells(name, order, cells))
    return Moc(finest, joined(np.concatenate(found)))


def _json_order(name: str) -> int:
    if not (name.isascii() and name.isdigit() and int(name[:9]) <= FINEST and len(name) <= 2):  # noqa: PLR2004  digits
        raise UsageError(f"{name[:_SHOWN]!r} is no order of a MOC: they are 0 to {FINEST}.")
    return int(name)


def _json_cells(name: str, order: int, cells: object) -> np.ndarray:
    """Ranges of order 29."""
    if not isinstance(cells, list) or not all(type(cell) is int for cell in cells):
        raise UsageError(f"The cells of order {name} must be a list of whole numbers.")
    if len(cells) > MOST_RANGES:
        raise UsageError(f"A MOC may have {MOST_RANGES:,} ranges.")
    wrong = next((cell for cell in cells if not 0 <= cell < 12 * 4**order), None)
    if wrong is not None:
        raise UsageError(f"Order {order} has no cell {str(wrong)[:_SHOWN]}: its last is {12 * 4**order - 1}.")
    first = np.array(cells, np.int64) << shift(order)
    return np.stack([first, first + (1 << shift(order))], axis=1)
