"""Queries and their rows: what ADQL says, computed a second time without a database."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from adql.small_release import Release

Stars = list[dict[str, Any]]


@pytest.fixture(scope="session")
def stars(release: Release) -> Stars:
    """The stars as rows of Python, with those that have no position."""
    columns = release.stars
    names = ["id", "ra", "dec", "mag_r", "flags", "name"]
    rows = [
        dict(zip(names, row, strict=True)) for row in zip(*(columns[n].tolist() for n in names), strict=True)
    ]
    mags = columns["mag_g"]
    for row, mag, masked in zip(rows, mags.data.tolist(), np.ma.getmaskarray(mags), strict=True):
        row["mag_g"] = None if masked else mag
        row["Size"] = row["id"] % 50
    nothing = dict.fromkeys(rows[0])
    rows.append({**nothing, "id": 9001, "name": "nowhere", "flags": 1})
    rows.append({**nothing, "id": 9002})
    return rows


SELECTIONS: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("ra > 180", lambda s: s["ra"] is not None and s["ra"] > 180),
    ("NOT ra > 180", lambda s: s["ra"] is not None and s["ra"] <= 180),
    ("mag_g IS NULL", lambda s: s["mag_g"] is None),
    ("mag_g IS NOT NULL AND flags <> 2", lambda s: s["mag_g"] is not None and s["flags"] not in (2, None)),
    ("mag_g BETWEEN 19 AND 20.5", lambda s: s["mag_g"] is not None and 19 <= s["mag_g"] <= 20.5),
    ("mag_g NOT BETWEEN 19 AND 20.5", lambda s: s["mag_g"] is not None and not 19 <= s["mag_g"] <= 20.5),
    ("flags IN (1, 2, 3)", lambda s: s["flags"] in (1, 2, 3)),
    ("flags NOT IN (1, 2, 3)", lambda s: s["flags"] not in (1, 2, 3, None)),
    ("name LIKE 'A_'", lambda s: s["name"] is not None and s["name"][0] == "A" and len(s["name"]) == 2),
    ("name NOT LIKE '%x%'", lambda s: s["name"] is not None and "x" not in s["name"]),
    ("name ILIKE 'aX%'", lambda s: s["name"] is not None and s["name"].lower().startswith("ax")),
    ("name = 'it''s' OR name = 'A0'", lambda s: s["name"] == "A0"),
    ("UPPER(name) = 'AX1' OR LOWER(name) = 'bx3'", lambda s: s["name"] in ("Ax1", "Bx3")),
    ("id IN (SELECT id FROM extra WHERE z > 1)", lambda s: s["id"] in (3, 7)),
    ("EXISTS (SELECT 1 FROM extra AS e WHERE e.id = s.id)", lambda s: s["id"] in (1, 2, 3, 7)),
    ("NOT EXISTS (SELECT * FROM extra WHERE extra.id = s.id)", lambda s: s["id"] not in (1, 2, 3, 7)),
    ('"Size" = 7 AND size_test.id < 100', None),
    ("flags / 2 = 1", lambda s: s["flags"] in (2, 3)),
    ("flags / 2 = -1", lambda s: s["flags"] in (-2, -3)),
    ("MOD(flags, 2) = -1", lambda s: s["flags"] in (-1, -3)),
    ("bit_and(flags, 5) = 4", lambda s: s["flags"] is not None and s["flags"] & 5 == 4),
    ("bit_or(flags, 1) = 3", lambda s: s["flags"] is not None and s["flags"] | 1 == 3),
    ("BIT_XOR(flags, 3) = 0", lambda s: s["flags"] == 3),
    ("bit_not(flags) = -4", lambda s: s["flags"] == 3),
    ("flags - -1 = +2", lambda s: s["flags"] == 1),
    ("-flags > 0 AND 1 = 1", lambda s: s["flags"] is not None and s["flags"] < 0),
    ("flags + 1 * 2 = 4 OR (flags + 1) * 2 = 4", lambda s: s["flags"] in (2, 1)),
    ("id = 1 OR id = 2 AND flags > 100", lambda s: s["id"] == 1),
    (
        "CASE WHEN flags > 2 THEN 'many' WHEN flags > 0 THEN 'some' END = 'some'",
        lambda s: s["flags"] in (1, 2),
    ),
    ("CASE flags WHEN 3 THEN 1 ELSE 0 END = 1", lambda s: s["flags"] == 3),
    ("COALESCE(mag_g, -1) = -1", lambda s: s["mag_g"] is None),
    (
        "s.flags < 0 -- a comment ' with a quote\n AND id < 100",
        lambda s: s["flags"] is not None and s["flags"] < 0 and s["id"] < 100,
    ),
]


@pytest.mark.parametrize(("condition", "expected"), [item for item in SELECTIONS if item[1]])
def test_where(
    release: Release, stars: Stars, condition: str, expected: Callable[[dict[str, Any]], bool]
) -> None:
    """A condition selects the rows for which it is true; unknown is not true."""
    found = release.values(f"SELECT id FROM sim1.stars AS s WHERE {condition}")
    assert sorted(found) == [star["id"] for star in stars if expected(star)]


def _time(*parts: int) -> datetime:
    """A timestamp as the database gives it: in UTC, without saying so."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


