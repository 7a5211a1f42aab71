"""Queries beyond all measure: a clear refusal or a statement that the database takes, and never a crash."""

from __future__ import annotations

import pytest
from adql.small_release import Release

from vo.adql import translate
from vo.errors import QueryError

_DEEP, _LONG = 1000, 10_000
HOSTILE = {
    "tokens": "SELECT id FROM stars WHERE " + "id = 1 OR " * 33_333 + "id = 2",
    "sum": "SELECT " + "1 + " * _LONG + "1 FROM stars",
    "strings": "SELECT " + "'a' || " * _LONG + "'b' FROM stars",
    "strings in a row": "SELECT " + "'a' " * 100_000 + "FROM stars",
    "parentheses": "SELECT " + "(" * _DEEP + "1" + ")" * _DEEP + " FROM stars",
    "open": "SELECT id FROM stars WHERE " + "(" * 99 + "id = 1",
    "sub-queries": "SELECT id FROM " + "(SELECT id FROM " * _DEEP + "stars" + ") AS x" * _DEEP,
    "NOT": "SELECT id FROM stars WHERE " + "NOT " * _LONG + "id = 1",
    "CASE": "SELECT " + "CASE WHEN id = 1 THEN " * _DEEP + "1 " + "END " * _DEEP + "FROM stars",
    "minus": "SELECT " + "- " * _DEEP + "1 FROM stars",
    "functions": "SELECT " + "ABS(" * _DEEP + "ra" + ")" * _DEEP + " FROM stars",
    "distances": "SELECT " + "DISTANCE(POINT(" * 20 + "ra" + ", 1), POINT(2, 3))" * 20 + " FROM stars",
    "areas": "SELECT " + "AREA(BOX(" * 6 + "ra" + ", 1, 2, 3))" * 6 + " FROM stars",
    "frames": "SELECT "
    + "ivo_geom_transform('ICRS', 'GALACTIC', " * 30
    + "POINT(ra, dec)"
    + ")" * 30
    + " FROM stars",
    "many distances": "SELECT "
    + ", ".join(["DISTANCE(ra, dec, ra, AREA(CIRCLE(1, 2, ra)))"] * 400)
    + " FROM stars",
    "joins": "SELECT a0.id FROM stars a0"
    + "".join(f" JOIN stars a{i} ON a{i}.id = a0.id" for i in range(1, 200)),
    "joins in joins": "SELECT 1 FROM stars a0"
    + "".join(f" JOIN stars a{i}" for i in range(1, 1000))
    + " ON 1 = 1" * 999,
    "commas": "SELECT 1 FROM " + ", ".join(f"stars a{i}" for i in range(1000)),
    "WITH that doubles": "WITH a0 AS (SELECT id FROM extra)"
    + "".join(f", a{i} AS (SELECT x.id FROM a{i - 1} x, a{i - 1} y)" for i in range(1, 31))
    + " SELECT id FROM a30",
    "stars that double": "SELECT * FROM " + "(SELECT x.*, x.* FROM " * 18 + "extra" + " AS x) AS x" * 18,
    "columns of stars": "SELECT " + ", ".join(["s.*"] * 4000) + " FROM stars AS s",
    "unions": "SELECT id FROM extra" + " UNION SELECT id FROM extra" * 500,
    "infinite": "SELECT 1e999 FROM stars",
    "digits": "SELECT " + "9" * 10_000 + " FROM stars",
    "zeros": "SELECT " + "0" * 10_000 + "1 FROM stars",
    "rows": "SELECT TOP " + "9" * 400 + " id FROM stars",
    "hexadecimal": "SELECT 0x" + "F" * 10_000 + " FROM stars",
    "name": "SELECT " + "x" * 1_000_000 + " FROM stars",
    "function": "SELECT " + "x" * 1_000_000 + "(1) FROM stars",
    "table": "SELECT id FROM " + "x" * 1_000_000,
    "type": "SELECT CAST(1 AS " + "x" * 1_000_000 + ") FROM stars",
    "region": "SELECT REGION('" + "x" * 1_000_000 + "') FROM stars",
    "unit": "SELECT IN_UNIT(ra, '" + "(" * 5000 + "m" + ")" * 5000 + "') FROM stars",
    "string without end": "SELECT '" + "x" * 1_000_000,
    "name without end": 'SELECT "' + "x" * 1_000_000,
    "comment alone": "--" + "x" * 1_000_000,
    "comment of C": "SELECT /*" + "x" * 1_000_000,
    "NUL": "SELECT id\0 FROM stars",
    "bidirectional": "SELECT '\u202e\u2066' FROM stars",
    "surrogate": "SELECT '\ud800' FROM stars",
    "quotes": "'" * 1_000_001,
    "letters": "\u00e9\u00e0" * 500_000,
    "faults": "SELECT " + ",".join("1 +" for _ in range(6000)) + " FROM stars",
    "SELECT": "SELECT " * 19_000,
    "periods": "SELECT " + "a." * 9000 + "b FROM stars",
}


@pytest.mark.parametrize("dialect", ["duckdb", "oracle"])
@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_monsters_are_refused_at_their_place(release: Release, query: str, dialect: str) -> None:
    """Each is answered with a problem at a place of its text, in a message that people can read."""
    with pytest.raises(QueryError) as caught:
        translate(query, release.catalog, dialect=dialect)
    for problem in caught.value.problems:
        assert problem.line is not None
        assert problem.rule
    assert len(str(caught.value)) < 10_000


LARGE = {
    "OR": "SELECT id FROM stars WHERE " + " OR ".join(f"id = {i}" for i in range(4900)),
    "IN": "SELECT id FROM stars WHERE id IN (" + ", ".join(map(str, range(9900))) + ")",
    "parentheses": "SELECT " + "(" * 95 + "1" + ")" * 95 + " FROM stars",
    "columns": "SELECT " + ", ".join(["id"] * 9900) + " FROM extra",
    "joins": "SELECT a0.id FROM extra a0"
    + "".join(f" JOIN extra a{i} ON a{i}.id = a0.id" for i in range(1, 40)),
    "cones": "SELECT id FROM stars WHERE "
    + " OR ".join(f"1 = CONTAINS(POINT(ra, dec), CIRCLE({i}, 2, 0.1))" for i in range(200)),
    "string": "SELECT id FROM stars WHERE name = '" + "x" * 200_000 + "'",
    "comments": "SELECT id FROM stars " + "--x\n" * 20_000,
}


@pytest.mark.parametrize("query", LARGE.values(), ids=LARGE)
def test_large_queries_run(release: Release, query: str) -> None:
    """What is large and plain runs, without a stack overflow in the parser of the database."""
    statement = release.translate(query, maxrec=5)
    assert release.connection.cursor().execute(statement.sql).fetchall()[:0] == []
