"""What is not ADQL is refused, at its place, with advice; and nothing else ever reaches a database."""

from __future__ import annotations

import pytest
from adql.small_release import Release
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo.errors import QueryError
from vo.result import Statement

# query with ^ before the offending token, words of the message, words of the suggestion
REFUSED = [
    ("^DROP TABLE stars", "Expected SELECT", ""),
    ("^COPY stars TO 'x'", "Expected SELECT", ""),
    ("^PRAGMA database_list", "Expected SELECT", ""),
    ("^ATTACH 'x'", "Expected SELECT", ""),
    ("^", "Expected SELECT", ""),
    ("SELECT id FROM stars; ^SELECT id FROM stars", "end of the query", ""),
    ("SELECT id FROM stars;^;", "end of the query", "one query"),
    ("SELECT id FROM ^read_csv('x')", "no table functions", ""),
    ("SELECT id FROM ^'/etc/passwd'", "Expected a table", "double quotes"),
    ("SELECT ^read_text('/etc/passwd') FROM stars", "no function READ_TEXT", ""),
    ("SELECT SUM(id) ^OVER (ORDER BY id) FROM stars", "comma or FROM", "window"),
    ("SELECT id FROM stars ^LIMIT 5", "next clause", "SELECT TOP n"),
    ("SELECT id FROM stars ^FETCH FIRST 5 ROWS ONLY", "end of the query", "SELECT TOP n"),
    ("SELECT id FROM stars ^QUALIFY id = 1", "next clause", "window"),
    ("SELECT id ^TOP 5 FROM stars", "Expected FROM", "TOP goes before"),
    ("SELECT TOP 5 ^DISTINCT id FROM stars", "Expected a value", "DISTINCT stands"),
    ("SELECT TOP ^-1 id FROM stars", "whole number", ""),
    ("SELECT TOP ^1.5 id FROM stars", "whole number", ""),
    ("SELECT id^::INT FROM stars", ":: has no meaning", "CAST"),
    ("SELECT id ^% 2 FROM stars", "% has no meaning", "MOD"),
    ("SELECT ^[1, 2] FROM stars", "[ has no meaning", "arrays"),
    ("SELECT ^{'a': 1} FROM stars", "{ has no meaning", ""),
    ("SELECT name -^> 'a' FROM stars", "Expected a value", ""),
    ("SELECT x -^> x + 1 FROM stars", "", ""),
    ("SELECT id, ^FROM stars", "Expected a value", ""),
    ("SELECT id stars^", "Expected FROM", ""),
    ("SELECT id", "Expected FROM", ""),
    ("SELECT *^, id FROM stars", "* stands alone", "t.*"),
    ("SELECT id FROM stars WHERE id IN ^5", "Expected (", ""),
    ("SELECT id FROM stars WHERE id = (^SELECT 1 FROM stars)", "cannot be a value", "FROM, IN and EXISTS"),
    ("SELECT id FROM (SELECT id FROM stars^)", "needs a name", "AS name"),
    ("SELECT stars.id FROM stars ^CROSS JOIN extra", "CROSS JOIN is not ADQL", "comma"),
    ("SELECT z FROM stars JOIN extra ^WHERE ra = 1", "Expected ON or USING", "NATURAL"),
    ("SELECT id FROM stars NATURAL JOIN extra ^ON 1 = 1", "neither ON nor USING", ""),
    ("SELECT ^size FROM stars", "reserved word", '"size"'),
    ("SELECT id AS number, id AS ^count FROM stars", "reserved word", '"count"'),
    ("SELECT CAST(id AS ^FLOAT) FROM stars", "no type", "DOUBLE PRECISION"),
    ("SELECT ^SUBSTRING(name, 1, 2) FROM stars", "no function SUBSTRING", ""),
    ("SELECT ^LN(ra) FROM stars", "no function LN", "LOG"),
    ("SELECT ^ABS(ra, dec) FROM stars", "does not take 2", "ABS(number)"),
    ("SELECT ABS(^name) FROM stars", "must be a number", ""),
    ("SELECT ^CONTAINS(POINT(ra, dec)) FROM stars", "does not take 1", ""),
    ("SELECT CONTAINS(POINT(ra, dec), ^POINT(1, 2)) FROM stars", "circle or polygon", ""),
    (
        "SELECT POINT(^'GALACTC', ra, dec) FROM stars",
        "'GALACTC' is not offered",
        "The frames are GALACTIC, ICRS",
    ),
    ("SELECT POINT(^'AZ_EL', ra, dec) FROM stars", "'AZ_EL' is not offered", "SUPER_GALACTIC"),
    ("SELECT CIRCLE(^'FK5 J1975', ra, dec, 1) FROM stars", "equinox J1975", "FK5 is that of J2000"),
    ("SELECT CIRCLE(^'ICRS J2000', ra, dec, 1) FROM stars", "equinox J2000", "ICRS has no equinox"),
    ("SELECT BOX(^'GALACTIC I', ra, dec, 1, 1) FROM stars", "'I' is not understood", "BARYCENTER"),
    ("SELECT POINT(^'ICRS MOON', ra, dec) FROM stars", "'MOON' is not understood", "GEOCENTER"),
    ("SELECT POINT(^'ICRS GEOCENTER CARTESIAN2', ra, dec) FROM stars", "'CARTESIAN2'", "SPHERICAL2"),
    ("SELECT POINT(^'GALACTIC ICRS', ra, dec) FROM stars", "'ICRS' is not understood", ""),
    ("SELECT POINT(^bands, id, id) FROM extra", "must be a string literal", "Leave it out"),
    ("SELECT REGION(^'Circle GALACTC 1 2 3') FROM stars", "'GALACTC' is not offered", "GALACTIC, ICRS"),
    (
        "SELECT CIRCLE('GALACTIC', ^POINT(ra, dec), 1) FROM stars",
        "names no coordinate system",
        "POINT('GALACTIC'",
    ),
    ("SELECT CIRCLE('FK4', ^pos, 1) FROM extra", "names no coordinate system", "POINT('ICRS'"),
    (
        "SELECT ivo_geom_transform('ICRS', 'FK4', ^POINT('GALACTIC', 1, 2)) FROM stars",
        "in GALACTIC, not in ICRS",
        "Write 'GALACTIC'",
    ),
    (
        "SELECT COALESCE(pos, ^POINT('GALACTIC', 1, 2)) FROM extra",
        "a point and a point in GALACTIC",
        "",
    ),
    (
        "SELECT POINT('FK4', 1, 2) FROM extra ^UNION SELECT POINT('GALACTIC', 1, 2) FROM extra",
        "a point in FK4 on the left and a point in GALACTIC",
        "ivo_geom_transform",
    ),
    ("SELECT POINT('GALACTIC', 1, ^91) FROM stars", "latitude 91", ""),
    ("SELECT id FROM stars WHERE ^CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))", "Expected a condition", "1 ="),
    ("SELECT CIRCLE(1, ^95, 3) FROM stars", "latitude 95", ""),
    ("SELECT CIRCLE(1, 5, ^-3) FROM stars", "negative", ""),
    ("SELECT ^idd, ^raa FROM stars", "no column idd", "id"),
    ("SELECT id FROM ^star", "no table star", "sim1.Stars"),
    ("SELECT id FROM ^simm.stars", "no table simm.stars", "sim1"),
    ("SELECT ^x.id FROM stars", "called x", "Stars"),
    ("SELECT ^id FROM stars, extra", "more than one table", "extra.id"),
    ("SELECT 1 AS a FROM stars, ^stars", "Two tables", "AS name"),
    ('SELECT id FROM stars WHERE name = ^"A"', "no column A", "single quotes"),
    ('SELECT ^"ID" FROM stars', "no column ID", "id"),
    ("SELECT id FROM stars WHERE ^name = 5", "cannot be compared", "'5'"),
    ("SELECT id FROM stars WHERE ^ra = '5'", "cannot be compared", "Leave out the quotes"),
    ("SELECT id FROM extra WHERE seen > ^'yesterday'", "no timestamp", "YYYY"),
    ("SELECT id FROM stars WHERE ra < 1 ^< 2", "do not chain", "BETWEEN"),
    ("SELECT id FROM stars WHERE ^COUNT(*) > 1", "cannot stand in WHERE", "HAVING"),
    ("SELECT MAX(^MIN(ra)) FROM stars", "cannot stand in another one", ""),
    ("SELECT ^ra, COUNT(*) FROM stars", "neither in GROUP BY", "GROUP BY"),
    ("SELECT id FROM stars GROUP BY ^COUNT(*), id", "cannot stand in GROUP BY", ""),
    ("SELECT id FROM stars ORDER BY ^2", "no column 2", "1 column"),
    ("SELECT 1 AS x FROM stars JOIN extra USING (^z)", "not in the left table", ""),
    ("SELECT 1 AS x FROM stars JOIN extra USING (^name)", "not in the right table", ""),
    ("SELECT ^t.x FROM (SELECT ra AS x, dec AS x FROM stars) AS t", "more than one column x", "own"),
    ("SELECT DISTINCT id FROM stars ORDER BY ^ra", "DISTINCT", ""),
    ("SELECT id FROM stars ^UNION SELECT id, ra FROM stars", "1 and 2 columns", ""),
    ("SELECT id FROM stars ^UNION SELECT name FROM stars", "Column 1", "CAST"),
    ("SELECT id FROM stars WHERE id IN (^SELECT id, ra FROM stars)", "one column", ""),
    ("SELECT id FROM stars WHERE name = ^'abc", "not closed", "quote"),
    ('SELECT ^"abc FROM stars', "not closed", ""),
    ("SELECT ^1e999 FROM stars", "too large", ""),
    ("SELECT ^0x1F FROM stars", "no hexadecimal", "31"),
    ("SELECT ^12abc FROM stars", "runs into", ""),
    ("SELECT ^_id FROM stars", "_ has no meaning", "double quotes"),
    ("SELECT id FROM stars WHERE name = ^\u2018A^\u2019", "U+2018", "straight single"),
    ("SELECT ^\u201cid^\u201d FROM stars", "U+201C", "straight double"),
    ("SELECT id^\u00a0FROM stars", "U+00A0", "plain space"),
    ("SELECT id FROM stars WHERE ra ^\u2264 1", "U+2264", "<="),
    ("SELECT '^\u202eabc' FROM stars", "invisible", "Leave it out"),
    ("SELECT id^\x00 FROM stars", "invisible", ""),
    ("SELECT id /^* hint */ FROM stars", "Expected a value", ""),
    ("SELECT IN_UNIT(ra, ^'parsec/fortnight') FROM stars", "no unit", ""),
    ("SELECT IN_UNIT(ra, ^'m') FROM stars", "cannot be converted", ""),
    ("SELECT IN_UNIT(^flags, 'm') FROM stars", "no unit", ""),
    ("SELECT ROUND(ra, ^flags) FROM stars", "literal", ""),
    ("SELECT ^CAST(pos AS INTEGER) FROM extra", "A point cannot be cast", ""),
    ("SELECT id FROM extra WHERE ^pos = footprint", "cannot be compared", "CONTAINS"),
    ("SELECT CAST(^'1 2' AS CIRCLE) FROM stars", "is no circle", "radius"),
    ("SELECT CAST(^'1 nan' AS POINT) FROM stars", "is no point", ""),
    ("SELECT ^CAST('1 100' AS POINT) FROM stars", "latitude 100", ""),
    ("SELECT CAST(^'1 2 3 4 5' AS POLYGON) FROM stars", "is no polygon", "three vertices"),
    ("SELECT ^CAST(pos AS CIRCLE) FROM extra", "point cannot be cast to CIRCLE", ""),
    ("SELECT ^CAST(id AS POINT) FROM stars", "integer cannot be cast to POINT", ""),
    ("SELECT IN_UNIT(ra, ^'') FROM stars", "cannot be converted", ""),
    ("SELECT ivo_healpix_index(^flags, ra, dec) FROM stars", "number from 0 to 29", ""),
    ("SELECT ivo_healpix_center(17, ^23.2) FROM stars", "must be an integer", "integer, integer"),
    ("SELECT ivo_healpix_center(^30, 2) FROM stars", "number from 0 to 29", ""),
    (
        "SELECT ivo_geom_transform('ICRS', ^'Galactic', pos) FROM extra",
        "'Galactic' is not offered",
        "GALACTIC",
    ),
    ("SELECT ivo_geom_transform(^bands, 'ICRS', pos) FROM extra", "must be a literal", ""),
    (
        "SELECT ivo_epoch_prop_pos(^NULL, 1, 2, 3, 4, 5, 2000, 2016) FROM stars",
        "ra of ivo_epoch_prop_pos",
        "",
    ),
    ("SELECT ivo_epoch_prop(1, 1, 2, 3, 4, 5, ^NULL, 2016) FROM stars", "ref_epoch of ivo_epoch_prop", ""),
    ("SELECT ^ivo_histogram(ra, dec, 10, 5) FROM stars", "must be numbers", ""),
    ("SELECT ^ivo_histogram(ra, 10, 10, 5) FROM stars", "upper limit", ""),
    ("SELECT ^ivo_histogram(ra, 1, 10, 0) FROM stars", "1 to 10000 bins", ""),
    ("SELECT ^ivo_histogram(DISTINCT ra, 1, 10, 5) FROM stars", "no DISTINCT", ""),
    ("SELECT ivo_to_mjd(^'yesterday') FROM stars", "no timestamp", ""),
    ("SELECT id FROM stars WHERE name LIKE 'a' ^ESCAPE 'b'", "no ESCAPE", ""),
    ("WITH RECURSIVE a AS (SELECT id FROM stars) SELECT id FROM a", "", ""),
    ("SELECT id FROM stars WHERE id IN (WITH a AS (SELECT id FROM stars) SELECT id FROM a)", "", ""),
    ("SELECT id FROM stars ORDER BY id NULLS LAST", "end of the query", "without a value"),
    ("SELECT id FROM stars OFFSET 5 ROWS", "end of the query", "number alone"),
    ("SELECT (id > 5) FROM stars", "condition cannot be a value", "CASE"),
    ("SELECT id FROM stars WHERE id", "Expected a condition", ""),
    ("SELECT id FROM stars WHERE EXISTS (id)", "Expected SELECT", ""),
    ("SELECT id FROM stars AS s, (SELECT s.ra FROM extra) AS x", "called s", ""),
    ("SELECT ra ^id dec FROM stars", "Expected a comma or FROM", "comma may be missing"),
    ("SELECT a.b.c.d.e FROM stars", "at most three", ""),
    ("UPDATE stars SET id = 1", "Expected SELECT", ""),
]


