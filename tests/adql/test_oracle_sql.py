"""The SQL for Oracle: what it looks like, that it breaks no rule of 19c, and what is refused."""

from __future__ import annotations

import re

import pytest
from adql.oracle_grammar import judged_by_grammar
from adql.oracle_lint import complaints
from adql.oracle_queries import queries
from adql.oracle_release import oracle_catalog
from adql.small_release import extra_table, stars_table

from vo.adql import translate
from vo.catalog import Catalog, Schema
from vo.errors import QueryError
from vo.reserved import RESERVED

CATALOG = oracle_catalog(Catalog((Schema("sim1", (stars_table(), extra_table())),), "r1"))
REFUSED = "is not offered on this database"


def oracle(query: str, maxrec: int | None = None) -> str:
    """The SQL of a query for Oracle."""
    return translate(query, CATALOG, dialect="oracle", maxrec=maxrec).sql


def statements() -> list[str]:
    """The SQL of every query that Oracle can be asked."""
    found = []
    for number, query in enumerate(queries()):
        try:
            found.append(oracle(query, 10 if number % 3 == 0 else None))
        except QueryError as error:
            if REFUSED not in str(error):
                raise
    return found


PRINTED = [
    (
        "SELECT TOP 3 ra FROM stars",
        'SELECT * FROM (SELECT "t1"."ALPHA" AS "c1" FROM "SIM1"."STARS" "t1") WHERE ROWNUM <= 3',
    ),
    ("SELECT id FROM stars WHERE dec > -1.5", '"t1"."DEC" > -1.5'),
    ("SELECT id FROM stars WHERE mag_g > 1.5", '"t1"."MAG_G" > CAST(1.5 AS BINARY_DOUBLE)'),
    ("SELECT 7 / 2, id / flags FROM stars", "TRUNC(7 / 2)"),
    ("SELECT id / flags FROM stars", 'TRUNC("t1"."ID" / NULLIF("t1"."FLAGS", 0))'),
    ("SELECT ra / dec FROM stars", 'CAST("t1"."ALPHA" AS BINARY_DOUBLE) / "t1"."DEC"'),
    ("SELECT SQRT(ra) FROM stars", 'SQRT(CAST("t1"."ALPHA" AS BINARY_DOUBLE))'),
    ("SELECT bit_or(flags, 5) FROM stars", "- BITAND("),
    ("SELECT CAST(id AS VARCHAR(3)) FROM stars", 'SUBSTR(CAST("t1"."ID" AS VARCHAR2(4000)), 1, 3)'),
    ("SELECT id FROM stars EXCEPT SELECT id FROM extra", " MINUS SELECT"),
    ("SELECT 1e300, 1e-200 FROM stars", "CAST(1e+300d AS BINARY_DOUBLE)"),
    ("SELECT id FROM extra WHERE seen < '2020-01-02'", "TIMESTAMP '2020-01-02 00:00:00'"),
    ("SELECT id FROM stars WHERE name ILIKE 'a%'", 'UPPER("t1"."NAME") LIKE UPPER(\'a%\')'),
    ("SELECT id FROM stars WHERE DISTANCE(ra, dec, 1, 2) < 0.1", '"t1"."HPX29" BETWEEN '),
    ("SELECT id FROM stars WHERE name = ''", '"t1"."NAME" IS NULL'),
    ("SELECT id FROM stars OFFSET 5", " OFFSET 5 ROWS"),
    (
        "SELECT id FROM (SELECT TOP 2 id FROM stars ORDER BY id) AS a",
        "ASC NULLS LAST FETCH FIRST 2 ROWS ONLY)",
    ),
]


@pytest.mark.parametrize(("query", "expected"), PRINTED)
def test_sql(query: str, expected: str) -> None:
    """Names, numbers, types and clauses are those of Oracle."""
    assert expected in oracle(query)


def test_outputs_keep_their_names() -> None:
    """Columns are called c1, c2, … as for every database."""
    assert oracle("SELECT id, ra AS id2 FROM stars").startswith(
        'SELECT "t1"."ID" AS "c1", "t1"."ALPHA" AS "c2" FROM'
    )


