"""What to tell someone whose query is refused: how the same is said in ADQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vo.adql.functions import FUNCTIONS
from vo.adql.tokens import Token
from vo.catalog import nearest
from vo.reserved import RESERVED

CLAUSES = frozenset(
    """
    ALL AND AS ASC BETWEEN BY CROSS DESC DISTINCT ELSE END EXCEPT FETCH FROM FULL GROUP HAVING ILIKE IN INNER
    INTERSECT INTO IS JOIN LEFT LIKE NATURAL NOT OFFSET ON OR ORDER RIGHT SELECT THEN TOP UNION USING WHEN
    WHERE WITH
    """.split()
)
"""Reserved words that hold a query together: one of them out of place is no misspelt column."""

_SHORTEST = 3
"""Letters of a word at the least that may be a slip of another."""

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
    ";": "Send one query at a time.",
    "IS": "Only IS NULL and IS NOT NULL exist.",
    "TRUE": "There are no boolean literals: a boolean column is compared with 1 and 0.",
    "FALSE": "There are no boolean literals: a boolean column is compared with 1 and 0.",
    "SIMILAR": "Write LIKE or ILIKE with % and _.",
    "RLIKE": "Write LIKE or ILIKE with % and _.",
    "GLOB": "Write LIKE or ILIKE with % and _.",
    "DIV": "Integers divide to integers: a / b.",
    "INTERVAL": "Compare with a timestamp in writing: '2026-01-02T03:04:05'.",
    "CURRENT_DATE": "Compare with a timestamp in writing: '2026-01-02T03:04:05'.",
    "CURRENT_TIMESTAMP": "Compare with a timestamp in writing: '2026-01-02T03:04:05'.",
    "USING": "USING and ON stand behind the second table of a JOIN.",
    "ON": "ON and USING stand behind the second table of a JOIN.",
    "VALUES": "Upload the values as a table.",
    "OUTER": "Write LEFT, RIGHT or FULL in front of OUTER JOIN.",
    "LATERAL": "A sub-query of FROM does not see the tables beside it.",
    "RECURSIVE": "WITH is not recursive in ADQL.",
    "SAMPLE": "Take a random part by WHERE RAND() < 0.01.",
    "TABLESAMPLE": "Take a random part by WHERE RAND() < 0.01.",
    "FILTER": "Write SUM(CASE WHEN … THEN 1 ELSE 0 END).",
    "DOUBLE": "Write DOUBLE PRECISION.",
    "COLLATE": "Strings are compared by code points; write UPPER or LOWER.",
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
    "ISNULL": "Write x IS NULL, or COALESCE(a, b).",
    "LENGTH": "Write LIKE with one _ for each character.",
    "SUBSTRING": "Write LIKE with % and _.",
    "SUBSTR": "Write LIKE with % and _.",
    "TRIM": "Write LIKE with % and _.",
    "TIMESTAMP": "Write CAST('2026-01-02T03:04:05' AS TIMESTAMP).",
    "DATE": "Write CAST('2026-01-02T03:04:05' AS TIMESTAMP).",
    "EXTRACT": "Write ivo_to_mjd(x) for a number of days.",
    "UNIQUE": "Compare COUNT(DISTINCT x) with COUNT(x).",
    "OVER": "ADQL has no window functions.",
    "NOW": "Compare with a timestamp in writing: '2026-01-02T03:04:05'.",
    "GETDATE": "Compare with a timestamp in writing: '2026-01-02T03:04:05'.",
    "IF": "Write CASE WHEN … THEN … ELSE … END.",
    "IIF": "Write CASE WHEN … THEN … ELSE … END.",
    "DECODE": "Write CASE WHEN … THEN … ELSE … END.",
    "GREATEST": "Write CASE WHEN a > b THEN a ELSE b END.",
    "LEAST": "Write CASE WHEN a < b THEN a ELSE b END.",
    "SIGN": "Write CASE WHEN x < 0 THEN -1 WHEN x > 0 THEN 1 ELSE 0 END.",
    "STDDEV": "Write SQRT(AVG(x * x) - AVG(x) * AVG(x)).",
    "VARIANCE": "Write AVG(x * x) - AVG(x) * AVG(x).",
    "FLOAT": "Write CAST(x AS DOUBLE PRECISION).",
    "LOG2": "Write LOG(x) / LOG(2).",
    "MEDIAN": "ADQL has AVG, COUNT, MAX, MIN and SUM.",
    "ROW_NUMBER": "ADQL has no window functions.",
    "RANK": "ADQL has no window functions.",
    "UNNEST": "ADQL has no arrays.",
    "Q3C_RADIAL_QUERY": "Write 1 = CONTAINS(POINT(ra, dec), CIRCLE(lon, lat, radius)).",
    "Q3C_JOIN": "Write DISTANCE(a.ra, a.dec, b.ra, b.dec) < radius.",
}
_SIGNS: Mapping[str, str] = {
    "=<": "Write <=.",
    "=>": "Write >=.",
    "><": "Write <>.",
    "/*": "A comment begins with -- and ends with the line.",
    "//": "A comment begins with --.",
    "**": "Write POWER(x, y).",
    "->": "ADQL has no parts of values.",
    "..": "A table has at most two names before its own.",
}
MISSING_VALUE = "A value is missing here, or a comma is too many."
_QUERIES_ONLY = "Only queries are taken: SELECT, or WITH … SELECT."
_TYPES: Mapping[str, frozenset[str]] = {
    "DOUBLE PRECISION": frozenset({"FLOAT", "FLOAT8", "NUMERIC", "DECIMAL", "NUMBER"}),
    "REAL": frozenset({"FLOAT4"}),
    "INTEGER": frozenset({"INT", "INT4", "BOOLEAN"}),
    "BIGINT": frozenset({"LONG", "INT8"}),
    "SMALLINT": frozenset({"SHORT", "INT2", "TINYINT"}),
    "VARCHAR": frozenset({"TEXT", "STRING", "CHARACTER", "CLOB"}),
    "TIMESTAMP": frozenset({"DATE", "DATETIME", "TIME"}),
}
_STATEMENTS = frozenset("INSERT UPDATE DELETE DROP CREATE ALTER COPY ATTACH PRAGMA SET CALL EXPLAIN".split())


def for_token(token: Token, following: Token) -> str | None:
    """What helps someone who wrote `token` where it cannot stand."""
    if token.kind == "word" and token.value in _STATEMENTS and following.kind in ("word", "delimited"):
        return _QUERIES_ONLY
    if token.kind == "word" and token.value == "FROM":
        return "A column is missing in front of FROM, or a comma too many stands there."
    if token.kind == "operator" and following.kind == "operator" and token.value == following.value == "=":
        return "Write a single =."
    if token.kind in ("word", "operator"):
        return _ADVICE.get(token.value)
    return None


def for_reserved(token: Token) -> str:
    """What to write in place of a reserved word as a name."""
    advice = _ADVICE.get(token.value)
    if advice is not None:
        return advice
    return f'Write it as the delimited identifier "{token.text}".'


def for_beginning(token: Token, following: Token) -> str:
    """What a query begins with."""
    if token.value in _STATEMENTS:
        return _QUERIES_ONLY
    if token.value == "FROM":
        return "SELECT and its columns stand before FROM."
    return (
        for_token(token, following) or for_keyword(token.text) or "A query begins with SELECT, or with WITH."
    )


def for_signs(signs: str) -> str | None:
    """What two signs beside each other mean in other languages, and how ADQL says it."""
    return _SIGNS.get(signs)


def for_table(token: Token) -> str | None:
    """What to write where a table must stand."""
    if token.value == "SELECT":
        return "A sub-query stands in parentheses: (SELECT …) AS name."
    if token.value == "LATERAL":
        return "A sub-query of FROM does not see the tables beside it."
    return _ADVICE.get(token.value)


def for_name(token: Token) -> str | None:
    """What to write where a name must stand."""
    if token.kind == "string":
        return 'A name that needs quotes is written between double quotes: "name".'
    if token.kind == "number":
        return 'A name that begins with a digit is written between double quotes: "2mass".'
    return None


def for_alias(following: Token) -> str | None:
    """What may be missing where two words stand beside each other."""
    if following.kind in ("word", "delimited") and not following.is_reserved:
        return "A comma may be missing, or AND."
    return None


def for_count(token: Token) -> str:
    """How a number of rows or characters is written."""
    if token.kind == "operator" and token.value == "(":
        return "Leave out the parentheses."
    return "Write digits alone, such as 10."


def for_type(name: str) -> str | None:
    """Which type of CAST does what a type of another language does."""
    for meant, names in _TYPES.items():
        if name in names:
            return f"Write {meant}."
    return None


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
    words = sorted(RESERVED & CLAUSES)
    return None if word.upper() in words or len(word) < _SHORTEST else did_you_mean(nearest(word, words, 1))
