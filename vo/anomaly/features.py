"""FEATURES, ID and QUERY become one selection: for each row what names it, where it is, and its numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from vo.adql import check
from vo.adql.tokens import Token, scan
from vo.catalog import Catalog, Column, nearest, quoted
from vo.errors import QueryError, UsageError

MOST_FEATURES = 256
"""Features of a run at the most: of a direction among more, little can be said in a table or a picture."""

_ROWS = "rows_of_query"
"""The name of QUERY inside the selection."""

_ORDERLY = ("pos", "meta", "stat", "time", "obs", "instr")
"""First words of UCDs of numbers that are no properties of an object; FEATURES may still name them."""

_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Feature:
    """A number of each row: ADQL on the columns of QUERY, the name it goes by, where it was sent."""

    name: str
    expression: str
    parameter: str = field(default="FEATURES", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read: `columns` are the `carried` ones, which name and place a row, and then the features.

    `position` are the places of longitude and latitude among them, in degrees; None: there are none.
    `asked` are the features as expressions. `weighted` selections have one more column, the weight.
    """

    adql: str
    columns: tuple[Column, ...]
    carried: int
    ids: tuple[str, ...]
    position: tuple[int, int] | None
    asked: tuple[Feature, ...] = ()
    weighted: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(column.name for column in self.columns[self.carried :])

    @property
    def width(self) -> int:
        """How many columns are read."""
        return len(self.columns) + self.weighted


def parsed_features(values: Sequence[str]) -> tuple[Feature, ...]:
    """The features of FEATURES, which is a list like that of SELECT and may be repeated.

    >>> parsed_features(["mag_auto_g - mag_auto_r AS g_r, ROUND(ra, 2)", '"b"'])[0]
    Feature(name='g_r', expression='mag_auto_g - mag_auto_r')
    """
    found = tuple(feature for value in values if value.strip() for feature in _listed(value, "FEATURES"))
    if len(found) > MOST_FEATURES:
        raise UsageError(f"FEATURES names {len(found):,} features and may name {MOST_FEATURES}.")
    for name, count in Counter(feature.name.lower() for feature in found).items():
        if count > 1:
            raise UsageError(f"FEATURES names {name} {count} times.", hint="Name them apart by AS.")
    return found


def parsed_weight(text: str | None) -> Feature | None:
    """The weight of a row: one column or expression, like a feature."""
    if text is None or not text.strip():
        return None
    found = list(_listed(text, "WEIGHT"))
    if len(found) > 1:
        raise UsageError(f"WEIGHT must be one expression, and is {len(found):,}.")
    return Feature("weight", found[0].expression, "WEIGHT")


def parsed_names(values: Sequence[str], parameter: str) -> tuple[str, ...]:
    """The names of columns in a list; what is no name is refused."""
    names = []
    for value in values:
        for feature in _listed(value, parameter) if value.strip() else ():
            if len(scan(feature.expression)) != 2:  # noqa: PLR2004  the name and the end
                raise UsageError(f"{parameter} must name columns of QUERY, not {feature.expression[:60]!r}.")
            names.append(feature.name)
    return tuple(names)


def _listed(text: str, parameter: str) -> Iterator[Feature]:
    try:
        tokens = scan(text)
    except QueryError as error:
        raise UsageError(f"{parameter}: {error}") from error
    depth, begun = 0, 0
    for place, token in enumerate(tokens):
        if token.kind == "operator":
            depth += (token.value == "(") - (token.value == ")")
        if depth < 0 or (token.value == ";" and token.kind == "operator"):
            raise UsageError(f"{parameter}: {token.text!r} is out of place in {text[:60]!r}.")
        if token.kind == "end" or (token.kind == "operator" and token.value == "," and not depth):
            if place == begun:
                raise UsageError(f"{parameter}: something is missing in {text[:60]!r}.")
            yield _feature(text, tokens[begun:place], token.start, parameter)
            begun = place + 1


def _feature(text: str, tokens: Sequence[Token], end: int, parameter: str) -> Feature:
    named = len(tokens) > 2 and tokens[-2].kind == "word" and tokens[-2].value == "AS"  # noqa: PLR2004
    last = tokens[-2].start if named else end
    expression = text[tokens[0].start : last].strip()
    if named or len(tokens) == 1:
        return Feature(_spelled(tokens[-1], parameter), expression)
    name = re.sub(r"\W+", "_", expression).strip("_")[:_NAME_LENGTH]
    return Feature(name if name[:1].isalpha() else f"f_{name}", expression)


def _spelled(token: Token, parameter: str) -> str:
    if token.kind not in ("word", "delimited"):
        raise UsageError(
            f"{parameter}: {token.text[:40]!r} is no column.", hint="It would be the same for all."
        )
    return token.value if token.kind == "delimited" else token.text