X = 0.7
VALUES = [
    ("ABS(-2.5)", 2.5),
    ("ABS(-3)", 3),
    ("CEILING(1.2)", 2.0),
    ("CEILING(7)", 7),
    ("FLOOR(-1.2)", -2.0),
    ("ROUND(2.5)", 3.0),
    ("ROUND(-2.5)", -3.0),
    ("ROUND(1.2345, 2)", 1.23),
    ("ROUND(1234.5, -2)", 1200.0),
    ("TRUNCATE(-1.57)", -1.0),
    ("TRUNCATE(1.579, 2)", 1.57),
    ("MOD(-7, 3)", -1),
    ("MOD(7.5, 2)", 1.5),
    ("MOD(7, 0)", None),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("7 / 2.0", 3.5),
    ("7 / 0", None),
    ("1.0 / 0", math.inf),
    ("POWER(2, 10)", 1024.0),
    ("SQRT(2)", math.sqrt(2)),
    ("EXP(0.7)", math.exp(X)),
    ("LOG(0.7)", math.log(X)),
    ("LOG10(1000)", 3.0),
    ("PI()", math.pi),
    ("DEGREES(PI())", 180.0),
    ("RADIANS(180)", math.pi),
    ("SIN(0.7)", math.sin(X)),
    ("COS(0.7)", math.cos(X)),
    ("TAN(0.7)", math.tan(X)),
    ("COT(0.7)", 1 / math.tan(X)),
    ("ASIN(0.7)", math.asin(X)),
    ("ACOS(0.7)", math.acos(X)),
    ("ATAN(0.7)", math.atan(X)),
    ("ATAN2(1, -1)", math.atan2(1, -1)),
    ("0.1 + 0.2", 0.1 + 0.2),
    ("1e-3", 0.001),
    (".5", 0.5),
    ("5.", 5.0),
    ("9223372036854775807", 2**63 - 1),
    ("2000000000 + 2000000000", 4_000_000_000),
    ("-(-1)", 1),
    ("-(-1)", 1),
    ("'a' || 'b' || ''", "ab"),
    ("'it''s'", "it's"),
    ("LOWER('ABC') || UPPER('def')", "abcDEF"),
    ("CAST('12' AS INTEGER)", 12),
    ("CAST(3 AS VARCHAR) || 'x'", "3x"),
    ("CAST('abcdef' AS VARCHAR(3))", "abc"),
    ("CAST('abc' AS CHAR(2))", "ab"),
    ("CAST(7.5 AS BIGINT)", 8),
    ("CAST(-6.5 AS SMALLINT)", -7),
    ("CAST(1 AS DOUBLE PRECISION) / 2", 0.5),
    ("CAST('1.5' AS REAL)", 1.5),
    ("CAST('2020-01-02T03:04:05.5Z' AS TIMESTAMP)", _time(2020, 1, 2, 3, 4, 5, 500_000)),
    ("COALESCE(NULL, NULL, 3)", 3),
    ("CAST(-32768 AS SMALLINT)", -32768),
    ("CAST(32767.4 AS SMALLINT)", 32767),
    ("CAST(NULL AS SMALLINT)", None),
    ("CAST('  40 -20.0' AS POINT)", [40.0, -20.0]),
    ("CAST('1 2' || '.5' AS POINT)", [1.0, 2.5]),
    ("CAST('1e1 2 0.5' AS CIRCLE)", [10.0, 2.0, 0.5]),
    ("CAST('1 2 3 4 5 3' AS POLYGON)", [1.0, 2.0, 3.0, 4.0, 5.0, 3.0]),
    ("CAST(POINT(1, 2) AS POINT)", [1.0, 2.0]),
    ("CAST(NULL AS CIRCLE)", None),
    ("COORD2(CAST('40 -20' AS POINT))", -20.0),
    ("CONTAINS(CAST('40 -20' AS POINT), CAST('40.1 -20 0.2' AS CIRCLE))", 1),
    ("'a' || NULL", None),
    ("bands || '-' || bands || ''", "g#r-g#r"),
    ("MOD(7, -3)", 1),
    ("MOD(-7.5, 2)", -1.5),
    ("MOD(z, 0)", None),
    ("ROUND(-25, -1)", -30),
    ("ROUND(0.49999999999999994)", 0.0),
    ("ROUND(2.5, 0)", 3.0),
    ("TRUNCATE(-1234.567, -2)", -1200.0),
    ("TRUNCATE(1999, -3)", 1000),
    ("ATAN2(-1, -1)", math.atan2(-1, -1)),
    ("ATAN2(0, -1)", math.pi),
    ("POWER(0, 0)", 1.0),
    ("POWER(2, -1)", 0.5),
    ("RADIANS(90.5 + 89.5)", math.pi),
    ("DEGREES(z - 0.5 + PI())", 180.0),
    ("7 / -2", -3),
    ("NULL + 1", None),
    ("ROUND(NULL, 2)", None),
    ("LOWER(NULL)", None),
    ("NULL", None),
    ("CASE WHEN 1 = 2 THEN 1 END", None),
    ("ivo_nocasematch('GAVO', 'ga%')", 1),
    ("ivo_hasword('bird is the word', 'IS')", 1),
    ("ivo_hasword('mistaken', 'is')", 0),
    ("ivo_hasword('a+b', 'a+b')", 1),
    ("ivo_hashlist_has('one#two', 'TWO')", 1),
    ("ivo_hashlist_has('one#two', 'wo')", 0),
    ("ivo_interval_overlaps(1, 2, 2, 3)", 1),
    ("ivo_interval_overlaps(1, 2, 2.1, 3)", 0),
    ("ivo_to_mjd(CAST('2000-01-01T12:00:00' AS TIMESTAMP))", 51544.5),
    ("ivo_to_jd(CAST('2000-01-01T12:00:00' AS TIMESTAMP))", 2451545.0),
    ("ivo_healpix_index(0, 0, 0)", 4),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_values(release: Release, expression: str, expected: object) -> None:
    """Each function and operator has ADQL's meaning, in the declared type."""
    (found,) = release.values(f"SELECT {expression} AS v FROM extra WHERE id = 1")
    if isinstance(expected, float):
        assert isinstance(found, float)
        assert found == pytest.approx(expected, rel=1e-14)
    else:
        assert found == expected
        assert type(found) is type(expected)


def test_random_numbers(release: Release) -> None:
    """RAND gives numbers from 0 to 1, with a seed or without."""
    rows = release.rows("SELECT RAND(), RAND(42) FROM stars")
    assert all(0 <= value < 1 for row in rows for value in row)
    assert len({row[0] for row in rows}) > 1000


def test_aggregates_and_groups(release: Release, stars: Stars) -> None:
    """COUNT, SUM, AVG, MIN, MAX by group, with HAVING and an order by an aggregate."""
    rows = release.rows(
        "SELECT flags AS f, COUNT(*) AS n, COUNT(mag_g), COUNT(DISTINCT name), SUM(id), AVG(mag_r), MIN(ra), "
        "MAX(mag_g) - MIN(mag_g) FROM sim1.stars GROUP BY flags HAVING COUNT(*) > 2 ORDER BY n DESC, f"
    )
    groups: dict[int, Stars] = {}
    for star in stars:
        if star["flags"] is not None:
            groups.setdefault(star["flags"], []).append(star)
    assert [row[0] for row in rows] == sorted(groups, key=lambda flag: (-len(groups[flag]), flag))
    for flag, count, measured, names, total, mean, first, spread in rows:
        group = groups[flag]
        mags = [star["mag_g"] for star in group if star["mag_g"] is not None]
        assert (count, measured) == (len(group), len(mags))
        assert names == len({star["name"] for star in group})
        assert total == sum(star["id"] for star in group)
        assert mean == pytest.approx(np.mean([s["mag_r"] for s in group if s["mag_r"] is not None]))
        assert first == min(star["ra"] for star in group if star["ra"] is not None)
        assert spread == pytest.approx(max(mags) - min(mags), rel=1e-6)


def test_groups_by_expressions_and_by_cells(release: Release) -> None:
    """GROUP BY takes expressions, and the HEALPix cell of the main position is one."""
    healpix = "ivo_healpix_index(2, ra, dec)"
    rows = release.rows(f"SELECT {healpix}, COUNT(*) FROM stars WHERE ra IS NOT NULL GROUP BY {healpix}")
    assert sum(count for _, count in rows) == len(release.stars["id"])
    assert len(rows) > 100
    (single,) = release.values("SELECT ivo_healpix_index(2, 40, -20) FROM extra WHERE id = 1")
    assert dict(rows)[single] >= 500
    cells = release.rows("SELECT DISTINCT ivo_healpix_index(29, POINT(ra, dec)) FROM stars WHERE id < 10")
    assert len(cells) == 10
    ranges = release.rows(
        "SELECT MOD(id, 3) AS m, COUNT(*) FROM stars WHERE id < 9 GROUP BY MOD(id, 3) ORDER BY m"
    )
    assert ranges == [(0, 3), (1, 3), (2, 3)]


def test_order_top_and_offset(release: Release, stars: Stars) -> None:
    """ORDER BY numbers, aliases, columns and expressions; NULL is the largest; OFFSET comes first."""
    ordered = sorted(
        (star for star in stars if star["id"] < 60),
        key=lambda s: (s["mag_g"] is None, s["mag_g"] or 0, s["id"]),
    )
    ids = [star["id"] for star in ordered]
    base = "FROM stars WHERE id < 60 ORDER BY"
    assert release.values(f"SELECT id {base} mag_g, id") == ids
    assert release.values(f"SELECT id, mag_g AS m {base} m, 1") == ids
    assert release.values(f"SELECT id, mag_g {base} 2 ASC, id ASC") == ids
    assert release.values(f"SELECT id {base} mag_g DESC, id DESC") == ids[::-1]
    assert release.values(f"SELECT id {base} -mag_g DESC, id")[: len(ids) - ids.count(None)]
    assert release.values(f"SELECT TOP 5 id {base} mag_g, id") == ids[:5]
    assert release.values(f"SELECT TOP 5 id {base} mag_g, id OFFSET 7") == ids[7:12]
    assert release.values(f"SELECT id {base} mag_g, id OFFSET 1000") == []
    assert release.values(f"SELECT TOP 0 id {base} id") == []
    assert release.values(f"SELECT DISTINCT TOP 3 MOD(id, 7) AS m {base} m DESC") == [6, 5, 4]
    assert release.values(f"SELECT ALL id {base} ABS(id - 30), id")[:3] == [30, 29, 31]


def test_joins(release: Release, stars: Stars) -> None:
    """INNER, LEFT, RIGHT, FULL, NATURAL, USING, ON, commas and nested joins."""
    inner = {(1, 0.5), (2, None), (3, 2.5), (7, 7.5)}
    for join in (
        "stars JOIN extra USING (id)",
        "stars NATURAL JOIN extra",
        "stars INNER JOIN extra USING (id)",
        "extra NATURAL INNER JOIN stars",
    ):
        assert set(release.rows(f"SELECT id, z FROM {join}")) == inner
    on = "s JOIN extra AS e ON s.id = e.id"
    assert set(release.rows(f"SELECT s.id, e.z FROM stars AS {on}")) == inner
    assert set(release.rows("SELECT s.id, e.z FROM stars s, extra e WHERE s.id = e.id")) == inner
    left = release.rows("SELECT id, z FROM stars LEFT OUTER JOIN extra USING (id)")
    assert len(left) == len(stars)
    assert sum(z is not None for _, z in left) == 3
    right = release.rows(
        "SELECT s.id, e.id FROM stars AS s RIGHT JOIN extra AS e ON s.id = e.id AND s.id < 3"
    )
    assert sorted(right, key=lambda row: row[1]) == [(1, 1), (2, 2), (None, 3), (None, 7)]
    full = release.rows(
        "SELECT id, a, b FROM (SELECT id, z AS a FROM extra WHERE id < 3) AS x "
        "FULL JOIN (SELECT id, z AS b FROM extra WHERE id > 1) AS y USING (id) ORDER BY id"
    )
    assert full == [(1, 0.5, None), (2, None, None), (3, None, 2.5), (7, None, 7.5)]
    nested = release.values(
        "SELECT COUNT(*) FROM stars AS s LEFT JOIN (extra AS e JOIN extra AS f ON e.id = f.id) ON s.id = f.id"
    )
    assert nested == [len(stars)]
    chained = (
        "SELECT COUNT(*) FROM stars AS s LEFT JOIN extra AS e JOIN extra AS f ON e.id = f.id ON s.id = f.id"
    )
    assert release.values(chained) == [len(stars)]
    columns = release.translate("SELECT * FROM stars NATURAL JOIN extra").columns
    assert [column.name for column in columns][:3] == ["id", "ra", "dec"]
    assert len(columns) == 15


def test_stars_in_the_select_list(release: Release) -> None:
    """`*` is every column in order; `t.*` those of one table, also under its schema."""
    names = ["id", "ra", "dec", "mag_g", "mag_r", "flags", "name", "Size"]

    def columns(query: str) -> list[str]:
        return [column.name for column in release.translate(query).columns]

    assert columns("SELECT * FROM sim1.stars") == names
    assert columns("SELECT e.id, s.* FROM stars AS s, extra AS e") == ["id", *names]
    assert columns("SELECT sim1.stars.*, 1 AS one FROM sim1.stars") == [*names, "one"]
    assert columns("SELECT * FROM (SELECT dec AS x, ra FROM stars) AS t") == ["x", "ra"]


def test_set_operators(release: Release) -> None:
    """UNION, EXCEPT, INTERSECT with and without ALL; INTERSECT binds tighter; parentheses and ORDER BY."""
    low, high = "SELECT id FROM stars WHERE id < 5", "SELECT id FROM stars WHERE id BETWEEN 3 AND 8"
    some = "SELECT id FROM extra"
    assert sorted(release.values(f"{low} UNION {high}")) == list(range(9))
    assert Counter(release.values(f"{low} UNION ALL {high}")) == Counter([*range(5), *range(3, 9)])
    assert sorted(release.values(f"{low} EXCEPT {high}")) == [0, 1, 2]
    assert sorted(release.values(f"{low} INTERSECT {high}")) == [3, 4]
    assert sorted(release.values(f"{some} UNION {low} INTERSECT {high}")) == [1, 2, 3, 4, 7]
    assert sorted(release.values(f"({some} UNION {low}) INTERSECT {high}")) == [3, 4, 7]
    assert sorted(release.values(f"{low} EXCEPT ({high} EXCEPT {some})")) == [0, 1, 2, 3]
    assert release.values(f"{low} UNION {high} ORDER BY id DESC OFFSET 6") == [2, 1, 0]
    assert release.values(f"(SELECT TOP 2 id FROM stars ORDER BY id DESC) UNION ALL {some} ORDER BY 1") == [
        1,
        2,
        3,
        7,
        9001,
        9002,
    ]
    mixed = release.rows(
        "SELECT id, 'a' AS k FROM extra UNION ALL SELECT z, name FROM extra, stars WHERE stars.id = 0"
    )
    assert len(mixed) == 8
    assert {type(value) for value, _ in mixed} == {float, type(None)}
    assert release.values(f"(SELECT TOP 3 id FROM stars ORDER BY id) ORDER BY id DESC") == [2, 1, 0]  # noqa: F541


def test_with(release: Release) -> None:
    """WITH queries are tables of the query, also of each other and of sub-queries."""
    query = (
        "WITH bright AS (SELECT id, mag_r AS m FROM stars WHERE mag_r < 19), "
        "few AS (SELECT TOP 10 * FROM bright ORDER BY m) "
        "SELECT b.id FROM bright AS b WHERE b.id IN (SELECT id FROM few) ORDER BY b.m"
    )
    stars = release.stars
    assert release.values(query) == stars["id"][np.argsort(stars["mag_r"], kind="stable")][:10].tolist()


def test_names_in_any_case(release: Release) -> None:
    """Regular identifiers in any case, delimited ones to the letter; results as the catalogue spells."""
    statement = release.translate(
        'SELECT RA, Dec, SIZE_.ID, "Size" FROM SIM1.STARS AS size_ WHERE Size_.Ra > 1'
    )
    assert [column.name for column in statement.columns] == ["ra", "dec", "id", "Size"]
    aliased = release.translate('SELECT ra AS "my ra", dec AS D FROM stars ORDER BY "my ra", d')
    assert [column.name for column in aliased.columns] == ["my ra", "D"]
    assert release.values('SELECT "x y" FROM (SELECT id AS "x y" FROM extra) AS "T" WHERE "T"."x y" = 7') == [
        7
    ]


@pytest.mark.parametrize("maxrec", [0, 1, 3, 10])
def test_maxrec_asks_for_one_row_more(release: Release, maxrec: int) -> None:
    """No form of query gives more than MAXREC + 1 rows, and TOP still counts."""
    for query in (
        "SELECT id FROM stars",
        "SELECT id FROM stars UNION ALL SELECT id FROM stars",
        "WITH a AS (SELECT id FROM stars) SELECT id FROM a",
        "(SELECT TOP 50 id FROM stars) ORDER BY id",
        "SELECT id FROM stars ORDER BY id OFFSET 5",
    ):
        assert len(release.rows(query, maxrec)) == maxrec + 1
    assert len(release.rows("SELECT TOP 2 id FROM stars", maxrec)) == min(2, maxrec + 1)


def test_booleans_and_timestamps(release: Release) -> None:
    """Boolean columns compare with 1 and 0, timestamps with DALI strings."""
    assert release.values("SELECT id FROM extra WHERE good = 1 ORDER BY id") == [1, 7]
    assert release.values("SELECT id FROM extra WHERE 0 = good") == [2]
    assert release.values("SELECT good FROM extra WHERE id = 2") == [False]
    assert release.values("SELECT id FROM extra WHERE seen >= '2021-06-01T12:30:00Z' ORDER BY id") == [2, 7]
    assert release.values("SELECT id FROM extra WHERE seen BETWEEN '2020-01-01' AND '2021-01-01'") == [1]
    assert release.values("SELECT MAX(seen) FROM extra") == [_time(2022, 1, 1)]
    assert release.values(
        "SELECT id FROM extra WHERE seen IN ('2020-01-01', '2022-01-01 00:00') ORDER BY id"
    ) == [1, 7]


def test_strings_of_a_group(release: Release) -> None:
    """ivo_string_agg joins the strings of a group."""
    (joined,) = release.values("SELECT ivo_string_agg(bands, ', ') FROM extra")
    assert sorted(joined.split(", ")) == ["g#r", "g#r#i", "y"]
