"""Every query of the other tests asked of H2 that speaks Oracle as well: both give the same rows.

The test functions are those of the modules that they are imported from; only the release is another.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from adql.oracle_lint import complaints
from adql.oracle_release import BothReleases, both_releases, missing
from adql.small_release import Release, extra_table, star_columns, stars_table, write_release
from adql.test_coordinate_systems import *  # noqa: F403  the tests themselves
from adql.test_queries import *  # noqa: F403
from adql.test_sky import *  # noqa: F403
from adql.test_sky import separation
from adql.test_unknown import *  # noqa: F403
from adql.test_user_defined import *  # noqa: F403

from vo.catalog import Catalog, Schema
from vo.db.duckdb_regions import add_region_functions

# What H2 cannot do or does otherwise than Oracle; a query with this text is asked of DuckDB alone.
EXCLUDED = {
    "1.0 / 0": "H2 takes division of doubles by zero for an error",
    "RAND(": "H2 has no DBMS_RANDOM",
    "ivo_normal_random(": "likewise",
    "ivo_hasword(": "the regular expressions of H2 are those of Java, without [:alpha:]",
    "FULL JOIN": "H2 has no FULL JOIN",
    "GROUP BY ivo_healpix_index": "H2 does not find a term of GROUP BY again inside a CAST of SELECT",
    "GROUP BY CONTAINS": "likewise",
    "GROUP BY MOD": "likewise",
    "JOIN stars AS b": "joins of all stars take H2 minutes; a test below joins some of them",
    "stars AS a, stars AS b": "likewise",
    "EXISTS (SELECT b.id FROM stars AS b": "likewise",
}


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The release on both databases."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    path: Path = tmp_path_factory.mktemp("releases") / "r1.duckdb"
    stars = star_columns()
    write_release(path, stars)
    connection = duckdb.connect()
    add_region_functions(connection)
    connection.execute(f"ATTACH '{path}' AS r1 (READ_ONLY)")
    catalog = Catalog((Schema("sim1", (stars_table(), extra_table())),), "r1")
    both = both_releases(Release(catalog, connection, stars), EXCLUDED, complaints)
    yield both
    both.h2.close()


SOME = "(SELECT id, ra, dec FROM stars WHERE id BETWEEN {} AND {})"


@pytest.mark.parametrize(
    "join",
    [
        "{} AS a JOIN {} AS b ON DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) < 0.3",
        "{} AS a, {} AS b WHERE 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, 0.3))",
        "{} AS a LEFT JOIN {} AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) <= 0.3",
        "{} AS a RIGHT JOIN {} AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) <= 0.3",
    ],
)
@pytest.mark.parametrize("ids", [(700, 780), (820, 980), (990, 1040)], ids=str)
def test_joins_of_some_positions(release: BothReleases, join: str, ids: tuple[int, int]) -> None:
    """Cells without UNNEST find the same pairs, at the seam, at the poles and elsewhere."""
    low, high = ids
    sides = SOME.format(low, high), SOME.format(low + 10, high + 10)
    query = f"SELECT a.id, b.id FROM {join.format(*sides)}"
    asked = release.asked
    found = release.rows(query)
    assert release.asked == asked + 1
    pairs = {(a, b) for a, b in found if a is not None and b is not None}
    assert len(found) == len(set(found))
    stars = release.stars
    expected = set()
    for other in range(low + 10, high + 11):
        near = separation(stars, stars["ra"][other], stars["dec"][other]) <= 0.3
        expected |= {(int(one), other) for one in stars["id"][near] if low <= one <= high}
    assert pairs == expected
    assert '"cell_t' in release.oracle(query).sql


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT id FROM extra WHERE bands = ''", [3]),
        ("SELECT id FROM extra WHERE '' <> bands ORDER BY id", [1, 2, 7]),
        ("SELECT id FROM extra WHERE bands NOT IN ('', 'y') ORDER BY id", [1, 2]),
        ("SELECT id FROM extra WHERE bands IN ('', 'y') ORDER BY id", [3, 7]),
        ("SELECT '!' || bands || bands || '' FROM extra WHERE id IN (3, 7) ORDER BY id", [None, "!yy"]),
    ],
)
def test_empty_strings_are_unknown(release: BothReleases, query: str, expected: list[object]) -> None:
    """What is compared with '' is asked for NULL; joining '' changes nothing, joining NULL gives NULL."""
    assert [row[0] for row in release.fetch(release.oracle(query))] == expected


def test_copies_of_set_operators(release: Release) -> None:
    """EXCEPT ALL and INTERSECT ALL count copies, NULL among them, though 19c has neither."""
    few, many = (
        f"SELECT MOD(id, 3), z FROM stars LEFT JOIN extra USING (id) WHERE id < {n}" for n in (8, 20)
    )
    assert len(release.rows(f"{many} EXCEPT ALL {few}")) == 12
    assert len(release.rows(f"{many} INTERSECT ALL {few}")) == 8
    assert release.rows(f"{few} EXCEPT ALL {many}") == []
    assert len(release.rows(f"({many} EXCEPT ALL {few}) UNION ALL ({many} INTERSECT ALL {few})")) == 20


def test_long_lists(release: Release) -> None:
    """IN takes more than the thousand values that Oracle does."""
    numbers = ", ".join(map(str, range(0, 5000, 2)))
    assert len(release.rows(f"SELECT id FROM stars WHERE id IN ({numbers})")) == 2000
    assert len(release.rows(f"SELECT id FROM stars WHERE id NOT IN ({numbers})")) == 2002


def test_sub_queries_that_sort(release: Release) -> None:
    """ORDER BY inside IN and EXISTS, and around TOP, means what it does elsewhere."""
    assert release.values(
        "SELECT id FROM stars WHERE id IN (SELECT TOP 2 id FROM extra ORDER BY id DESC) ORDER BY id"
    ) == [3, 7]
    assert sorted(release.values("SELECT id FROM stars WHERE id IN (SELECT id FROM extra ORDER BY z)")) == [
        1,
        2,
        3,
        7,
    ]
    assert release.values(
        "SELECT id FROM extra WHERE EXISTS (SELECT id FROM stars WHERE id = 1 ORDER BY 1) ORDER BY id"
    ) == [1, 2, 3, 7]


def test_unknown_conditions(release: Release) -> None:
    """NULL where a condition stands is neither true nor false."""
    for condition in (
        "NULL = 1",
        "NOT (NULL = 1)",
        "NULL <> id OR id = 1",
        "CASE WHEN NULL = 1 THEN 1 ELSE 2 END = 2",
    ):
        release.rows(f"SELECT id FROM extra WHERE {condition}")
    release.rows("SELECT CONTAINS(POINT(1, 2), NULL), CASE WHEN id = 1 THEN NULL END FROM extra")


@pytest.mark.parametrize(
    "expression",
    [
        "CAST(seen AS VARCHAR)",
        "CAST(seen AS VARCHAR(10))",
        "ROUND(z * 1.001, 1)",
        "ROUND(-z * 3)",
        "TRUNCATE(z * 1.279, 1)",
        "ROUND(id * 155, -1)",
        "CAST(good AS INTEGER)",
        "z / id",
        "id / (id - 2)",
        "MOD(id, id - 2)",
        "SQRT(z)",
        "LOG10(z + 0.5)",
        "ivo_to_mjd(seen)",
        "ivo_hashlist_has(bands, 'G')",
        "CASE WHEN z > 1 THEN 'x' WHEN bands LIKE 'g%' THEN bands END",
        "COALESCE(z, id, NULL)",
        "CONTAINS(POINT(z, z), CIRCLE(0, 0, 3))",
    ],
)
def test_more_values(release: Release, expression: str) -> None:
    """Functions of columns, NULL and halves among them, have the same values on both databases."""
    release.rows(f"SELECT id, {expression} FROM extra ORDER BY id")