def selection(
    query: str,
    features: Sequence[Feature],
    ids: Sequence[str],
    catalog: Catalog,
    *,
    weight: Feature | None = None,
) -> Selection:
    """The selection that QUERY and its parameters ask for; what is wrong with any of them is told by name.

    Without FEATURES, the measured numbers of QUERY are taken; without ID, what its UCDs call an identifier.
    """
    columns = check(query, catalog)
    named = tuple(_column(name, columns, "ID") for name in ids) or _identifiers(columns)
    position = _position(columns)
    carried = tuple(dict.fromkeys((*named, *position)))
    chosen = tuple(features) or _measured(columns, [column.name for column in carried])
    _check_known(chosen, columns)
    terms = (*chosen, weight) if weight else chosen
    adql = _wrapped(query, carried, terms)
    try:
        made = check(adql, catalog)
    except QueryError:
        raise _first_fault(query, terms, catalog) from None
    numbers = [
        replace(_number(column, feature.parameter), name=feature.name)
        for feature, column in zip(terms, made[len(carried) :], strict=True)
    ][: len(chosen)]
    return Selection(
        adql,
        (*carried, *numbers),
        len(carried),
        tuple(column.name for column in named),
        (carried.index(position[0]), carried.index(position[1])) if position else None,
        chosen,
        weight is not None,
    )


def _wrapped(query: str, carried: Sequence[Column], features: Sequence[Feature]) -> str:
    """QUERY inside a SELECT of what is needed; the queries of its WITH stay in front, as ADQL wants them."""
    terms = [quoted(column.name) for column in carried]
    terms += [f"{feature.expression}\n AS {quoted(feature.name)}" for feature in features]
    start = _main_select(query)
    body = query[start:].rstrip().removesuffix(";")
    return f"{query[:start]}SELECT {', '.join(terms)} FROM ({body}\n) AS {_ROWS}"  # noqa: S608  compiled as ADQL


def _main_select(query: str) -> int:
    """Where the query begins that those of WITH stand in front of."""
    tokens = scan(query)
    if tokens[0].value != "WITH" or tokens[0].kind != "word":
        return 0
    depth = 0
    for before, token in pairwise(tokens):
        if token.kind == "operator":
            closed = before.kind == "operator" and before.value == ")"
            if token.value == "(" and not depth and closed:
                return token.start
            depth += (token.value == "(") - (token.value == ")")
        elif token.kind == "word" and token.value == "SELECT" and not depth:
            return token.start
    return 0


def _first_fault(query: str, features: Sequence[Feature], catalog: Catalog) -> UsageError:
    """What is wrong with the first feature that is wrong."""
    for feature in features:
        try:
            check(_wrapped(query, (), [feature]), catalog)
        except QueryError as error:
            told = error.problems[0]
            hint = told.suggestion or "It must be an expression of the columns of QUERY."
            return UsageError(f"{feature.parameter}: {feature.expression[:80]}: {told.message}.", hint=hint)
    return UsageError("FEATURES and QUERY together are too complicated.", hint="Name fewer features.")


def _check_known(features: Sequence[Feature], columns: Sequence[Column]) -> None:
    if not features:
        raise UsageError(
            "QUERY has no numbers that were measured of an object.", hint="Name some columns in FEATURES."
        )
    if len(features) > MOST_FEATURES:
        raise UsageError(
            f"QUERY has {len(features):,} numbers and a forest may have {MOST_FEATURES} features.",
            hint=f"Name some of its {len(columns):,} columns in FEATURES.",
        )


def _number(column: Column, parameter: str) -> Column:
    if not column.is_numeric:
        raise UsageError(
            f"{parameter}: {column.name} is of type {column.datatype} and must be a number.",
            hint="CAST it, or leave it out.",
        )
    return Column(column.name, "double", unit=column.unit, ucd=column.ucd, description=column.description)


def _column(name: str, columns: Sequence[Column], parameter: str) -> Column:
    for column in columns:
        if column.name.lower() == name.lower():
            return column
    close = nearest(name, [column.name for column in columns], 1)
    hint = f"Did you mean {close[0]}?" if close else None
    raise UsageError(f"{parameter}: QUERY has no column {name[:60]!r}.", hint=hint)


def _words(column: Column) -> list[str]:
    return (column.ucd or "").lower().split(";")


def _identifiers(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The main identifier, or else the first column that is called one."""
    for wanted in ({"meta.id", "meta.main"}, {"meta.id"}):
        for column in columns:
            if wanted <= set(_words(column)):
                return (column,)
    return ()


def _position(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Longitude and latitude (ICRS, degrees), the main ones if there are any."""
    for extra in ({"meta.main"}, set()):
        pair = [
            next((each for each in columns if {word, *extra} <= set(_words(each)) and each.is_numeric), None)
            for word in ("pos.eq.ra", "pos.eq.dec")
        ]
        found = tuple(column for column in pair if column is not None)
        if len(found) == len(pair):
            return found
    return ()


def _measured(columns: Sequence[Column], named: Sequence[str]) -> tuple[Feature, ...]:
    """The columns of numbers that say something of the object itself, once each; not those `named`."""
    chosen = {
        column.name: Feature(column.name, quoted(column.name))
        for column in columns
        if column.is_numeric and _is_measured(column) and column.name not in named
    }
    return tuple(chosen.values())


def _is_measured(column: Column) -> bool:
    """Whether the UCD names a property, of a number that is no code; none says nothing against it."""
    word = _words(column)[0].partition(".")[0]
    return not word or (column.datatype in ("float", "double") and word not in _ORDERLY)
