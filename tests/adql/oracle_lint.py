"""Rules of Oracle 19c that a grammar does not know: functions, types, reserved words, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

FUNCTIONS = frozenset(
    """ABS ACOS ASIN ATAN ATAN2 AVG BITAND CAST CEIL COALESCE COS COUNT EXP EXTRACT FLOOR INSTR LISTAGG LN LOG
    LOWER MAX MIN MOD NULLIF POWER REGEXP_LIKE REGEXP_SUBSTR REPLACE ROUND ROW_NUMBER RTRIM SIGN SIN SQRT
    SUBSTR SUM TAN TO_CHAR TO_TIMESTAMP TRUNC UPPER""".split()
)
TYPES = re.compile(r"BINARY_DOUBLE|BINARY_FLOAT|NUMBER\(\d+\)|VARCHAR2\(4000\)|TIMESTAMP")
# Words that may stand before a parenthesis without being functions.
SYNTAX = frozenset(
    """AND AS BETWEEN BY DISTINCT ELSE EXISTS FROM GROUP IN INTERSECT JOIN LIKE MINUS NOT ON OR OVER SELECT
    THEN UNION ALL WHEN WHERE HAVING NUMBER VARCHAR2""".split()
)
WORDS = (
    FUNCTIONS
    | SYNTAX
    | frozenset(
        """ASC BINARY_DOUBLE BINARY_FLOAT CASE CROSS DAY DBMS_RANDOM.VALUE DESC DUAL
        END FETCH FIRST FULL HOUR IS LEFT LAST MINUTE NULL NULLS OFFSET ONLY ORDER PARTITION RIGHT ROWNUM ROWS
        SECOND TIMESTAMP WITH WITHIN""".split()
    )
)
_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"[^"]*"|[A-Za-z_][\w.$#]*|\d+(?:\.\d+)?(?:e[+-]?\d+)?d?|<>|<=|>=|\|\||\S""", re.VERBOSE
)


def complaints(sql: str) -> list[str]:
    """What Oracle 19c would not take in a statement.

    >>> complaints('SELECT PI() AS "c1" FROM "T" AS "t1" LIMIT 3')
    ['PI is no word of these statements', 'AS "t1" before no column', 'LIMIT is no word of these statements']
    """
    return list(_complaints(_TOKEN.findall(sql)))


def _complaints(tokens: list[str]) -> Iterator[str]:
    depths = _clauses(tokens)
    for i, token in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if token[0] == "'" and len(token.encode()) > 4002:
            yield "a string of more than 4000 bytes"
        elif token[0] == '"' and (len(token.encode()) > 130 or token == '""'):
            yield f"{token} is too long a name, or none"
        elif token[0].isalpha() or token[0] == "_":
            if token not in WORDS:
                yield f"{token} is no word of these statements"
            elif following == "(" and token not in FUNCTIONS | SYNTAX:
                yield f"{token} is no function"
            elif token == "AS":
                yield from _after_as(tokens, i, depths[i])
        elif token in "?:%&|^~!;`[]{}":
            yield f"{token} is no sign of these statements"


def _after_as(tokens: list[str], i: int, clause: str) -> Iterator[str]:
    following = "".join(tokens[i + 1 : i + 5])
    if clause == "CAST":
        if not TYPES.match(following):
            yield f"{tokens[i + 1]} is no type"
    elif clause == "FROM":
        yield f"AS {tokens[i + 1]} before no column"


def _clauses(tokens: list[str]) -> list[str]:
    """The clause that each token is in: CAST, or the last of SELECT, FROM, WITH at its depth."""
    clauses, stack = [], [""]
    for i, token in enumerate(tokens):
        if token == "(":
            stack.append("CAST" if i and tokens[i - 1] == "CAST" else "")
        elif token == ")":
            stack.pop()
        elif token in ("SELECT", "FROM", "WITH", "WHERE"):
            stack[-1] = token
        clauses.append(stack[-1])
    return clauses
