"""What to tell someone whose query is refused: how the same is said in ADQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vo.adql.functions import FUNCTIONS
from vo.adql.tokens import Token
from vo.catalog import nearest
from vo.reserved import RESERVED

CLAUSES = frozenset(
    """
    AND AS ASC BY CROSS DESC DISTINCT ELSE END EXCEPT FETCH FROM FULL GROUP HAVING IN INNER INTERSECT INTO IS
    JOIN LEFT NATURAL NOT OFFSET ON OR ORDER RIGHT SELECT THEN TOP UNION USING WHEN WHERE WITH
    """.split()
)
"""Reserved words that hold a query together: one of them out of place is no misspelt column."""

_TOP = "The number of rows is given behind SELECT: SELECT TOP n …."
_ADVICE: Mapping[str, str] = {
    "LIMIT": _TOP,
    "FETCH": _TOP,
    "ROWNUM": _TOP,
    "TOP": "TOP goes before the columns and behind DISTINCT: SELECT DISTINCT TOP n ….",
    "DISTINCT": "DISTINCT stands directly behind SELECT, before TOP.",
    "CROSS": "Write a comma between the tables for all their pairs.",
    "OFFSET": "OFFSET stands at the end, behind ORDER BY.",
    "WHERE": "The order is FROM, WHERE, GROUP BY, HAVING, ORDER BY, OFFSET.",
    "QUALIFY": "ADQL has no window functions.",
    "OVER": "ADQL has no window functions.",
    "WITH": "WITH stands once, at the beginning of the whole query.",
    "MINUS": "Write EXCEPT.",
    "NULLS": "Rows without a value come last, with DESC first; this cannot be changed.",
    "ROWS": "OFFSET takes a number alone.",
    "==": "Write =.",
    ";": "Send one query at a time.",
    "IS": "Only IS NULL and IS NOT NULL exist.",
    "RECURSIVE": "WITH is not recursive in ADQL.",
    "SAMPLE": "Take a random part by WHERE RAND() < 0.01.",
    "REGEXP": "Write LIKE or ILIKE with % and _.",
    "EXPLAIN": "Send the query alone.",
}
_FUNCTIONS: Mapping[str, str] = {
    "LN": "LOG is the natural logarithm.",
    "POW": "Write POWER(x, y).",
    "CEIL": "Write CEILING(x).",
    "TRUNC": "Write TRUNCATE(x, n).",
    "RANDOM": "Write RAND().",
    "MEAN": "Write AVG(x).",
    "NVL": "Write COALESCE(a, b).",
    "IFNULL": "Write COALESCE(a, b).",
    "NULLIF": "Write CASE WHEN a = b THEN NULL ELSE a END.",
    "CONCAT": "Write a || b.",
    "CONVERT": "Write CAST(x AS type).",
}
_STATEMENTS = frozenset("INSERT UPDATE DELETE DROP CREATE ALTER COPY ATTACH PRAGMA SET CALL EXPLAIN".split())


def for_token(token: Token, following: Token) -> str | None:
    """What helps someone who wrote `token` where it cannot stand."""
    if token.kind == "word" and token.value in _STATEMENTS and following.kind in ("word", "delimited"):
        return "Only queries are taken: SELECT, or WITH … SELECT."
    if token.kind == "operator" and token.value == "," and following.value == "FROM":
        return "Leave out the comma before FROM."
    if token.kind == "operator" and following.kind == "operator" and token.value == following.value == "=":
        return "Write a single =."
    if token.kind == "string":
        return 'A name that needs quotes is written between double quotes: "name".'
    if token.kind in ("word", "operator"):
        return _ADVICE.get(token.value)
    return None


def for_reserved(token: Token) -> str:
    """What to write in place of a reserved word as a name."""
    advice = _ADVICE.get(token.value)
    if advice is not None:
        return advice
    return f'Write it as the delimited identifier "{token.text}".'


def for_function(name: str) -> str | None:
    """Which function may be meant by an unknown name."""
    if name.upper() in _FUNCTIONS:
        return _FUNCTIONS[name.upper()]
    return did_you_mean(nearest(name, list(FUNCTIONS), 2))


def did_you_mean(candidates: Sequence[str]) -> str | None:
    """A sentence that offers up to three names.

    >>> did_you_mean(["ra", "dec"])
    'Did you mean ra or dec?'
    """
    if not candidates:
        return None
    return f"Did you mean {' or '.join(candidates)}?"


def for_keyword(word: str) -> str | None:
    """A misspelt keyword: the reserved word that is meant."""
    return did_you_mean(nearest(word, sorted(RESERVED & CLAUSES), 1))


NEVER_ALIASES = frozenset(
    {"LIMIT", "OVER", "QUALIFY", "MINUS", "WINDOW", "TABLESAMPLE", "PIVOT", "UNPIVOT", "ASOF"}
)
"""Words of other dialects that would pass for an alias, and be a surprise."""