def test_no_statement_breaks_a_rule() -> None:
    """Only functions, types and words that 19c has; no AS before a table; strings and names in bounds."""
    found = statements()
    assert len(found) > 150
    for sql in found:
        assert complaints(sql) == [], sql


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "c1" FROM "T" AS "t1"',
        'SELECT "c1" FROM (SELECT 1 AS "c1" FROM DUAL) AS "t1"',
        'SELECT RADIANS("c1") FROM "T"',
        'SELECT "c1" FROM "T" LIMIT 3',
        'SELECT TOP 3 "c1" FROM "T"',
        'SELECT CAST("c1" AS VARCHAR) FROM "T"',
        'SELECT CAST("c1" AS DOUBLE) FROM "T"',
        'SELECT "c1" FROM "T" WHERE TRUE',
        'SELECT "c1" & 3 FROM "T"',
        'SELECT "c1" FROM "T" WHERE "c1" ILIKE ?',
        'SELECT size FROM "T"',
    ],
)
def test_rules_find_what_is_wrong(sql: str) -> None:
    """The rules are worth something: what Oracle does not have is found."""
    assert complaints(sql) != []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT disc FROM extra",
        "SELECT POLYGON(1, 1, 2, 1, 2, 2) FROM stars UNION SELECT BOX(ra, dec, 1, 1) FROM stars",
        "SELECT COALESCE(POINT(ra, dec), POINT(1, 2)) FROM stars",
        "SELECT id FROM extra WHERE footprint IS NULL",
        "SELECT AREA(POLYGON(0, 0, ra, 0, 0, dec)) FROM stars",
        "SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON(9, -1, 11, -1, 10, dec, 11, 1))",
        "SELECT id FROM stars WHERE 1 = INTERSECTS(CIRCLE(ra, dec, 1), BOX(ra, dec, 2, 1))",
        "SELECT s.id FROM stars s, extra e WHERE 1 = CONTAINS(POINT(s.ra, s.dec), e.disc)",
        "SELECT id FROM stars WHERE 1 = CONTAINS(CIRCLE(ra, dec, 1), POLYGON(1, 1, 2, 1, 2, dec))",
        "SELECT CENTROID(POLYGON(0, 0, ra, 0, 0, 90)) FROM stars",
        "SELECT CAST(name AS POINT) FROM stars",
        "SELECT ivo_string_agg(name, bands) FROM stars NATURAL JOIN extra",
        "SELECT id FROM stars NATURAL JOIN extra WHERE 1 = ivo_hasword(name, bands)",
        f"SELECT id FROM stars WHERE name = '{'x' * 4001}'",
        f"SELECT {'ROUND(' * 40}ra{')' * 40} FROM stars",
    ],
)
def test_refusals(query: str) -> None:
    """What cannot be asked of Oracle is an error of the query that says so, never other SQL."""
    with pytest.raises(QueryError, match=REFUSED) as caught:
        oracle(query)
    shouted = set(re.findall(r"\b[A-Z_]{3,}\b", caught.value.problems[0].message))
    assert shouted <= RESERVED | {"IVO_STRING_AGG", "IVO_HASWORD"}, "users know the words of ADQL alone"


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("SELECT id, ivo_histogram(ra, 0, 1, 2) FROM stars GROUP BY id", 12),
        ("SELECT id, disc FROM extra", 12),
        ("SELECT 1 + AREA(POLYGON(0, 0, ra, 0, 0, 90)) FROM stars", 8),
        ("SELECT id FROM stars WHERE 1 = ivo_hasword(name, name)", 32),
    ],
)
def test_refusals_have_a_place(query: str, column: int) -> None:
    """The message points to the part of the query that Oracle cannot be asked for."""
    with pytest.raises(QueryError) as caught:
        oracle(query)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (1, column)


WRONG = [
    "SELECT a FROM t LIMIT 3",
    "SELECT a FROM t AS x",
    "SELECT a FROM t EXCEPT SELECT a FROM u",
    "SELECT CAST(a AS VARCHAR2) FROM t WHERE a ILIKE 'x'",
    "SELECT a & b FROM t",
]
"""What the grammar must refuse, or its word is worth nothing."""

GRAMMAR_S = 150
"""Seconds that the grammar gets; it takes about as long for all statements on an idle machine."""


@pytest.fixture(scope="module")
def judged() -> dict[str, list[str] | None]:
    """What the PL/SQL grammar of grammars-v4 says of each statement; None: it had no time for it."""
    found = [*{re.sub(r"\d+", "1", sql): sql for sql in statements()}.values(), *WRONG]
    return judged_by_grammar(found, GRAMMAR_S)


@pytest.mark.timeout(GRAMMAR_S + 120)
def test_every_statement_is_of_the_grammar(judged: dict[str, list[str] | None]) -> None:
    """The grammar takes every statement that it has time for, and refuses what is none."""
    assert {sql: said for sql, said in judged.items() if said and sql not in WRONG} == {}
    assert all(judged[sql] for sql in WRONG)


@pytest.mark.timeout(GRAMMAR_S + 120)
def test_the_grammar_had_time(judged: dict[str, list[str] | None]) -> None:
    """How many statements it had no time for is told."""
    left = sum(said is None for said in judged.values())
    if left:
        pytest.skip(f"{left} of {len(judged)} statements, the longest, were not tried in {GRAMMAR_S} s")