@pytest.mark.parametrize(("marked", "message", "suggestion"), REFUSED)
def test_refusals_name_place_and_advice(release: Release, marked: str, message: str, suggestion: str) -> None:
    """Each wrong query is refused with the place of its (first) fault, what it is, and what to write."""
    query = marked.replace("^", "")
    with pytest.raises(QueryError) as caught:
        release.translate(query)
    problems = caught.value.problems
    text, advice = (
        " ".join(filter(None, words))
        for words in zip(*((p.message, p.suggestion) for p in problems), strict=True)
    )
    assert message in text
    assert suggestion in advice
    assert "\x1b" not in str(caught.value)
    for problem in problems:
        assert problem.rule
    if "^" in marked:
        assert (problems[0].line, problems[0].column) == (1, marked.index("^") + 1)


def test_all_wrong_names_are_told_at_once(release: Release) -> None:
    """A query with many faults is answered with all of them, in the order of its text."""
    query = "SELECT s.idd,\n  foo(1), s.dex\nFROM stars AS s, nothing AS n\nWHERE s.mag > 'x' AND s.ra = 'y'"
    with pytest.raises(QueryError) as caught:
        release.translate(query)
    places = [(problem.line, problem.column, problem.token) for problem in caught.value.problems]
    assert places == [
        (1, 8, "s.idd"),
        (2, 3, "foo(1)"),
        (2, 11, "s.dex"),
        (3, 18, "nothing"),
        (4, 7, "s.mag"),
        (4, 23, "s.ra = 'y'"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 200 + "1" + ")" * 200 + " FROM stars",
        "SELECT " + "-" * 1 + "- " * 0 + "(-" * 90 + "1" + ")" * 90 + " + 1" * 600 + " FROM stars",
        "SELECT " + "NOT " * 5000 + "1 FROM stars",
        "SELECT " + "+" * 5000 + "1 FROM stars",
        "SELECT " + "CASE WHEN 1 = 1 THEN " * 3000 + "1 FROM stars",
        "SELECT id FROM " + "(SELECT id FROM " * 90 + "stars" + ") AS x" * 90,
        "SELECT id FROM stars" + " UNION SELECT id FROM stars" * 500,
        "SELECT id FROM stars" + " JOIN stars" * 3000,
        "SELECT id FROM stars" + ", stars" * 3000,
        "SELECT " + ", ".join(["id"] * 50_000) + " FROM stars",
        "(" * 100_000,
        "'" * 262_143,
        '"' * 262_143,
    ],
    ids=lambda query: query[:40],
)
def test_monsters_are_refused(release: Release, query: str) -> None:
    """Queries beyond all measure are refused with a message, and not by a crash."""
    with pytest.raises(QueryError):
        release.translate(query)


