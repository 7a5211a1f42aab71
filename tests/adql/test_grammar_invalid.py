"""Near misses of ADQL 2.1: refused with a place in the text, a rule and, mostly, advice."""

from __future__ import annotations

from pathlib import Path

import pytest
from adql.small_release import Release

from vo.errors import QueryError

TABLE = Path(__file__).resolve().parents[1] / "data" / "adql" / "invalid.txt"


@pytest.mark.parametrize("query", TABLE.read_text().splitlines())
def test_near_misses_are_refused(release: Release, query: str) -> None:
    """What the grammar does not take is refused, each problem at its place with the rule that it breaks."""
    with pytest.raises(QueryError) as caught:
        release.translate(query)
    for problem in caught.value.problems:
        assert problem.line == 1
        assert problem.column is not None
        assert 1 <= problem.column <= len(query) + 1
        assert problem.rule


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("SELECT id FROM stars LIMIT 5", "SELECT TOP n"),
        ("SELECT id FROM stars WHERE id == 1", "single ="),
        ("SELECT id FROM stars WHERE id =< 1", "Write <="),
        ("SELECT id FROM stars WHERE id ! = 1", "Write <>"),
        ('SELECT id FROM stars WHERE name = "A0"', "single quotes"),
        ("SELECT `id` FROM stars", "double quotes"),
        ("SELECT [id] FROM stars", "double quotes"),
        ("SELECT id ra FROM stars s z", "comma may be missing"),
        ("SELECT id, FROM stars", "comma too many"),
        ("SELECT idd FROM stars", "Did you mean id"),
        ("SELECT id FROM stars, extra", "Stars.id or extra.id"),
        ("SELECT id FROM extr", "Did you mean sim1.extra"),
        ("SELECT extra.id FROM stars", "extra is not in FROM"),
        ("SELECT stars.id FROM stars AS s", "calls this table s"),
        ("SELECT id TOP 5 FROM stars", "before the columns"),
        ("SELECT TOP (5) id FROM stars", "Leave out the parentheses"),
        ("SELECT id FROM stars WHERE CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))", "1 = CONTAINS"),
        ("SELECT id FROM extra WHERE good", "column = 1"),
        ("SELECT id FROM extra WHERE good = TRUE", "compared with 1 and 0"),
        ("SELECT now() FROM stars", "timestamp in writing"),
        ("SELECT id::int FROM stars", "CAST(x AS type)"),
        ("SELECT CAST(id AS INT) FROM stars", "Write INTEGER"),
        ("SELECT CAST(id AS TEXT) FROM stars", "Write VARCHAR"),
        ("SELECT SUM(id) OVER () FROM stars", "no window functions"),
        ("SELECT 1", "FROM table"),
        ("DELETE FROM stars", "Only queries"),
        ("SELECT id FROM stars; SELECT ra FROM stars", "one query"),
        ("SELECT id, COUNT(*) FROM stars", "Add id to GROUP BY"),
        ("SELECT id FROM stars WHERE COUNT(*) > 1", "HAVING"),
        ("SELECT id FROM stars WHERE name = 5", "'5'"),
        ("SELECT id FROM stars WHERE ra = '5'", "Leave out the quotes"),
        ("SELECT POWER(ra) FROM stars", "POWER(number, number)"),
        ("SELECT LN(ra) FROM stars", "LOG is the natural"),
        ("SELECT CEIL(ra) FROM stars", "CEILING"),
        ("SELECT SUBSTRING(name, 1, 2) FROM stars", "LIKE"),
        ("SELECT NVL(name, 'x') FROM stars", "COALESCE"),
        ("SELECT (ra + dec FROM stars", "comma too many"),
        ("SELECT id FROM stars WHERE (ra > 1", "line 1, column 28"),
        ("SELECT id FROM stars WHERE ra > 1)", "No parenthesis is open"),
        ("SELECT id /* why */ FROM stars", "begins with --"),
        ("SELECT flags & 4 FROM stars", "BIT_AND"),
        ("SELECT id % 2 FROM stars", "MOD(x, y)"),
        ("SELECT 2 ** 3 FROM stars", "POWER"),
        ("SELECT id FROM stars CROSS JOIN extra", "comma between the tables"),
        ("SELECT id FROM stars MINUS SELECT id FROM extra", "EXCEPT"),
        ("SELECT id FROM stars WHERE id = (SELECT MAX(id) FROM extra)", "IN and EXISTS"),
        ("SELECT id FROM stars WHERE id = ANY (SELECT id FROM extra)", "IN (SELECT"),
        ("SELECT id FROM (SELECT id FROM stars)", "AS name"),
        ("SELECT id FROM SELECT id FROM stars", "in parentheses"),
        ("SELECT id FROM stars WHERE (id, ra) IN (SELECT id, z FROM extra)", "rows"),
        ("SELECT id FROM stars WHEERE id = 1", "Did you mean WHERE"),
        ("SELECT id FROM stars ORDER BY id NULLS LAST", "come last"),
        ("SELECT id FROM stars ORDER BY id UNION SELECT id FROM extra", "in parentheses"),
        ("SELECT id FROM stars WHERE id = :x", "no parameters"),
        ("SELECT id FROM stars WHERE id > 1 && ra > 2", "Write AND"),
        ("SELECT size FROM stars", '"size"'),
        ("SELECT 2mass FROM stars", "double quotes"),
        ("SELECT name + 'x' FROM stars", "a || b"),
        ("WITH a(x) AS (SELECT id FROM stars) SELECT x FROM a", "Name them inside"),
        ("SELECT id FROM stars WHERE id + 1 IS NULL", "sub-query of FROM"),
    ],
)
def test_common_mistakes_are_answered_with_the_cure(release: Release, query: str, advice: str) -> None:
    """Who writes another dialect, or slips, is told what to write in ADQL."""
    with pytest.raises(QueryError) as caught:
        release.translate(query)
    assert advice in " ".join(problem.suggestion or "" for problem in caught.value.problems)


def test_syntax_is_told_with_everything_else(release: Release) -> None:
    """A query that is wrong in its grammar is told of its wrong names as well, each once, in their order."""
    query = (
        "SELECT idd, ra +, foo(dec) bar FROM stars s CROSS JOIN extra\n"
        "WHERE z == 1 AND nonsense > 2 GROUP BY (id, ra) ORDER BY , bar LIMIT 5"
    )
    with pytest.raises(QueryError) as caught:
        release.translate(query)
    places = [(problem.line, problem.column, problem.token) for problem in caught.value.problems]
    assert places == [
        (1, 8, "idd"),
        (1, 17, ","),
        (1, 19, "foo(dec)"),
        (1, 45, "CROSS"),
        (2, 9, "="),
        (2, 18, "nonsense"),
        (2, 43, ","),
        (2, 58, ","),
        (2, 64, "LIMIT"),
    ]