def test_long_but_plain_queries_run(release: Release) -> None:
    """Thousands of conditions and list items, or sums of hundreds of columns, are no reason to refuse."""
    many = " OR ".join(f"id = {i}" for i in range(3000))
    assert len(release.values(f"SELECT id FROM stars WHERE {many}")) == 3000
    listed = ", ".join(map(str, range(5000)))
    assert len(release.values(f"SELECT id FROM stars WHERE id IN ({listed})")) == 4000
    assert release.values("SELECT TOP 1 " + "1 + 2 - " * 90 + "1 FROM stars") == [91]
    assert release.values("SELECT TOP 1 " + "(" * 60 + "7" + ")" * 60 + " FROM stars") == [7]


_WORDS = """SELECT TOP DISTINCT FROM WHERE AND OR NOT GROUP BY HAVING ORDER OFFSET UNION ALL INTERSECT EXCEPT
    WITH AS JOIN LEFT NATURAL USING ON IN EXISTS BETWEEN LIKE IS NULL CASE WHEN THEN ELSE END CAST INTEGER
    stars extra s e id ra dec mag_g name pos footprint disc "Size" * * , , ( ( ) ) . = < + - / || 1 0 2.5 'a'
    COUNT MAX POINT CIRCLE CONTAINS DISTANCE POLYGON BOX REGION AREA COALESCE ROUND MOD NOT""".split()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join)))
def test_any_text_is_a_statement_or_a_query_error(release: Release, text: str) -> None:
    """Whatever is sent, the answer is a statement or a QueryError."""
    for query in (
        text,
        f"SELECT {text} FROM stars AS s, extra AS e",
        f"SELECT s.id FROM stars AS s WHERE {text}",
    ):
        try:
            statement = release.translate(query, maxrec=3)
        except QueryError:
            continue
        assert isinstance(statement, Statement)
        release.connection.cursor().execute("EXPLAIN " + statement.sql)
